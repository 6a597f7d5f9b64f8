// Package mote is for guests of mote in Go: processes that answer requests, serve WebSockets, and work for others.
//
// What a route or a component's entry names is an exported function:
//
//	//go:wasmexport hello
//	func hello() { mote.RespondText(200, "hello\n") }
//
//	func main() {}
//
// `mote build` compiles it. Each process begins with fresh memory. Goroutines, time.After, channels and context work as
// anywhere; a goroutine that waits for mail, an answer, a stream or a request to somebody else lets the others go on.
// Package web serves an http.Handler.
package mote
