// Package gpu gives one code path to three drivers: `cuda` (real GPUs), `emulated` (the CUDA driver interface carried
// out on the CPU: a test double) and `cpu` (the same with host memory: real CPU runs).
//
// A Device is opened, bound to a locked OS thread and used from that thread only:
//
//	dev, err := gpu.Open(gpu.Emulated, 0, gpu.Options{})
//	defer dev.Close()          // says by call site what was not freed
//	err = dev.Bind()           // locks the OS thread; table of functions and primary context become current
//	defer dev.Unbind()
//	buf, err := dev.Alloc(gpu.OnDevice, 1<<20, gpu.DefaultPages)
//	defer buf.Free()
//
// What the world does wrong comes back as an error (*Error, *UnsupportedError, *PinError, *LeakError). What the
// program does wrong is a panic that begins "gpu: ": a call from a thread that the device is not bound to, a slice or
// copy out of bounds, a use after Free or Close.
//
// Nothing on the hot path (Copy, Fill, Launch, Record, Query) allocates.
package gpu

import "fmt"

// Driver names what stands behind the CUDA driver interface.
type Driver string

// The drivers. Only CUDA and CPU give performance figures; Emulated shows that a path works.
const (
	CUDA     Driver = "cuda"
	Emulated Driver = "emulated"
	CPU      Driver = "cpu"
)

// Drivers lists every driver, real GPUs first.
var Drivers = []Driver{CUDA, Emulated, CPU}

// ParseDriver is the inverse of string(d).
func ParseDriver(s string) (Driver, error) {
	for _, d := range Drivers {
		if string(d) == s {
			return d, nil
		}
	}
	return "", fmt.Errorf("gpu: no driver is called %q: want one of %v", s, Drivers)
}
