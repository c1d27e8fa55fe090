package main

import (
	"slices"
	"testing"

	"gpubench/internal/machine/nvml"
	"gpubench/internal/machine/nvml/nvmltest"
)

func TestClocks(t *testing.T) {
	t.Setenv(nvml.LibraryEnv, nvmltest.Library(t))
	lib, err := nvml.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer lib.Close()
	c := clocksOf(lib, "GPU-a")
	if c == nil || c.SMMHz != 345 || c.MemoryMHz != 1593 || !slices.Equal(c.Throttled, []string{"gpu_idle", "sw_power_cap", "hw_thermal_slowdown", "bit 40"}) {
		t.Errorf("%+v", c)
	}
	if c := clocksOf(lib, "another"); c != nil {
		t.Errorf("a GPU that is not there: %+v", c)
	}
}
