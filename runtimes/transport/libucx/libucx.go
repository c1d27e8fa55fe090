// Package libucx is the transport over the user's own UCX, with no MPI. A C shim, compiled with the user's UCX headers, is
// loaded at run time (shim/, gb_ucx.h); nothing here is built with them.
//
//	runtime.LockOSThread()
//	path, err := library.Find(libucx.Shim)
//	d, err := libucx.OpenWith(path, exchange, libucx.Options{})
//	ep, err := transport.New(d, transport.Config{})
//
// Messages are UCX's tagged ones, whose 64-bit tag holds context, source and tag; headers are UCX's active messages. One
// worker in mode UCS_THREAD_MODE_SINGLE belongs to the thread that calls OpenWith. Buffers' memory types are told, never
// looked up.
package libucx

/*
#include <stdlib.h>
#include "world.h"
*/
import "C"

import (
	"fmt"
	"strings"
	"time"

	"gpubench/gpu"
	"gpubench/runtimes/transport"
	"gpubench/runtimes/transport/internal/shims"
)

// Driver is this process's PE.
type Driver struct {
	shims.Crossing
	caps          transport.Caps
	library       Library
	oversubscribe bool
	closeDeadline time.Duration
	closed        bool
}

var (
	_ transport.Driver = (*Driver)(nil)
	_ transport.Looper = (*Driver)(nil)
)

// Caps is constant while the driver is open.
func (d *Driver) Caps() transport.Caps { return d.caps }

// Oversubscribed reports whether this node has more PEs than cores that they may run on. Waits then yield.
func (d *Driver) Oversubscribed() bool { return d.oversubscribe }

// Library says which UCX this is, for the record's environment.
func (d *Driver) Library() Library { return d.library }

// Transports lists what UCX may use towards other PEs, as "cma/memory"; each once. Which of them carries a message UCX
// decides for each size. Empty before UCX 1.14.
func (d *Driver) Transports() []string {
	if d.closed {
		return nil
	}
	var out []string
	seen := map[string]bool{}
	for peer := range d.caps.Size {
		if peer == d.caps.Rank && d.caps.Size > 1 {
			continue
		}
		var text [2048]C.char
		C.gb_u_transports(&text[0], C.int(peer), C.int(len(text)))
		for _, t := range strings.Split(C.GoString(&text[0]), ",") {
			if t != "" && !seen[t] {
				seen[t] = true
				out = append(out, t)
			}
		}
	}
	return out
}

// Do is one crossing: see transport.Driver.
func (d *Driver) Do(ops []transport.Op, done []transport.Completion, polls int) (int, error) {
	if d.closed {
		panic("libucx: Do after Close")
	}
	return d.Crossing.Do(ops, done, polls)
}

// Cancel asks for the end of an operation. UCX withdraws receives that nothing has matched; a send it does not: that
// completes when the peer receives it or is gone.
func (d *Driver) Cancel(id uint32) error {
	C.gb_u_cancel(C.uint32_t(id))
	return nil
}

// Lane says what carries op. Which of its ways UCX takes for device memory only a witness outside of it proves.
func (d *Driver) Lane(op transport.Op) transport.Lane {
	switch {
	case !d.caps.Spaces[op.Buf.Space]:
		return transport.Lane{Name: transport.LaneUnknown, HowKnown: "not given to the library", Detail: d.caps.Why[op.Buf.Space]}
	case op.Buf.Space <= gpu.Pinned:
		return transport.Lane{Name: transport.LaneHost, HowKnown: "by construction", Detail: d.library.Version}
	}
	return transport.Lane{Name: transport.LaneUnknown, HowKnown: "not asked",
		Detail: d.library.Version + " may use " + strings.Join(d.Transports(), ", ")}
}

// Describe on has UCX end no operation at once and say of each what it does with it; for untimed messages alone.
func (d *Driver) Describe(on bool) {
	if d.closed {
		panic("libucx: Describe after Close")
	}
	v := C.int(0)
	if on {
		v = 1
	}
	C.gb_u_describe(v)
}

// Described is what UCX said of the last send and the last receive since Describe, a line each: as posted, and as ended.
// A sender's text that begins "rndv_" after the flags in braces is a decision taken; one that names a rendezvous as
// posted is none, the receiver decides; of receives a release build of UCX tells length and memory alone.
func (d *Driver) Described() string {
	if d.closed {
		panic("libucx: Described after Close")
	}
	var text [16384]C.char
	C.gb_u_described(&text[0], C.int(len(text)))
	return C.GoString(&text[0])
}

// Close withdraws what is under way, says goodbye to the other PEs, waits for theirs, and ends UCX. If one of them has
// died or does not come in time UCX is ended all the same, and an error says so. Where it has not ended an operation, such
// as a send that nobody received, its memory is left to the end of the process.
func (d *Driver) Close() error {
	if d.closed {
		return nil
	}
	d.closed = true
	if C.gb_u_close(C.double(d.closeDeadline.Seconds())) != 0 {
		return fmt.Errorf("ucx: not every PE closed within %v, or one has died: %w", d.closeDeadline, transport.ErrPeerDied)
	}
	return nil
}
