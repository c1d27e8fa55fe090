// Native loops: ping-pong and bandwidth whole in C, in each shim.
package shims

import (
	"fmt"
	"time"
	"unsafe"

	"gpubench/gpu"
	"gpubench/runtimes/transport"
	"gpubench/runtimes/transport/internal/gate"
)

// loopPolls is the passes of one call of a native loop: about a millisecond.
const loopPolls = 10000

// RunLoop carries a native loop out: loop is the shim's gb_loop for l, progress how far that has come.
func (c *Crossing) RunLoop(name string, l transport.Loop, loop unsafe.Pointer, progress func() [2]int64) error {
	if err := c.checkLoop(name, l); err != nil {
		return err
	}
	if l.Deadline == 0 {
		l.Deadline = transport.DefaultDeadline
	}
	short := l.Send.Space <= gpu.Pinned && l.Recv.Space <= gpu.Pinned && l.Bytes*max(1, l.Window) <= gate.MaxLen
	last, since := progress(), time.Now()
	for {
		switch c.runLoop(loop, short) {
		case 0:
			return nil
		case 1:
			if now := progress(); now != last {
				last, since = now, time.Now()
			} else if l.Deadline >= 0 && time.Since(since) > l.Deadline {
				return fmt.Errorf("%s with PE %d: nothing came for %v: %w", name, l.Peer, l.Deadline, transport.ErrDeadline)
			}
		case 2:
			return fmt.Errorf("%s: %w", name, c.table.Gone(l.Peer))
		default:
			return c.table.Failed()
		}
	}
}

func (c *Crossing) checkLoop(name string, l transport.Loop) error {
	switch {
	case l.Bytes < 0 || l.Bytes > l.Send.Len || l.Bytes > l.Recv.Len:
		panic(fmt.Sprintf("%s: %s of %d B in buffers of %d and %d B", c.caps.Name, name, l.Bytes, l.Send.Len, l.Recv.Len))
	case l.Peer < 0 || l.Peer >= c.caps.Size || l.Tag < 0 || l.Tag >= transport.MaxTag || int(l.Ctx) >= c.caps.Contexts:
		panic(fmt.Sprintf("%s: %s: peer %d, tag %d, context %d out of range", c.caps.Name, name, l.Peer, l.Tag, l.Ctx))
	}
	for _, m := range []gpu.Memory{l.Send, l.Recv} {
		if !c.caps.Spaces[m.Space] {
			return fmt.Errorf("%s: %s: %w", name, c.caps.Why[m.Space], transport.ErrUnsupported)
		}
	}
	return nil
}
