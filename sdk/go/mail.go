//go:build wasip1

package mote

import (
	"context"
	"unsafe"

	"mote.dev/mote/internal/abi"
)

// Pid names a process. It is never used again, and never 0.
type Pid uint64

// Kind is what a piece of mail is.
type Kind uint32

// Kinds of mail.
const (
	Sent    Kind = abi.MailSend  // sent or published
	Asked   Kind = abi.MailCall  // a call, which waits for Reply
	replied Kind = abi.MailReply // dispatched to who called
	down    Kind = abi.MailDown  // dispatched to who monitors
	Exited  Kind = abi.MailExit  // an exit signal, to who traps exits
	Fired   Kind = abi.MailTimer // a timer of SendAfter or Interval
	Stop    Kind = abi.MailStop  // asked to stop: finish, and return
	frame   Kind = abi.MailFrame
	closing Kind = abi.MailClose
)

// Mail is a piece of mail.
type Mail struct {
	Kind      Kind
	From      Pid    // 0: the platform
	Label     uint64 // what the sender says that it is
	Body      []byte
	Reference uint64  // of an Asked: whom to Reply to; of a Fired: its timer
	Exit      Exit    // of an Exited
	Stream    *Stream // an end of a stream that came with it, or nil
}

// Label is the label of a name, as every language makes it: 64 bits of FNV-1a.
func Label(name string) uint64 {
	hash := uint64(0xcbf29ce484222325)
	for i := 0; i < len(name); i++ {
		hash = (hash ^ uint64(name[i])) * 0x100000001b3
	}
	return hash
}

// A taker is a goroutine that waits for mail of some kinds.
type taker struct {
	kinds uint32
	mail  chan *Mail // of 1; closed: there will be none
}

// Goroutines share the one mailbox. What is taken out of it is what somebody waits for, so that the rest stays where it is
// counted and bounded.
var (
	takers  []*taker
	answers = map[uint64]chan *Mail{} // by the reference of a call or monitor; each of 1
	polling bool
	room    = make([]byte, 4096)
)

func wanted() uint32 {
	kinds := uint32(0)
	if len(answers) > 0 {
		kinds = 1<<replied | 1<<down
	}
	for _, one := range takers {
		kinds |= one.kinds
	}
	return kinds
}

// read takes the oldest mail of these kinds, without waiting.
func read(kinds uint32) (*Mail, error) {
	filter, head := abi.Filter{Kinds: kinds}, abi.Mail{}
	buffer, size := at(room)
	if result := abi.Receive(unsafe.Pointer(&filter), unsafe.Pointer(&head), buffer, size, 0); result < 0 {
		return nil, Error(result)
	}
	body := make([]byte, head.Size)
	if copy(body, room); int(head.Size) > len(room) {
		buffer, size := at(body)
		abi.MailRead(0, buffer, size)
	}
	mail := &Mail{Kind: Kind(head.Kind), From: Pid(head.Sender), Label: head.Label, Body: body, Reference: head.Reference}
	if mail.Kind == Exited || mail.Kind == down {
		mail.Exit = Exit{Process: mail.From, Class: Class(head.ExitClass), Status: int(head.Status), Reason: string(body)}
	}
	if head.Stream > 0 {
		mail.Stream = &Stream{handle: head.Stream}
	}
	return mail, nil
}

func give(mail *Mail) {
	if mail.Kind == replied || mail.Kind == down {
		if answer := answers[mail.Reference]; answer != nil {
			delete(answers, mail.Reference)
			answer <- mail
		}
		return
	}
	for i, one := range takers {
		if one.kinds&(1<<mail.Kind) != 0 {
			takers = append(takers[:i], takers[i+1:]...)
			one.mail <- mail
			return
		}
	}
}

// drain gives everybody what is there for them. There is no mail any more for one whose client has left.
func drain() {
	for kinds := wanted(); kinds != 0; kinds = wanted() {
		mail, err := read(kinds)
		if err == ErrTimeout {
			return
		}
		if err == nil {
			give(mail)
			continue
		}
		for _, one := range takers {
			close(one.mail)
		}
		for reference, answer := range answers {
			delete(answers, reference)
			close(answer)
		}
		takers = nil
	}
}

func poll() {
	for wanted() != 0 {
		_ = wait(descriptorMail, forReading, 0)
		drain()
	}
	polling = false
}

// collect is called once there is a new taker or answer to wait for.
func collect() {
	drain()
	if wanted() != 0 && !polling {
		polling = true
		go poll()
	}
}

func receive(ctx context.Context, kinds uint32) (*Mail, error) {
	one := &taker{kinds: kinds, mail: make(chan *Mail, 1)}
	takers = append(takers, one)
	collect()
	select {
	case mail, ok := <-one.mail:
		if !ok {
			return nil, ErrClosed
		}
		return mail, nil
	case <-ctx.Done():
	}
	for i := range takers {
		if takers[i] == one {
			takers = append(takers[:i], takers[i+1:]...)
			return nil, reasonOf(ctx)
		}
	}
	mail, ok := <-one.mail // it came in the same moment
	if !ok {
		return nil, ErrClosed
	}
	return mail, nil
}

// reasonOf is ErrTimeout where the time was over, so that one test does for all.
func reasonOf(ctx context.Context) error {
	if ctx.Err() == context.DeadlineExceeded {
		return ErrTimeout
	}
	return ctx.Err()
}

// Receive waits for the next piece of mail. Only this goroutine waits. Answers of calls, ends of monitored processes and
// the messages of a WebSocket come by Call, Monitor and Socket.Receive instead.
func Receive(ctx context.Context) (*Mail, error) {
	return receive(ctx, 1<<Sent|1<<Asked|1<<Exited|1<<Fired|1<<Stop)
}

// Send sends a message. That a process is gone is no error: a monitor tells.
func Send(to Pid, label uint64, body []byte) error {
	data, size := at(body)
	return failure(abi.Send(uint64(to), label, data, size, 0))
}

// SendStream sends an end of a stream along, which is then no longer ours.
func SendStream(to Pid, label uint64, body []byte, stream *Stream) error {
	data, size := at(body)
	return failure(abi.Send(uint64(to), label, data, size, stream.handle))
}

// Reply answers a call: a label of 0 and the result, or an error's number and perhaps why.
func (m *Mail) Reply(body []byte, err error) error {
	label := uint64(0)
	if err != nil {
		number, why := numberOf(err)
		label, body = uint64(int64(number)), why
	}
	data, size := at(body)
	return failure(abi.Reply(uint64(m.From), m.Reference, label, data, size, 0))
}
