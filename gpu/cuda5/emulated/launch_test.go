//go:build cgo

// Modules, launches and the cpu driver's teams of threads.

package emulated_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/barnex/cuda5/cu"
	"github.com/barnex/cuda5/emulated"
	"github.com/barnex/cuda5/emulated/internal/bodies"
)

// A body is told what the caller asked for, and its parameters bit by bit.
func TestLaunch(t *testing.T) {
	on(t, func(t *testing.T, d *cu.Driver) {
		m := module()
		defer cu.ModuleUnload(&m)
		f := m.GetFunction("test_describe")
		p := cu.MemAlloc(72)
		defer p.Free()
		minus := int64(-5)
		r := cu.LaunchKernel64(f, 7, 6, 5, 64, 2, 3, 1234, 0, []uint64{dptr(p), uint64(minus), math.Float64bits(-0.1)})
		if r != cu.SUCCESS {
			t.Fatal(r)
		}
		got := make([]int64, 9)
		cu.MemcpyDtoH(ptr(got), p, 72)
		if fmt.Sprint(got[:8]) != "[7 6 5 64 2 3 1234 -5]" || math.Float64frombits(uint64(got[8])) != -0.1 {
			t.Errorf("the body saw %v", got)
		}
		for _, c := range [][7]int{{0, 1, 1, 1, 1, 1, 0}, {1, 1, 1, 1, 0, 1, 0}, {1, 1, 1, 1025, 1, 1, 0}, {1, 1, 1, 32, 33, 1, 0}, {1, 65536, 1, 1, 1, 1, 0},
			{1, 1, 65536, 1, 1, 1, 0}, {1, 1, 1, 1, 1, 65, 0}, {1, 1, 1, 1, 1, 1, 49153}} {
			if r := cu.LaunchKernel64(f, c[0], c[1], c[2], c[3], c[4], c[5], c[6], 0, []uint64{dptr(p), 0, 0}); r != cu.ERROR_INVALID_VALUE {
				t.Errorf("grid, block, shared memory %v: %v", c, r)
			}
		}
		cu.FuncSetAttribute(cu.FUNC_A_MAX_DYNAMIC_SHARED_SIZE_BYTES, f, 100000)
		if r := cu.LaunchKernel64(f, 1, 1, 1, 1, 1, 1, 100000, 0, []uint64{dptr(p), 0, 0}); r != cu.SUCCESS {
			t.Errorf("shared memory that was asked for: %v", r)
		}
		cu.CtxSynchronize()
		if name := cu.FuncGetName(f); name != "test_describe" {
			t.Error(name)
		}
	})
}

// Every kind of image that a driver takes is taken, by content; functions are found by name.
func TestModules(t *testing.T) {
	on(t, func(t *testing.T, d *cu.Driver) {
		for _, image := range []string{"GPUBENCH-EMULATED and more", "\x50\xed\x55\xba0123456789", "\x7fELF0123", "//\n// comment\n.version 8.0\n.target sm_75"} {
			m := cu.ModuleLoadData(image)
			f := m.GetFunction("test_add")
			if f == 0 || f != m.GetFunction("test_add") {
				t.Errorf("%q: functions %v and %v", image, f, m.GetFunction("test_add"))
			}
			want(t, "unknown function", func() { m.GetFunction("test_nothing") }, cu.ERROR_NOT_FOUND)
			m.Unload()
		}
		want(t, "text", func() { cu.ModuleLoadData("#!/bin/sh\n") }, cu.ERROR_INVALID_IMAGE)
		want(t, "nothing", func() { cu.ModuleLoadData("") }, cu.ERROR_INVALID_IMAGE)
		file := filepath.Join(t.TempDir(), "x.fatbin")
		want(t, "no file", func() { cu.ModuleLoad(file) }, cu.ERROR_FILE_NOT_FOUND)
		if err := os.WriteFile(file, []byte("\x50\xed\x55\xbaxyz"), 0o600); err != nil {
			t.Fatal(err)
		}
		m := cu.ModuleLoad(file)
		m.GetFunction("test_add")
		m.Unload()
	})
}

func TestRegister(t *testing.T) {
	for _, f := range []func(){
		func() { emulated.RegisterKernel("test_x", "pq", 1, bodies.Nothing()) },
		func() { emulated.RegisterKernel("test_x", "p", 0, bodies.Nothing()) },
		func() { emulated.RegisterKernel("", "p", 1, bodies.Nothing()) },
		func() { emulated.RegisterKernel("test_x", "p", 1, nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("a bad description was taken")
				}
			}()
			f()
		}()
	}
}

// All parts of a phase are done before the next begins, whatever the size of the team, more than there are cores
// included; the parts together do the whole work once.
func TestTeam(t *testing.T) {
	with(t, emulated.CPU(), func() {
		m := module()
		defer cu.ModuleUnload(&m)
		const room = 64
		slot, bad := cu.MemAlloc(2*8*room), cu.MemAlloc(8*(room+1))
		defer slot.Free()
		defer bad.Free()
		defer emulated.SetTeam(1)
		n := 12345
		x := cu.MemAlloc(int64(8 * n))
		defer x.Free()
		for _, team := range []int{1, 2, 3, 2, 8, 17, 1, 4} {
			emulated.SetTeam(team)
			cu.MemsetD8(bad, 0, 8*(room+1))
			cu.MemsetD8(x, 0, int64(8*n))
			for i := range 50 {
				cu.LaunchKernel64(m.GetFunction("test_phases"), 1, 1, 1, 1, 1, 1, 0, 0, []uint64{dptr(slot), dptr(bad), room})
				cu.LaunchKernel64(m.GetFunction("test_add"), 1, 1, 1, 1, 1, 1, 0, 0, []uint64{dptr(x), uint64(n), uint64(i)})
				if i%20 == 0 {
					time.Sleep(200 * time.Microsecond) // long enough to fall asleep
				}
			}
			got, parts := make([]int64, room+1), 0
			cu.MemcpyDtoH(ptr(got), bad, 8*(room+1))
			for _, p := range got[1:] {
				if p != 0 && p != int64(team) {
					t.Errorf("a part was told of %d parts in a team of %d", p, team)
				}
				if p != 0 {
					parts++
				}
			}
			if got[0] != 0 || parts != team {
				t.Errorf("team of %d: %d parts ran; %d began a phase too early", team, parts, got[0])
			}
			all := make([]int64, n)
			cu.MemcpyDtoH(ptr(all), x, int64(8*n))
			check(t, equal(all, func(int) int64 { return 50 * 49 / 2 }))
		}
	})
}

// Each thread has a team of its own, which ends with it.
func TestTeams(t *testing.T) {
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			runtime.LockOSThread() // never unlocked: the thread ends, and its team
			emulated.CPU().MakeCurrent()
			cu.Init(0)
			cu.CtxSetCurrent(cu.DevicePrimaryCtxRetain(0))
			emulated.SetTeam(1 + i)
			m := module()
			p := cu.MemAlloc(800)
			cu.MemsetD8(p, 0, 800)
			for range 100 {
				cu.LaunchKernel64(m.GetFunction("test_add"), 1, 1, 1, 1, 1, 1, 0, 0, []uint64{dptr(p), 100, 1})
			}
			x := make([]int64, 100)
			cu.MemcpyDtoH(ptr(x), p, 800)
			check(t, equal(x, func(int) int64 { return 100 }))
			p.Free()
			m.Unload()
			cu.DevicePrimaryCtxRelease(0)
		})
	}
	group.Wait()
}

func TestCalls(t *testing.T) {
	with(t, double, func() {
		before := emulated.Calls(double)["cuMemAlloc_v2"]
		for range 3 {
			p := cu.MemAlloc(8)
			p.Free()
		}
		if n := emulated.Calls(double)["cuMemAlloc_v2"] - before; n != 3 {
			t.Errorf("%d calls counted, want 3", n)
		}
		if n := emulated.Calls(emulated.CPU())["cuEventElapsedTime_v2"]; n != 0 {
			t.Errorf("%d calls of a function that nobody called", n)
		}
	})
}

func BenchmarkLaunch(b *testing.B) {
	for _, d := range drivers {
		b.Run(d.Name(), func(b *testing.B) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			d.MakeCurrent()
			defer cu.ClearCurrent()
			open(0)
			m, s, p := module(), cu.StreamCreate(), cu.MemAlloc(8)
			f := m.GetFunction("test_add")
			args := []uint64{dptr(p), 1, 1}
			for b.Loop() {
				cu.LaunchKernel64(f, 1, 1, 1, 1, 1, 1, 0, s, args)
				cu.TryStreamSynchronize(s)
			}
			p.Free()
			s.Destroy()
			m.Unload()
			cu.DevicePrimaryCtxRelease(0)
		})
	}
}

func BenchmarkTeam(b *testing.B) {
	for _, n := range []int{1, 2} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			emulated.CPU().MakeCurrent()
			defer cu.ClearCurrent()
			open(0)
			emulated.SetTeam(n)
			defer emulated.SetTeam(1)
			m, p := module(), cu.MemAlloc(8)
			f := m.GetFunction("test_add")
			args := []uint64{dptr(p), 1, 1}
			for b.Loop() {
				cu.LaunchKernel64(f, 1, 1, 1, 1, 1, 1, 0, 0, args)
			}
			p.Free()
			m.Unload()
			cu.DevicePrimaryCtxRelease(0)
		})
	}
}
