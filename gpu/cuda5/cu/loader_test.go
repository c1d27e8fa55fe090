//go:build cgo

// Loading the driver: the messages when there is none, when the file is none, when it is too old; and a driver with
// the required functions alone. The libraries are made here, by the C compiler.

package cu_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/barnex/cuda5/cu"
)

// library makes a shared library that has those functions of table.def that keep says; each answers 0.
func library(t testing.TB, keep func(cu.Entry) bool) string {
	t.Helper()
	var source strings.Builder
	for _, e := range cu.Entries(nil) {
		if keep(e) {
			fmt.Fprintf(&source, "int %s(void) { return 0; }\n", e.Symbol)
		}
	}
	return compile(t, source.String())
}

func compile(t testing.TB, source string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "libcuda.so.1")
	cmd := exec.Command("cc", "-shared", "-fPIC", "-o", path, "-x", "c", "-")
	cmd.Stdin = strings.NewReader(source)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cc: %v\n%s", err, out)
	}
	return path
}

// loadError loads what GPUBENCH_LIBCUDA says, and wants it to fail with all of the words.
func loadError(t *testing.T, path string, words ...string) *cu.LoadError {
	t.Helper()
	t.Setenv(cu.LibcudaEnv, path)
	d, err := cu.LoadCUDA()
	var load *cu.LoadError
	if d != nil || !errors.As(err, &load) {
		t.Fatalf("LoadCUDA() = %v, %v, want a *LoadError", d, err)
	}
	if !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("%v is not errors.ErrUnsupported", err)
	}
	for _, w := range append(words, cu.LibcudaEnv, "install") {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q does not say %q", err, w)
		}
	}
	return load
}

func TestNoDriver(t *testing.T) {
	loadError(t, "/nowhere/libcuda.so.1", "no CUDA driver", "/nowhere/libcuda.so.1", "No such file")
	loadError(t, "libcuda.so.1", "not an absolute path")
	if out, err := exec.Command("ldconfig", "-p").Output(); err == nil && strings.Contains(string(out), "libcuda.so.1") {
		t.Skip("this machine has a driver")
	}
	if _, err := os.Stat("/dev/nvidiactl"); err != nil {
		loadError(t, "", "no CUDA driver: libcuda.so.1:")
	}
}

func TestFileIsNoLibrary(t *testing.T) {
	path := filepath.Join(t.TempDir(), "libcuda.so.1")
	if err := os.WriteFile(path, []byte(strings.Repeat("This is text, not a library.\n", 100)), 0o755); err != nil {
		t.Fatal(err)
	}
	loadError(t, path, path, "invalid ELF header")
}

func TestMissingSymbol(t *testing.T) {
	path := library(t, func(e cu.Entry) bool { return e.Symbol != "cuMemAlloc_v2" })
	e := loadError(t, path, path, "lacks cuMemAlloc_v2;")
	if len(e.Missing) != 1 {
		t.Errorf("missing: %v", e.Missing)
	}
	// A library of another kind: long lists are cut.
	path = compile(t, "int nothing(void) { return 0; }")
	e = loadError(t, path, "lacks cuInit, cuDriverGetVersion, ", "more;")
	required := 0
	for _, e := range cu.Entries(nil) {
		if e.Required {
			required++
		}
	}
	if len(e.Missing) != required {
		t.Errorf("%d symbols are missing, %d required", len(e.Missing), required)
	}
}

func TestOptionalFunctions(t *testing.T) {
	path := library(t, func(e cu.Entry) bool { return e.Required })
	d, err := cu.LoadFrom(path)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := cu.LoadFrom(path); again != d || err != nil {
		t.Errorf("loaded twice: %v, %v", again, err)
	}
	if d.Name() != "cuda" {
		t.Errorf("its name is %q", d.Name())
	}
	optional := 0
	for _, e := range cu.Entries(d) {
		if e.Present != e.Required || d.Has(e.Name) != e.Required {
			t.Errorf("%s: present %v, Has %v, required %v", e.Name, e.Present, d.Has(e.Name), e.Required)
		}
		if !e.Required {
			optional++
		}
	}
	if optional < 15 {
		t.Errorf("%d optional functions only", optional)
	}
	onThread(t, d, func() {
		expectPanic(t, "MemAllocAsync", cu.ERROR_NOT_SUPPORTED, func() { cu.MemAllocAsync(1, 0) })
		expectPanic(t, "CtxGetId", cu.ERROR_NOT_SUPPORTED, func() { cu.CtxGetId(0) })
		cu.StreamWaitValue32(0, 0, 0, 0) // the older version serves
		cu.GraphInstantiate(0)
		cu.DeviceGetUuid(0)
	})
}

func TestAllFunctions(t *testing.T) {
	d, err := cu.LoadFrom(library(t, func(cu.Entry) bool { return true }))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range cu.Entries(d) {
		if !e.Present {
			t.Errorf("%s was not loaded", e.Name)
		}
	}
	if got := try(func() { d.Has("cuNothing") }); got == nil {
		t.Error("Has of a function that is not in table.def does not panic")
	}
}

// TestInitLoads: Init on a thread without a driver loads the machine's; the panic without one says why.
func TestInitLoads(t *testing.T) {
	path := library(t, func(e cu.Entry) bool { return e.Required })
	onThread(t, nil, func() {
		t.Setenv(cu.LibcudaEnv, "/nowhere/libcuda.so.1")
		if err, ok := try(func() { cu.Init(0) }).(*cu.LoadError); !ok {
			t.Errorf("Init without a driver panics with %v", err)
		}
		t.Setenv(cu.LibcudaEnv, path)
		cu.Init(0)
		if d := cu.Current(); d == nil || d.Name() != "cuda" {
			t.Errorf("after Init the driver is %v", d)
		}
	})
}

// onThread runs f on a thread of its own, which ends with it, where d is current (nil: no driver).
func onThread(t *testing.T, d *cu.Driver, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		cu.ClearCurrent()
		if d != nil {
			d.MakeCurrent()
		}
		f()
	}()
	<-done
}

// try returns what f panics with, nil for nothing.
func try(f func()) (panicked any) {
	defer func() { panicked = recover() }()
	f()
	return nil
}

func expectPanic(t *testing.T, what string, want any, f func()) {
	t.Helper()
	if got := try(f); got != want {
		t.Errorf("%s panics with %v (%T), want %v", what, got, got, want)
	}
}
