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
#include <stdlib.h>
#include "world.h"
*/
import "C"

import (
	"unsafe"

	"gpubench/gpu"
	"gpubench/runtimes/transport"
	"gpubench/runtimes/transport/libmpi/leap"
)

const shortLen = 64 << 20 // bytes: 5 ms or so of copying, for which a stop of the world has to wait

// EnvShortCalls set to 0 sends every call through cgo: tracebacks and profiles then show what is called.
const EnvShortCalls = "GPUBENCH_SHORT_CALLS"

// shortcut holds what a short crossing needs: see package leap. Besides the crossing it spares what cgo costs a thread
// that waits: after 20 µs in there Go's scheduler takes the thread for blocked and starts another, on the other PE's core.
type shortcut struct {
	stack                       *leap.Stack // nil: everything goes through cgo
	act, sendHeader, recvHeader uintptr     // addresses of the table's functions
	runLoop                     uintptr
	world                       unsafe.Pointer // their first argument
	underWay                    int            // operations posted and not reported: any call may copy for them
	lone                        bool           // the only one under way is short
}

// prepare opens the short way where calls are sure to be short: MPI's calls spin without limit when a network has no
// room, or the peer has stopped, and yield where ranks share cores. Host memory alone goes over it: waiting for a device
// inside could wait for a callback into Go.
func (d *Driver) prepare() (err error) {
	if !leap.Available || d.oversubscribe || getenv(EnvShortCalls) == "0" {
		return nil
	}
	for _, p := range d.places {
		if p.Node != d.places[0].Node {
			return nil
		}
	}
	s := &d.short
	s.act = uintptr(unsafe.Pointer(C.gb_table.act))
	s.sendHeader = uintptr(unsafe.Pointer(C.gb_table.send_header))
	s.recvHeader = uintptr(unsafe.Pointer(C.gb_table.recv_header))
	s.runLoop = uintptr(unsafe.Pointer(C.gb_table.run_loop))
	s.world = unsafe.Pointer(C.gb_world)
	s.stack, err = leap.NewStack()
	return err
}

// newDone is C memory for completions: C writes it, and cgo need not look at it.
func newDone() *[maxDone]C.gb_done {
	return (*[maxDone]C.gb_done)(C.calloc(maxDone, C.sizeof_gb_done))
}

// act is gb_mpi_table's.
func (d *Driver) act(ops []transport.Op, ndone, polls int) int {
	s := &d.short
	s.underWay += len(ops)
	if len(ops) > 0 {
		s.lone = s.underWay == 1 && ops[0].Buf.Len <= shortLen && ops[0].Buf.Space <= gpu.Pinned
	}
	var n int
	if s.open() { // an Endpoint's polls are some 10 µs
		n = s.stack.Call3(s.act, s.world, unsafe.Pointer(unsafe.SliceData(ops)), unsafe.Pointer(d.done), len(ops), ndone, polls)
	} else {
		n = int(C.gb_w_act((*C.gb_op)(unsafe.Pointer(unsafe.SliceData(ops))), &d.done[0], C.int(len(ops)),
			C.int(ndone), C.int(polls)))
	}
	s.underWay -= max(n, 0)
	return n
}

// open reports that the short way is there, and nothing under way for which a call could last.
func (s *shortcut) open() bool {
	return s.stack != nil && (s.underWay == 0 || s.lone && s.underWay == 1)
}

func (d *Driver) sendHeader(peer int, h []byte) int {
	if s := &d.short; s.open() {
		return s.stack.Call2(s.sendHeader, s.world, unsafe.Pointer(unsafe.SliceData(h)), len(h), peer, 0, 0)
	}
	return int(C.gb_w_send_header(unsafe.Pointer(unsafe.SliceData(h)), C.int(len(h)), C.int(peer)))
}

// loopPolls is the passes of one call of a native loop: about a millisecond.
const loopPolls = 10000

func (d *Driver) runLoop(l *C.gb_loop, host bool) int {
	if s := &d.short; host && s.open() && l.bytes*C.int64_t(max(1, l.window)) <= shortLen {
		return s.stack.Call2(s.runLoop, s.world, unsafe.Pointer(l), loopPolls, 0, 0, 0)
	}
	return int(C.gb_w_run_loop(l, loopPolls))
}

func (d *Driver) recvHeader(buf []byte) (result, peer, n int) {
	var from C.gb_from
	if s := &d.short; s.open() {
		result = s.stack.Call3(s.recvHeader, s.world, unsafe.Pointer(unsafe.SliceData(buf)), unsafe.Pointer(&from), len(buf), 0, 0)
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
