// How many primes there are below a number: counted by workers, each of them a process with a memory of its own, on all
// processors. One that crashed would be counted as missing; the request goes on.
package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"mote.dev/mote"
)

const (
	workers  = 4
	most     = 2000000
	patience = 20 * time.Second
)

// Part is what one worker does: numbers from From on, without To.
type Part struct{ From, To int }

func isPrime(n int) bool {
	for d := 2; d*d <= n; d++ {
		if n%d == 0 {
			return false
		}
	}
	return n > 1
}

// A worker: counts its part, and sends the result to who started it.
//
//go:wasmexport count
func count() {
	var part Part
	if err := mote.Unmarshal(mote.Input(), &part); err != nil {
		mote.End("no part to count")
	}
	found := 0
	for n := part.From; n < part.To; n++ {
		if isPrime(n) {
			found++
		}
	}
	body, _ := mote.Marshal(found)
	_ = mote.Send(mote.Parent(), mote.Label("found"), body)
}

// share starts a worker for each part and adds up what they send.
func share(ctx context.Context, below int) (sum int, err error) {
	for i := range workers {
		input, _ := mote.Marshal(Part{below * i / workers, below * (i + 1) / workers})
		if _, err := mote.Spawn("counter", input, mote.Spawning{}); err != nil {
			return 0, err
		}
	}
	for range workers {
		mail, err := mote.Receive(ctx)
		if err != nil {
			return 0, err
		}
		found := 0
		if err := mote.Unmarshal(mail.Body, &found); err != nil {
			return 0, err
		}
		sum += found
	}
	return sum, nil
}

// GET /primes?below=N
//
//go:wasmexport primes
func primes() {
	below, err := strconv.Atoi(mote.QueryValue("below"))
	if err != nil || below < 0 || below > most {
		_ = mote.RespondText(400, fmt.Sprintf("below is a number of at most %d\n", most))
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	sum, err := share(ctx, below)
	if err != nil {
		_ = mote.RespondText(503, "a worker did not finish\n")
		return
	}
	answer := fmt.Sprintf("{\"below\":%d,\"primes\":%d,\"workers\":%d}\n", below, sum, workers)
	_ = mote.Respond(200, "content-type: application/json\n", []byte(answer))
}

func main() {}
