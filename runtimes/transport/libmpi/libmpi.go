// Package libmpi is the transport over the user's own MPI library. A C shim, compiled with the user's mpicc, is loaded
// at run time (shim/, gb_mpi.h); nothing here is built with MPI's headers.
//
//	runtime.LockOSThread()
//	path, err := library.Find("libgpubench_mpi.so")
//	d, err := libmpi.Open(path)
//	ep, err := transport.New(d, transport.Config{})
//
// MPI is started once in a process, at MPI_THREAD_FUNNELED: the thread that calls Open makes every call. Contexts are
// duplicated communicators, active messages are pre-posted receives on a communicator of their own.
//
// No call blocks for longer than the polls it is given: messages are MPI_Isend, MPI_Irecv and MPI_Test, never MPI_Send
// or MPI_Recv, which no deadline could end (shim/ops.c says what that costs: nothing).
package libmpi

/*
#include <stdlib.h>
#include "world.h"
*/
import "C"

import (
	"fmt"
	"runtime"
	"syscall"
	"time"

	"gpubench/gpu"
	"gpubench/internal/launch"
	"gpubench/internal/launch/rendezvous"
	"gpubench/internal/signals"
	"gpubench/runtimes/transport"
	"gpubench/runtimes/transport/internal/shims"
)

// DefaultCloseDeadline is how long Close waits for the other ranks.
const DefaultCloseDeadline = 30 * time.Second

// Options says what Open shall check and how long Close may wait. The zero value asks for nothing.
type Options struct {
	Size          int           // ranks that there must be; 0: any number
	Device        bool          // the library is given device and managed memory: it must have been seen to take it
	CloseDeadline time.Duration // how long Close waits for the other ranks; 0: DefaultCloseDeadline
}

// Driver is this process's rank in MPI_COMM_WORLD.
type Driver struct {
	shims.Crossing
	caps          transport.Caps
	library       Library
	oversubscribe bool
	closeDeadline time.Duration
	closed        bool
}

var _ transport.Driver = (*Driver)(nil)

// Open loads a shim and starts MPI. The calling goroutine is locked to its thread, for good.
func Open(libraryPath string) (transport.Driver, error) {
	d, err := OpenWith(libraryPath, Options{})
	if err != nil {
		return nil, err // not a nil *Driver in an interface
	}
	return d, nil
}

// OpenWith is Open with what the caller knows of the job. Errors are *LoadError, *LauncherError or *Error.
func OpenWith(libraryPath string, o Options) (*Driver, error) {
	runtime.LockOSThread()
	lib, err := load(libraryPath)
	if err != nil {
		return nil, err
	}
	job, joined := launch.Joined(getenv)
	if err := checkLauncher(lib, job, joined, o.Size); err != nil {
		return nil, err
	}
	if lib.Kind == launch.OpenMPI && rendezvous.PMIxLibrary() != "" {
		// Open MPI 5.0 takes its name from its own PMIx_Init, which it leaves out where there was one.
		return nil, &LauncherError{lib, "does not start in a process that has opened PMIx: start MPI before the exchange"}
	}
	if joined {
		launch.DieWithParent(syscall.SIGKILL)
	}
	var fail C.gb_fail
	var opened C.int
	signals.Keep(func() { opened = C.gb_w_open(&fail) })
	if opened != 0 {
		return nil, failure(&fail)
	}
	d := &Driver{library: lib, closeDeadline: o.CloseDeadline}
	if d.closeDeadline == 0 {
		d.closeDeadline = DefaultCloseDeadline
	}
	if err := d.start(job, joined, o); err != nil {
		return nil, err
	}
	return d, d.prepare()
}

// start finds out who the others are and fills the Caps.
func (d *Driver) start(job launch.Job, joined bool, o Options) error {
	rank, size := int(C.gb_w_rank()), int(C.gb_w_size())
	if err := checkWorld(d.library, job, joined, o.Size, size); err != nil {
		return err
	}
	places, err := d.place(rank, size)
	if err != nil {
		return err
	}
	d.caps = transport.Caps{
		Name: "mpi", Version: d.library.Version, Rank: rank, Size: size,
		Contexts: C.GB_CONTEXTS, MaxHeader: C.GB_MAX_HEADER,
		Spaces: [4]bool{gpu.Pageable: true, gpu.Pinned: true},
		Places: places,
	}
	for _, s := range []gpu.Space{gpu.OnDevice, gpu.Managed} {
		if d.caps.Spaces[s] = o.Device; !o.Device {
			d.caps.Why[s] = d.library.Version + " is not known to take device pointers (" + d.CUDA().Text + ")"
		}
	}
	if o.Device {
		C.gb_w_take(1<<gpu.Pageable | 1<<gpu.Pinned | 1<<gpu.OnDevice | 1<<gpu.Managed)
	}
	return nil
}

// Caps is constant while the driver is open.
func (d *Driver) Caps() transport.Caps { return d.caps }

// Library says which MPI this is, for the record's environment.
func (d *Driver) Library() Library { return d.library }

// Do is one crossing: see transport.Driver.
func (d *Driver) Do(ops []transport.Op, done []transport.Completion, polls int) (int, error) {
	if d.closed {
		panic("libmpi: Do after Close")
	}
	return d.Crossing.Do(ops, done, polls)
}

// Cancel asks for the end of an operation. MPI withdraws receives that nothing has matched; a send it does not: that
// completes when the peer receives it or is gone.
func (d *Driver) Cancel(id uint32) error {
	if C.gb_w_cancel(C.uint32_t(id)) < 0 {
		return d.failure()
	}
	return nil
}

// Lane says what carries op, as far as the library tells: of device memory nothing.
func (d *Driver) Lane(op transport.Op) transport.Lane {
	if !d.caps.Spaces[op.Buf.Space] {
		return transport.Lane{Name: transport.LaneUnknown, HowKnown: "not given to the library", Detail: d.caps.Why[op.Buf.Space]}
	}
	if op.Buf.Space > gpu.Pinned {
		return transport.Lane{Name: transport.LaneUnknown, HowKnown: "MPI does not tell", Detail: d.library.Version}
	}
	return transport.Lane{Name: transport.LaneHost, HowKnown: "by construction", Detail: d.library.Version}
}

// Close withdraws what is under way, says goodbye to the other ranks and, once all of them have come here, ends MPI. If
// one of them has died or does not come in time, MPI_Finalize is left out (it would wait for ever) and an error says so.
func (d *Driver) Close() error {
	if d.closed {
		return nil
	}
	d.closed = true
	switch C.gb_w_close(C.double(d.closeDeadline.Seconds())) {
	case 0:
		farewell(d.library)
		return nil
	case 1:
		return fmt.Errorf("mpi: not every rank closed within %v, or one has died: MPI_Finalize was left out: %w",
			d.closeDeadline, transport.ErrPeerDied)
	}
	return d.failure()
}
