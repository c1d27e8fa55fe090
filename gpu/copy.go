// Copies and fills in a stream, between any two spaces by address.

package gpu

import (
	"fmt"

	"github.com/barnex/cuda5/cu"
)

// Copy copies src to dst, which must have the same length. Which way the bytes go follows from the addresses (unified
// addressing). With pageable memory it may return only when the copy is done.
func (s *Stream) Copy(dst, src Memory) error {
	s.check()
	if dst.Len != src.Len {
		panicLengths(dst.Len, src.Len)
	}
	dst.fresh()
	src.fresh()
	if dst.Len == 0 {
		return nil
	}
	return s.worked(done("cuMemcpyAsync", cu.TryMemcpyAsync(cu.DevicePtr(dst.Addr), cu.DevicePtr(src.Addr), int64(src.Len), s.h)))
}

func panicLengths(dst, src int) {
	panic(fmt.Sprintf("gpu: copy of %d B to %d B", src, dst))
}

// CopyPeer copies from device `from` to device `to`, directly where EnablePeer has opened the way, else by the driver
// through the host. Both must be of the stream's driver.
func (s *Stream) CopyPeer(dst Memory, to *Device, src Memory, from *Device) error {
	s.check()
	if dst.Len != src.Len {
		panicLengths(dst.Len, src.Len)
	}
	if to.driver != s.dev.driver || from.driver != s.dev.driver {
		panic(fmt.Sprintf("gpu: peer copy from %v to %v in a stream of %v", from, to, s.dev))
	}
	dst.fresh()
	src.fresh()
	if dst.Len == 0 {
		return nil
	}
	return s.worked(done("cuMemcpyPeerAsync", cu.TryMemcpyPeerAsync(cu.DevicePtr(dst.Addr), to.ctx, cu.DevicePtr(src.Addr), from.ctx, int64(src.Len), s.h)))
}

// Layout is memory seen as planes of rows: row y of plane z begins (z × Rows + y) × Pitch bytes into Memory. A part of a
// field is the same layout over Memory.Slice from its first byte on. Rows counts for 3D copies alone.
type Layout struct {
	Memory Memory
	Pitch  int // bytes from row to row
	Rows   int // rows from plane to plane
}

// holds panics when a block of width B × height × depth does not lie in l.
func (l Layout) holds(width, height, depth int) {
	rows := l.Rows
	if depth == 1 {
		rows = height
	}
	if width < 0 || height < 0 || depth < 0 || width > l.Pitch || height > rows {
		panic(fmt.Sprintf("gpu: block of %d B × %d × %d in rows of %d B, planes of %d rows", width, height, depth, l.Pitch, rows))
	}
	if width > 0 && height > 0 && depth > 0 {
		l.Memory.Slice(0, ((depth-1)*rows+height-1)*l.Pitch+width)
	}
}

func (l Layout) side() cu.CopySide {
	return cu.CopySide{Addr: l.Memory.Addr, Type: cu.MemoryTypeUnified, Pitch: int64(l.Pitch), Height: int64(l.Rows)}
}

// Copy2D copies height rows of width bytes.
func (s *Stream) Copy2D(dst, src Layout, width, height int) error {
	s.check()
	dst.holds(width, height, 1)
	src.holds(width, height, 1)
	dst.Memory.fresh()
	src.Memory.fresh()
	if width == 0 || height == 0 {
		return nil
	}
	return s.worked(done("cuMemcpy2DAsync", cu.TryMemcpy2DAsync(&cu.CopyBox{Dst: dst.side(), Src: src.side(), Width: int64(width), Height: int64(height)}, s.h)))
}

// Copy3D copies depth planes of height rows of width bytes.
func (s *Stream) Copy3D(dst, src Layout, width, height, depth int) error {
	s.check()
	dst.holds(width, height, depth)
	src.holds(width, height, depth)
	dst.Memory.fresh()
	src.Memory.fresh()
	if width == 0 || height == 0 || depth == 0 {
		return nil
	}
	return s.worked(done("cuMemcpy3DAsync", cu.TryMemcpy3DAsync(&cu.CopyBox{Dst: dst.side(), Src: src.side(),
		Width: int64(width), Height: int64(height), Depth: int64(depth)}, s.h)))
}

// Fill sets every byte of dst to value. Pageable memory is out of a GPU's reach: there it is an *UnsupportedError,
// except on CPU.
func (s *Stream) Fill(dst Memory, value byte) error {
	s.check()
	if err := s.fillable(dst); err != nil || dst.Len == 0 {
		return err
	}
	return s.worked(done("cuMemsetD8Async", cu.TryMemsetD8Async(cu.DevicePtr(dst.Addr), value, int64(dst.Len), s.h)))
}

// Fill32 sets every 4 bytes of dst to value; its address and length are multiples of 4.
func (s *Stream) Fill32(dst Memory, value uint32) error {
	s.check()
	if dst.Len%4 != 0 || dst.Addr%4 != 0 {
		panic(fmt.Sprintf("gpu: Fill32 of %d B at %#x: needs multiples of 4", dst.Len, dst.Addr))
	}
	if err := s.fillable(dst); err != nil || dst.Len == 0 {
		return err
	}
	return s.worked(done("cuMemsetD32Async", cu.TryMemsetD32Async(cu.DevicePtr(dst.Addr), value, int64(dst.Len/4), s.h)))
}

func (s *Stream) fillable(dst Memory) error {
	dst.fresh()
	if dst.Space == Pageable && s.dev.driver != CPU {
		return &UnsupportedError{Feature: "fill of pageable memory in a stream", Reason: "the device cannot reach it; write it from the host"}
	}
	return nil
}
