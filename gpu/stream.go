// Stream: work in order, asynchronous to the host.

package gpu

import (
	"fmt"

	"github.com/barnex/cuda5/cu"
)

const maxArgs = 64 // parameters of a kernel

// Stream runs what it is given in order. Its methods enqueue and return, except those that wait or ask. None of the
// hot ones (Copy, Fill, Launch, Record, WaitEvent, Query, Sync, Graph.Launch) allocates.
type Stream struct {
	resource
	h     cu.Stream
	given Given
}

// Given counts what a stream was given: what somebody says was done can be held against it.
type Given struct {
	// Work is kernels, copies and fills that are not empty and that the driver took; those of a graph when it is launched, as
	// far as they went to the stream that was captured.
	Work    int64
	Records int64 // of events
	Waits   int64 // for the stream's end, by Sync
}

// Given is what the stream has been given so far.
func (s *Stream) Given() Given { return s.given }

// worked counts a piece of work that the driver took.
func (s *Stream) worked(err error) error {
	if err == nil {
		s.given.Work++
	}
	return err
}

// NewStream makes a stream that is not ordered with any other.
func (d *Device) NewStream() (s *Stream, err error) {
	d.check()
	call := "cuStreamCreate"
	defer catch(&call, &err)
	s = &Stream{h: cu.StreamCreateWithFlags(cu.STREAM_NON_BLOCKING)}
	d.own(&s.resource, "stream", s.release)
	s.resource.stream = s
	return s, nil
}

func (s *Stream) release() (err error) {
	call := "cuStreamDestroy"
	defer catch(&call, &err)
	cu.StreamDestroy(&s.h)
	return nil
}

// Close destroys the stream; what it has queued is still carried out. Closing twice panics.
func (s *Stream) Close() error { return s.close() }

// Device is the device that made the stream.
func (s *Stream) Device() *Device { return s.dev }

// Handle is the driver's own name of the stream, a CUstream, for libraries that queue work on it. The caller keeps the stream
// alive.
func (s *Stream) Handle() uintptr {
	s.check()
	return uintptr(s.h)
}

// Sync waits until all that was queued is done, and says what went wrong in it.
func (s *Stream) Sync() error {
	s.check()
	s.given.Waits++
	return done("cuStreamSynchronize", cu.TryStreamSynchronize(s.h))
}

// Query reports whether all that was queued is done.
func (s *Stream) Query() (done bool, err error) {
	s.check()
	return answer("cuStreamQuery", cu.StreamQuery(s.h))
}

func answer(call string, r cu.Result) (done bool, err error) {
	switch r {
	case cu.SUCCESS:
		return true, nil
	case cu.ERROR_NOT_READY:
		return false, nil
	}
	return false, failed(call, r)
}

// Dim3 is the extent of a grid in blocks or of a block in threads.
type Dim3 struct{ X, Y, Z int }

// Launch runs a kernel with 8 bytes for every parameter: an address, an integer, or math.Float64bits. shared is the
// dynamic shared memory of a block, in bytes. On CPU it returns when the kernel is done.
func (s *Stream) Launch(f *Function, grid, block Dim3, shared int, args ...uint64) error {
	s.check()
	if f.module.closed || f.module.dev.ctx != s.dev.ctx || len(args) > maxArgs {
		s.misusedLaunch(f, len(args))
	}
	return s.worked(done("cuLaunchKernel",
		cu.LaunchKernel64(f.h, grid.X, grid.Y, grid.Z, block.X, block.Y, block.Z, shared, s.h, args)))
}

func (s *Stream) misusedLaunch(f *Function, args int) {
	f.module.alive()
	if args > maxArgs {
		panic(fmt.Sprintf("gpu: launch of %s with %d parameters, more than %d", f.name, args, maxArgs))
	}
	panic(fmt.Sprintf("gpu: launch of %s, loaded on %v, in a stream of %v", f.name, f.module.dev, s.dev))
}

// HostFunc calls f when all that was queued before is done; what is queued later waits for it. f runs on a thread of the
// driver and must not call this package.
func (s *Stream) HostFunc(f func()) (err error) {
	s.check()
	call := "cuLaunchHostFunc"
	defer catch(&call, &err)
	cu.LaunchHostFunc(s.h, f)
	return nil
}

// WaitValue32 holds the stream until the 4 bytes at m, pinned or device memory, are equal to value: a gate.
func (s *Stream) WaitValue32(m Memory, value uint32) (err error) {
	s.check()
	at := m.word("WaitValue32")
	call := "cuStreamWaitValue32"
	defer catch(&call, &err)
	cu.StreamWaitValue32(s.h, at, value, cu.STREAM_WAIT_VALUE_EQ)
	return nil
}

// WriteValue32 writes value to the 4 bytes at m, pinned or device memory, in the stream's order.
func (s *Stream) WriteValue32(m Memory, value uint32) (err error) {
	s.check()
	at := m.word("WriteValue32")
	call := "cuStreamWriteValue32"
	defer catch(&call, &err)
	cu.StreamWriteValue32(s.h, at, value, cu.STREAM_WRITE_VALUE_DEFAULT)
	return nil
}

func (m Memory) word(who string) cu.DevicePtr {
	m.fresh()
	if m.Len < 4 || m.Addr%4 != 0 {
		panic(fmt.Sprintf("gpu: %s at %d B at %#x: needs 4, aligned", who, m.Len, m.Addr))
	}
	return cu.DevicePtr(m.Addr)
}
