package main

import (
	"bufio"
	"io"
	"net"
	"unicode/utf8"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

const (
	messageBytesMax = 64 * 1024
	bufferBytes     = 1024
)

// serveSockets takes connections as the library's fast way does: no net/http, an upgrade without copies. The path says how a
// connection is echoed.
func serveSockets(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go serveSocket(conn)
	}
}

func serveSocket(conn net.Conn) {
	defer conn.Close()
	helped := false
	upgrader := ws.Upgrader{OnRequest: func(uri []byte) error {
		helped = string(uri) == "/helped"
		return nil
	}}
	if _, err := upgrader.Upgrade(conn); err != nil {
		return
	}
	if helped {
		echoHelped(conn)
	} else {
		echo(conn)
	}
}

// echoHelped is the loop of the library's documentation.
func echoHelped(conn net.Conn) {
	for {
		message, kind, err := wsutil.ReadClientData(conn)
		if err != nil {
			return
		}
		if err = wsutil.WriteServerMessage(conn, kind, message); err != nil {
			return
		}
	}
}

// echo reads and writes through buffers: one call to the kernel each, where messages are short. Nothing is allocated for a
// message that is not larger than those before.
func echo(conn net.Conn) {
	reader := bufio.NewReaderSize(conn, bufferBytes)
	writer := bufio.NewWriterSize(conn, bufferBytes)
	var room []byte
	for {
		header, err := ws.ReadHeader(reader)
		if err != nil || header.Length > messageBytesMax || ws.CheckHeader(header, ws.StateServerSide) != nil {
			return
		}
		if int64(cap(room)) < header.Length {
			room = make([]byte, header.Length)
		}
		payload := room[:header.Length]
		if _, err = io.ReadFull(reader, payload); err != nil {
			return
		}
		ws.Cipher(payload, header.Mask, 0)
		if header.OpCode == ws.OpText && !utf8.Valid(payload) {
			return
		}
		if ws.WriteFrame(writer, ws.Frame{Header: ws.Header{Fin: header.Fin, OpCode: header.OpCode,
			Length: header.Length}, Payload: payload}) != nil {
			return
		}
		if reader.Buffered() == 0 && writer.Flush() != nil {
			return
		}
		if header.OpCode == ws.OpClose {
			writer.Flush()
			return
		}
	}
}
