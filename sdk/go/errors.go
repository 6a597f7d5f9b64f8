package mote

// Error is what a function of the platform did not do, and why. Compare with errors.Is.
type Error int32

// The numbers of the ABI.
const (
	ErrDenied    Error = -1  // not granted; the log has the manifest line that would allow it
	ErrNotFound  Error = -2  // no such process, name, timer, handle or value, or none in reach
	ErrInvalid   Error = -3  // an argument is out of range or malformed
	ErrLimit     Error = -4  // a quota or a size limit
	ErrClosed    Error = -5  // the other side is gone
	ErrMisplaced Error = -6  // not in this kind of process, or not now
	ErrNoMemory  Error = -7  // the node has no memory
	ErrMalformed Error = -8  // what came from outside is broken
	ErrTimeout   Error = -9  // it did not happen in time
	ErrExists    Error = -10 // taken already
	ErrFull      Error = -11 // the receiver's mailbox is full, and it refuses
	ErrAborted   Error = -12 // the writer of a stream gave up
)

var errorTexts = [...]string{
	"", "not granted", "not found", "invalid", "limit reached", "closed", "not possible here", "the node has no memory",
	"malformed", "timeout", "exists already", "the mailbox is full", "aborted",
}

func (e Error) Error() string {
	if number := -int(e); number > 0 && number < len(errorTexts) {
		return "mote: " + errorTexts[number]
	}
	return "mote: unknown error"
}

// Timeout makes an Error usable where a net.Error is expected.
func (e Error) Timeout() bool { return e == ErrTimeout }

// failure is the error of a result below zero.
func failure[T int32 | int64](result T) error {
	if result < 0 {
		return Error(result)
	}
	return nil
}
