// Each request runs in an instance of its own, which is gone when its handler returns.
package main

import "mote.dev/mote"

// GET /
//
//go:wasmexport index
func index() { _ = mote.RespondText(200, "hello from __NAME__\n") }

// GET /hello/:name
//
//go:wasmexport greet
func greet() { _ = mote.RespondText(200, "hello, "+mote.Param("name")+"\n") }

func main() {}
