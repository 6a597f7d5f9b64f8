// One entry for each thing that a guest in Go does without net/http; test_go.py drives them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"mote.dev/mote"
)

func main() {}

//go:wasmexport hello
func hello() { _ = mote.RespondText(200, "hello "+mote.Param("name")+"\n") }

// Each piece goes back as it comes.
//
//go:wasmexport echo
func echo() {
	answer, err := mote.Begin(200, "content-type: "+mote.Header("content-type")+"\n", -1)
	if err == nil {
		_, err = io.Copy(answer, mote.Body)
	}
	if err != nil {
		panic(err)
	}
}

// Says so, again and again, while another goroutine waits.
func tick() {
	for n := 1; n <= 60; n++ {
		time.Sleep(20 * time.Millisecond)
		mote.Log(mote.LevelInfo, fmt.Sprintf("tick %d of %s", n, mote.Path.Get()))
	}
}

//go:wasmexport patient
func patient() {
	go tick()
	body, err := io.ReadAll(mote.Body)
	_ = mote.RespondText(200, fmt.Sprintln(len(body), err))
}

//go:wasmexport generous
func generous() {
	go tick()
	answer, err := mote.Begin(200, "", -1)
	for range 64 {
		if err == nil {
			_, err = answer.Write(make([]byte, 1<<17))
		}
	}
	if err != nil {
		panic(err)
	}
}

//go:wasmexport crash
func crash() {
	var nobody map[string]int
	nobody["x"] = 1
}

//go:wasmexport stuck
func stuck() { <-make(chan int) }

// Asks somebody else, who answers only once the other goroutine has asked, too.
//
//go:wasmexport fetch
func fetch() {
	go func() {
		<-time.After(time.Millisecond)
		if fetch, err := mote.StartFetch("GET", mote.QueryValue("url")+"release", "x-from: go\n", -2); err == nil {
			_ = fetch.Head()
			fetch.Close()
		}
	}()
	fetch, err := mote.StartFetch("GET", mote.QueryValue("url"), "x-from: go\n", -2)
	if err == nil {
		err = fetch.Head()
	}
	if errors.Is(err, mote.ErrDenied) {
		_ = mote.RespondText(403, "denied\n")
		return
	}
	if err != nil {
		_ = mote.RespondText(502, err.Error()+"\n")
		return
	}
	body, err := io.ReadAll(fetch.Answer)
	_ = mote.RespondText(fetch.Status, fmt.Sprintf("%s, %v\n", body, err))
}

//go:wasmexport events
func events() {
	stream, err := mote.BeginEvents("")
	for i := 0; err == nil && i < 3; i++ {
		err = stream.Send(mote.Event{Name: "count", ID: strconv.Itoa(i), Data: "number " + strconv.Itoa(i)})
	}
}

// Two waits: of the socket, and of what is published; and a clock that both go on beside.
//
//go:wasmexport socket
func socket() {
	_ = mote.Join("room")
	var socket mote.Socket
	go func() {
		for {
			mail, err := mote.Receive(context.Background())
			if err != nil {
				return
			}
			_ = socket.SendText("published: " + string(mail.Body))
		}
	}()
	for {
		message, err := socket.Receive(context.Background())
		if err != nil {
			return
		}
		if text := string(message.Data); text == "publish" {
			_, _, _ = mote.Publish("room", 1, []byte("to all"))
		} else {
			_ = socket.Send(message)
		}
	}
}

type Sum struct {
	A int `cbor:"a"`
	B int `cbor:"b"`
}

var (
	bump  = mote.Function[int, int]{Service: "counter", Name: "bump"}
	add   = mote.Function[Sum, int]{Service: "counter", Name: "add"}
	fails = mote.Function[string, struct{}]{Service: "counter", Name: "fails"}
	slow  = mote.Function[struct{}, string]{Service: "counter", Name: "slow"}
	never = mote.Function[struct{}, struct{}]{Service: "counter", Name: "never"}
	other = mote.Function[struct{}, struct{}]{Service: "counter", Name: "not there"}
)

//go:wasmexport counter
func counter() {
	total := 0
	var service mote.Service
	mote.Handle(&service, "bump", func(by int) (int, error) {
		total += by
		return total, nil
	})
	mote.Handle(&service, "add", func(sum Sum) (int, error) { return sum.A + sum.B, nil })
	mote.Handle(&service, "fails", func(why string) (struct{}, error) {
		return struct{}{}, fmt.Errorf("because %s: %w", why, mote.ErrLimit)
	})
	service.Others = func(mail *mote.Mail) { // answered later, by a goroutine
		if mail.Label == mote.Label("never") {
			return
		}
		if mail.Kind != mote.Asked || mail.Label != mote.Label("slow") {
			_ = mail.Reply(nil, mote.ErrNotFound)
			return
		}
		go func() {
			time.Sleep(5 * time.Millisecond)
			body, err := mote.Marshal("after others")
			_ = mail.Reply(body, err)
		}()
	}
	_ = service.Run(context.Background())
}

//go:wasmexport calls
func calls() {
	ctx := context.Background()
	answer, text := make(chan string), ""
	go func() { // waits while the rest goes on
		late, err := slow.Call(ctx, struct{}{})
		answer <- fmt.Sprintf("slow: %s %v\n", late, err)
	}()
	_, err := bump.Call(ctx, 2)
	text += fmt.Sprintf("bump: %v\n", err)
	err = bump.Cast(3)
	text += fmt.Sprintf("cast: %v\n", err)
	total, err := bump.Call(ctx, -1)
	text += fmt.Sprintf("total: %d %v\n", total, err)
	sum, err := add.Call(ctx, Sum{2, 3})
	text += fmt.Sprintf("sum: %d %v\n", sum, err)
	_, err = fails.Call(ctx, "of that")
	text += fmt.Sprintf("fails: %v, a limit: %t\n", err, errors.Is(err, mote.ErrLimit))
	_, err = other.Call(ctx, struct{}{})
	text += fmt.Sprintf("other: %t\n", errors.Is(err, mote.ErrNotFound))
	short, cancel := context.WithTimeout(ctx, time.Nanosecond)
	defer cancel()
	_, err = never.Call(short, struct{}{})
	text += fmt.Sprintf("late: %t\n", errors.Is(err, mote.ErrTimeout))
	_ = mote.RespondText(200, text+<-answer)
}

// One goroutine waits for mail that comes only because the other goes on.
//
//go:wasmexport together
func together() {
	heard := make(chan string)
	go func() {
		mail, err := mote.Receive(context.Background())
		if err != nil {
			heard <- err.Error()
			return
		}
		heard <- string(mail.Body)
	}()
	reader, writer, err := mote.NewStream()
	if err != nil {
		_ = mote.RespondText(500, err.Error())
		return
	}
	go func() {
		time.Sleep(2 * time.Millisecond)
		_, _ = writer.Write([]byte("through a stream"))
		_ = writer.End()
	}()
	piped, _ := io.ReadAll(reader)
	_ = mote.Send(mote.Self(), 1, piped)
	_ = mote.RespondText(200, <-heard+"\n")
}

// Workers: each squares a number and says so to who spawned it.
//
//go:wasmexport square
func square() {
	number, _ := strconv.Atoi(string(mote.Input()))
	if number < 0 {
		mote.End("a number below 0")
	}
	_ = mote.Send(mote.Parent(), 7, []byte(strconv.Itoa(number*number)))
}

//go:wasmexport workers
func workers() {
	sum, ends := 0, make([]<-chan mote.Exit, 0)
	for i := range 4 {
		_, end, err := mote.SpawnMonitored("worker", []byte(strconv.Itoa(i)), mote.Spawning{})
		if err != nil {
			_ = mote.RespondText(500, err.Error())
			return
		}
		ends = append(ends, end)
	}
	for range 4 {
		mail, _ := mote.Receive(context.Background())
		number, _ := strconv.Atoi(string(mail.Body))
		sum += number
	}
	text := fmt.Sprintf("sum %d\n", sum)
	for _, end := range ends {
		if exit := <-end; exit.Class != mote.ExitNormal {
			text += "a worker failed\n"
		}
	}
	_, end, err := mote.SpawnMonitored("worker", []byte("-1"), mote.Spawning{})
	if err == nil {
		text += (<-end).Reason + "\n"
	}
	_, err = mote.Spawn("counter", nil, mote.Spawning{})
	text += fmt.Sprintf("denied: %t\n", errors.Is(err, mote.ErrDenied))
	supervisor := mote.Supervisor{MaxRestarts: 1, Window: time.Second}
	_, err = supervisor.Start(mote.Child{Name: "one", Component: "worker#sleeper", Restart: mote.Permanent})
	text += fmt.Sprintf("supervisor: %v\n", err)
	_ = mote.RespondText(200, text)
}

//go:wasmexport sleeper
func sleeper() { _, _ = mote.Receive(context.Background()) }
