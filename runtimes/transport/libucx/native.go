// Native loops: ping-pong and bandwidth whole in C over the shim's table. Figures of the transport, which the loops in Go
// are held against.
package libucx

// #include "world.h"
import "C"

import (
	"fmt"
	"time"

	"gpubench/gpu"
	"gpubench/runtimes/transport"
)

// NativePingpong makes Iterations round trips and returns this PE's time for all of them. Half a round trip is that
// divided by 2·Iterations.
func (d *Driver) NativePingpong(l transport.Loop) (time.Duration, error) {
	l.Window = 0
	return d.native("native ping-pong", l)
}

// NativeBandwidth sends Iterations windows of Window messages, each answered by 4 bytes, as osu_bw does.
func (d *Driver) NativeBandwidth(l transport.Loop) (time.Duration, error) {
	if l.Window < 1 {
		panic("libucx: a window of less than one message")
	}
	return d.native("native bandwidth", l)
}

func (d *Driver) native(name string, l transport.Loop) (time.Duration, error) {
	switch {
	case d.closed:
		panic("libucx: native loop after Close")
	case l.Bytes < 0 || l.Bytes > l.Send.Len || l.Bytes > l.Recv.Len:
		panic(fmt.Sprintf("libucx: %s of %d B in buffers of %d and %d B", name, l.Bytes, l.Send.Len, l.Recv.Len))
	case l.Peer < 0 || l.Peer >= d.caps.Size || l.Tag < 0 || l.Tag >= transport.MaxTag || int(l.Ctx) >= d.caps.Contexts:
		panic(fmt.Sprintf("libucx: %s: peer %d, tag %d, context %d out of range", name, l.Peer, l.Tag, l.Ctx))
	case l.Peer == d.caps.Rank:
		panic("libucx: " + name + " with itself")
	}
	for _, m := range []gpu.Memory{l.Send, l.Recv} {
		if !d.caps.Spaces[m.Space] {
			return 0, fmt.Errorf("%s: %s: %w", name, d.caps.Why[m.Space], transport.ErrUnsupported)
		}
	}
	if l.Deadline == 0 {
		l.Deadline = transport.DefaultDeadline
	}
	c := C.gb_loop{
		ctx: C.uint8_t(l.Ctx), peer: C.int32_t(l.Peer), tag: C.int32_t(l.Tag),
		sbuf: C.uint64_t(l.Send.Addr), rbuf: C.uint64_t(l.Recv.Addr), bytes: C.int64_t(l.Bytes),
		sspace: C.uint8_t(l.Send.Space), rspace: C.uint8_t(l.Recv.Space),
		window: C.int32_t(l.Window), iterations: C.int64_t(l.Iterations),
	}
	if l.First {
		c.first = 1
	}
	if l.AM {
		c.am = 1
	}
	defer C.gb_u_loop_end(&c)
	at, since := c, time.Now()
	for {
		switch d.runLoop(&c) {
		case 0:
			return time.Duration(float64(c.seconds) * 1e9), nil
		case 1:
			if c.iterations != at.iterations || c.phase != at.phase {
				at, since = c, time.Now()
			} else if l.Deadline >= 0 && time.Since(since) > l.Deadline {
				return 0, fmt.Errorf("%s with PE %d: nothing came for %v: %w", name, l.Peer, l.Deadline, transport.ErrDeadline)
			}
		case 2:
			return 0, fmt.Errorf("%s: %w", name, d.peerGone(l.Peer))
		default:
			return 0, d.failure()
		}
	}
}
