package gputest

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"gpubench/gpu"
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
