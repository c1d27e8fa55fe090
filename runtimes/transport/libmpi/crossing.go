// Crossings from Go into the shim: through cgo, or on the short way for what is sure to be short.
package libmpi

/*
#cgo noescape gb_w_run_loop
#cgo nocallback gb_w_run_loop
#cgo noescape gb_w_act
#cgo nocallback gb_w_act
#cgo noescape gb_w_send_header
#cgo nocallback gb_w_send_header
#cgo noescape gb_w_recv_header
#cgo nocallback gb_w_recv_header
#cgo noescape gb_w_probe
#cgo nocallback gb_w_probe
#include <stdlib.h>
#include "world.h"
*/
import "C"

import (
	"unsafe"

	"gpubench/gpu"
	"gpubench/runtimes/transport"
	"gpubench/runtimes/transport/internal/gate"
)

// shortcut holds what a short crossing needs: see package leap.
type shortcut struct {
	gate.Gate
	act, sendHeader, recvHeader uintptr // addresses of the table's functions
	runLoop                     uintptr
	world                       unsafe.Pointer // their first argument
}

// prepare opens the short way where there is one.
func (d *Driver) prepare() (err error) {
	s := &d.short
	s.act = uintptr(unsafe.Pointer(C.gb_table.act))
	s.sendHeader = uintptr(unsafe.Pointer(C.gb_table.send_header))
	s.recvHeader = uintptr(unsafe.Pointer(C.gb_table.recv_header))
	s.runLoop = uintptr(unsafe.Pointer(C.gb_table.run_loop))
	s.world = unsafe.Pointer(C.gb_world)
	s.Gate, err = gate.New(d.places, d.oversubscribe)
	return err
}

// newDone is C memory for completions: C writes it, and cgo need not look at it.
func newDone() *[maxDone]C.gb_done {
	return (*[maxDone]C.gb_done)(C.calloc(maxDone, C.sizeof_gb_done))
}

// act is gb_mpi_table's.
func (d *Driver) act(ops []transport.Op, ndone, polls int) int {
	s := &d.short
	s.Posted(ops)
	var n int
	if s.Open() { // an Endpoint's polls are some 10 µs
		n = s.Stack.Call3(s.act, s.world, unsafe.Pointer(unsafe.SliceData(ops)), unsafe.Pointer(d.done), len(ops), ndone, polls)
	} else {
		n = int(C.gb_w_act((*C.gb_op)(unsafe.Pointer(unsafe.SliceData(ops))), &d.done[0], C.int(len(ops)),
			C.int(ndone), C.int(polls)))
	}
	s.Reaped(max(n, 0))
	return n
}

func (d *Driver) sendHeader(peer int, h []byte) int {
	if s := &d.short; s.Open() {
		return s.Stack.Call2(s.sendHeader, s.world, unsafe.Pointer(unsafe.SliceData(h)), len(h), peer, 0, 0)
	}
	return int(C.gb_w_send_header(unsafe.Pointer(unsafe.SliceData(h)), C.int(len(h)), C.int(peer)))
}

// loopPolls is the passes of one call of a native loop: about a millisecond.
const loopPolls = 10000

func (d *Driver) runLoop(l *C.gb_loop, host bool) int {
	if s := &d.short; host && s.Open() && l.bytes*C.int64_t(max(1, l.window)) <= gate.MaxLen {
		return s.Stack.Call2(s.runLoop, s.world, unsafe.Pointer(l), loopPolls, 0, 0, 0)
	}
	return int(C.gb_w_run_loop(l, loopPolls))
}

func (d *Driver) recvHeader(buf []byte) (result, peer, n int) {
	var from C.gb_from
	if s := &d.short; s.Open() {
		result = s.Stack.Call3(s.recvHeader, s.world, unsafe.Pointer(unsafe.SliceData(buf)), unsafe.Pointer(&from), len(buf), 0, 0)
	} else {
		result = int(C.gb_w_recv_header(unsafe.Pointer(unsafe.SliceData(buf)), &from, C.int(len(buf))))
	}
	return result, int(from.peer), int(from.len)
}

// transport.Op is handed to C as it is: the layouts must agree.
var _ = [1]struct{}{}[unsafe.Sizeof(transport.Op{})-C.sizeof_gb_op]
var _ = [1]struct{}{}[unsafe.Offsetof(transport.Op{}.Ctx)-unsafe.Offsetof(C.gb_op{}.ctx)]
var _ = [1]struct{}{}[unsafe.Offsetof(transport.Op{}.Peer)-unsafe.Offsetof(C.gb_op{}.peer)]
var _ = [1]struct{}{}[unsafe.Offsetof(transport.Op{}.Tag)-unsafe.Offsetof(C.gb_op{}.tag)]
var _ = [1]struct{}{}[unsafe.Offsetof(transport.Op{}.ID)-unsafe.Offsetof(C.gb_op{}.id)]
var _ = [1]struct{}{}[unsafe.Offsetof(transport.Op{}.Buf)+unsafe.Offsetof(gpu.Memory{}.Addr)-unsafe.Offsetof(C.gb_op{}.addr)]
var _ = [1]struct{}{}[unsafe.Offsetof(transport.Op{}.Buf)+unsafe.Offsetof(gpu.Memory{}.Len)-unsafe.Offsetof(C.gb_op{}.len)]
var _ = [1]struct{}{}[unsafe.Offsetof(transport.Op{}.Buf)+unsafe.Offsetof(gpu.Memory{}.Space)-unsafe.Offsetof(C.gb_op{}.space)]
var _ = [1]struct{}{}[int(transport.OpSend)-C.GB_SEND]
var _ = [1]struct{}{}[int(transport.OpRecv)-C.GB_RECV]
var _ = [1]struct{}{}[1<<gpu.Pageable|1<<gpu.Pinned-C.GB_HOST_SPACES]
