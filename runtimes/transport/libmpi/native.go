// Native loops: ping-pong and bandwidth whole in C over the shim's table. Figures of the transport, which the loops in
// Go are held against.
package libmpi

// #include "world.h"
import "C"

import (
	"fmt"
	"math"
	"time"
	"unsafe"

	"gpubench/runtimes/transport"
)

// NativePingpong makes Iterations round trips and returns this rank's time for all of them. Half a round trip is that
// divided by 2·Iterations.
func (d *Driver) NativePingpong(l transport.Loop) (time.Duration, error) {
	l.Window = 0
	return d.native("native ping-pong", l)
}

// NativeBandwidth sends Iterations windows of Window messages, each answered by 1 byte, as osu_bw does.
func (d *Driver) NativeBandwidth(l transport.Loop) (time.Duration, error) {
	if l.Window < 1 {
		panic("libmpi: a window of less than one message")
	}
	return d.native("native bandwidth", l)
}

func (d *Driver) native(name string, l transport.Loop) (time.Duration, error) {
	if d.closed {
		panic("libmpi: native loop after Close")
	}
	if l.AM {
		return 0, fmt.Errorf("%s: MPI has no active messages: %w", name, transport.ErrUnsupported)
	}
	if l.Bytes > math.MaxInt32 {
		return 0, fmt.Errorf("%s: %d B are more than MPI counts (%d): %w", name, l.Bytes, math.MaxInt32, transport.ErrUnsupported)
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
	err := d.RunLoop(name, l, unsafe.Pointer(&c), func() [2]int64 { return [2]int64{int64(c.iterations), int64(c.phase)} })
	return time.Duration(float64(c.seconds) * 1e9), err
}
