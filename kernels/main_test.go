// The tests run on every driver: cpu with teams of several sizes, emulated, and cuda where there is one.
// GPUBENCH_TEST_DRIVER=cuda (or another, or several) limits them; GPUBENCH_REQUIRE_CUDA=1 makes a missing one a failure.
package kernels

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"gpubench/gpu"
)

// env is a bound device with its kernels, a stream, and memory to cut arrays from.
type env struct {
	dev    *gpu.Device
	set    *Set
	stream *gpu.Stream
	device *gpu.Buffer // on the device
	host   *gpu.Buffer // the same size, for the way there and back
	used   int         // bytes of device that arrays and their margins take
	dirty  int         // bytes of it that may not be guard
}

const arenaBytes = 16 << 20

// guard is what memory holds before it is used; a margin of a line around every array must still hold it after.
const guard = 0xa5

// each runs f on every driver that is here.
func each(t *testing.T, f func(t *testing.T, e *env)) {
	t.Helper()
	for _, v := range []struct {
		driver  gpu.Driver
		threads int
	}{{gpu.CPU, 1}, {gpu.CPU, 2}, {gpu.CPU, 5}, {gpu.Emulated, 1}, {gpu.CUDA, 1}} {
		if only := strings.Fields(os.Getenv("GPUBENCH_TEST_DRIVER")); len(only) > 0 && !slices.Contains(only, string(v.driver)) {
			continue
		}
		n, err := gpu.Count(v.driver)
		if v.driver == gpu.CUDA && os.Getenv("GPUBENCH_REQUIRE_CUDA") == "" && (err != nil || n == 0) {
			continue
		}
		t.Run(fmt.Sprintf("%s-%d", v.driver, v.threads), func(t *testing.T) {
			if err != nil || n == 0 {
				t.Fatalf("%d devices of %s: %v", n, v.driver, err)
			}
			e := newEnv(t, v.driver, v.threads)
			f(t, e)
		})
	}
}

func newEnv(t testing.TB, d gpu.Driver, threads int) *env {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	runtime.LockOSThread() // the clean-up below runs on the test's goroutine too
	e := &env{dirty: arenaBytes}
	var err error
	e.dev, err = gpu.Open(d, 0, gpu.Options{Threads: threads, Wait: gpu.Yield})
	must(err)
	t.Cleanup(func() {
		if err := e.dev.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		runtime.UnlockOSThread()
	})
	must(e.dev.Bind())
	t.Cleanup(e.dev.Unbind)
	e.set, err = Load(e.dev)
	must(err)
	t.Cleanup(func() {
		if err := Unload(e.dev); err != nil {
			t.Errorf("Unload: %v", err)
		}
	})
	e.stream, err = e.dev.NewStream()
	must(err)
	t.Cleanup(func() { _ = e.stream.Close() })
	e.device, err = e.dev.Alloc(gpu.OnDevice, arenaBytes, gpu.DefaultPages)
	must(err)
	t.Cleanup(func() { _ = e.device.Free() })
	e.host, err = e.dev.Alloc(gpu.Pinned, arenaBytes, gpu.DefaultPages)
	must(err)
	t.Cleanup(func() { _ = e.host.Free() })
	return e
}

// fatal is what testing.T and rapid.T have in common.
type fatal interface {
	Helper()
	Fatalf(format string, args ...any)
}

func check(t fatal, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v", err)
	}
}

// reset forgets all arrays; every byte becomes guard.
func (e *env) reset(t fatal) {
	t.Helper()
	check(t, e.stream.Fill(e.device.Slice(0, e.dirty), guard))
	e.used, e.dirty = 0, 0
	check(t, e.stream.Sync())
}

// array cuts n bytes that begin `shift` bytes into a cache line, with a free line on either side.
func (e *env) array(t fatal, n, shift int) gpu.Memory {
	t.Helper()
	off := e.used + 64 + shift
	e.used = (off + n + 64 + 63) / 64 * 64
	e.dirty = max(e.dirty, e.used)
	if e.used > arenaBytes {
		t.Fatalf("the tests' arrays need more than %d B", arenaBytes)
	}
	return e.device.Slice(off, n)
}

// put writes an array of n bytes and fills it.
func put[T any](t fatal, e *env, values []T, shift int) gpu.Memory {
	t.Helper()
	var one T
	size := int(sizeOf(one))
	m := e.array(t, len(values)*size, shift)
	h := e.host.Slice(0, m.Len)
	copy(gpu.Of[T](h), values)
	check(t, e.stream.Copy(m, h))
	check(t, e.stream.Sync())
	return m
}

// get reads an array back, after all that the stream has to do.
func get[T any](t fatal, e *env, m gpu.Memory) []T {
	t.Helper()
	h := e.host.Slice(0, m.Len)
	check(t, e.stream.Copy(h, m))
	check(t, e.stream.Sync())
	return slices.Clone(gpu.Of[T](h))
}

func sizeOf(v any) uintptr {
	switch v.(type) {
	case byte:
		return 1
	default:
		return 8
	}
}

// unharmed fails unless everything but the given arrays still holds guard.
func (e *env) unharmed(t fatal, arrays ...gpu.Memory) {
	t.Helper()
	bytes := get[byte](t, e, e.device.Slice(0, e.used))
	base := e.device.Memory().Addr
	for _, m := range arrays {
		for i := range m.Len {
			bytes[int(m.Addr-base)+i] = guard
		}
	}
	for i, b := range bytes {
		if b != guard {
			t.Fatalf("byte %d, outside every array, was overwritten with %#x", i, b)
		}
	}
}

// same fails unless two arrays of float64 have the same bits; any NaN equals any other.
func same(t fatal, what string, got, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d float64s, want %d", what, len(got), len(want))
	}
	for i := range got {
		if math.Float64bits(got[i]) != math.Float64bits(want[i]) && !(math.IsNaN(got[i]) && math.IsNaN(want[i])) {
			t.Fatalf("%s: [%d] = %v, want %v", what, i, got[i], want[i])
		}
	}
}

// panics fails unless f panics with a text that has all the words.
func panics(t *testing.T, f func(), words ...string) {
	t.Helper()
	defer func() {
		t.Helper()
		p := recover()
		if p == nil {
			t.Fatalf("no panic with %q", words)
		}
		for _, w := range words {
			if !strings.Contains(fmt.Sprint(p), w) {
				t.Fatalf("panic %q lacks %q", p, w)
			}
		}
	}()
	f()
}
