//go:build cgo

package nvml

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A management library with two GPUs: the first tells everything, the second nothing but its identity.
const fakeSource = `
#include <string.h>
typedef struct { char legacy[16]; unsigned domain, bus, device, id, sub; char bus_id[32]; } pci;
typedef struct { unsigned long long total, free, used; } memory;
static int devices[2];
#define FULL(d) if ((d) != &devices[0]) return 3
int nvmlInit_v2(void) { return INIT; }
int nvmlShutdown(void) { return 0; }
const char *nvmlErrorString(int r) { return r == 9 ? "Driver Not Loaded" : "other"; }
int nvmlSystemGetDriverVersion(char *s, unsigned n) { strncpy(s, "580.65.06", n); return 0; }
int nvmlDeviceGetCount_v2(unsigned *n) { *n = 2; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **d) { if (i > 1) return 2; *d = &devices[i]; return 0; }
#ifndef NO_UUID
int nvmlDeviceGetUUID(void *d, char *s, unsigned n) { strncpy(s, d == &devices[0] ? "GPU-a" : "GPU-b", n); return 0; }
#endif
int nvmlDeviceGetName(void *d, char *s, unsigned n) { FULL(d); strncpy(s, "Fake H100", n); return 0; }
int nvmlDeviceGetPciInfo_v3(void *d, pci *p) { FULL(d); strcpy(p->bus_id, "00000000:C1:00.0"); return 0; }
int nvmlDeviceGetMemoryInfo(void *d, memory *m) { FULL(d); m->total = 80ull << 30; m->used = 1 << 20; return 0; }
int nvmlDeviceGetCurrPcieLinkGeneration(void *d, unsigned *v) { FULL(d); *v = 1; return 0; }
int nvmlDeviceGetMaxPcieLinkGeneration(void *d, unsigned *v) { FULL(d); *v = 5; return 0; }
int nvmlDeviceGetCurrPcieLinkWidth(void *d, unsigned *v) { FULL(d); *v = 8; return 0; }
int nvmlDeviceGetMaxPcieLinkWidth(void *d, unsigned *v) { FULL(d); *v = 16; return 0; }
int nvmlDeviceGetClockInfo(void *d, unsigned t, unsigned *v) { FULL(d); *v = t == 1 ? 345 : t == 2 ? 1593 : 0; return 0; }
int nvmlDeviceGetMaxClockInfo(void *d, unsigned t, unsigned *v) { FULL(d); *v = t == 1 ? 1980 : t == 2 ? 2619 : 0; return 0; }
int nvmlDeviceGetTemperature(void *d, unsigned t, unsigned *v) { FULL(d); *v = 41 + t; return 0; }
int nvmlDeviceGetPowerUsage(void *d, unsigned *v) { FULL(d); *v = 71500; return 0; }
int nvmlDeviceGetEnforcedPowerLimit(void *d, unsigned *v) { FULL(d); *v = 700000; return 0; }
int nvmlDeviceGetComputeMode(void *d, unsigned *v) { FULL(d); *v = 3; return 0; }
int nvmlDeviceGetPersistenceMode(void *d, unsigned *v) { FULL(d); *v = 1; return 0; }
int nvmlDeviceGetMigMode(void *d, unsigned *now, unsigned *later) { FULL(d); *now = 0; *later = 1; return 0; }
int nvmlDeviceGetUtilizationRates(void *d, unsigned *v) { FULL(d); v[0] = 30; v[1] = 10; return 0; }
int nvmlDeviceGetComputeRunningProcesses_v3(void *d, unsigned *n, void *p) { FULL(d); *n = 2; return 7; }
int nvmlDeviceGetCurrentClocksThrottleReasons(void *d, unsigned long long *v) { FULL(d); *v = 1 | 4 | 64 | 1ull << 40; return 0; }
int nvmlDeviceGetNvLinkState(void *d, unsigned link, unsigned *v) { FULL(d); if (link > 11) return 2; *v = link == 3; return 0; }
int nvmlDeviceGetNvLinkRemotePciInfo_v2(void *d, unsigned link, pci *p) { FULL(d); strcpy(p->bus_id, "00010000:41:00.0"); return 0; }
`

func fakeLibrary(t *testing.T, flags ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "libnvidia-ml.so.1")
	cmd := exec.Command("cc", append(flags, "-shared", "-fPIC", "-o", path, "-x", "c", "-")...)
	cmd.Stdin = strings.NewReader(fakeSource)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cc: %v\n%s", err, out)
	}
	return path
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestFakeLibrary(t *testing.T) {
	t.Setenv(LibraryEnv, fakeLibrary(t, "-DINIT=0"))
	l, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	if driver, library := l.Versions(); driver != "580.65.06" || library != "" {
		t.Errorf("versions %q, %q", driver, library)
	}
	devices, err := l.Devices()
	if err != nil {
		t.Fatal(err)
	}
	const want = `[{"index":0,"uuid":"GPU-a","name":"Fake H100","pci_bus_id":"0000:c1:00.0","memory_bytes":85899345920,` +
		`"pcie_max_generation":5,"pcie_max_width":16,"max_sm_clock_hz":1980000000,"max_memory_clock_hz":2619000000,` +
		`"power_limit_w":700,"persistence_mode":true,"compute_mode":"exclusive_process","mig":false,` +
		`"nvlinks":[{"link":3,"remote":"00010000:41:00.0"}]},` +
		`{"index":1,"uuid":"GPU-b","name":null,"pci_bus_id":null,"memory_bytes":null,"pcie_max_generation":null,` +
		`"pcie_max_width":null,"max_sm_clock_hz":null,"max_memory_clock_hz":null,"power_limit_w":null,` +
		`"persistence_mode":null,"compute_mode":null,"mig":null,"nvlinks":null}]`
	if got := asJSON(t, devices); got != want {
		t.Errorf("devices:\n have %s\n want %s", got, want)
	}

	for range 2 { // the second time the handle is known
		s, err := l.State("GPU-a")
		if err != nil {
			t.Fatal(err)
		}
		const wantState = `{"pcie_generation":1,"pcie_width":8,"sm_clock_hz":345000000,"memory_clock_hz":1593000000,` +
			`"throttle_reasons":["gpu_idle","sw_power_cap","hw_thermal_slowdown","bit 40"],"temperature_c":41,` +
			`"power_w":71.5,"utilization_pct":30,"memory_used_bytes":1048576,"processes":2}`
		if got := asJSON(t, s); got != wantState {
			t.Errorf("state:\n have %s\n want %s", got, wantState)
		}
		if !s.Throttled() || (State{ThrottleReasons: []string{"gpu_idle"}}).Throttled() {
			t.Error("Throttled")
		}
	}
	if s, err := l.State("GPU-b"); err != nil || s.ThrottleReasons != nil || s.SMClockHz != nil || s.Throttled() {
		t.Errorf("a GPU that tells nothing: %+v, %v", s, err)
	}
	if _, err := l.State("GPU-c"); err == nil || !strings.Contains(err.Error(), "GPU-c") {
		t.Errorf("a GPU that is not there: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestUnsupported(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("no library, for all that it is long enough to be one, or so one would think."), 0o644); err != nil {
		t.Fatal(err)
	}
	for path, words := range map[string]string{
		"/nowhere/libnvidia-ml.so.1":            "No such file",
		"libnvidia-ml.so.1":                     "not an absolute path",
		text:                                    text,
		fakeLibrary(t, "-DINIT=9"):              "Driver Not Loaded",
		fakeLibrary(t, "-DINIT=0", "-DNO_UUID"): "lacks nvmlDeviceGetUUID",
	} {
		t.Setenv(LibraryEnv, path)
		l, err := Open()
		var u *UnsupportedError
		if l != nil || !errors.As(err, &u) || !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v, want an *UnsupportedError with %q", path, err, words)
		}
	}
}
