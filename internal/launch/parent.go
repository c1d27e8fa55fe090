// Processes that end with the one that started them.

package launch

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// DieWithParent has the kernel send this process a signal (0: none) when the one that started it ends: a PE that spins
// in C would outlive its launcher for ever. The setting belongs to the calling thread, which must stay as long as the
// process; and the parent is the thread that started this process.
func DieWithParent(sig syscall.Signal) {
	parent := os.Getppid()
	_ = unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(sig), 0, 0, 0)
	if os.Getppid() != parent { // it ended just now
		os.Exit(1)
	}
}
