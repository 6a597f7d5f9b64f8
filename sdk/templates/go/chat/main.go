// A room. Each WebSocket is a process of its own; what one says is published to all that are in the group.
package main

import (
	"context"
	_ "embed"
	"encoding/json"

	"mote.dev/mote"
)

const room = "room"

//go:embed page.html
var page []byte

// Line is what somebody says, as the page writes and reads it.
type Line struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// GET /
//
//go:wasmexport index
func index() { _ = mote.Respond(200, "content-type: text/html; charset=utf-8\n", page) }

// WS /socket: two goroutines, one for what the client says, one for what the room says.
//
//go:wasmexport socket
func socket() {
	ctx := context.Background()
	var client mote.Socket
	if err := mote.Join(room); err != nil {
		_ = client.Close(1011, "the room is full")
		return
	}
	go listen(ctx, client)
	for {
		message, err := client.Receive(ctx)
		if err != nil {
			return
		}
		say(client, message.Data)
	}
}

func listen(ctx context.Context, client mote.Socket) {
	for {
		mail, err := mote.Receive(ctx)
		if err != nil || client.SendText(string(mail.Body)) != nil {
			return
		}
	}
}

// say publishes a line as this program writes it: what a client sends goes to nobody as it is.
func say(client mote.Socket, data []byte) {
	var line Line
	if err := json.Unmarshal(data, &line); err != nil || line.Text == "" || len(line.Name) > 40 {
		_ = client.Close(1008, "that is no line")
		return
	}
	body, _ := json.Marshal(line)
	_, _, _ = mote.Publish(room, 0, body)
}

func main() {}
