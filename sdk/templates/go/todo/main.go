// A list of things to do. A service keeps it: one process, which answers calls one after the other. Requests are handled by
// instances of their own, which call it.
package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"

	"mote.dev/mote"
)

const (
	textBytesMax = 200
	todosMax     = 1000
)

// Todo is one thing to do.
type Todo struct {
	ID   int    `json:"id"`
	Text string `json:"text"`
	Done bool   `json:"done"`
}

// What the service can do. Each gives the list as it is then.
var (
	all    = mote.Function[struct{}, []Todo]{Service: "todos", Name: "all"}
	add    = mote.Function[string, []Todo]{Service: "todos", Name: "add"}
	toggle = mote.Function[int, []Todo]{Service: "todos", Name: "toggle"}
	remove = mote.Function[int, []Todo]{Service: "todos", Name: "remove"}
)

// ---- the service

//go:wasmexport todos
func todos() {
	todos, last := []Todo{}, 0
	find := func(id int) int { return slices.IndexFunc(todos, func(one Todo) bool { return one.ID == id }) }
	var service mote.Service
	mote.Handle(&service, all.Name, func(struct{}) ([]Todo, error) { return todos, nil })
	mote.Handle(&service, add.Name, func(text string) ([]Todo, error) {
		if len(todos) == todosMax || text == "" || len(text) > textBytesMax {
			return nil, mote.ErrLimit
		}
		last++
		todos = append(todos, Todo{ID: last, Text: text})
		return todos, nil
	})
	mote.Handle(&service, toggle.Name, func(id int) ([]Todo, error) {
		at := find(id)
		if at < 0 {
			return nil, mote.ErrNotFound
		}
		todos[at].Done = !todos[at].Done
		return todos, nil
	})
	mote.Handle(&service, remove.Name, func(id int) ([]Todo, error) {
		at := find(id)
		if at < 0 {
			return nil, mote.ErrNotFound
		}
		todos = slices.Delete(todos, at, at+1)
		return todos, nil
	})
	_ = service.Run(context.Background())
}

// ---- handlers

//go:embed page.html
var page []byte

//go:wasmexport index
func index() { _ = mote.Respond(200, "content-type: text/html; charset=utf-8\n", page) }

// answer tells the list, or why there is none.
func answer(list []Todo, err error) {
	switch {
	case errors.Is(err, mote.ErrNotFound):
		_ = mote.RespondText(404, "there is no such todo\n")
	case errors.Is(err, mote.ErrLimit):
		_ = mote.RespondText(400, "a todo has 1 to 200 bytes, and there are at most 1000\n")
	case err != nil:
		_ = mote.RespondText(503, "the list is not there: "+err.Error()+"\n")
	default:
		body, _ := json.Marshal(list)
		_ = mote.Respond(200, "content-type: application/json\n", append(body, '\n'))
	}
}

//go:wasmexport list
func list() { answer(all.Call(context.Background(), struct{}{})) }

//go:wasmexport create
func create() {
	var todo Todo
	if err := json.NewDecoder(io.LimitReader(mote.Body, 4096)).Decode(&todo); err != nil {
		_ = mote.RespondText(400, "a todo is {\"text\": \"...\"}\n")
		return
	}
	answer(add.Call(context.Background(), todo.Text))
}

func number() int {
	id, _ := strconv.Atoi(mote.Param("id"))
	return id
}

//go:wasmexport flip
func flip() { answer(toggle.Call(context.Background(), number())) }

//go:wasmexport drop
func drop() { answer(remove.Call(context.Background(), number())) }

func main() {}
