//go:build wasip1

// Package web serves an http.Handler, and makes http.Get and http.Client ask through the platform.
//
//	//go:wasmexport app
//	func app() { web.Serve(mux) }
package web

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"mote.dev/mote"
)

// Serve answers the request of this process by a handler. A panic of the handler ends the process: the client gets 502, or
// sees that the answer was cut, and the log has the goroutine's text.
func Serve(handler http.Handler) {
	request, err := Request()
	if err != nil {
		_ = mote.RespondText(http.StatusBadRequest, "bad request\n")
		return
	}
	answer := &answer{header: http.Header{}}
	handler.ServeHTTP(answer, request)
	answer.finish()
}

// Request is the request of this process. Its context ends when the client has left.
func Request() (*http.Request, error) {
	target, err := url.ParseRequestURI(mote.Target.Get())
	if err != nil {
		if target, err = url.Parse(mote.Target.Get()); err != nil {
			return nil, err
		}
	}
	request := &http.Request{
		Method: mote.Method.Get(), URL: target, RequestURI: mote.Target.Get(), Host: mote.Host.Get(),
		RemoteAddr: mote.Remote.Get(), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: http.NoBody,
	}
	for _, header := range mote.Headers() {
		request.Header.Add(header[0], header[1])
	}
	length, isKnown := request.Header["Content-Length"]
	if isKnown {
		request.ContentLength, _ = strconv.ParseInt(length[0], 10, 64)
	} else if request.Header.Get("Transfer-Encoding") != "" || !withoutBody(request.Method) {
		request.ContentLength = -1
	}
	if request.ContentLength != 0 {
		request.Body = io.NopCloser(mote.Body)
	}
	request.Header.Del("Transfer-Encoding")
	return request.WithContext(&clientContext{Context: context.Background()}), nil
}

func withoutBody(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// clientContext looks out for the client only when somebody asks.
type clientContext struct {
	context.Context
	once sync.Once
	left chan struct{}
}

func (c *clientContext) Done() <-chan struct{} {
	c.once.Do(func() {
		c.left = make(chan struct{})
		go func() {
			if mote.ClientLeft() == nil {
				close(c.left)
			}
		}()
	})
	return c.left
}

func (c *clientContext) Err() error {
	if mote.ClientGone() {
		return context.Canceled
	}
	return nil
}

// Answers below this size are sent whole.
const bufferedBytes = 16 << 10

type answer struct {
	header  http.Header
	status  int // 0: WriteHeader was not called
	buffer  []byte
	streams bool // the head is on its way
	failure error
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= 200 {
		a.status = status
	}
}

func (a *answer) Write(data []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if a.failure != nil {
		return 0, a.failure
	}
	if a.status == http.StatusNoContent || a.status == http.StatusNotModified {
		return 0, http.ErrBodyNotAllowed
	}
	if len(a.buffer) == 0 && !a.streams {
		a.sniff(data)
	}
	a.buffer = append(a.buffer, data...)
	if len(a.buffer) > bufferedBytes {
		a.Flush()
	}
	return len(data), a.failure
}

func (a *answer) sniff(data []byte) {
	_, isSet := a.header["Content-Type"]
	if !isSet && a.header.Get("Content-Encoding") == "" && len(data) > 0 {
		a.header.Set("Content-Type", http.DetectContentType(data))
	}
}

// Flush sends what was written so far.
func (a *answer) Flush() { _ = a.FlushError() }

func (a *answer) FlushError() error {
	a.WriteHeader(http.StatusOK)
	if !a.streams && a.failure == nil {
		a.streams = true
		lines, length := a.lines()
		_, a.failure = mote.Begin(a.status, lines, length)
	}
	if len(a.buffer) > 0 && a.failure == nil {
		_, a.failure = mote.Answer{}.Write(a.buffer)
	}
	a.buffer = a.buffer[:0]
	return a.failure
}

// lines is the header as text, without what the platform says itself, and the length if it was told.
func (a *answer) lines() (string, int64) {
	var lines strings.Builder
	length := int64(-1)
	for name, values := range a.header {
		switch name {
		case "Connection", "Keep-Alive", "Transfer-Encoding", "Upgrade", "Trailer":
			continue
		case "Content-Length":
			if number, err := strconv.ParseInt(values[0], 10, 64); err == nil {
				length = number
			}
			continue
		}
		for _, value := range values {
			lines.WriteString(line(name, value))
		}
	}
	return lines.String(), length
}

// line is a header as text. What could begin another line is left out: a name that holds it, and it of a value.
func line(name, value string) string {
	if name == "" || strings.ContainsAny(name, " :\r\n\x00") {
		return ""
	}
	return name + ": " + breaks.Replace(value) + "\n"
}

var breaks = strings.NewReplacer("\n", " ", "\r", " ", "\x00", " ")

func (a *answer) finish() {
	if a.streams {
		a.Flush()
		return
	}
	a.WriteHeader(http.StatusOK)
	lines, _ := a.lines()
	if err := mote.Respond(a.status, lines, a.buffer); err != nil {
		mote.Log(mote.LevelWarn, "the answer was refused: "+err.Error())
	}
}
