//go:build wasip1

package mote

import (
	"time"
	"unsafe"

	"mote.dev/mote/internal/abi"
)

// Where the runtime waits when no goroutine can run: poll_oneoff of WASI. A module that imports the platform's own gets
// it in that place, and it knows mail, streams and requests as descriptors below 0. So a goroutine that waits for one of
// them waits as one that reads from a socket does, and the others go on.
const (
	descriptorMail       = -1 << 31
	descriptorClientGone = -1<<31 + 1
	descriptorBody       = -1<<31 + 2
	descriptorAnswer     = -1<<31 + 3
)

const (
	forReading = 'r'
	forWriting = 'w'
)

//go:linkname runtimePollServerInit internal/poll.runtime_pollServerInit
func runtimePollServerInit()

//go:linkname runtimePollOpen internal/poll.runtime_pollOpen
func runtimePollOpen(descriptor uintptr) (uintptr, int)

//go:linkname runtimePollSetDeadline internal/poll.runtime_pollSetDeadline
func runtimePollSetDeadline(desc uintptr, nanoseconds int64, mode int)

//go:linkname runtimePollWait internal/poll.runtime_pollWait
func runtimePollWait(desc uintptr, mode int) int

//go:linkname runtimePollUnblock internal/poll.runtime_pollUnblock
func runtimePollUnblock(desc uintptr)

//go:linkname runtimePollClose internal/poll.runtime_pollClose
func runtimePollClose(desc uintptr)

// What runtimePollWait says.
const (
	pollReady   = 0
	pollTimeout = 2
)

var pollStarted bool

// wait lets this goroutine wait until a descriptor is ready; a timeout of 0 or below is none. It may return early: who called
// it looks again.
func wait(descriptor int32, mode int, timeout time.Duration) error {
	if !pollStarted {
		pollStarted = true
		runtimePollServerInit()
		if len(never) > 0 {
			abi.PollOneoff(0, 0, 0, 0) // keeps the import, which is what makes the above true
		}
	}
	desc, number := runtimePollOpen(uintptr(descriptor))
	if number != 0 {
		return ErrNoMemory
	}
	defer func() {
		runtimePollUnblock(desc)
		runtimePollClose(desc)
	}()
	if timeout > 0 {
		runtimePollSetDeadline(desc, int64(timeout), mode)
	}
	switch runtimePollWait(desc, mode) {
	case pollReady:
		return nil
	case pollTimeout:
		return ErrTimeout
	default:
		return ErrNotFound
	}
}

// await lets this goroutine wait until something of the request's is ready, or cannot be waited for: who tries it then is told why.
func await(kind uint32, descriptor int32, mode int) {
	for {
		one := abi.Wait{Kind: kind}
		if result := abi.WaitNow(unsafe.Pointer(&one), 1, 0); result >= 0 || Error(result) != ErrTimeout {
			return
		}
		if wait(descriptor, mode, 0) != nil {
			return
		}
	}
}

func awaitBody()   { await(abi.WaitBody, descriptorBody, forReading) }
func awaitAnswer() { await(abi.WaitAnswer, descriptorAnswer, forWriting) }

// never is empty, which the linker cannot know.
var never = ""
