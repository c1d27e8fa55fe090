// Native loops: ping-pong and bandwidth whole in C over the shim's table. Figures of the transport, which the loops in
// Go are held against.
package libmpi

// #include "world.h"
import "C"

import (
	"fmt"
	"math"
	"time"

	"gpubench/gpu"
	"gpubench/runtimes/transport"
)

// NativePingpong makes Iterations round trips and returns this rank's time for all of them. Half a round trip is that
// divided by 2·Iterations.
func (d *Driver) NativePingpong(l transport.Loop) (time.Duration, error) {
	l.Window = 0
	return d.native("native ping-pong", l)
}

// NativeBandwidth sends Iterations windows of Window messages, each answered by 4 bytes, as osu_bw does.
func (d *Driver) NativeBandwidth(l transport.Loop) (time.Duration, error) {
	if l.Window < 1 {
		panic("libmpi: a window of less than one message")
	}
	return d.native("native bandwidth", l)
}

func (d *Driver) native(name string, l transport.Loop) (time.Duration, error) {
	switch {
	case d.closed:
		panic("libmpi: native loop after Close")
	case l.Bytes < 0 || l.Bytes > l.Send.Len || l.Bytes > l.Recv.Len:
		panic(fmt.Sprintf("libmpi: %s of %d B in buffers of %d and %d B", name, l.Bytes, l.Send.Len, l.Recv.Len))
	case l.Peer < 0 || l.Peer >= d.caps.Size || l.Tag < 0 || l.Tag >= transport.MaxTag || int(l.Ctx) >= d.caps.Contexts:
		panic(fmt.Sprintf("libmpi: %s: peer %d, tag %d, context %d out of range", name, l.Peer, l.Tag, l.Ctx))
	}
	for _, m := range []gpu.Memory{l.Send, l.Recv} {
		if !d.caps.Spaces[m.Space] {
			return 0, fmt.Errorf("%s: %s: %w", name, d.caps.Why[m.Space], transport.ErrUnsupported)
		}
	}
	if l.AM {
		return 0, fmt.Errorf("%s: MPI has no active messages: %w", name, transport.ErrUnsupported)
	}
	if l.Bytes > math.MaxInt32 {
		return 0, fmt.Errorf("%s: %d B are more than MPI counts (%d): %w", name, l.Bytes, math.MaxInt32, transport.ErrUnsupported)
	}
	if l.Deadline == 0 {
		l.Deadline = transport.DefaultDeadline
	}
	c := C.gb_loop{
		ctx: C.uint8_t(l.Ctx), peer: C.int32_t(l.Peer), tag: C.int32_t(l.Tag),
		sbuf: C.uint64_t(l.Send.Addr), rbuf: C.uint64_t(l.Recv.Addr), bytes: C.int64_t(l.Bytes),
		window: C.int32_t(l.Window), iterations: C.int64_t(l.Iterations),
	}
	if l.First {
		c.first = 1
	}
	defer C.gb_w_loop_end(&c)
	host := l.Send.Space <= gpu.Pinned && l.Recv.Space <= gpu.Pinned
	at, since := c, time.Now()
	for {
		switch d.runLoop(&c, host) {
		case 0:
			return time.Duration(float64(c.seconds) * 1e9), nil
		case 1:
			if c.iterations != at.iterations || c.phase != at.phase {
				at, since = c, time.Now()
			} else if l.Deadline >= 0 && time.Since(since) > l.Deadline {
				return 0, fmt.Errorf("%s with rank %d: nothing came for %v: %w", name, l.Peer, l.Deadline, transport.ErrDeadline)
			}
		case 2:
			return 0, fmt.Errorf("%s: %w", name, d.peerGone(l.Peer))
		default:
			return 0, d.failure()
		}
	}
}
