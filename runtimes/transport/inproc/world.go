// Package inproc is the transport between PEs that are locked threads of one process: spinning mailboxes, no Go channel.
package inproc

import (
	"gpubench/gpu"
	"gpubench/runtimes/transport"
)

// World is the set of PEs of one process.
type World struct{}

// NewWorld makes the mailboxes for n PEs.
func NewWorld(n int) *World { panic("inproc: pending") }

// Driver is PE rank's side. It is called on that PE's locked thread, with its device bound there (nil: host memory only).
func (w *World) Driver(rank int, dev *gpu.Device) (transport.Driver, error) { panic("inproc: pending") }

// Kill marks a PE as dead: whoever waits for it gets transport.ErrPeerDied. Any thread may call it.
func (w *World) Kill(rank int) { panic("inproc: pending") }
