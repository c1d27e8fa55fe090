//go:build cgo

// Memory: allocations never overlap and stay what they are, copies and fills against Go, what the driver says of an
// address, and what it refuses.

package emulated_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"unsafe"

	"github.com/barnex/cuda5/cu"
	"github.com/barnex/cuda5/emulated"
)

func upload(p cu.DevicePtr, b []byte) {
	cu.MemcpyHtoD(p, unsafe.Pointer(unsafe.SliceData(b)), int64(len(b)))
}
func download(b []byte, p cu.DevicePtr) {
	cu.MemcpyDtoH(unsafe.Pointer(unsafe.SliceData(b)), p, int64(len(b)))
}

func addr(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }

// Allocations of all sizes, freed in random order: each keeps its bytes, has its own range and identity, and memory is
// accounted to the byte.
func TestAllocations(t *testing.T) {
	on(t, func(t *testing.T, d *cu.Driver) {
		r := rand.New(rand.NewPCG(3, 4))
		type block struct {
			p    cu.DevicePtr
			size int64
			mark byte
		}
		live := map[cu.DevicePtr]block{}
		ids := map[uint64]bool{}
		free0, total := cu.MemGetInfo()
		var used int64
		for i := range 3000 {
			if len(live) > 0 && r.IntN(5) < 2 || len(live) > 200 {
				for p, b := range live { // any one
					first, last := make([]byte, 1), make([]byte, 1)
					download(first, p)
					download(last, p+cu.DevicePtr(b.size-1))
					if first[0] != b.mark || last[0] != b.mark {
						t.Fatalf("a block of %d B lost its bytes", b.size)
					}
					p.Free()
					delete(live, p)
					used -= b.size
					break
				}
				continue
			}
			size := int64(1) << r.IntN(13)
			if r.IntN(20) == 0 {
				size = int64(1) << (12 + r.IntN(12))
			}
			size += r.Int64N(size)
			b := block{cu.MemAlloc(size), size, byte(i)}
			if b.p%256 != 0 {
				t.Fatalf("%v is not aligned to 256 B", b.p)
			}
			cu.MemsetD8(b.p, b.mark, size)
			n, base := cu.MemGetAddressRange(b.p + cu.DevicePtr(size-1))
			info := cu.PointerGetAttributes(b.p)
			if n != size || base != b.p || ids[info.BufferID] || info.Type != cu.MemoryTypeDevice || info.RangeBytes != size {
				t.Fatalf("%d B at %v: range %v + %d, %+v", size, b.p, base, n, info)
			}
			ids[info.BufferID] = true
			if _, taken := live[b.p]; taken {
				t.Fatal("an address was given out twice")
			}
			live[b.p] = b
			used += size
			if now, all := cu.MemGetInfo(); now != free0-used || all != total {
				t.Fatalf("free %d of %d, want %d of %d", now, all, free0-used, total)
			}
		}
		for p := range live {
			p.Free()
		}
	})
}

func TestRefusals(t *testing.T) {
	on(t, func(t *testing.T, d *cu.Driver) {
		p := cu.MemAlloc(1000)
		gone := cu.MemAlloc(5 << 20)
		gone.Free()
		_, total := cu.MemGetInfo()
		want(t, "0 bytes", func() { cu.MemAlloc(0) }, cu.ERROR_INVALID_VALUE)
		want(t, "more than there is", func() { cu.MemAlloc(total + 1) }, cu.ERROR_OUT_OF_MEMORY)
		want(t, "negative", func() { cu.MemAlloc(-1) }, cu.ERROR_OUT_OF_MEMORY)
		want(t, "free inside", func() { (p + 256).Free() }, cu.ERROR_INVALID_VALUE)
		want(t, "free twice", func() { gone.Free() }, cu.ERROR_INVALID_VALUE)
		want(t, "fill past the end", func() { cu.MemsetD8(p+999, 0, 2) }, cu.ERROR_INVALID_VALUE)
		want(t, "fill misaligned", func() { cu.MemsetD32(p+2, 0, 1) }, cu.ERROR_INVALID_VALUE)
		want(t, "fill freed memory", func() { cu.MemsetD8(gone, 0, 1) }, cu.ERROR_INVALID_VALUE)
		b := make([]byte, 2000)
		want(t, "copy past the end", func() { upload(p, b) }, cu.ERROR_INVALID_VALUE)
		want(t, "copy from behind", func() { download(b[:10], p+995) }, cu.ERROR_INVALID_VALUE)
		want(t, "copy of freed memory", func() { download(b[:10], gone) }, cu.ERROR_INVALID_VALUE)
		want(t, "copy to nowhere", func() { cu.MemcpyHtoD(0, unsafe.Pointer(&b[0]), 8) }, cu.ERROR_INVALID_VALUE)
		cu.MemcpyHtoD(0, nil, 0)
		if d == double {
			want(t, "pageable memory as a device's", func() { cu.MemcpyDtoD(cu.DevicePtr(addr(b)), p, 8) }, cu.ERROR_INVALID_VALUE)
			want(t, "fill pageable memory", func() { cu.MemsetD8(cu.DevicePtr(addr(b)), 0, 8) }, cu.ERROR_INVALID_VALUE)
		}
		p.Free()
	})
}

// badAddresses makes addresses that a kernel may not touch.
var badAddresses = map[string]func() uint64{
	"pageable": func() uint64 { return uint64(addr(make([]byte, 64))) },
	"freed":    func() uint64 { p := cu.MemAlloc(5 << 20); p.Free(); return dptr(p) },
	"wild":     func() uint64 { return dptr(cu.MemAlloc(64)) + 1<<33 },
}

// A kernel that is given such an address ends the context; the same number as an integer is only a number.
func TestKernelAddresses(t *testing.T) {
	for name := range badAddresses {
		prints(t, "0 700 700", "kerneladdress", "GPUBENCH_TEST_ARG="+name)
	}
}

// Strided copies, in two and three dimensions, every pair of memories, against a loop in Go.
func TestBoxes(t *testing.T) {
	on(t, func(t *testing.T, d *cu.Driver) {
		r := rand.New(rand.NewPCG(5, 6))
		s := cu.StreamCreate()
		defer cu.StreamDestroy(&s)
		const size = 1 << 14
		a, b := cu.MemAlloc(size), cu.MemAlloc(size)
		defer a.Free()
		defer b.Free()
		ha, hb := make([]byte, size), make([]byte, size)
		for round := range 300 {
			x := cu.CopyBox{Width: 1 + r.Int64N(40), Height: 1 + r.Int64N(9), Depth: 1 + r.Int64N(5)}
			two := round%2 == 0
			if two {
				x.Depth = 1
			}
			place := func(p uintptr, t cu.MemoryType) cu.CopySide {
				c := cu.CopySide{Addr: p, Type: t, X: r.Int64N(20), Y: r.Int64N(4)}
				if !two {
					c.Z = r.Int64N(3)
				}
				c.Pitch = c.X + x.Width + r.Int64N(30)
				c.Height = c.Y + x.Height + r.Int64N(4)
				return c
			}
			in, model := make([]byte, size), make([]byte, size)
			for i := range in {
				in[i], model[i] = byte(r.Uint32()), byte(r.Uint32())
			}
			kind := round / 2 % 4
			src, dst := place(uintptr(a), cu.MemoryTypeDevice), place(uintptr(b), cu.MemoryTypeDevice)
			if kind&1 != 0 {
				src.Addr, src.Type = addr(ha), cu.MemoryTypeHost
			}
			if kind&2 != 0 {
				dst.Addr, dst.Type = addr(hb), cu.MemoryTypeHost
			}
			copy(ha, in)
			copy(hb, model)
			upload(a, in)
			upload(b, model)
			x.Src, x.Dst = src, dst
			switch {
			case two && round%4 < 2:
				cu.Memcpy2D(&x)
			case two:
				cu.Memcpy2DAsync(&x, s)
			case round%3 == 0:
				cu.Memcpy3DAsync(&x, s)
			default:
				cu.Memcpy3D(&x)
			}
			cu.CtxSynchronize()
			for z := range x.Depth {
				for y := range x.Height {
					si := ((src.Z+z)*src.Height+src.Y+y)*src.Pitch + src.X
					di := ((dst.Z+z)*dst.Height+dst.Y+y)*dst.Pitch + dst.X
					copy(model[di:di+x.Width], in[si:si+x.Width])
				}
			}
			out := hb
			if kind&2 == 0 {
				out = make([]byte, size)
				download(out, b)
			}
			if !bytes.Equal(out, model) {
				t.Fatalf("round %d, %+v", round, x)
			}
		}
	})
}

func TestFills(t *testing.T) {
	on(t, func(t *testing.T, d *cu.Driver) {
		const n = 4096
		p, pitch := cu.MemAllocPitch(100, 8, 4)
		defer p.Free()
		q := cu.MemAlloc(n)
		defer q.Free()
		model, out := make([]byte, n), make([]byte, n)
		fill := func(at, size, count int, v uint32) {
			for i := range count * size {
				model[at+i] = byte(v >> (8 * (i % size)))
			}
		}
		cu.MemsetD8(q, 0x11, n)
		fill(0, 1, n, 0x11)
		cu.MemsetD8(q+3, 0x2f, 100)
		fill(3, 1, 100, 0x2f)
		cu.MemsetD16(q+512, 0x1234, 77)
		fill(512, 2, 77, 0x1234)
		cu.MemsetD32(q+1024, 0xdeadbeef, 55)
		fill(1024, 4, 55, 0xdeadbeef)
		cu.MemsetD2D32(q+2048, 64, 0x01020304, 5, 3)
		for y := range 3 {
			fill(2048+64*y, 4, 5, 0x01020304)
		}
		cu.MemsetD2D8(q+3000, 50, 0x77, 7, 2)
		fill(3000, 1, 7, 0x77)
		fill(3050, 1, 7, 0x77)
		download(out, q)
		if !bytes.Equal(out, model) {
			t.Error("fills differ from the model")
		}
		if pitch < 100 || pitch%256 != 0 {
			t.Errorf("pitch %d", pitch)
		}
		cu.MemsetD2D8(p, pitch, 1, 100, 8)
		cu.CtxSynchronize()
	})
}

// Copies between devices move the bytes with and without peer access; a kernel reads another device's memory only with it.
func TestPeers(t *testing.T) {
	with(t, double, func() {
		c0 := cu.CtxGetCurrent()
		c1 := cu.DevicePrimaryCtxRetain(1)
		defer cu.DevicePrimaryCtxRelease(1)
		p := cu.MemAlloc(64)
		defer p.Free()
		cu.CtxPushCurrent(c1)
		q := cu.MemAlloc(64)
		cu.CtxPopCurrent()
		defer func() { cu.CtxPushCurrent(c1); q.Free(); cu.CtxPopCurrent() }()
		if got := cu.PointerGetAttributes(q); got.Device != 1 || got.Context != c1 {
			t.Errorf("memory of device 1: %+v", got)
		}
		in, out := []byte("12345678"), make([]byte, 8)
		upload(p, in)
		cu.MemcpyPeer(q, c1, p, c0, 8)
		cu.CtxSynchronize()
		download(out, q)
		if string(out) != string(in) {
			t.Errorf("peer copy: %q", out)
		}
		if !cu.DeviceCanAccessPeer(0, 1) || cu.DeviceCanAccessPeer(0, 0) {
			t.Error("peers")
		}
		cu.CtxEnablePeerAccess(c1)
		want(t, "enabled twice", func() { cu.CtxEnablePeerAccess(c1) }, cu.ERROR_PEER_ACCESS_ALREADY_ENABLED)
		m := module()
		defer cu.ModuleUnload(&m)
		cu.MemsetD8(q, 0, 64)
		cu.CtxSynchronize()
		cu.LaunchKernel64(m.GetFunction("test_add"), 1, 1, 1, 1, 1, 1, 0, 0, []uint64{dptr(q), 8, 5})
		cu.CtxSynchronize()
		x := make([]int64, 8)
		cu.MemcpyDtoH(ptr(x), q, 64)
		check(t, equal(x, func(int) int64 { return 5 }))
		cu.CtxDisablePeerAccess(c1)
		want(t, "disabled twice", func() { cu.CtxDisablePeerAccess(c1) }, cu.ERROR_PEER_ACCESS_NOT_ENABLED)
	})
	prints(t, "700", "nopeer")
	prints(t, "217 false", "peeroff", "GPUBENCH_EMU_PEER=0")
}

// Host memory that the driver knows: what it says of it, and kernels that work on it in place.
func TestHostMemory(t *testing.T) {
	on(t, func(t *testing.T, d *cu.Driver) {
		m := module()
		defer cu.ModuleUnload(&m)
		f := m.GetFunction("test_add")
		x := pinned(100)
		defer free(x)
		managed := cu.MemAllocManaged(800, cu.MEM_ATTACH_GLOBAL)
		defer managed.Free()
		page := make([]int64, 1024)
		cu.MemHostRegister(ptr(page), 8192, 0)
		for _, c := range []struct {
			what string
			p    cu.DevicePtr
			x    []int64
			info cu.PointerInfo
		}{
			{"pinned", cu.DevicePtr(uintptr(ptr(x))), x, cu.PointerInfo{Type: cu.MemoryTypeHost, RangeBytes: 800}},
			{"registered", cu.DevicePtr(uintptr(ptr(page))), page[:100], cu.PointerInfo{Type: cu.MemoryTypeHost, RangeBytes: 8192}},
			{"managed", managed, unsafe.Slice(at(managed), 100), cu.PointerInfo{Type: cu.MemoryTypeDevice, Managed: true, RangeBytes: 800}},
		} {
			got := cu.PointerGetAttributes(c.p + 8)
			c.info.Context, c.info.DevicePtr, c.info.HostPtr = cu.CtxGetCurrent(), c.p+8, uintptr(c.p)+8
			c.info.RangeStart, c.info.BufferID = c.p, got.BufferID
			if got != c.info || got.BufferID == 0 {
				t.Errorf("%s: %+v, want %+v", c.what, got, c.info)
			}
			for i := range c.x {
				c.x[i] = int64(i)
			}
			if r := cu.LaunchKernel64(f, 1, 1, 1, 1, 1, 1, 0, 0, []uint64{dptr(c.p), 100, 7}); r != cu.SUCCESS {
				t.Fatal(c.what, r)
			}
			cu.CtxSynchronize()
			check(t, equal(c.x, func(i int) int64 { return int64(i) + 7 }))
		}
		if p := cu.MemHostGetDevicePointer(ptr(x)); p != cu.DevicePtr(uintptr(ptr(x))) {
			t.Errorf("device pointer %v", p)
		}
		want(t, "registered twice", func() { cu.MemHostRegister(ptr(page[:10]), 80, 0) }, cu.ERROR_HOST_MEMORY_ALREADY_REGISTERED)
		want(t, "free what was registered", func() { cu.MemFreeHost(ptr(page)) }, cu.ERROR_INVALID_VALUE)
		cu.MemHostUnregister(ptr(page))
		want(t, "unregistered twice", func() { cu.MemHostUnregister(ptr(page)) }, cu.ERROR_HOST_MEMORY_NOT_REGISTERED)
		if got := cu.PointerGetAttributes(cu.DevicePtr(uintptr(ptr(page)))); got.Type != 0 || got.Device != -2 || got.BufferID != 0 {
			t.Errorf("unknown memory: %+v", got)
		}
		if _, r := cu.PointerGetAttribute(cu.POINTER_MEMORY_TYPE, cu.DevicePtr(uintptr(ptr(page)))); r != cu.ERROR_INVALID_VALUE {
			t.Errorf("one attribute of unknown memory: %v", r)
		}
	})
}

// Memory freed in stream order stays until the stream comes there.
func TestFreeAsync(t *testing.T) {
	with(t, double, func() {
		s := cu.StreamCreate()
		defer cu.StreamDestroy(&s)
		h := pinned(8)
		defer free(h)
		before, _ := cu.MemGetInfo()
		p := cu.MemAllocAsync(64, s)
		if got := cu.PointerGetAttributes(p); got.Context != 0 || got.LegacyIPC {
			t.Errorf("stream-ordered memory: %+v", got)
		}
		open := gate(s)
		cu.MemsetD8Async(p, 3, 64, s)
		cu.MemcpyDtoHAsync(ptr(h), p, 64, s)
		cu.MemFreeAsync(p, s)
		want(t, "freed twice", func() { cu.MemFreeAsync(p, s) }, cu.ERROR_INVALID_VALUE)
		open()
		s.Synchronize()
		after, _ := cu.MemGetInfo()
		if h[7] != 0x0303030303030303 || before != after {
			t.Errorf("%#x; free before %d, after %d", h[7], before, after)
		}
	})
}

// A context that goes takes everything with it.
func TestContextTakesAll(t *testing.T) {
	for _, d := range drivers {
		with(t, d, func() {
			before := emulated.Alive(d)
			c := cu.CtxCreate(0, 0)
			s := cu.StreamCreate()
			cu.EventRecord(cu.EventCreate(0), s)
			p := cu.MemAlloc(100)
			cu.MemAllocAsync(100, s)
			cu.MemsetD8Async(p, 1, 100, s)
			cu.MemHostAlloc(100, 0)
			cu.MemAllocManaged(100, cu.MEM_ATTACH_GLOBAL)
			m := module()
			m.GetFunction("test_add")
			cu.StreamBeginCapture(s, cu.STREAM_CAPTURE_MODE_RELAXED)
			cu.MemsetD8Async(p, 1, 100, s)
			g := cu.StreamEndCapture(s)
			cu.GraphInstantiate(g)
			cu.CtxDestroy(&c)
			if after := settled(d, before); before != after {
				t.Errorf("%s: before %+v, after %+v", d, before, after)
			}
			want(t, "an address of it", func() { cu.MemsetD8(p, 0, 1) }, cu.ERROR_INVALID_VALUE)
		})
	}
}

func init() {
	children["kerneladdress"] = func() {
		open(0)
		f, p := module().GetFunction("test_describe"), cu.MemAlloc(80)
		bad := badAddresses[os.Getenv("GPUBENCH_TEST_ARG")]()
		fmt.Print(int(cu.LaunchKernel64(f, 1, 1, 1, 1, 1, 1, 0, 0, []uint64{dptr(p), bad, 0})), " ")
		cu.CtxSynchronize()
		cu.LaunchKernel64(f, 1, 1, 1, 1, 1, 1, 0, 0, []uint64{bad, 0, 0})
		fmt.Print(int(fails(cu.CtxSynchronize)), " ", int(fails(func() { cu.MemAlloc(8) })))
	}
	children["nopeer"] = func() {
		open(1)
		q := cu.MemAlloc(64)
		open(0)
		cu.LaunchKernel64(module().GetFunction("test_add"), 1, 1, 1, 1, 1, 1, 0, 0, []uint64{dptr(q), 1, 1})
		fmt.Print(int(fails(cu.CtxSynchronize)))
	}
	children["peeroff"] = func() {
		open(1)
		c1 := cu.CtxGetCurrent()
		open(0)
		fmt.Print(int(fails(func() { cu.CtxEnablePeerAccess(c1) })), " ", cu.DeviceCanAccessPeer(0, 1))
	}
}
