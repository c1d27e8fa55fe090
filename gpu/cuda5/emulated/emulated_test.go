//go:build cgo

// What every test here uses: a locked thread with a driver and a context, a module of test kernels, expected failures.

package emulated_test

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"github.com/barnex/cuda5/cu"
	"github.com/barnex/cuda5/emulated"
	"github.com/barnex/cuda5/emulated/internal/bodies"
)

func init() { bodies.Kernels(emulated.RegisterKernel) }

// double is the emulated driver: the copy in this program, or the shared object that sharedEnv names.
var double = func() *cu.Driver {
	path := os.Getenv(sharedEnv)
	if path == "" {
		return emulated.Driver()
	}
	d, err := emulated.Open(path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	return d
}()

const sharedEnv = "GPUBENCH_TEST_EMULATED"

var drivers = []*cu.Driver{double, emulated.CPU()}

// on runs the test on a locked thread with the driver and the primary context of device 0, once per driver.
func on(t *testing.T, f func(t *testing.T, d *cu.Driver)) {
	for _, d := range drivers {
		t.Run(d.Name(), func(t *testing.T) { with(t, d, func() { f(t, d) }) })
	}
}

// with runs f on a locked thread with d's device 0, and fails where something was left behind.
func with(t *testing.T, d *cu.Driver, f func()) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	d.MakeCurrent()
	defer cu.ClearCurrent()
	cu.Init(0)
	before := emulated.Alive(d)
	cu.CtxSetCurrent(cu.DevicePrimaryCtxRetain(0))
	f()
	cu.DevicePrimaryCtxRelease(0)
	cu.CtxSetCurrent(0)
	after := settled(d, before)
	before.Contexts, after.Contexts = 0, 0 // the primary context's object is kept
	if before != after {
		t.Errorf("left behind: before %+v, after %+v", before, after)
	}
}

// settled is what is alive on d once the workers of streams that are gone have ended, which takes a moment.
func settled(d *cu.Driver, want emulated.Objects) emulated.Objects {
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		a := emulated.Alive(d)
		if a.Workers <= want.Workers && a.Streams <= want.Streams || time.Now().After(end) {
			return a
		}
	}
}

// fails runs f and says which Result it panicked with, cu.SUCCESS for none.
func fails(f func()) (r cu.Result) {
	defer func() {
		switch e := recover().(type) {
		case nil:
		case cu.Result:
			r = e
		default:
			panic(e)
		}
	}()
	f()
	return cu.SUCCESS
}

func want(t *testing.T, what string, f func(), r cu.Result) {
	t.Helper()
	if got := fails(f); got != r {
		t.Errorf("%s: %v, want %v", what, got, r)
	}
}

func module() cu.Module { return cu.ModuleLoadData("GPUBENCH-EMULATED") }

func ints(n int, f func(i int) int64) []int64 {
	x := make([]int64, n)
	for i := range x {
		x[i] = f(i)
	}
	return x
}

func equal(got []int64, f func(i int) int64) error {
	for i, v := range got {
		if v != f(i) {
			return fmt.Errorf("element %d is %d, want %d", i, v, f(i))
		}
	}
	return nil
}

func ptr(x []int64) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(x)) }

func dptr(p cu.DevicePtr) uint64 { return uint64(p) }

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// A round trip: host to device, a kernel, device to host, in a stream, with events around it.
func TestRoundTrip(t *testing.T) {
	on(t, func(t *testing.T, d *cu.Driver) {
		const n = 100000
		s := cu.StreamCreate()
		defer s.Destroy()
		m := module()
		defer cu.ModuleUnload(&m)
		f := m.GetFunction("test_add")
		p := cu.MemAlloc(8 * n)
		defer p.Free()
		in, out := ints(n, func(i int) int64 { return int64(i) }), make([]int64, n)
		start, end := cu.EventCreate(cu.EVENT_DEFAULT), cu.EventCreate(cu.EVENT_DEFAULT)
		defer cu.EventDestroy(&start)
		defer cu.EventDestroy(&end)
		cu.EventRecord(start, s)
		cu.MemcpyHtoDAsync(p, ptr(in), 8*n, s)
		for i := range 10 {
			if r := cu.LaunchKernel64(f, 1, 1, 1, 64, 1, 1, 0, s, []uint64{dptr(p), n, uint64(i)}); r != cu.SUCCESS {
				t.Fatal(r)
			}
		}
		cu.MemcpyDtoHAsync(ptr(out), p, 8*n, s)
		cu.EventRecord(end, s)
		s.Synchronize()
		check(t, equal(out, func(i int) int64 { return int64(i) + 45 }))
		if ms := cu.EventElapsedTime(start, end); ms <= 0 || ms > 60000 {
			t.Errorf("%v ms between the events", ms)
		}
	})
}
