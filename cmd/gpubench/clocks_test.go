package main

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gpubench/internal/machine/nvml"
)

func TestClocks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "libnvidia-ml.so.1")
	cmd := exec.Command("cc", "-shared", "-fPIC", "-o", path, "-x", "c", "-")
	cmd.Stdin = strings.NewReader(`
		int nvmlInit_v2(void) { return 0; }
		int nvmlShutdown(void) { return 0; }
		int nvmlDeviceGetCount_v2(unsigned *n) { *n = 1; return 0; }
		int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **d) { *d = &d; return 0; }
		int nvmlDeviceGetUUID(void *d, char *s, unsigned n) { s[0] = 'G'; s[1] = 0; return 0; }
		int nvmlDeviceGetClockInfo(void *d, unsigned t, unsigned *v) { *v = t == 1 ? 1755 : 2619; return 0; }
		int nvmlDeviceGetCurrentClocksEventReasons(void *d, unsigned long long *v) { *v = 4; return 0; }`)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Setenv(nvml.LibraryEnv, path)
	lib, err := nvml.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer lib.Close()
	c := clocksOf(lib, "G")
	if c == nil || c.SMMHz != 1755 || c.MemoryMHz != 2619 || !slices.Equal(c.Throttled, []string{"sw_power_cap"}) {
		t.Errorf("%+v", c)
	}
	if c := clocksOf(lib, "another"); c != nil {
		t.Errorf("a GPU that is not there: %+v", c)
	}
}
