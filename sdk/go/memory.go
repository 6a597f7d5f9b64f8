//go:build wasip1

package mote

import "unsafe"

// at is where bytes lie, for a host function; nothing lies nowhere.
func at(data []byte) (unsafe.Pointer, uint32) {
	return unsafe.Pointer(unsafe.SliceData(data)), uint32(len(data))
}

// text reads a text of any size by a function that copies it out as far as it fits and tells its full size.
func text(read func(buffer unsafe.Pointer, size uint32) int32) (string, error) {
	var small [256]byte
	buffer := small[:]
	for {
		size := read(at(buffer))
		if size < 0 {
			return "", Error(size)
		}
		if int(size) <= len(buffer) {
			return string(buffer[:size]), nil
		}
		buffer = make([]byte, size)
	}
}
