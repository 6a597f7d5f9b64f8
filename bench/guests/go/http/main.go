// Answers by an http.Handler.
package main

import (
	"io"
	"net/http"

	"mote.dev/mote/web"
)

//go:wasmexport hello
func hello() {
	web.Serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello\n") }))
}

func main() {}
