//go:build wasip1

package mote

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mote.dev/mote/internal/abi"
)

// CallTimeout is how long a call waits whose context has no deadline.
const CallTimeout = 5 * time.Second

// RemoteError is the error of a service, with what it says of it.
type RemoteError struct {
	Number Error
	Text   string
}

func (e *RemoteError) Error() string {
	if e.Text == "" {
		return e.Number.Error()
	}
	return e.Text
}

// Unwrap makes errors.Is find the number.
func (e *RemoteError) Unwrap() error { return e.Number }

// numberOf is what an error is on the wire: a number, and a text where it says more than that.
func numberOf(err error) (Error, []byte) {
	number := ErrInvalid
	if !errors.As(err, &number) || number >= 0 {
		number = ErrInvalid
	}
	if err == error(number) {
		return number, nil
	}
	return number, []byte(err.Error())
}

// CallBytes asks a process for what has that label, and waits for its answer; other goroutines go on.
func CallBytes(ctx context.Context, to Pid, label uint64, request []byte) ([]byte, error) {
	if _, limited := ctx.Deadline(); !limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, CallTimeout)
		defer cancel()
	}
	data, size := at(request)
	reference := abi.CallBegin(uint64(to), label, data, size, 0)
	if reference < 0 {
		return nil, Error(reference)
	}
	answer := make(chan *Mail, 1)
	answers[uint64(reference)] = answer
	collect()
	select {
	case mail, ok := <-answer:
		return answered(mail, ok)
	case <-ctx.Done():
	}
	select {
	case mail, ok := <-answer: // in the same moment
		return answered(mail, ok)
	default:
		delete(answers, uint64(reference))
		abi.Demonitor(uint64(reference))
		return nil, reasonOf(ctx)
	}
}

func answered(mail *Mail, ok bool) ([]byte, error) {
	switch {
	case !ok:
		return nil, ErrClosed
	case mail.Kind == down:
		return nil, fmt.Errorf("mote: the service has ended (%s): %w", mail.Exit.Reason, ErrClosed)
	case mail.Label != 0:
		return nil, &RemoteError{Error(int64(mail.Label)), string(mail.Body)}
	default:
		return mail.Body, nil
	}
}

// Function is a function of a service: who defines one has a typed client.
//
//	var bump = mote.Function[int, int]{"counter", "bump"}
//
//	total, err := bump.Call(ctx, 1)
//
// struct{} as a type means nothing.
type Function[Request, Answer any] struct {
	Service string // as it is found by its name: a resident component, or who called Register
	Name    string
}

// Call calls it and waits: for CallTimeout, unless ctx has a deadline. ErrNotFound: there is no such service, or it has no
// such function; ErrClosed: it ended meanwhile; a *RemoteError: it says so.
func (f Function[Request, Answer]) Call(ctx context.Context, request Request) (Answer, error) {
	var answer Answer
	pid, err := Whereis(f.Service)
	if err != nil {
		return answer, err
	}
	return f.CallPid(ctx, pid, request)
}

// CallPid calls it of a process that has no name.
func (f Function[Request, Answer]) CallPid(ctx context.Context, pid Pid, request Request) (Answer, error) {
	var answer Answer
	data, err := Marshal(request)
	if err != nil {
		return answer, err
	}
	data, err = CallBytes(ctx, pid, Label(f.Name), data)
	if err == nil {
		err = Unmarshal(data, &answer)
	}
	return answer, err
}

// Cast calls it and waits for nothing.
func (f Function[Request, Answer]) Cast(request Request) error {
	pid, err := Whereis(f.Service)
	if err != nil {
		return err
	}
	data, err := Marshal(request)
	if err != nil {
		return err
	}
	return Send(pid, Label(f.Name), data)
}

// Service is a table of functions that other processes call.
type Service struct {
	functions map[uint64]func(request []byte) ([]byte, error)
	// Others gets mail that is for no function: casts and calls of other labels, timers. Nil: such calls are answered with
	// ErrNotFound, everything else is dropped.
	Others func(*Mail)
}

// Handle adds a function to a service. One call after the other is served, in order.
func Handle[Request, Answer any](service *Service, name string, function func(Request) (Answer, error)) {
	if service.functions == nil {
		service.functions = map[uint64]func([]byte) ([]byte, error){}
	}
	service.functions[Label(name)] = func(data []byte) ([]byte, error) {
		var request Request
		if err := Unmarshal(data, &request); err != nil {
			return nil, err
		}
		answer, err := function(request)
		if err != nil {
			return nil, err
		}
		return Marshal(answer)
	}
}

// Run serves until the process is asked to stop, or ctx is done.
func (s *Service) Run(ctx context.Context) error {
	for {
		mail, err := Receive(ctx)
		if err != nil {
			return err
		}
		if mail.Kind == Stop {
			return nil
		}
		s.serve(mail)
	}
}

func (s *Service) serve(mail *Mail) {
	function := s.functions[mail.Label]
	switch {
	case mail.Kind == Asked && function != nil:
		_ = mail.Reply(function(mail.Body))
	case mail.Kind == Sent && function != nil:
		if _, err := function(mail.Body); err != nil {
			Log(LevelWarn, "a cast failed: "+err.Error())
		}
	case s.Others != nil:
		s.Others(mail)
	case mail.Kind == Asked:
		_ = mail.Reply(nil, ErrNotFound)
	}
}
