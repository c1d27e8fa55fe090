// Package leap calls a short C function in about 5 ns, where cgo takes about 25 (Go 1.26, one core of an EPYC 9005).
//
// cgo tells the scheduler that the thread is away, so that the call may last, and moves to the system stack. For a poll
// of MPI that lasts 30 ns and is made on the way of every message, that is a good part of the price of the message: at
// 8 B, Go's public Send and Recv took 1.49 times as long as MPI_Send and MPI_Recv in C, with this 1.24.
//
// A call moves the stack pointer to a stack of its own and calls. The scheduler does not know, so the thread counts as
// running Go code that cannot be interrupted:
//
//   - The function must be short (microseconds), since a stop of the world waits for it. It must not block, and never
//     call back into Go.
//   - The goroutine is locked to its thread, and one Stack serves one thread.
//   - A signal that arrives inside is handled as inside any C code: Go's handlers run on their own signal stack, and
//     asynchronous preemption leaves code alone that it does not know.
//   - A memory fault inside ends the process, as it does inside cgo, but without a traceback, and profiles do not show the
//     caller: for these, send the calls through cgo.
//
// Where there is no assembly for the machine Available is false, and callers go through cgo.
package leap

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"
)

// EnvShortCalls set to 0 sends every call through cgo: tracebacks and profiles then show what is called.
const EnvShortCalls = "GPUBENCH_SHORT_CALLS"

// Allowed reports whether calls work on this machine and the environment has nothing against them.
func Allowed() bool { return Available && os.Getenv(EnvShortCalls) != "0" }

// stackSize is what pthreads get by default; pages never used take no memory.
const stackSize = 8 << 20

// Stack is what a called function runs on.
type Stack struct{ top uintptr }

// NewStack maps a stack with a page without access rights below it. It is never unmapped.
func NewStack() (*Stack, error) {
	b, err := syscall.Mmap(-1, 0, stackSize, syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_PRIVATE|syscall.MAP_ANON|syscall.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("a stack of %d B: %w", stackSize, err)
	}
	if err := syscall.Mprotect(b[:syscall.Getpagesize()], syscall.PROT_NONE); err != nil {
		return nil, fmt.Errorf("a stack of %d B: %w", stackSize, err)
	}
	// 64 zeroed bytes stay above: an unwinder that looks there finds the end.
	return &Stack{top: uintptr(unsafe.Pointer(unsafe.SliceData(b))) + stackSize - 64}, nil
}
