//go:build wasip1

package mote

import (
	"fmt"
	"strings"
	"unsafe"

	"mote.dev/mote/internal/abi"
)

// Fetch is a request to somebody else under way. Package web makes an http.RoundTripper of it.
type Fetch struct {
	handle int32
	Body   *Stream // to write its body to, which End completes; nil: it has none
	Answer *Stream // to read the answer's from
	Status int     // once Head has returned
}

// FetchError is why there is no answer, or no more of it.
type FetchError struct {
	Reason int
}

var fetchReasons = [...]string{
	"nothing went wrong", "the address is not granted", "there is no such host", "nobody answers there",
	"no TLS, or a certificate that is not trusted", "one of its times is over", "the server left before the end",
	"what came is no HTTP", "the head of the answer is too large", "given up", "the node has no memory",
}

func (e *FetchError) Error() string {
	if e.Reason >= 0 && e.Reason < len(fetchReasons) {
		return "mote: no answer: " + fetchReasons[e.Reason]
	}
	return fmt.Sprintf("mote: no answer: reason %d", e.Reason)
}

// Unwrap makes errors.Is find ErrDenied and ErrTimeout, and for all others ErrAborted.
func (e *FetchError) Unwrap() error {
	switch e.Reason {
	case abi.FetchDenied:
		return ErrDenied
	case abi.FetchTimeout:
		return ErrTimeout
	}
	return ErrAborted
}

// StartFetch sends a request, without waiting. Headers are lines of "name: value". A body of -2 bytes is none, of -1 one whose
// length is not known beforehand.
func StartFetch(method, url, headers string, bodyBytes int64) (*Fetch, error) {
	options, result := abi.FetchOptions{}, abi.Fetched{}
	if bodyBytes >= -1 {
		options.Flags |= abi.FetchBody
	}
	if bodyBytes >= 0 {
		options.Flags |= abi.FetchLength
		options.BodyBytes = uint64(bodyBytes)
	}
	if failed := abi.FetchStart(method, url, headers, unsafe.Pointer(&options), unsafe.Pointer(&result)); failed < 0 {
		return nil, Error(failed)
	}
	fetch := &Fetch{handle: result.Fetch, Answer: &Stream{result.Answer}}
	if result.Body != 0 {
		fetch.Body = &Stream{result.Body}
	}
	return fetch, nil
}

// Head waits for the answer's head; other goroutines go on.
func (f *Fetch) Head() error {
	for {
		head := abi.FetchHead{}
		result := abi.FetchHeadNow(f.handle, unsafe.Pointer(&head), 0)
		switch {
		case result >= 0:
			f.Status = int(head.Status)
			return nil
		case Error(result) == ErrAborted:
			return f.Why()
		case Error(result) != ErrTimeout:
			return Error(result)
		}
		if err := wait(-f.handle, forReading, 0); err != nil {
			return err
		}
	}
}

// Why is the reason after an error.
func (f *Fetch) Why() error { return &FetchError{int(abi.FetchReason(f.handle))} }

// Headers is every header of the answer.
func (f *Fetch) Headers() (list [][2]string) {
	lines, _ := text(func(buffer unsafe.Pointer, size uint32) int32 { return abi.FetchHeaders(f.handle, buffer, size) })
	for line := range strings.Lines(lines) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		list = append(list, [2]string{name, value})
	}
	return list
}

// Close is done with the request and its streams: what is under way is cancelled.
func (f *Fetch) Close() {
	abi.FetchClose(f.handle)
	_ = f.Answer.Close()
	if f.Body != nil {
		_ = f.Body.Close()
	}
}
