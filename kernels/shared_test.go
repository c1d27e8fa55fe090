package kernels

import (
	"os"
	"testing"

	"gpubench/gpu"
	"gpubench/gpu/gputest"
	"gpubench/internal/library/librarytest"
)

// TestShared runs the kernels on the emulated driver as a shared object: their bodies are registered with it too.
func TestShared(t *testing.T) {
	if gpu.EmulatedPath() != "" {
		t.Skip("this is that process")
	}
	if only := os.Getenv("GPUBENCH_TEST_DRIVER"); only != "" {
		t.Skipf("GPUBENCH_TEST_DRIVER=%s", only)
	}
	t.Setenv("GPUBENCH_TEST_DRIVER", string(gpu.Emulated))
	gputest.OnShared(t, librarytest.Emulated(t), ".", 40)
}
