// Package nvml asks NVIDIA's management library about GPUs: identity, place, links, clocks, throttling.
//
// The library, libnvidia-ml.so.1, is loaded when Open is called, not linked: no header is needed to build, and a
// machine without it gives an error that matches errors.ErrUnsupported. What one GPU or one version of the library
// does not tell is nil in the answers, and no error.
package nvml

import (
	"errors"
	"fmt"
	"strings"
)

// LibraryEnv names the library to load instead of libnvidia-ml.so.1: an absolute path.
const LibraryEnv = "GPUBENCH_LIBNVML"

const libraryName = "libnvidia-ml.so.1"

// Device is what does not change while the machine is up. nil: not known.
type Device struct {
	Index             int      `json:"index"` // among NVML's devices, whatever CUDA_VISIBLE_DEVICES says
	UUID              string   `json:"uuid"`  // "GPU-..." as CUDA gives it
	Name              *string  `json:"name"`
	PCIBusID          *string  `json:"pci_bus_id"` // domain:bus:device.function as in /sys/bus/pci/devices
	MemoryBytes       *int64   `json:"memory_bytes"`
	PCIeMaxGeneration *int     `json:"pcie_max_generation"`
	PCIeMaxWidth      *int     `json:"pcie_max_width"` // lanes
	MaxSMClockHz      *int64   `json:"max_sm_clock_hz"`
	MaxMemoryClockHz  *int64   `json:"max_memory_clock_hz"`
	PowerLimitW       *float64 `json:"power_limit_w"`
	PersistenceMode   *bool    `json:"persistence_mode"`
	ComputeMode       *string  `json:"compute_mode"` // "default", "exclusive_thread", "prohibited", "exclusive_process"
	MIG               *bool    `json:"mig"`          // partitioned
	ECC               *bool    `json:"ecc"`          // memory with error correction, switched on
	NVLinks           []NVLink `json:"nvlinks"`      // the active ones
}

// NVLink is one active link of a GPU.
type NVLink struct {
	Link   int     `json:"link"`
	Remote *string `json:"remote"` // PCI bus id of the other end: a GPU, a switch, or a CPU's bridge
}

// State is what changes from moment to moment: read it before and after a measurement. nil: not known.
type State struct {
	PCIeGeneration  *int     `json:"pcie_generation"` // falls when the GPU is idle
	PCIeWidth       *int     `json:"pcie_width"`      // lanes
	SMClockHz       *int64   `json:"sm_clock_hz"`
	MemoryClockHz   *int64   `json:"memory_clock_hz"`
	ThrottleReasons []string `json:"throttle_reasons"` // nil: not known; empty: none
	TemperatureC    *int     `json:"temperature_c"`
	PowerW          *float64 `json:"power_w"`
	UtilizationPct  *int     `json:"utilization_pct"` // share of the last sample period with a kernel running
	MemoryUsedBytes *int64   `json:"memory_used_bytes"`
	Processes       *int     `json:"processes"` // that have a compute context on the GPU
}

// UnsupportedError says why NVML cannot be asked.
type UnsupportedError struct {
	Path   string // what was given to dlopen
	Reason string
}

// Error says what was looked for and what to do.
func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("nvml: no management library: %s: %s; it comes with NVIDIA's driver (or set %s to its absolute path)",
		e.Path, strings.TrimPrefix(e.Reason, e.Path+": "), LibraryEnv) // dlerror begins with the path, mostly
}

// Is makes errors.Is(err, errors.ErrUnsupported) true.
func (e *UnsupportedError) Is(target error) bool { return target == errors.ErrUnsupported }

// Error is a call that failed.
type Error struct {
	Call string // the C function
	Code int    // nvmlReturn_t
	Text string // the library's words
}

// Error names the call.
func (e *Error) Error() string { return fmt.Sprintf("%s: %s (%d)", e.Call, e.Text, e.Code) }

// Reasons why clocks are lower than they could be, as bits of NVML's mask (nvml.h, clocks event reasons).
var throttleReasons = []string{
	"gpu_idle", "applications_clocks_setting", "sw_power_cap", "hw_slowdown", "sync_boost", "sw_thermal_slowdown",
	"hw_thermal_slowdown", "hw_power_brake_slowdown", "display_clock_setting",
}

// reasons lists the bits of mask; a bit without a name is called "bit N".
func reasons(mask uint64) []string {
	list := []string{}
	for bit := range 64 {
		if mask>>bit&1 == 0 {
			continue
		}
		if bit < len(throttleReasons) {
			list = append(list, throttleReasons[bit])
		} else {
			list = append(list, fmt.Sprintf("bit %d", bit))
		}
	}
	return list
}

// Throttled reports whether reasons hold the clocks down against the device's will: heat or power, not idleness or a
// setting.
func (s State) Throttled() bool {
	for _, r := range s.ThrottleReasons {
		switch r {
		case "gpu_idle", "applications_clocks_setting", "sync_boost", "display_clock_setting":
		default:
			return true
		}
	}
	return false
}

var computeModes = []string{"default", "exclusive_thread", "prohibited", "exclusive_process"}
