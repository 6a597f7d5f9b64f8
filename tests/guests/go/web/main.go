// An http.Handler, and an http.Client; test_go.py drives them.
package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"mote.dev/mote"
	"mote.dev/mote/logger"
	"mote.dev/mote/web"
)

func main() {}

// An http.Handler for several paths.
//
//go:wasmexport pages
func pages() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /web/hello/{name}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Method", r.Method)
		fmt.Fprintf(w, "hello %s, %s\n", r.PathValue("name"), r.Header.Get("X-From"))
	})
	mux.HandleFunc("POST /web/echo", echo)
	mux.HandleFunc("GET /web/crash", func(http.ResponseWriter, *http.Request) {
		var nobody map[string]int
		nobody["x"] = 1
	})
	mux.HandleFunc("GET /web/ticks", ticks)
	mux.HandleFunc("GET /web/fetch", fetch)
	mux.HandleFunc("GET /web/split", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Split", "one\r\nX-More: two")
		w.Header()["X-More: three\nX-Name"] = []string{"four"}
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /web/log", func(w http.ResponseWriter, _ *http.Request) {
		logger.New().With("who", "zoo").Info("a line of slog", slog.Int("number", 7))
		w.WriteHeader(http.StatusNoContent)
	})
	web.Serve(mux)
}

// Each piece goes back as it comes.
func echo(w http.ResponseWriter, r *http.Request) {
	buffer := make([]byte, 4096)
	for {
		size, err := r.Body.Read(buffer)
		_, _ = w.Write(buffer[:size])
		w.(http.Flusher).Flush()
		if err == io.EOF {
			return
		}
		if err != nil {
			panic(err)
		}
	}
}

func ticks(w http.ResponseWriter, r *http.Request) {
	for i := range 3 {
		fmt.Fprintf(w, "tick %d\n", i)
		w.(http.Flusher).Flush()
		select {
		case <-time.After(time.Millisecond):
		case <-r.Context().Done():
			return
		}
	}
}

func fetch(w http.ResponseWriter, r *http.Request) {
	answer, err := http.Get(r.URL.Query().Get("url"))
	if errors.Is(err, mote.ErrDenied) {
		http.Error(w, "denied", http.StatusForbidden)
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer answer.Body.Close()
	w.WriteHeader(answer.StatusCode)
	_, _ = io.Copy(w, answer.Body)
}
