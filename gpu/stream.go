// Stream: work in order. Nothing here allocates but Capture and HostFunc.

package gpu

import (
	"fmt"

	"github.com/barnex/cuda5/cu"
)

// Stream is a queue of work of one device. It does not wait for the legacy default stream.
type Stream struct {
	dev    *Device
	h      cu.Stream
	closed bool
}

// NewStream makes a stream.
func (d *Device) NewStream() (*Stream, error) {
	d.here()
	s := &Stream{dev: d}
	if err := call("cuStreamCreate", func() { s.h = cu.StreamCreateWithFlags(cu.STREAM_NON_BLOCKING) }); err != nil {
		return nil, err
	}
	d.track(s, "stream", 0)
	return s, nil
}

// check panics where the stream may not be used.
func (s *Stream) check() {
	if s.closed {
		panic("gpu: use of a stream after Close")
	}
	s.dev.here()
}

// Device is the stream's device.
func (s *Stream) Device() *Device { return s.dev }

// Copy copies src to dst, which are of one length, in the stream's order. Either may be of any space; pageable memory may
// make the call wait.
func (s *Stream) Copy(dst, src Memory) error {
	s.check()
	if dst.Len != src.Len {
		panic(fmt.Sprintf("gpu: copy of %d B into %d B", src.Len, dst.Len))
	}
	if src.Len == 0 {
		return nil
	}
	n := int64(src.Len)
	var r cu.Result
	name := "cuMemcpyAsync"
	switch to, from := dst.Space == OnDevice, src.Space == OnDevice; {
	case to && from:
		name, r = "cuMemcpyDtoDAsync", cu.TryMemcpyDtoDAsync(cu.DevicePtr(dst.Addr), cu.DevicePtr(src.Addr), n, s.h)
	case to && src.Space != Managed:
		name, r = "cuMemcpyHtoDAsync", cu.TryMemcpyHtoDAsync(cu.DevicePtr(dst.Addr), src.Addr, n, s.h)
	case from && dst.Space != Managed:
		name, r = "cuMemcpyDtoHAsync", cu.TryMemcpyDtoHAsync(dst.Addr, cu.DevicePtr(src.Addr), n, s.h)
	default:
		r = cu.TryMemcpyAsync(cu.DevicePtr(dst.Addr), cu.DevicePtr(src.Addr), n, s.h)
	}
	return failure(name, r)
}

// CopyPeer copies between the memories of two devices of the stream's driver.
func (s *Stream) CopyPeer(dst Memory, to *Device, src Memory, from *Device) error {
	s.check()
	if dst.Len != src.Len {
		panic(fmt.Sprintf("gpu: copy of %d B into %d B", src.Len, dst.Len))
	}
	if to.driver != s.dev.driver || from.driver != s.dev.driver {
		panic(fmt.Sprintf("gpu: peer copy between %v and %v on %v", to, from, s.dev))
	}
	if src.Len == 0 {
		return nil
	}
	return failure("cuMemcpyPeerAsync",
		cu.TryMemcpyPeerAsync(cu.DevicePtr(dst.Addr), to.ctx, cu.DevicePtr(src.Addr), from.ctx, int64(src.Len), s.h))
}

// Layout is a box's place in a pitched block: rows of Pitch bytes, planes of Rows rows, from the start of Memory.
type Layout struct {
	Memory      Memory
	Pitch, Rows int
}

// holds panics unless a box of width bytes × height rows × depth planes lies in the layout.
func (l Layout) holds(width, height, depth int) {
	if width < 0 || height < 0 || depth < 0 || l.Pitch < width || depth > 1 && l.Rows < height {
		panic(fmt.Sprintf("gpu: a box of %d B × %d × %d in rows of %d B, planes of %d rows", width, height, depth, l.Pitch, l.Rows))
	}
	if width == 0 || height == 0 || depth == 0 {
		return
	}
	if last := ((depth-1)*l.Rows+height-1)*l.Pitch + width; last > l.Memory.Len {
		panicSlice(0, last, l.Memory.Len)
	}
}

func (l Layout) side() cu.CopySide {
	side := cu.CopySide{Addr: l.Memory.Addr, Pitch: int64(l.Pitch), Height: int64(l.Rows), Type: cu.MemoryTypeHost}
	switch l.Memory.Space {
	case OnDevice:
		side.Type = cu.MemoryTypeDevice
	case Managed:
		side.Type = cu.MemoryTypeUnified
	}
	return side
}

// Copy2D copies height rows of width bytes.
func (s *Stream) Copy2D(dst, src Layout, width, height int) error {
	s.check()
	dst.holds(width, height, 1)
	src.holds(width, height, 1)
	if width == 0 || height == 0 {
		return nil
	}
	b := cu.CopyBox{Dst: dst.side(), Src: src.side(), Width: int64(width), Height: int64(height), Depth: 1}
	return failure("cuMemcpy2DAsync", cu.TryMemcpy2DAsync(&b, s.h))
}

// Copy3D copies depth planes of height rows of width bytes.
func (s *Stream) Copy3D(dst, src Layout, width, height, depth int) error {
	s.check()
	dst.holds(width, height, depth)
	src.holds(width, height, depth)
	if width == 0 || height == 0 || depth == 0 {
		return nil
	}
	b := cu.CopyBox{Dst: dst.side(), Src: src.side(), Width: int64(width), Height: int64(height), Depth: int64(depth)}
	return failure("cuMemcpy3DAsync", cu.TryMemcpy3DAsync(&b, s.h))
}

// Fill sets every byte. Pageable memory of a device other than `cpu` is set at once by the host, when the stream's work
// before it is done.
func (s *Stream) Fill(dst Memory, value byte) error {
	s.check()
	if dst.Len == 0 {
		return nil
	}
	if dst.Space == Pageable && s.dev.driver != CPU {
		if err := s.Sync(); err != nil {
			return err
		}
		fill(dst.Bytes(), value)
		return nil
	}
	return failure("cuMemsetD8Async", cu.TryMemsetD8Async(cu.DevicePtr(dst.Addr), value, int64(dst.Len), s.h))
}

// Fill32 sets every 32-bit word; the memory is aligned to and a multiple of 4 bytes.
func (s *Stream) Fill32(dst Memory, value uint32) error {
	s.check()
	if dst.Len%4 != 0 || dst.Addr%4 != 0 {
		panic(fmt.Sprintf("gpu: Fill32 of %d B at %#x", dst.Len, dst.Addr))
	}
	if dst.Len == 0 {
		return nil
	}
	if dst.Space == Pageable && s.dev.driver != CPU {
		if err := s.Sync(); err != nil {
			return err
		}
		words := Of[uint32](dst)
		for i := range words {
			words[i] = value
		}
		return nil
	}
	return failure("cuMemsetD32Async", cu.TryMemsetD32Async(cu.DevicePtr(dst.Addr), value, int64(dst.Len/4), s.h))
}

// Dim3 is the extent of a grid or a block; zeros count as 1.
type Dim3 struct{ X, Y, Z int }

// Launch starts a kernel. Each parameter takes 8 bytes: an int64, a float64's bits, or a device address.
func (s *Stream) Launch(f *Function, grid, block Dim3, shared int, args ...uint64) error {
	s.check()
	if f.module.closed {
		panic("gpu: launch of a function whose module is closed")
	}
	return failure("cuLaunchKernel", cu.LaunchKernel64(f.h, max(grid.X, 1), max(grid.Y, 1), max(grid.Z, 1),
		max(block.X, 1), max(block.Y, 1), max(block.Z, 1), shared, s.h, args))
}

// Record marks the stream's work so far with e.
func (s *Stream) Record(e *Event) error {
	s.check()
	e.check()
	return failure("cuEventRecord", cu.TryEventRecord(e.h, s.h))
}

// WaitEvent makes the work that follows wait for what e marks.
func (s *Stream) WaitEvent(e *Event) error {
	s.check()
	if e.closed {
		panic("gpu: use of an event after Close")
	}
	return failure("cuStreamWaitEvent", cu.TryStreamWaitEvent(s.h, e.h))
}

// Sync waits for the stream's work.
func (s *Stream) Sync() error {
	s.check()
	return failure("cuStreamSynchronize", cu.TryStreamSynchronize(s.h))
}

// Query tells whether the stream's work is done.
func (s *Stream) Query() (bool, error) {
	s.check()
	return ready("cuStreamQuery", cu.StreamQuery(s.h))
}

func ready(name string, r cu.Result) (bool, error) {
	if r == cu.ERROR_NOT_READY {
		return false, nil
	}
	return r == cu.SUCCESS, failure(name, r)
}

// HostFunc calls f on a thread of the driver's when the work before it is done. f must not call the driver.
func (s *Stream) HostFunc(f func()) error {
	s.check()
	return call("cuLaunchHostFunc", func() { cu.LaunchHostFunc(s.h, f) })
}

// Close destroys the stream; work that is queued is done first.
func (s *Stream) Close() error {
	s.check()
	s.closed = true
	s.dev.untrack(s)
	return call("cuStreamDestroy", func() { cu.StreamDestroy(&s.h) })
}
