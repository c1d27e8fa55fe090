//go:build cgo

// Faults by environment: each in a process of its own, with an operation that meets it and one that does not.

package emulated_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/barnex/cuda5/cu"
)

func init() {
	children["allocs"] = func() {
		open(0)
		for range 4 {
			fmt.Print(int(fails(func() { cu.MemAlloc(4096) })), " ")
		}
	}
	children["allkinds"] = func() { // each kind of allocation counts
		open(0)
		s := cu.StreamCreate()
		x := make([]int64, 1<<14)
		for _, f := range []func(){
			func() { cu.MemAlloc(8) }, func() { cu.MemHostAlloc(8, 0) }, func() { cu.MemAllocManaged(8, cu.MEM_ATTACH_GLOBAL) },
			func() { cu.MemAllocAsync(8, s) }, func() { cu.MemAllocPitch(8, 8, 4) }, func() { cu.MemHostRegister(ptr(x), 8<<14, 0) },
		} {
			fmt.Print(int(fails(f)), " ")
		}
	}
	children["copies"] = func() { // five copies one after another, the result of each call and of waiting
		open(0)
		s, p := cu.StreamCreate(), cu.MemAlloc(4096)
		h := cu.MemHostAlloc(4096, 0)
		for range 5 {
			r := cu.TryMemcpyHtoDAsync(p, uintptr(h), 4096, s)
			fmt.Print(int(r), ",", int(cu.TryStreamSynchronize(s)), " ")
		}
	}
	children["launches"] = func() {
		open(0)
		s, p := cu.StreamCreate(), cu.MemAlloc(4096)
		f := module().GetFunction("test_add")
		for range 4 {
			r := cu.LaunchKernel64(f, 1, 1, 1, 1, 1, 1, 0, s, []uint64{dptr(p), 1, 1})
			fmt.Print(int(r), ",", int(cu.TryStreamSynchronize(s)), " ")
		}
	}
	children["sticky"] = func() { // after the failure: calls of the context, the other device, the context made anew
		open(1)
		other, q := cu.CtxGetCurrent(), cu.MemAlloc(4096)
		open(0)
		p := cu.MemAlloc(4096)
		fmt.Print(int(fails(func() { cu.MemsetD8(p, 0, 64); cu.CtxSynchronize() })), " ")
		h := cu.MemHostAlloc(64, 0)
		fmt.Print(int(fails(func() { cu.MemcpyDtoH(h, p, 64) })), " ")
		fmt.Print(int(fails(func() { cu.MemAlloc(64) })), " ", int(fails(func() { cu.StreamCreate() })), " ", int(fails(cu.CtxSynchronize)), " ")
		cu.CtxSetCurrent(other)
		fmt.Print(int(fails(func() { cu.MemsetD8(q, 0, 64); cu.CtxSynchronize() })), " ")
		cu.DevicePrimaryCtxReset(0)
		cu.CtxSetCurrent(cu.DevicePrimaryCtxRetain(0))
		fmt.Print(int(fails(func() { cu.MemAlloc(64) })))
	}
	children["flips"] = func() { // which byte of which copy differs, and how
		open(0)
		p := cu.MemAlloc(4096)
		for i := range 4 {
			in, out := make([]byte, 16), make([]byte, 16)
			cu.MemcpyHtoD(p, unsafe.Pointer(&in[0]), 16)
			cu.MemcpyDtoH(unsafe.Pointer(&out[0]), p, 16)
			cu.MemcpyDtoH(nil, p, 0) // not counted
			for k := range out {
				if out[k] != 0 {
					fmt.Printf("%d:%d:%02x ", i, k, out[k])
				}
			}
		}
	}
	children["time"] = func() { // milliseconds of four operations on each of two streams, without the other's
		open(0)
		a, b, p := cu.StreamCreate(), cu.StreamCreate(), cu.MemAlloc(64)
		cu.MemsetD8(p, 0, 1)
		cu.CtxSynchronize()
		for _, s := range []cu.Stream{a, b} {
			start := time.Now()
			for range 4 {
				cu.MemsetD8Async(p, 0, 64, s)
			}
			given := time.Since(start)
			s.Synchronize()
			fmt.Print(given.Milliseconds() > 30, " ", time.Since(start).Milliseconds()/50*50, " ")
		}
	}
	children["lose"] = func() {
		open(1)
		other := cu.CtxGetCurrent()
		open(0)
		s, p := cu.StreamCreate(), cu.MemAlloc(64)
		for range 4 {
			fmt.Print(int(cu.TryMemsetD8Async(p, 1, 64, s)), ",", int(cu.TryStreamSynchronize(s)), " ")
		}
		cu.CtxSetCurrent(other)
		fmt.Print(int(fails(func() { cu.MemAlloc(64) })), " ")
		fmt.Print(int(fails(func() { cu.DevicePrimaryCtxRelease(0); cu.DevicePrimaryCtxRetain(0) })), " ")
		fmt.Print(int(fails(func() { cu.CtxCreate(0, 0) })))
	}
	children["graph"] = func() { // a fault meets a node of a graph when it runs
		open(0)
		s, p := cu.StreamCreate(), cu.MemAlloc(64)
		cu.StreamBeginCapture(s, cu.STREAM_CAPTURE_MODE_GLOBAL)
		cu.MemcpyDtoDAsync(p+32, p, 8, s)
		g := cu.StreamEndCapture(s)
		x := cu.GraphInstantiate(g)
		for range 4 {
			fmt.Print(int(cu.TryGraphLaunch(x, s)), ",", int(cu.TryStreamSynchronize(s)), " ")
		}
	}
	children["memory"] = func() { // how many allocations of 1 MiB fit, what is free, and that it comes back
		open(0)
		free, total := cu.MemGetInfo()
		fmt.Print(free>>20, " ", total>>20, " ")
		var all []cu.DevicePtr
		for {
			var p cu.DevicePtr
			if r := fails(func() { p = cu.MemAlloc(1 << 20) }); r != cu.SUCCESS {
				fmt.Print(int(r), " ")
				break
			}
			all = append(all, p)
		}
		free, _ = cu.MemGetInfo()
		fmt.Print(len(all), " ", free, " ")
		for _, p := range all {
			p.Free()
		}
		free, _ = cu.MemGetInfo()
		fmt.Print(free>>20, " ", int(fails(func() { cu.MemAlloc(total) })), int(fails(func() { cu.MemAlloc(1) })))
	}
}

func TestFailAlloc(t *testing.T) {
	prints(t, "0 0 2 0", "allocs", "GPUBENCH_EMU_FAIL=alloc:3:2")
	prints(t, "1 0 0 801", "allocs", "GPUBENCH_EMU_FAIL=alloc:1:1,alloc:4:801")
	for i := range 6 {
		want := []string{"0", "0", "0", "0", "0", "0"}
		want[i] = "2"
		prints(t, strings.Join(want, " "), "allkinds", fmt.Sprintf("GPUBENCH_EMU_FAIL=alloc:%d:2", i+1))
	}
}

// A code of running work comes with the wait and sticks; any other is the call's answer and passes.
func TestFailCopy(t *testing.T) {
	prints(t, "0,0 0,0 0,0 0,0 0,0", "copies")
	prints(t, "0,0 0,0 0,719 719,719 719,719", "copies", "GPUBENCH_EMU_FAIL=copy:3:719")
	prints(t, "0,0 1,0 0,0 0,0 0,0", "copies", "GPUBENCH_EMU_FAIL=copy:2:1")
}

func TestFailLaunch(t *testing.T) {
	prints(t, "0,700 700,700 700,700 700,700", "launches", "GPUBENCH_EMU_FAIL=launch:1:700")
	prints(t, "0,0 701,0 0,0 0,0", "launches", "GPUBENCH_EMU_FAIL=launch:2:701")
}

func TestSticky(t *testing.T) {
	prints(t, "0 700 700 700 700 0 0", "sticky", "GPUBENCH_EMU_FAIL=copy:1:700")
}

func TestFlip(t *testing.T) {
	prints(t, "", "flips")
	prints(t, "1:7:10", "flips", "GPUBENCH_EMU_FLIP=copy:3")        // into the device: seen behind the next copy
	prints(t, "0:0:80", "flips", "GPUBENCH_EMU_FLIP=copy:2:0:7")    // out of the device
	prints(t, "2:15:01", "flips", "GPUBENCH_EMU_FLIP=copy:6-:15:0") // the seventh and the eighth flip the same bit
}

func TestDelay(t *testing.T) {
	prints(t, "false 0 false 0", "time")
	prints(t, "false 100 false 100", "time", "GPUBENCH_EMU_DELAY_US=25000")
}

func TestStall(t *testing.T) {
	prints(t, "false 200 false 0", "time", "GPUBENCH_EMU_STALL=op:3:200")
	prints(t, "false 0 false 200", "time", "GPUBENCH_EMU_STALL=stream:3:200")
}

func TestLose(t *testing.T) {
	prints(t, "0,0 0,0 0,999 999,999 0 46 46", "lose", "GPUBENCH_EMU_LOSE=3")
}

func TestGraphFault(t *testing.T) {
	prints(t, "0,0 0,719 719,719 719,719", "graph", "GPUBENCH_EMU_FAIL=copy:2:719")
}

func TestMemoryLimit(t *testing.T) {
	prints(t, "8 8 2 8 0 8 0 2", "memory", "GPUBENCH_EMU_MEM=8M")
}

// A wrong variable is one line that names it and says what it wants, before anything runs.
func TestCheckEnv(t *testing.T) {
	prints(t, "<nil>", "check")
	prints(t, "<nil>", "check", "GPUBENCH_EMU_DEVICES=8", "GPUBENCH_EMU_MEM=1G", "GPUBENCH_EMU_FAIL=alloc:3:2,copy:5:719", "GPUBENCH_EMU_LOSE=9")
	for _, e := range []string{
		"GPUBENCH_EMU_DEVICES=9", "GPUBENCH_EMU_DEVICES=two", "GPUBENCH_EMU_MEM=0", "GPUBENCH_EMU_MEM=1T", "GPUBENCH_EMU_MEM=99999999999999999999",
		"GPUBENCH_EMU_FAIL=alloc", "GPUBENCH_EMU_FAIL=alloc:0:2", "GPUBENCH_EMU_FAIL=alloc:1:123", "GPUBENCH_EMU_FAIL=read:1:2", "GPUBENCH_EMU_FAIL=alloc:1:2,",
		"GPUBENCH_EMU_FLIP=copy", "GPUBENCH_EMU_FLIP=copy:1:0:8", "GPUBENCH_EMU_STALL=op:1", "GPUBENCH_EMU_STALL=stream:0:5",
		"GPUBENCH_EMU_DELAY_US=-1", "GPUBENCH_EMU_DELAY_US=1.5", "GPUBENCH_EMU_LOSE=0", "GPUBENCH_EMU_PEER=yes", "GPUBENCH_EMU_NVLINKS=19", "GPUBENCH_EMU_DEVICE=2",
	} {
		out, err := child(t, "check", e)
		name, _, _ := strings.Cut(e, "=")
		if err != nil || !strings.HasPrefix(out, name) || strings.Contains(out, "\n") || len(out) < len(e)+8 {
			t.Errorf("%s: %q (%v)", e, out, err)
		}
		out, err = child(t, "allocs", e)
		if err == nil || !strings.Contains(out, name) {
			t.Errorf("cuInit with %s: %q (%v)", e, out, err)
		}
	}
}
