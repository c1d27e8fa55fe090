package transport

import "syscall"

// yieldThread gives the core to another thread. runtime.Gosched would be the wrong tool: on a locked thread it parks the
// thread and wakes it again, which costs microseconds (measured: 7 µs a message instead of 35 ns).
func yieldThread() { syscall.RawSyscall(syscall.SYS_SCHED_YIELD, 0, 0, 0) }
