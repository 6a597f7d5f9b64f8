//go:build wasip1

package mote

import (
	"unsafe"

	"mote.dev/mote/internal/abi"
)

// What the runtime says when a goroutine panics goes to the node's log, line by line, also where the component is not granted
// standard error.

//go:linkname runtimeOverrideWrite runtime.overrideWrite
var runtimeOverrideWrite func(descriptor uintptr, data unsafe.Pointer, size int32) int32

var (
	lastWords     [1024]byte
	lastWordsSize int
)

func init() { runtimeOverrideWrite = logLastWords }

// No stack is grown and nothing allocated here: the runtime may be in any state.
//
//go:nosplit
func logLastWords(_ uintptr, data unsafe.Pointer, size int32) int32 {
	for i := int32(0); i < size; i++ {
		one := *(*byte)(unsafe.Add(data, i))
		if one != '\n' {
			lastWords[lastWordsSize] = one
			lastWordsSize++
		}
		if lastWordsSize > 0 && (one == '\n' || lastWordsSize == len(lastWords)) {
			abi.Log(abi.LogLevelError, unsafe.String(&lastWords[0], lastWordsSize))
			lastWordsSize = 0
		}
	}
	return size
}
