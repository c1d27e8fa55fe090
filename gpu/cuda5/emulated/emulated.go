// Package emulated is a CUDA driver carried out on the CPU, in C, in two
// instances: Driver, a test double with devices, asynchronous streams and
// addresses that the host cannot touch; and CPU, the same with open addresses,
// for real runs on the cores.
package emulated

import (
	"unsafe"

	"github.com/barnex/cuda5/cu"
)

// Driver is the emulated CUDA driver: a test double, never a performance figure.
func Driver() *cu.Driver { panic("emulated: not yet") }

// CPU is the driver with open addresses: device memory is host memory, copies
// and launches run on the calling thread and its team.
func CPU() *cu.Driver { panic("emulated: not yet") }

// RegisterKernel makes a kernel known by name to both drivers. kinds has one
// letter a parameter: p device pointer, i int64, d float64. body is a C
// function (gb_body in emulated.h) that computes its part of a phase.
func RegisterKernel(name, kinds string, phases int, body unsafe.Pointer) {}

// SetTeam sets how many threads a launch on the calling OS thread uses on the
// cpu driver. The thread must be locked.
func SetTeam(n int) {}

// CheckEnv says in one line what is wrong with the GPUBENCH_EMU_ variables and
// how to mend it, or nil.
func CheckEnv() error { return nil }

// Calls says how often each driver function was called on d (Driver or CPU)
// since the process began. Functions never called are left out.
func Calls(d *cu.Driver) map[string]uint64 { return nil }
