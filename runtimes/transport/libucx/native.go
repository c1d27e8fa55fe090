// Native loops: ping-pong and bandwidth whole in C over the shim's table. Figures of the transport, which the loops in Go
// are held against.
package libucx

// #include "world.h"
import "C"

import (
	"time"
	"unsafe"

	"gpubench/runtimes/transport"
)

// NativePingpong makes Iterations round trips and returns this PE's time for all of them. Half a round trip is that
// divided by 2·Iterations.
func (d *Driver) NativePingpong(l transport.Loop) (time.Duration, error) {
	l.Window = 0
	return d.native("native ping-pong", l)
}

// NativeBandwidth sends Iterations windows of Window messages, each answered by 1 byte, as osu_bw does.
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
	case l.Peer == d.caps.Rank:
		panic("libucx: " + name + " with itself")
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
	err := d.RunLoop(name, l, unsafe.Pointer(&c), func() [2]int64 { return [2]int64{int64(c.iterations), int64(c.phase)} })
	return time.Duration(float64(c.seconds) * 1e9), err
}
