//go:build wasip1

package mote

import (
	"time"
	"unsafe"

	"mote.dev/mote/internal/abi"
)

// Class is how a process ended.
type Class uint32

// Classes of exits.
const (
	ExitNormal         Class = abi.ExitNormal
	ExitShutdown       Class = abi.ExitShutdown
	ExitExited         Class = abi.ExitExited
	ExitCrashed        Class = abi.ExitCrashed
	ExitCrashedMemory  Class = abi.ExitCrashedMemory
	ExitCrashedCPU     Class = abi.ExitCrashedCpu
	ExitCrashedTimeout Class = abi.ExitCrashedTimeout
	ExitKilled         Class = abi.ExitKilled
	ExitNoProcess      Class = abi.ExitNoproc
	ExitNoConnection   Class = abi.ExitNoconnection
)

// Exit is the end of a process.
type Exit struct {
	Process Pid
	Class   Class
	Status  int
	Reason  string
}

// Self is this process.
func Self() Pid { return Pid(abi.Self()) }

// Parent is who started this process; 0: the platform.
func Parent() Pid { return Pid(abi.Parent()) }

// Ready says that this service has started; its first Receive says it too.
func Ready() { abi.Ready() }

// SetLabel says what `mote ps` shows beside the component.
func SetLabel(label string) error { return failure(abi.SetLabel(label)) }

// Env is a variable that the capability's `env` grants.
func Env(name string) (string, error) {
	return text(func(buffer unsafe.Pointer, size uint32) int32 { return abi.EnvGet(name, buffer, size) })
}

// Input is what the spawner passed.
func Input() []byte {
	input, _ := text(func(buffer unsafe.Pointer, size uint32) int32 { return abi.InputGet(buffer, size) })
	return []byte(input)
}

// Spawning is how to spawn. The zero value: untied, with all that the component is granted.
type Spawning struct {
	Link        bool // they end together
	MaxMemoryMB uint32
	MaxCPU      time.Duration // of a unit of work
	Deadline    time.Duration // of its life
}

// Spawn starts a process of a component of the manifest, "component" or "component#entry", which gets the input.
func Spawn(component string, input []byte, how Spawning) (Pid, error) {
	pid, _, err := spawn(component, input, how, false)
	return pid, err
}

// SpawnMonitored does, and tells when it has ended.
func SpawnMonitored(component string, input []byte, how Spawning) (Pid, <-chan Exit, error) {
	pid, reference, err := spawn(component, input, how, true)
	if err != nil {
		return 0, nil, err
	}
	return pid, watch(reference), nil
}

func spawn(component string, input []byte, how Spawning, monitor bool) (Pid, uint64, error) {
	options := abi.SpawnOptions{
		MaxMemoryMb: how.MaxMemoryMB,
		MaxCpuMs:    uint32(how.MaxCPU.Milliseconds()),
		DeadlineMs:  uint32(how.Deadline.Milliseconds()),
	}
	if how.Link {
		options.Flags |= abi.SpawnLink
	}
	if monitor {
		options.Flags |= abi.SpawnMonitor
	}
	spawned := abi.Spawned{}
	data, size := at(input)
	result := abi.Spawn(component, data, size, unsafe.Pointer(&options), unsafe.Pointer(&spawned))
	return Pid(spawned.Pid), spawned.Reference, failure(result)
}

// watch makes a channel of a reference, which gives the one Exit.
func watch(reference uint64) <-chan Exit {
	mail := make(chan *Mail, 1)
	exits := make(chan Exit, 1)
	answers[reference] = mail
	collect()
	go func() {
		if one, ok := <-mail; ok {
			exits <- one.Exit
		}
		close(exits)
	}()
	return exits
}

// Monitor tells of the end of a process, once; at once, with ExitNoProcess, when there is none.
func Monitor(pid Pid) (<-chan Exit, error) {
	reference := abi.Monitor(uint64(pid))
	if reference < 0 {
		return nil, Error(reference)
	}
	return watch(uint64(reference)), nil
}

// Link has both end together.
func Link(pid Pid) error { return failure(abi.Link(uint64(pid))) }

// Unlink undoes Link.
func Unlink(pid Pid) error { return failure(abi.Unlink(uint64(pid))) }

// TrapExits makes mail of exit signals and of the request to stop. It returns what was before.
func TrapExits(on bool) bool {
	number := uint32(0)
	if on {
		number = 1
	}
	return abi.TrapExits(number) == 1
}

// End ends this process with a reason; "normal" and "shutdown" are classes of their own.
func End(reason string) { abi.Exit(reason) }

// ExitSignal ends another process that does not trap exits.
func ExitSignal(pid Pid, reason string) error { return failure(abi.ExitSignal(uint64(pid), reason)) }

// Kill ends a process, whatever it does.
func Kill(pid Pid) error { return failure(abi.Kill(uint64(pid))) }

// SendAfter sends later: as Fired to oneself, as Sent to another. The result is for Cancel.
func SendAfter(to Pid, label uint64, body []byte, after time.Duration) (uint64, error) {
	data, size := at(body)
	reference := abi.SendAfter(uint64(to), label, data, size, int64(after))
	return uint64(reference), failure(reference)
}

// Interval has a Fired come again and again. In most programs a time.Ticker does as well.
func Interval(every time.Duration) (uint64, error) {
	reference := abi.Interval(int64(every), nil, 0)
	return uint64(reference), failure(reference)
}

// Cancel ends a timer.
func Cancel(reference uint64) error { return failure(abi.Cancel(reference)) }

// Random fills a slice with unpredictable bytes.
func Random(data []byte) error {
	for len(data) > 0 {
		piece := data[:min(len(data), 65536)]
		buffer, size := at(piece)
		if result := abi.Random(buffer, size); result < 0 {
			return Error(result)
		}
		data = data[len(piece):]
	}
	return nil
}

// Level is how grave a line of the log is.
type Level int32

// Levels.
const (
	LevelError Level = abi.LogLevelError
	LevelWarn  Level = abi.LogLevelWarn
	LevelInfo  Level = abi.LogLevelInfo
	LevelDebug Level = abi.LogLevelDebug
)

// Log writes one line to the node's log.
func Log(level Level, line string) { abi.Log(int32(level), line) }
