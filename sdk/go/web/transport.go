//go:build wasip1

package web

import (
	"io"
	"net/http"
	"strconv"
	"strings"

	"mote.dev/mote"
)

// Transport asks others through the platform, as the capability's `allow-network` grants: connections, TLS and HTTP/2 are the
// node's. It is http.DefaultTransport of programs that import this package.
type Transport struct{}

func init() { http.DefaultTransport = Transport{} }

// RoundTrip sends a request and waits for the head of its answer; other goroutines go on.
func (Transport) RoundTrip(request *http.Request) (*http.Response, error) {
	length := int64(-2)
	if request.Body != nil && request.Body != http.NoBody {
		if length = request.ContentLength; length == 0 {
			length = -1
		}
	}
	var lines strings.Builder
	for name, values := range request.Header {
		for _, value := range values {
			lines.WriteString(line(name, value))
		}
	}
	fetch, err := mote.StartFetch(request.Method, request.URL.String(), lines.String(), length)
	if err != nil {
		closeBody(request)
		return nil, err
	}
	if fetch.Body != nil {
		go send(request, fetch)
	} else {
		closeBody(request)
	}
	over := make(chan struct{})
	go func() {
		select {
		case <-request.Context().Done():
			fetch.Close() // whoever waits for it is told
		case <-over:
		}
	}()
	if err := fetch.Head(); err != nil {
		close(over)
		fetch.Close()
		if cause := request.Context().Err(); cause != nil {
			err = cause
		}
		return nil, err
	}
	return response(request, fetch, over), nil
}

func closeBody(request *http.Request) {
	if request.Body != nil {
		_ = request.Body.Close()
	}
}

func send(request *http.Request, fetch *mote.Fetch) {
	_, err := io.Copy(fetch.Body, request.Body)
	closeBody(request)
	if err != nil {
		_ = fetch.Body.Abort(1)
		return
	}
	_ = fetch.Body.End()
}

func response(request *http.Request, fetch *mote.Fetch, over chan struct{}) *http.Response {
	answer := &http.Response{
		Status: strconv.Itoa(fetch.Status) + " " + http.StatusText(fetch.Status), StatusCode: fetch.Status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: &answerBody{fetch: fetch, over: over}, ContentLength: -1, Request: request,
	}
	for _, header := range fetch.Headers() {
		answer.Header.Add(header[0], header[1])
	}
	return answer
}

type answerBody struct {
	fetch *mote.Fetch
	over  chan struct{}
}

func (b *answerBody) Read(data []byte) (int, error) {
	size, err := b.fetch.Answer.Read(data)
	if err == mote.ErrAborted {
		err = b.fetch.Why()
	}
	return size, err
}

func (b *answerBody) Close() error {
	if b.over != nil {
		close(b.over)
		b.over = nil
		b.fetch.Close()
	}
	return nil
}
