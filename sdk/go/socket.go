//go:build wasip1

package mote

import (
	"context"
	"fmt"

	"mote.dev/mote/internal/abi"
)

// Socket is the WebSocket of this process, which lives as long as its connection.
type Socket struct{}

// Message is a message of a WebSocket.
type Message struct {
	Binary bool
	Data   []byte
}

// CloseError is what Socket.Receive returns once the WebSocket is closed: then the exported function is to return.
type CloseError struct {
	Code   int // 1005: none was given, 1006: the client is gone without a word
	Reason string
}

func (e *CloseError) Error() string {
	return fmt.Sprintf("mote: the WebSocket is closed: %d %s", e.Code, e.Reason)
}

// Unwrap makes errors.Is find ErrClosed.
func (e *CloseError) Unwrap() error { return ErrClosed }

// Receive waits for the client's next message; other goroutines go on. What other processes send comes by the function
// Receive, best in a goroutine of its own.
func (Socket) Receive(ctx context.Context) (Message, error) {
	mail, err := receive(ctx, 1<<frame|1<<closing)
	if err != nil {
		return Message{}, err
	}
	if mail.Kind == closing {
		return Message{}, &CloseError{int(mail.Label), string(mail.Body)}
	}
	return Message{mail.Label == abi.WsBinary, mail.Body}, nil
}

// Send sends a message, and waits, with all goroutines, while the client is slow.
func (Socket) Send(message Message) error {
	kind := int32(abi.WsText)
	if message.Binary {
		kind = abi.WsBinary
	}
	data, size := at(message.Data)
	return failure(abi.WsSend(kind, data, size))
}

// SendText sends a text.
func (s Socket) SendText(text string) error { return s.Send(Message{Data: []byte(text)}) }

// Close closes it, behind what was sent.
func (Socket) Close(code int, reason string) error { return failure(abi.WsClose(uint32(code), reason)) }
