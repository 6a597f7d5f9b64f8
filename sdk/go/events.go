//go:build wasip1

package mote

import "mote.dev/mote/internal/abi"

// Event is one of a stream of server-sent events.
type Event struct {
	Name string // empty: "message"
	ID   string
	Data string
}

// Events is an answer that is a stream of events.
type Events struct{}

// BeginEvents begins one; further headers are lines of "name: value". The exported function's return ends it.
func BeginEvents(headers string) (Events, error) { return Events{}, failure(abi.SseBegin(headers)) }

// Send sends an event, and waits while the client is slow; other goroutines go on. ErrClosed: it has left.
func (Events) Send(event Event) error {
	data, size := at([]byte(event.Data))
	awaitAnswer()
	return failure(abi.SseSend(event.Name, event.ID, -1, data, size))
}

// Comment sends what clients skip.
func (Events) Comment(text string) error {
	awaitAnswer()
	return failure(abi.SseComment(text))
}

// LastEventID is where a client that was connected before left off.
func LastEventID() string { return Header("last-event-id") }
