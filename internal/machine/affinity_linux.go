// Which CPUs a thread may run on: asked of the kernel, and set.

package machine

import (
	"fmt"
	"syscall"
	"unsafe"
)

type mask [(maxCPU + 1) / 64]uint64

func getAffinity(tid int) (CPUSet, error) {
	var m mask
	n, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_GETAFFINITY, uintptr(tid), unsafe.Sizeof(m), uintptr(unsafe.Pointer(&m)))
	if errno != 0 {
		return CPUSet{}, fmt.Errorf("machine: sched_getaffinity: %w", errno)
	}
	return trimmed(append([]uint64(nil), m[:(n+7)/8]...)), nil
}

// ThreadCPUs returns the CPUs that the calling thread may run on.
func ThreadCPUs() (CPUSet, error) { return getAffinity(0) }

// PinThread lets the calling thread run on those CPUs alone. The caller holds the thread (runtime.LockOSThread);
// threads that it starts afterwards inherit the set.
func PinThread(cpus CPUSet) error {
	var m mask
	copy(m[:], cpus.words)
	_, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, 0, unsafe.Sizeof(m), uintptr(unsafe.Pointer(&m)))
	if errno != 0 {
		return fmt.Errorf("machine: sched_setaffinity to CPUs %q: %w", cpus, errno)
	}
	return nil
}
