//go:build cgo

// Copies of boxes in pitched memory: 2D and 3D, also between contexts.

package cu

/*
#include "call.h"

// CopySide and CopyBox without pointers, so that cgo has nothing to check; the driver's structures are made here.
typedef struct side { uint64_t addr, type, x, y, z, pitch, height, ctx; } side;

#define SIDE2(p, from)                                                                                        \
	p##XInBytes = from.x;                                                                                              \
	p##Y = from.y;                                                                                                     \
	p##MemoryType = (CUmemorytype)from.type;                                                                           \
	p##Pitch = from.pitch;                                                                                             \
	if (from.type == CU_MEMORYTYPE_HOST)                                                                               \
		p##Host = (void *)(uintptr_t)from.addr;                                                                        \
	else                                                                                                               \
		p##Device = from.addr

#define SIDE3(p, from)                                                                                        \
	SIDE2(p, from);                                                                                           \
	p##Z = from.z;                                                                                                     \
	p##Height = from.height

static CUresult go_copy2d(side d, side s, size_t w, size_t h, uintptr_t st, int async) {
	CUDA_MEMCPY2D c = {0};
	SIDE2(c.src, s);
	SIDE2(c.dst, d);
	c.WidthInBytes = w;
	c.Height = h;
	return async ? CALL(cuMemcpy2DAsync, &c, (CUstream)st) : CALL(cuMemcpy2D, &c);
}
static CUresult go_copy3d(side d, side s, size_t w, size_t h, size_t depth, uintptr_t st, int async) {
	CUDA_MEMCPY3D c = {0};
	SIDE3(c.src, s);
	SIDE3(c.dst, d);
	c.WidthInBytes = w;
	c.Height = h;
	c.Depth = depth;
	return async ? CALL(cuMemcpy3DAsync, &c, (CUstream)st) : CALL(cuMemcpy3D, &c);
}
static CUresult go_copy3d_peer(side d, side s, size_t w, size_t h, size_t depth, uintptr_t st, int async) {
	CUDA_MEMCPY3D_PEER c = {0};
	SIDE3(c.src, s);
	SIDE3(c.dst, d);
	c.srcContext = (CUcontext)(uintptr_t)s.ctx;
	c.dstContext = (CUcontext)(uintptr_t)d.ctx;
	c.WidthInBytes = w;
	c.Height = h;
	c.Depth = depth;
	return async ? CALL(cuMemcpy3DPeerAsync, &c, (CUstream)st) : CALL(cuMemcpy3DPeer, &c);
}
*/
import "C"

// side fills in what 0 stands for: the address says the type, rows and planes are the box's own.
func (s *CopySide) side(b *CopyBox) C.side {
	t, pitch, height := s.Type, s.Pitch, s.Height
	if t == 0 {
		t = MemoryTypeUnified
	}
	if pitch == 0 {
		pitch = s.X + b.Width
	}
	if height == 0 {
		height = s.Y + b.Height
	}
	return C.side{
		addr: C.uint64_t(s.Addr), _type: C.uint64_t(t), x: C.uint64_t(s.X), y: C.uint64_t(s.Y), z: C.uint64_t(s.Z),
		pitch: C.uint64_t(pitch), height: C.uint64_t(height), ctx: C.uint64_t(s.Context),
	}
}

func copy2D(b *CopyBox, stream Stream, async C.int) C.CUresult {
	return C.go_copy2d(b.Dst.side(b), b.Src.side(b), C.size_t(b.Width), C.size_t(b.Height), C.uintptr_t(stream), async)
}

func copy3D(b *CopyBox, stream Stream, async C.int) C.CUresult {
	return C.go_copy3d(b.Dst.side(b), b.Src.side(b), C.size_t(b.Width), C.size_t(b.Height), C.size_t(b.Depth),
		C.uintptr_t(stream), async)
}

func copy3DPeer(b *CopyBox, stream Stream, async C.int) C.CUresult {
	return C.go_copy3d_peer(b.Dst.side(b), b.Src.side(b), C.size_t(b.Width), C.size_t(b.Height), C.size_t(b.Depth),
		C.uintptr_t(stream), async)
}

// Memcpy2D copies Height rows of Width bytes; Z, Depth and Context are not looked at.
func Memcpy2D(b *CopyBox) { check(copy2D(b, 0, 0)) }

// Memcpy2DAsync is Memcpy2D in stream order.
func Memcpy2DAsync(b *CopyBox, stream Stream) { check(copy2D(b, stream, 1)) }

// TryMemcpy2DAsync is Memcpy2DAsync without the panic.
func TryMemcpy2DAsync(b *CopyBox, stream Stream) Result { return result(copy2D(b, stream, 1)) }

// Memcpy3D copies Depth planes of Height rows of Width bytes; Context is not looked at.
func Memcpy3D(b *CopyBox) { check(copy3D(b, 0, 0)) }

// Memcpy3DAsync is Memcpy3D in stream order.
func Memcpy3DAsync(b *CopyBox, stream Stream) { check(copy3D(b, stream, 1)) }

// TryMemcpy3DAsync is Memcpy3DAsync without the panic.
func TryMemcpy3DAsync(b *CopyBox, stream Stream) Result { return result(copy3D(b, stream, 1)) }

// Memcpy3DPeer is Memcpy3D between the contexts of the two sides.
func Memcpy3DPeer(b *CopyBox) { check(copy3DPeer(b, 0, 0)) }

// Memcpy3DPeerAsync is Memcpy3DPeer in stream order.
func Memcpy3DPeerAsync(b *CopyBox, stream Stream) { check(copy3DPeer(b, stream, 1)) }

// TryMemcpy3DPeerAsync is Memcpy3DPeerAsync without the panic.
func TryMemcpy3DPeerAsync(b *CopyBox, stream Stream) Result { return result(copy3DPeer(b, stream, 1)) }
