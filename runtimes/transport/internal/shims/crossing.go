// Crossings from Go into a shim: through cgo, or on the short way for what is sure to be short (package leap).
package shims

/*
#cgo noescape gb_act
#cgo nocallback gb_act
#cgo noescape gb_probe
#cgo nocallback gb_probe
#cgo noescape gb_send_header
#cgo nocallback gb_send_header
#cgo noescape gb_recv_header
#cgo nocallback gb_recv_header
#cgo noescape gb_run_loop
#cgo nocallback gb_run_loop
#include <stdlib.h>
#include "crossing.h"
*/
import "C"

import (
	"fmt"
	"unsafe"

	"gpubench/runtimes/transport"
	"gpubench/runtimes/transport/internal/gate"
)

// maxDone bounds the completions that one crossing brings back.
const maxDone = 256

// Done is the end of one operation as every shim writes it (gb_done). Outcome 0 is success.
type Done struct {
	ID        uint32
	Peer, Tag int32
	Outcome   int32
	Len       int64
	Code      int32 // the library's
	Kind      transport.OpKind
}

// Table is the functions that shims have in common, by their names in gb_mpi.h and gb_ucx.h, with World as their first
// argument; and what a driver makes of failures.
type Table struct {
	World, Act, Probe, SendHeader, RecvHeader, RunLoop unsafe.Pointer

	Failed func() error         // what made the last call return -1
	Gone   func(peer int) error // a peer has closed or died
	Ended  func(*Done) error    // an operation whose Outcome is not 0
}

func (t *Table) ended(d *Done) error {
	if d.Outcome == 0 {
		return nil
	}
	return t.Ended(d)
}

// Crossing is a transport.Driver's calls into a shim.
type Crossing struct {
	gate  gate.Gate
	calls *C.gb_calls // in C memory, as done
	world unsafe.Pointer
	done  *[maxDone]Done
	table Table
	caps  transport.Caps
}

// NewCrossing opens the short way where there is one.
func NewCrossing(t Table, caps transport.Caps, oversubscribed bool) (Crossing, error) {
	short, err := gate.New(caps.Places, oversubscribed)
	calls := (*C.gb_calls)(C.calloc(1, C.sizeof_gb_calls))
	at := func(p unsafe.Pointer) C.uintptr_t { return C.uintptr_t(uintptr(p)) }
	*calls = C.gb_calls{world: at(t.World), act: at(t.Act), probe: at(t.Probe), send_header: at(t.SendHeader),
		recv_header: at(t.RecvHeader), run_loop: at(t.RunLoop)}
	done := (*[maxDone]Done)(C.calloc(maxDone, C.size_t(unsafe.Sizeof(Done{}))))
	return Crossing{gate: short, calls: calls, world: t.World, done: done, table: t, caps: caps}, err
}

// ShortCalls reports whether short calls go without cgo (package leap).
func (c *Crossing) ShortCalls() bool { return c.gate.Stack != nil }

// act is the shim's.
func (c *Crossing) act(ops []transport.Op, ndone, polls int) int {
	c.gate.Posted(ops)
	var n int
	p, done := unsafe.Pointer(unsafe.SliceData(ops)), unsafe.Pointer(c.done)
	if c.gate.Open() { // an Endpoint's polls are some 10 µs for each operation that is tested
		n = c.gate.Stack.Call3(uintptr(c.calls.act), c.world, p, done, len(ops), ndone, polls)
	} else {
		n = int(C.gb_act(c.calls, (*C.uint8_t)(p), (*C.uint8_t)(done), C.int(len(ops)), C.int(ndone), C.int(polls)))
	}
	c.gate.Reaped(max(n, 0))
	return n
}

// Do is one crossing: see transport.Driver.
func (c *Crossing) Do(ops []transport.Op, done []transport.Completion, polls int) (int, error) {
	n := c.act(ops, min(len(done), maxDone), polls)
	if n < 0 {
		return 0, c.table.Failed()
	}
	for i := range n {
		d := &c.done[i]
		o := &done[i] // field by field: a literal clears all of it first
		o.ID, o.Peer, o.Tag, o.Len = d.ID, d.Peer, d.Tag, int(d.Len)
		if d.Outcome != 0 || o.Err != nil {
			o.Err = c.table.ended(d)
		}
	}
	return n, nil
}

// SendHeader copies h into one of a pool of buffers and sends it. sent is false while all of them are on their way.
func (c *Crossing) SendHeader(peer int, h []byte) (sent bool, err error) {
	if len(h) > c.caps.MaxHeader {
		panic(fmt.Sprintf("%s: header of %d B, at most %d", c.caps.Name, len(h), c.caps.MaxHeader))
	}
	var result int
	p := unsafe.Pointer(unsafe.SliceData(h))
	if c.gate.Open() {
		result = c.gate.Stack.Call2(uintptr(c.calls.send_header), c.world, p, len(h), peer, 0, 0)
	} else {
		result = int(C.gb_send_header(c.calls, (*C.uint8_t)(p), C.int(len(h)), C.int(peer)))
	}
	switch result {
	case 0:
		return false, nil
	case 1:
		return true, nil
	case 2:
		return false, c.table.Gone(peer)
	}
	return false, c.table.Failed()
}

// RecvHeader takes the next header. A peer that is gone is reported once, after its headers.
func (c *Crossing) RecvHeader(buf []byte) (peer, n int, ok bool, err error) {
	var from C.gb_from
	var result int
	p := unsafe.Pointer(unsafe.SliceData(buf))
	if c.gate.Open() {
		result = c.gate.Stack.Call3(uintptr(c.calls.recv_header), c.world, p, unsafe.Pointer(&from), len(buf), 0, 0)
	} else {
		result = int(C.gb_recv_header(c.calls, (*C.uint8_t)(p), &from, C.int(len(buf))))
	}
	switch result {
	case 0:
		return 0, 0, false, nil
	case 1:
		return int(from.peer), int(from.len), true, nil
	case 2:
		return int(from.peer), 0, false, c.table.Gone(int(from.peer))
	}
	return 0, 0, false, c.table.Failed()
}

// Probe looks at the messages that have come and were not received.
func (c *Crossing) Probe(ctx uint8, peer, tag int32) (transport.Status, bool, error) {
	found := &c.done[0]
	switch C.gb_probe(c.calls, (*C.uint8_t)(unsafe.Pointer(found)), C.int(ctx), C.int(peer), C.int(tag)) {
	case 0:
		return transport.Status{}, false, nil
	case 1:
		return transport.Status{Source: int(found.Peer), Tag: int(found.Tag), Len: int(found.Len)}, true, nil
	case 2:
		return transport.Status{Source: int(peer)}, false, c.table.Gone(int(peer))
	}
	return transport.Status{Source: transport.AnySource}, false, c.table.Failed()
}

// runLoop goes on with a gb_loop, by a call of about a millisecond.
func (c *Crossing) runLoop(loop unsafe.Pointer, short bool) int {
	if short && c.gate.Open() {
		return c.gate.Stack.Call2(uintptr(c.calls.run_loop), c.world, loop, loopPolls, 0, 0, 0)
	}
	return int(C.gb_run_loop(c.calls, (*C.uint8_t)(loop), loopPolls))
}
