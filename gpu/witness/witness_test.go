// Loading the witness in a process, in the right order and in wrong ones, and what it counts of a library's calls. Each
// test is a process of its own, this binary started again, since nothing is ever unloaded.

package witness_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"gpubench/gpu"
	"gpubench/gpu/witness"
	"gpubench/gpu/witness/internal/dl"
	"gpubench/internal/library/librarytest"
)

const childEnv = "GPUBENCH_WITNESS_CHILD"

func TestMain(m *testing.M) {
	f := children[os.Getenv(childEnv)]
	if f == nil {
		os.Exit(m.Run())
	}
	runtime.LockOSThread()
	if err := f(os.Args[1:]); err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}

// children get the paths of the emulated driver, of the witness and of a library that calls the driver.
var children = map[string]func(paths []string) error{
	"counts": counts,
	"before the driver": func(p []string) error {
		return witness.Load(p[1])
	},
	"not a witness": func(p []string) error {
		return errors.Join(gpu.UseEmulated(p[0]), witness.Load(p[2]))
	},
	"no file": func(p []string) error {
		return errors.Join(gpu.UseEmulated(p[0]), witness.Load(p[1]+".none"))
	},
	"behind another": func(p []string) error {
		if err := gpu.UseEmulated(p[0]); err != nil {
			return err
		}
		if _, err := dl.Open(p[0], true); err != nil { // the driver itself, for all
			return err
		}
		return witness.Load(p[1])
	},
	"after UCX": func(p []string) error {
		if err := gpu.UseEmulated(p[0]); err != nil {
			return err
		}
		if _, err := dl.Open(p[3], false); err != nil {
			return err
		}
		return witness.Load(p[1])
	},
}

func child(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), self, args...)
	c.Env = append(os.Environ(), childEnv+"="+name)
	out, err := c.CombinedOutput()
	return string(out), err
}

// caller makes a library that calls the driver by name, as UCX does.
func caller(t *testing.T, libcuda string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "caller.so")
	librarytest.Compile(t, path, "-std=c11", "-O1", filepath.Join("testdata", "caller.c"), libcuda)
	return path
}

func TestOrder(t *testing.T) {
	libcuda, w := librarytest.Emulated(t), librarytest.Witness(t)
	c := caller(t, libcuda)
	module := filepath.Join(t.TempDir(), "libuct_cuda.so.0") // stands for UCX's
	librarytest.Compile(t, module, "-Wl,-soname,libuct_cuda.so.0", filepath.Join("testdata", "caller.c"), libcuda)
	for name, want := range map[string]string{
		"before the driver": "no libcuda.so.1 is loaded",
		"not a witness":     c + " is not gpubench's witness",
		"no file":           w + ".none: cannot open shared object file",
		"behind another":    "another library stands before it",
		"after UCX":         "UCX's CUDA transports are loaded already",
	} {
		out, err := child(t, name, libcuda, w, c, module)
		if err == nil || !strings.Contains(out, want) || strings.Count(out, "\n") != 1 {
			t.Errorf("%s: %v, %q, want one line with %q", name, err, out, want)
		}
	}
}

func TestCounts(t *testing.T) {
	libcuda, w := librarytest.Emulated(t), librarytest.Witness(t)
	if out, err := child(t, "counts", libcuda, w, caller(t, libcuda)); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// counts runs with nothing loaded yet.
func counts(paths []string) error {
	if witness.Arm(true); witness.Loaded() || witness.Read() != (witness.Counts{}) {
		return errors.New("something was counted before Load")
	}
	if err := gpu.UseEmulated(paths[0]); err != nil {
		return err
	}
	if err := witness.Load(paths[1]); err != nil {
		return err
	}
	if err := witness.Load("again"); err != nil || !witness.Loaded() {
		return fmt.Errorf("loaded a second time: %v", err)
	}
	lib, err := dl.Open(paths[2], false)
	if err != nil {
		return err
	}
	d, err := gpu.Open(gpu.Emulated, 0, gpu.Options{})
	if err != nil {
		return err
	}
	if err := d.Bind(); err != nil {
		return err
	}
	s, err := d.NewStream()
	if err != nil {
		return err
	}
	const n = 1000
	var a, b, h *gpu.Buffer
	for _, x := range []struct {
		buffer **gpu.Buffer
		space  gpu.Space
	}{{&a, gpu.OnDevice}, {&b, gpu.OnDevice}, {&h, gpu.Pinned}} {
		if *x.buffer, err = d.Alloc(x.space, n, gpu.DefaultPages); err != nil {
			return err
		}
	}
	before := witness.Read()
	if err := errors.Join(s.Copy(a.Memory(), h.Memory()), s.Copy(b.Memory(), a.Memory()), s.Sync()); err != nil {
		return err
	}
	if c := witness.Read(); c != before || c != (witness.Counts{}) {
		return fmt.Errorf("gpubench's own copies were counted: %+v", c)
	}
	pa, pb, ph := uint64(a.Memory().Addr), uint64(b.Memory().Addr), uint64(h.Memory().Addr)
	one, none := witness.Count{Copies: 1, Bytes: n}, witness.Count{}
	two := witness.Count{Copies: 2, Bytes: 2 * n}
	for _, c := range []struct {
		call     string
		dst, src uint64
		armed    bool
		want     witness.Counts
	}{
		{"async", pa, pb, true, witness.Counts{DeviceToDevice: one}},
		{"async", ph, pb, true, witness.Counts{ToHost: one}},
		{"async", pa, ph, true, witness.Counts{ToDevice: one}},
		{"async", ph, ph, true, witness.Counts{HostToHost: one}},
		{"async", pa, pb, false, witness.Counts{Undecided: one}},
		{"plain", pa, ph, true, witness.Counts{ToDevice: one}},
		{"to_device", pa, ph, false, witness.Counts{ToDevice: one}},
		{"to_host", ph, pa, false, witness.Counts{ToHost: one}},
		{"between", pa, pb, false, witness.Counts{DeviceToDevice: one}},
		{"box", ph, pa, false, witness.Counts{ToHost: one}},
		{"unified_box", pa, pb, true, witness.Counts{DeviceToDevice: one}},
		{"by_address", pa, pb, false, witness.Counts{DeviceToDevice: one}},
		{"by_address_of_address", pa, pb, false, witness.Counts{DeviceToDevice: one}},
		{"fails", pa, 0, true, witness.Counts{DeviceToDevice: none}},
		{"not_in_this_driver", pa, pb, true, witness.Counts{}},
		{"two", pa, pb, false, witness.Counts{DeviceToDevice: two}},
	} {
		witness.Arm(c.armed)
		before := witness.Read()
		r := lib.Call(c.call, c.dst, c.src, n)
		if got := witness.Read().Sub(before); got != c.want || r != 0 {
			return fmt.Errorf("%s, armed %v: status %d, counted %+v, not %+v", c.call, c.armed, r, got, c.want)
		}
	}
	d.Unbind()
	return nil
}
