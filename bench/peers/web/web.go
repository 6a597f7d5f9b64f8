// The peer of the WebSocket and event rows of `make bench`: what a careful Go program does, without what it need not.
//
// Prints the ports of its two listeners on 127.0.0.1, a line: "SOCKETS EVENTS". Ends with its standard input.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
)

func listen() net.Listener {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(1)
	}
	return listener
}

func portOf(listener net.Listener) int {
	return listener.Addr().(*net.TCPAddr).Port
}

func main() {
	sockets, events := listen(), listen()
	go serveSockets(sockets)
	go http.Serve(events, eventRoutes())
	fmt.Println(portOf(sockets), portOf(events))
	io.Copy(io.Discard, os.Stdin)
}
