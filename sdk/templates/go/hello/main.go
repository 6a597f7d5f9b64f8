package main

import "mote.dev/mote"

//go:wasmexport hello
func hello() { _ = mote.RespondText(200, "hello from __NAME__\n") }

func main() {}
