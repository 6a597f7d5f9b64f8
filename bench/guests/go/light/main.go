// Answers without net/http.
package main

import "mote.dev/mote"

//go:wasmexport hello
func hello() { _ = mote.RespondText(200, "hello\n") }

func main() {}
