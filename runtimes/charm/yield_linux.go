package charm

import "syscall"

// yieldThread gives the core to another thread of the machine. runtime.Gosched would park and wake the locked thread,
// which costs microseconds.
func yieldThread() { syscall.RawSyscall(syscall.SYS_SCHED_YIELD, 0, 0, 0) }
