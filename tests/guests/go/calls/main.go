// A service that others call in CBOR, and who calls such a service: test_calls.py has a pair of each with every language.
package main

import (
	"context"
	"errors"
	"fmt"

	"mote.dev/mote"
)

func main() {}

type sum struct {
	A int64 `cbor:"a"`
	B int64 `cbor:"b"`
}

type thing struct {
	Name    string `cbor:"name"`
	Numbers []int  `cbor:"numbers"`
	Fine    bool   `cbor:"fine"`
}

type description struct {
	Text  string `cbor:"text"`
	Count int    `cbor:"count"`
	Fine  bool   `cbor:"fine"`
}

//go:wasmexport service
func service() {
	var service mote.Service
	mote.Handle(&service, "add", func(numbers sum) (int64, error) { return numbers.A + numbers.B, nil })
	mote.Handle(&service, "describe", func(one thing) (description, error) {
		return description{one.Name, len(one.Numbers), !one.Fine}, nil
	})
	_ = service.Run(context.Background())
}

//go:wasmexport ask
func ask() {
	ctx, name := context.Background(), mote.QueryValue("service")
	text := ""
	add := mote.Function[map[string]any, int64]{Service: name, Name: "add"}
	total, err := add.Call(ctx, map[string]any{"unknown": []any{nil, []byte{0xff}}, "a": int64(-4000000000), "b": 300})
	if err != nil {
		text += err.Error() + "\n"
	}
	text += fmt.Sprintf("sum %d\n", total)
	described, err := mote.Function[thing, description]{Service: name, Name: "describe"}.Call(
		ctx, thing{"zürich", []int{100000, 200000, 400000}, true})
	if err != nil {
		text += err.Error() + "\n"
	}
	fine := map[bool]string{true: "fine", false: "not fine"}
	text += fmt.Sprintf("%s %s %d\n", described.Text, fine[described.Fine], described.Count)
	_, err = mote.Function[int, int64]{Service: name, Name: "add"}.Call(ctx, 1)
	if errors.Is(err, mote.ErrMalformed) {
		text += "malformed\n"
	}
	_, err = mote.Function[struct{}, struct{}]{Service: name, Name: "subtract"}.Call(ctx, struct{}{})
	if errors.Is(err, mote.ErrNotFound) {
		text += "not found\n"
	}
	_ = mote.RespondText(200, text)
}
