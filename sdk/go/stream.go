//go:build wasip1

package mote

import (
	"io"
	"unsafe"

	"mote.dev/mote/internal/abi"
)

// Stream is one end of a stream of bytes: an io.ReadCloser or an io.WriteCloser.
type Stream struct {
	handle int32
}

// NewStream makes a stream that holds as much as the capability allows.
func NewStream() (reader, writer *Stream, err error) {
	pair := abi.StreamPair{}
	if result := abi.StreamOpen(0, unsafe.Pointer(&pair)); result < 0 {
		return nil, nil, Error(result)
	}
	return &Stream{pair.Reader}, &Stream{pair.Writer}, nil
}

// Read reads at least one byte, and waits for it; io.EOF: all was read; ErrAborted: the writer gave up.
func (s *Stream) Read(data []byte) (int, error) {
	if len(data) == 0 {
		return 0, nil
	}
	buffer, size := at(data)
	for {
		got := abi.StreamTryRead(s.handle, buffer, size)
		switch {
		case got > 0:
			return int(got), nil
		case got == 0:
			return 0, io.EOF
		case Error(got) != ErrTimeout:
			return 0, Error(got)
		}
		if err := wait(-s.handle, forReading, 0); err != nil {
			return 0, err
		}
	}
}

// Write writes all, waiting while the stream is full; ErrClosed: nobody reads any more.
func (s *Stream) Write(data []byte) (int, error) {
	done := 0
	for done < len(data) {
		buffer, size := at(data[done:])
		sent := abi.StreamTryWrite(s.handle, buffer, size)
		if sent >= 0 {
			done += int(sent)
			continue
		}
		if Error(sent) != ErrTimeout {
			return done, Error(sent)
		}
		if err := wait(-s.handle, forWriting, 0); err != nil {
			return done, err
		}
	}
	return done, nil
}

// End says that no more will be written: the reader gets what is unread, and then io.EOF.
func (s *Stream) End() error { return failure(abi.StreamEnd(s.handle)) }

// Abort gives up writing: the reader gets ErrAborted, and can ask for the reason, a number above 0.
func (s *Stream) Abort(reason int) error { return failure(abi.StreamAbort(s.handle, int32(reason))) }

// Reason is why the writer aborted.
func (s *Stream) Reason() int { return int(max(abi.StreamReason(s.handle), 0)) }

// Close is done with this end. A writer that did not End has given up.
func (s *Stream) Close() error { return failure(abi.StreamClose(s.handle)) }
