// Package gputest holds every driver to the same promises: Run carries out the suite on whatever device it is given.
//
//	func TestEmulated(t *testing.T) { gputest.Run(t, gputest.Opener(gpu.Emulated)) }
//
// With GPUBENCH_TEST_EMULATED=/…/libcuda.so.1 the emulated device is that shared object, in a test's children too; OnShared
// runs tests of a package again that way.
//
// A test binary that calls it can be carried to a machine with a GPU (go test -c) and needs nothing else there. A test
// of a driver that is not there is skipped with the reason; with GPUBENCH_REQUIRE_CUDA=1 a missing CUDA device fails.
package gputest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"gpubench/gpu"
)

// requireEnv, set to 1, turns skips of CUDA into failures: for machines that are known to have a GPU.
const requireEnv = "GPUBENCH_REQUIRE_CUDA"

// sharedEnv is the path of the emulated driver as a shared object.
const sharedEnv = "GPUBENCH_TEST_EMULATED"

func init() {
	path := os.Getenv(sharedEnv)
	if path == "" {
		return
	}
	if err := gpu.UseEmulated(path); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
}

// OnShared runs those tests of the calling test's package whose names match the pattern in a process of their own, where
// the emulated device is the shared object at path. At least `least` tests and subtests must pass, and none may fail.
func OnShared(t *testing.T, path, pattern string, least int) {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	c := exec.CommandContext(t.Context(), self, "-test.v", "-test.run="+pattern, fmt.Sprint("-test.short=", testing.Short()))
	c.Env = append(os.Environ(), sharedEnv+"="+path)
	out, err := c.CombinedOutput()
	if passed := strings.Count(string(out), "--- PASS: "); err != nil || passed < least {
		t.Errorf("%v, %d passed, want %d:\n%s", err, passed, least, out)
	}
}

// Opener opens device 0 of a driver, or skips the test.
func Opener(driver gpu.Driver) func(testing.TB) *gpu.Device {
	return func(tb testing.TB) *gpu.Device {
		tb.Helper()
		return openOrdinal(tb, driver, 0)
	}
}

func openOrdinal(tb testing.TB, driver gpu.Driver, ordinal int) *gpu.Device {
	tb.Helper()
	d, err := gpu.Open(driver, ordinal, gpu.Options{Threads: 2})
	switch {
	case err == nil:
		return d
	case driver == gpu.CUDA && errors.Is(err, errors.ErrUnsupported) && os.Getenv(requireEnv) != "1":
		tb.Skip(err)
	}
	tb.Fatal(err)
	return nil
}

// test is one promise. It gets a device that is bound to the test's thread, and must give back all that it makes.
type test struct {
	name string
	run  func(*testing.T, *gpu.Device)
}

// tests is the suite; each file of this package adds its part.
var tests []test

func add(more ...test) { tests = append(tests, more...) }

// Run carries out the suite. open is called for each test and skips it where there is no such device.
func Run(t *testing.T, open func(testing.TB) *gpu.Device) {
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			d := open(t)
			bound(t, d, func() { c.run(t, d) })
		})
	}
}

// bound runs f with d bound to this thread, and closes d: with a failure where something was not given back.
func bound(t testing.TB, d *gpu.Device, f func()) {
	t.Helper()
	must(t, d.Bind())
	defer func() {
		if t.Failed() { // it gave nothing back, and more devices may be bound above
			return
		}
		d.Unbind()
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	f()
}

// part runs f as a subtest. Subtests have goroutines of their own: d goes there and comes back.
func part(t *testing.T, d *gpu.Device, name string, f func(t *testing.T)) {
	d.Unbind()
	t.Run(name, func(t *testing.T) {
		must(t, d.Bind())
		defer d.Unbind()
		f(t)
	})
	must(t, d.Bind())
}

// must ends the test when err is not nil.
func must(t testing.TB, err error) {
	if err != nil {
		t.Helper()
		t.Fatal(err)
	}
}

// get is must for calls with a value: get[*gpu.Stream](t)(d.NewStream()).
func get[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		must(t, err)
		return v
	}
}

// alloc makes a buffer, or skips the test where the device has no such memory.
func alloc(t testing.TB, d *gpu.Device, space gpu.Space, n int) *gpu.Buffer {
	t.Helper()
	b, err := d.Alloc(space, n, gpu.DefaultPages)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	must(t, err)
	return b
}

func stream(t testing.TB, d *gpu.Device) *gpu.Stream {
	t.Helper()
	return get[*gpu.Stream](t)(d.NewStream())
}

func event(t testing.TB, d *gpu.Device, timed bool) *gpu.Event {
	t.Helper()
	return get[*gpu.Event](t)(d.NewEvent(timed))
}

// free gives back what the test made.
func free(t testing.TB, things ...any) {
	t.Helper()
	for _, x := range things {
		switch x := x.(type) {
		case *gpu.Buffer:
			must(t, x.Free())
		case interface{ Close() error }:
			must(t, x.Close())
		default:
			t.Fatalf("free of a %T", x)
		}
	}
}

// panics reports whether f panics with a message of this project that has all the given words.
func panics(t testing.TB, what string, f func(), words ...string) {
	t.Helper()
	defer func() {
		t.Helper()
		message, ok := recover().(string)
		if !ok {
			t.Errorf("%s did not panic with a message", what)
			return
		}
		for _, w := range append(words, "gpu: ") {
			if !strings.Contains(message, w) {
				t.Errorf("%s panicked with %q, which does not have %q", what, message, w)
			}
		}
	}()
	f()
}

// synchronous reports whether streams of d carry out their work while it is queued, so that nothing can overlap.
func synchronous(d *gpu.Device) bool { return d.Driver() == gpu.CPU }

// pattern is byte i of data number seed: no period that a wrong offset could hide in.
func pattern(seed, i int) byte {
	x := uint32(i)*2654435761 + uint32(seed)*40503
	return byte(x>>24 ^ x>>11)
}

// write puts pattern number seed into m, from the host or by a copy in s.
func write(t testing.TB, d *gpu.Device, s *gpu.Stream, m gpu.Memory, seed int) {
	t.Helper()
	if m.Space != gpu.OnDevice {
		must(t, s.Sync())
		for i, b := 0, m.Bytes(); i < len(b); i++ {
			b[i] = pattern(seed, i)
		}
		return
	}
	host := alloc(t, d, gpu.Pinned, m.Len)
	for i, b := 0, host.Memory().Bytes(); i < len(b); i++ {
		b[i] = pattern(seed, i)
	}
	must(t, s.Copy(m, host.Memory()))
	must(t, s.Sync())
	free(t, host)
}

// contents is what m holds, after all that was queued in s.
func contents(t testing.TB, d *gpu.Device, s *gpu.Stream, m gpu.Memory) []byte {
	t.Helper()
	if m.Space != gpu.OnDevice {
		must(t, s.Sync())
		return append([]byte(nil), m.Bytes()...)
	}
	host := alloc(t, d, gpu.Pinned, m.Len)
	must(t, s.Copy(host.Memory(), m))
	must(t, s.Sync())
	b := append([]byte(nil), host.Memory().Bytes()...)
	free(t, host)
	return b
}

// holds fails the test unless m holds pattern number seed.
func holds(t testing.TB, d *gpu.Device, s *gpu.Stream, m gpu.Memory, seed int, what string) {
	t.Helper()
	for i, b := range contents(t, d, s, m) {
		if want := pattern(seed, i); b != want {
			t.Fatalf("%s: byte %d of %d is %#x, not %#x", what, i, m.Len, b, want)
		}
	}
}
