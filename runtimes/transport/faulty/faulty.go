// Package faulty wraps a transport's driver and spoils chosen messages: to show that what stands above notices.
package faulty

import (
	"gpubench/gpu"
	"gpubench/runtimes/transport"
)

// Env is the variable that names the faults.
const Env = "GPUBENCH_FAULT"

// Faults says what goes wrong, by message number.
type Faults struct {
	Device *gpu.Device // needed to flip bits of device memory
}

// Parse reads the value of GPUBENCH_FAULT.
func Parse(s string) (Faults, error) { panic("faulty: pending") }

// Empty reports whether nothing goes wrong.
func (f Faults) Empty() bool { panic("faulty: pending") }

// Wrap gives d's faulty twin.
func Wrap(d transport.Driver, f Faults) transport.Driver { panic("faulty: pending") }
