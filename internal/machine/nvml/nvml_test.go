//go:build cgo

package nvml

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gpubench/internal/machine/nvml/nvmltest"
)

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestFakeLibrary(t *testing.T) {
	t.Setenv(LibraryEnv, nvmltest.Library(t))
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
		`"power_limit_w":700,"persistence_mode":true,"compute_mode":"exclusive_process","mig":false,"ecc":true,` +
		`"nvlinks":[{"link":3,"remote":"00010000:41:00.0"}]},` +
		`{"index":1,"uuid":"GPU-b","name":null,"pci_bus_id":null,"memory_bytes":null,"pcie_max_generation":null,` +
		`"pcie_max_width":null,"max_sm_clock_hz":null,"max_memory_clock_hz":null,"power_limit_w":null,` +
		`"persistence_mode":null,"compute_mode":null,"mig":null,"ecc":null,"nvlinks":null}]`
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
		"/nowhere/libnvidia-ml.so.1":     "No such file",
		"libnvidia-ml.so.1":              "not an absolute path",
		text:                             text,
		nvmltest.Library(t, "-DINIT=9"):  "Driver Not Loaded",
		nvmltest.Library(t, "-DNO_UUID"): "lacks nvmlDeviceGetUUID",
	} {
		t.Setenv(LibraryEnv, path)
		l, err := Open()
		var u *UnsupportedError
		if l != nil || !errors.As(err, &u) || !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v, want an *UnsupportedError with %q", path, err, words)
		}
	}
}
