//go:build wasip1

package mote

import (
	"runtime"
	"time"
	"unsafe"

	"mote.dev/mote/internal/abi"
)

// Strategy is what a supervisor restarts when a child has ended.
type Strategy uint32

// Strategies.
const (
	OneForOne  Strategy = abi.StrategyOneForOne
	OneForAll  Strategy = abi.StrategyOneForAll
	RestForOne Strategy = abi.StrategyRestForOne
)

// Restart is when a child is restarted.
type Restart uint32

// Restarts.
const (
	Permanent Restart = abi.RestartPermanent
	Transient Restart = abi.RestartTransient
	Temporary Restart = abi.RestartTemporary
)

// Child is one child of a supervisor.
type Child struct {
	Name      string // empty: as its component
	Component string
	Input     []byte
	Restart   Restart
	Shutdown  time.Duration // how long it may take to stop; 0: it is killed
	Start     time.Duration // within which it is to say Ready; 0: it has started at once
}

// Supervisor is how to supervise.
type Supervisor struct {
	Strategy    Strategy
	MaxRestarts uint32
	Window      time.Duration
}

// Start starts a supervisor, linked to this process, and then its children in order.
func (s Supervisor) Start(children ...Child) (Pid, error) {
	var pinner runtime.Pinner
	defer pinner.Unpin()
	address := func(data []byte) (uint32, uint32) {
		if len(data) == 0 {
			return 0, 0
		}
		pinner.Pin(&data[0])
		return uint32(uintptr(unsafe.Pointer(&data[0]))), uint32(len(data))
	}
	spec := abi.SupervisorSpec{Strategy: uint32(s.Strategy), MaxRestarts: s.MaxRestarts, WindowMs: uint32(s.Window.Milliseconds())}
	list := make([]abi.ChildSpec, len(children)+1) // one more, so that there is a first
	for i, child := range children {
		one := &list[i]
		one.Name, one.NameSize = address([]byte(child.Name))
		one.Component, one.ComponentSize = address([]byte(child.Component))
		one.Input, one.InputSize = address(child.Input)
		one.Restart = uint32(child.Restart)
		one.ShutdownMs = uint32(child.Shutdown.Milliseconds())
		one.StartTimeoutMs = uint32(child.Start.Milliseconds())
	}
	pid := uint64(0)
	result := abi.SupervisorStart(unsafe.Pointer(&spec), unsafe.Pointer(&list[0]), uint32(len(children)), unsafe.Pointer(&pid))
	return Pid(pid), failure(result)
}
