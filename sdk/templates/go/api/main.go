// A JSON API: an http.Handler, which each request runs in an instance of its own.
package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"mote.dev/mote/web"
)

//go:wasmexport api
func api() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/status", status)
	mux.HandleFunc("GET /api/square/{n}", square)
	mux.HandleFunc("POST /api/sum", sum)
	web.Serve(mux)
}

func main() {}

func answer(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value)
}

func fail(w http.ResponseWriter, status int, text string) {
	answer(w, status, map[string]string{"error": text})
}

func status(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]any{"app": "__NAME__", "time": time.Now().Unix()})
}

func square(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.ParseInt(r.PathValue("n"), 10, 32)
	if err != nil || n < 0 || n > 1000000 {
		fail(w, http.StatusBadRequest, "n is a number up to 1000000")
		return
	}
	answer(w, http.StatusOK, map[string]int64{"n": n, "square": n * n})
}

// sum adds the numbers of a body as "1 2 39".
func sum(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 2048))
	if err != nil {
		fail(w, http.StatusRequestEntityTooLarge, "a body of at most 2048 bytes is wanted")
		return
	}
	total, words := int64(0), strings.Fields(string(body))
	for _, word := range words {
		number, err := strconv.ParseInt(word, 10, 40)
		if err != nil {
			fail(w, http.StatusBadRequest, "numbers with spaces between them are wanted")
			return
		}
		total += number
	}
	answer(w, http.StatusOK, map[string]int64{"count": int64(len(words)), "sum": total})
}
