package gputest

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"gpubench/gpu"
	"gpubench/internal/library/librarytest"
)

// TestMain fails when a test leaves a device, a buffer, a stream or a goroutine behind.
func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 {
		for _, l := range gpu.Leaks() {
			fmt.Fprintln(os.Stderr, "leaked:", l)
			code = 1
		}
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

func TestEmulated(t *testing.T) { Run(t, Opener(gpu.Emulated)) }
func TestCPU(t *testing.T)      { Run(t, Opener(gpu.CPU)) }

// TestShared: the emulated driver as a shared object keeps all promises too, with the cpu driver beside it.
func TestShared(t *testing.T) {
	OnShared(t, librarytest.Emulated(t), "^(TestEmulated|TestCPU|TestUsed|TestAuto)$", 60)
}

// TestUsed: which emulated driver this process has, and that it keeps it.
func TestUsed(t *testing.T) {
	want := os.Getenv(sharedEnv)
	if _, err := gpu.Count(gpu.Emulated); err != nil {
		t.Fatal(err)
	}
	if got := gpu.EmulatedPath(); got != want {
		t.Errorf("the emulated driver is %q, want %q", got, want)
	}
	if want != "" {
		if err := gpu.UseEmulated(want); err != nil {
			t.Errorf("the same again: %v", err)
		}
		if _, err := gpu.Count(gpu.CUDA); !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), want) {
			t.Errorf("the emulated driver was taken for the machine's: %v", err)
		}
	}
	if err := gpu.UseEmulated("/elsewhere/libcuda.so.1"); err == nil || !strings.Contains(err.Error(), "in use already") {
		t.Errorf("another one, though this was used: %v", err)
	}
}

// TestCUDA is skipped where there is no device, and fails there with GPUBENCH_REQUIRE_CUDA=1.
func TestCUDA(t *testing.T) {
	if d, reason := gpu.Auto(); d != gpu.CUDA && os.Getenv(requireEnv) != "1" {
		t.Skip(reason)
	}
	Run(t, Opener(gpu.CUDA))
}

func TestAuto(t *testing.T) {
	d, reason := gpu.Auto()
	t.Logf("auto is %s: %s", d, reason)
	n, err := gpu.Count(gpu.CUDA)
	if (d == gpu.CUDA) != (n > 0 && err == nil) || reason == "" {
		t.Errorf("auto is %s because of %q, with %d CUDA devices (%v)", d, reason, n, err)
	}
	if _, err := gpu.Open("rocm", 0, gpu.Options{}); err == nil {
		t.Error("a driver that does not exist was opened")
	}
}
