// Package nvmltest makes a management library for tests: a double of NVIDIA's, which no machine of ours has.
package nvmltest

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// source has two GPUs, GPU-a and GPU-b: the first tells everything, the second nothing but its identity. INIT is what
// nvmlInit_v2 answers; with NO_UUID a function is not there that must be.
const source = `
#include <string.h>
#ifndef INIT
#define INIT 0
#endif
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
int nvmlDeviceGetEccMode(void *d, unsigned *now, unsigned *later) { FULL(d); *now = 1; *later = 1; return 0; }
int nvmlDeviceGetMigMode(void *d, unsigned *now, unsigned *later) { FULL(d); *now = 0; *later = 1; return 0; }
int nvmlDeviceGetUtilizationRates(void *d, unsigned *v) { FULL(d); v[0] = 30; v[1] = 10; return 0; }
int nvmlDeviceGetComputeRunningProcesses_v3(void *d, unsigned *n, void *p) { FULL(d); *n = 2; return 7; }
int nvmlDeviceGetCurrentClocksThrottleReasons(void *d, unsigned long long *v) { FULL(d); *v = 1 | 4 | 64 | 1ull << 40; return 0; }
int nvmlDeviceGetNvLinkState(void *d, unsigned link, unsigned *v) { FULL(d); if (link > 11) return 2; *v = link == 3; return 0; }
int nvmlDeviceGetNvLinkRemotePciInfo_v2(void *d, unsigned link, pci *p) { FULL(d); strcpy(p->bus_id, "00010000:41:00.0"); return 0; }
`

// Library compiles the double with the C compiler and more flags (-DINIT=9, -DNO_UUID), and returns its absolute path.
func Library(t testing.TB, flags ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "libnvidia-ml.so.1")
	cmd := exec.Command("cc", append(flags, "-shared", "-fPIC", "-o", path, "-x", "c", "-")...)
	cmd.Stdin = strings.NewReader(source)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cc: %v\n%s", err, out)
	}
	return path
}
