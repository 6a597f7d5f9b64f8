//go:build wasip1

package mote

import (
	"unsafe"

	"mote.dev/mote/internal/abi"
)

// Register takes a name that only one process can have.
func Register(name string) error { return failure(abi.Register(name, nil)) }

// Unregister gives it back.
func Unregister(name string) error { return failure(abi.Unregister(name)) }

// Whereis is who has that name: also how a service is found.
func Whereis(name string) (Pid, error) {
	pid := uint64(0)
	result := abi.Whereis("", name, unsafe.Pointer(&pid))
	return Pid(pid), failure(result)
}

// Tag puts this process under a tag, which many can have.
func Tag(name string) error { return failure(abi.Tag(name)) }

// Untag takes it off again.
func Untag(name string) error { return failure(abi.Untag(name)) }

// Tagged is who has a tag, the oldest first.
func Tagged(name string) ([]Pid, error) {
	return pids(func(buffer unsafe.Pointer, size uint32) int32 { return abi.Tagged("", name, buffer, size) })
}

// Join has what is published to a group come as mail.
func Join(group string) error { return failure(abi.Join(group)) }

// Leave undoes Join.
func Leave(group string) error { return failure(abi.Leave(group)) }

// Members is who is in a group.
func Members(group string) ([]Pid, error) {
	return pids(func(buffer unsafe.Pointer, size uint32) int32 { return abi.Members("", group, buffer, size) })
}

// Publish sends to all members of a group; those whose mailbox is full are skipped.
func Publish(group string, label uint64, body []byte) (reached, skipped int, err error) {
	result := abi.Publication{}
	data, size := at(body)
	err = failure(abi.Publish("", group, label, data, size, unsafe.Pointer(&result)))
	return int(result.Reached), int(result.Skipped), err
}

// Processes is every process of this namespace.
func Processes() ([]Pid, error) {
	return pids(func(buffer unsafe.Pointer, size uint32) int32 { return abi.List(buffer, size) })
}

func pids(read func(buffer unsafe.Pointer, size uint32) int32) ([]Pid, error) {
	list := make([]Pid, 64)
	for {
		count := read(unsafe.Pointer(&list[0]), uint32(len(list)))
		if count < 0 {
			return nil, Error(count)
		}
		if int(count) <= len(list) {
			return list[:count], nil
		}
		list = make([]Pid, count)
	}
}
