//go:build cgo

// What a call costs above the driver: one crossing to C. The driver here is a library whose functions return at once.

package cu_test

import (
	"runtime"
	"testing"
	"unsafe"

	"github.com/barnex/cuda5/cu"
)

// emptyDriver loads a driver of empty functions.
func emptyDriver(t testing.TB) *cu.Driver {
	d, err := cu.LoadFrom(library(t, func(cu.Entry) bool { return true }))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// bind makes d current on the calling thread and returns what takes it back.
func bind(d *cu.Driver) (release func()) {
	runtime.LockOSThread()
	d.MakeCurrent()
	return func() {
		cu.ClearCurrent()
		runtime.UnlockOSThread()
	}
}

var hostByte = make([]byte, 64)

// hot lists the calls of measured loops. Out of it stays what runs once: creation, loading, attributes.
var hot = []struct {
	name string
	call func()
}{
	{"StreamQuery", func() { cu.StreamQuery(1) }},
	{"EventQuery", func() { cu.EventQuery(1) }},
	{"EventRecord", func() { cu.EventRecord(1, 1) }},
	{"TryEventRecord", func() { cu.TryEventRecord(1, 1) }},
	{"StreamWaitEvent", func() { cu.StreamWaitEvent(1, 1) }},
	{"StreamSynchronize", func() { cu.StreamSynchronize(1) }},
	{"EventElapsedTime", func() { cu.EventElapsedTime(1, 1) }},
	{"MemcpyAsync", func() { cu.MemcpyAsync(8, 8, 8, 1) }},
	{"MemcpyDtoDAsync", func() { cu.MemcpyDtoDAsync(8, 8, 8, 1) }},
	{"MemcpyHtoDAsync", func() { cu.MemcpyHtoDAsync(8, unsafe.Pointer(&hostByte[0]), 8, 1) }},
	{"TryMemcpyHtoDAsync", func() { cu.TryMemcpyHtoDAsync(8, 8, 8, 1) }},
	{"TryMemcpyDtoHAsync", func() { cu.TryMemcpyDtoHAsync(8, 8, 8, 1) }},
	{"TryMemcpy2DAsync", func() { cu.TryMemcpy2DAsync(&cu.CopyBox{Width: 8, Height: 8}, 1) }},
	{"TryMemcpy3DAsync", func() { cu.TryMemcpy3DAsync(&cu.CopyBox{Width: 8, Height: 8, Depth: 8}, 1) }},
	{"TryMemsetD8Async", func() { cu.TryMemsetD8Async(8, 0, 8, 1) }},
	{"TryGraphLaunch", func() { cu.TryGraphLaunch(1, 1) }},
	{"MemAlloc", func() { cu.MemAlloc(8) }},
	{"LaunchKernel", func() {
		var a, b, c uint64
		cu.LaunchKernel(1, 1, 1, 1, 1, 1, 1, 0, 1, []unsafe.Pointer{unsafe.Pointer(&a), unsafe.Pointer(&b), unsafe.Pointer(&c)})
	}},
	{"LaunchKernel64", func() {
		args := [...]uint64{1, 2, 3, 4, 5, 6}
		cu.LaunchKernel64(1, 1, 1, 1, 1, 1, 1, 0, 1, args[:])
	}},
}

func BenchmarkCalls(b *testing.B) {
	d := emptyDriver(b)
	for _, h := range hot {
		b.Run(h.name, func(b *testing.B) {
			defer bind(d)()
			b.ReportAllocs()
			for b.Loop() {
				h.call()
			}
		})
	}
}

func TestHotCallsDoNotAllocate(t *testing.T) {
	defer bind(emptyDriver(t))()
	for _, h := range hot {
		if n := testing.AllocsPerRun(100, h.call); n != 0 {
			t.Errorf("%s allocates %v times", h.name, n)
		}
	}
}
