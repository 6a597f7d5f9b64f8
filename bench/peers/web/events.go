package main

import (
	"bufio"
	"fmt"
	"net/http"
	"time"
)

// What each event says; bench/guests/web says the same.
const news = "~ eight bells, and all is well aboard"

// Counted in a row before a buffer is emptied.
const row = 1000

// As much as the guest has.
const bufferedBytes = 16 * 1024

type stream struct {
	writer  http.ResponseWriter
	flusher http.Flusher
	event   []byte
}

func begin(writer http.ResponseWriter) *stream {
	writer.Header().Set("Content-Type", "text/event-stream")
	writer.Header().Set("Cache-Control", "no-store")
	stream := &stream{writer: writer, flusher: writer.(http.Flusher)}
	stream.flusher.Flush()
	return stream
}

func (stream *stream) send(data string) bool {
	stream.event = append(stream.event[:0], "data: "...)
	stream.event = append(stream.event, data...)
	stream.event = append(stream.event, "\n\n"...)
	_, err := stream.writer.Write(stream.event)
	return err == nil
}

// flushed sends one event after the other, each at once.
func flushed(writer http.ResponseWriter, _ *http.Request) {
	stream := begin(writer)
	for stream.send(news) {
		stream.flusher.Flush()
	}
}

// paced sends an event each millisecond.
func paced(writer http.ResponseWriter, _ *http.Request) {
	stream := begin(writer)
	for stream.send(news) {
		stream.flusher.Flush()
		time.Sleep(time.Millisecond)
	}
}

// printed writes a thousand to a buffer, as programs do that say what an event is by a format, before it empties it.
func printed(writer http.ResponseWriter, _ *http.Request) {
	stream := begin(writer)
	buffer := bufio.NewWriterSize(writer, bufferedBytes)
	for {
		for i := 0; i < row; i++ {
			if _, err := fmt.Fprintf(buffer, "data: %s\n\n", news); err != nil {
				return
			}
		}
		buffer.Flush()
		stream.flusher.Flush()
	}
}

// buffered is the same with bytes appended by hand, through the buffers of net/http alone.
func buffered(writer http.ResponseWriter, _ *http.Request) {
	stream := begin(writer)
	for {
		for i := 0; i < row; i++ {
			if !stream.send(news) {
				return
			}
		}
		stream.flusher.Flush()
	}
}

func eventRoutes() http.Handler {
	routes := http.NewServeMux()
	routes.HandleFunc("/flushed", flushed)
	routes.HandleFunc("/paced", paced)
	routes.HandleFunc("/printed", printed)
	routes.HandleFunc("/buffered", buffered)
	return routes
}
