//go:build !linux

package machine

import (
	"errors"
	"fmt"
	"runtime"
)

func getAffinity(int) (CPUSet, error) {
	cpus := make([]int, runtime.NumCPU())
	for i := range cpus {
		cpus[i] = i
	}
	return NewCPUSet(cpus...), nil
}

// ThreadCPUs returns the machine's CPUs: this system does not tell more.
func ThreadCPUs() (CPUSet, error) { return getAffinity(0) }

// PinThread is not supported on this system.
func PinThread(cpus CPUSet) error {
	return fmt.Errorf("machine: pinning to CPUs %q: %w", cpus, errors.ErrUnsupported)
}
