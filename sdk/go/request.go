//go:build wasip1

package mote

import (
	"io"
	"strings"
	"unsafe"

	"mote.dev/mote/internal/abi"
)

// What a handler needs, without net/http, which package web is for: a program without it starts in half the time.

// Part is a part of the request.
type Part int32

// Parts.
const (
	Method      Part = abi.RequestFieldMethod
	Path        Part = abi.RequestFieldPath
	Query       Part = abi.RequestFieldQuery // as sent, without the "?"
	Target      Part = abi.RequestFieldTarget
	Host        Part = abi.RequestFieldHost
	Remote      Part = abi.RequestFieldRemote
	RequestID   Part = abi.RequestFieldId
	Subprotocol Part = abi.RequestFieldSubprotocol
	Scheme      Part = abi.RequestFieldScheme
	Certificate Part = abi.RequestFieldCertificate
)

// Get is a part of the request of this handler, or of the handshake of this WebSocket.
func (p Part) Get() string {
	value, _ := text(func(buffer unsafe.Pointer, size uint32) int32 { return abi.RequestGet(int32(p), buffer, size) })
	return value
}

// Param is a ":name" of the route, decoded; "*" is its rest. Empty: there is none.
func Param(name string) string {
	value, _ := text(func(buffer unsafe.Pointer, size uint32) int32 { return abi.RequestParam(name, buffer, size) })
	return value
}

// QueryValue is the first value of that name, decoded. Empty: there is none.
func QueryValue(name string) string {
	value, _ := text(func(buffer unsafe.Pointer, size uint32) int32 { return abi.RequestQueryValue(name, buffer, size) })
	return value
}

// Header is the first header of that name. Empty: there is none.
func Header(name string) string {
	value, _ := text(func(buffer unsafe.Pointer, size uint32) int32 { return abi.RequestHeader(name, buffer, size) })
	return value
}

// Headers is every header of the request, as they came.
func Headers() (list [][2]string) {
	for i := uint32(0); ; i++ {
		line, err := text(func(buffer unsafe.Pointer, size uint32) int32 { return abi.RequestHeaderAt(i, buffer, size) })
		if err != nil {
			return list
		}
		name, value, _ := strings.Cut(line, ": ")
		list = append(list, [2]string{name, value})
	}
}

type body struct{}

// Body is the body of the request, as it comes. While a Read waits for the client, other goroutines go on.
var Body io.Reader = body{}

func (body) Read(data []byte) (int, error) {
	if len(data) == 0 {
		return 0, nil
	}
	awaitBody()
	got := abi.RequestRead(at(data))
	if got < 0 {
		return 0, Error(got)
	}
	if got == 0 {
		return 0, io.EOF
	}
	return int(got), nil
}

// Respond gives the whole answer. Headers are lines of "name: value", each ended by a newline.
func Respond(status int, headers string, body []byte) error {
	data, size := at(body)
	result := abi.Respond(int32(status), headers, data, size)
	if result == 1 { // a large one: so far only its head is on its way
		_, err := Answer{}.Write(body)
		return err
	}
	return failure(result)
}

// RespondText answers with a text.
func RespondText(status int, text string) error {
	return Respond(status, "content-type: text/plain; charset=utf-8\n", []byte(text))
}

// Answer writes an answer piece by piece.
type Answer struct{}

// Begin begins one, of a length that is known, or -1. It ends when the exported function returns.
func Begin(status int, headers string, length int64) (Answer, error) {
	return Answer{}, failure(abi.RespondBegin(int32(status), headers, length))
}

// Write sends some of it, and waits while the client is slow; other goroutines go on. ErrClosed: nobody reads any more.
func (Answer) Write(data []byte) (int, error) {
	for done := 0; done < len(data); {
		piece := data[done:min(len(data), done+1<<16)]
		buffer, size := at(piece)
		awaitAnswer()
		if result := abi.RespondWrite(buffer, size); result < 0 {
			return done, Error(result)
		}
		done += len(piece)
	}
	return len(data), nil
}

// ClientGone says whether the client of this handler is known to have left.
func ClientGone() bool { return abi.ClientGone() == 1 }

// ClientLeft waits until it has; other goroutines go on.
func ClientLeft() error {
	for !ClientGone() {
		if err := wait(descriptorClientGone, forReading, 0); err != nil {
			return ErrMisplaced
		}
	}
	return nil
}
