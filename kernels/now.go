// Kernels that the calling thread carries out itself, on `cpu`.
package kernels

/*
#cgo noescape gb_now
#cgo nocallback gb_now
#include <stdint.h>
struct gb_launch;
int gb_now(const uint64_t *args, void (*kernel)(const uint64_t *, const struct gb_launch *));
*/
import "C"

import (
	"unsafe"

	"gpubench/internal/leap"
)

// briefBytes is how much a kernel may read, write or compute to be called without cgo: some 50 µs of it, for which a stop of
// the world has to wait.
const briefBytes = 1 << 20

// work is about how many bytes iterations of each bytes work on; more than briefBytes of them are too many in any case.
func work(iterations, each int64) int64 { return min(iterations, briefBytes) * each }

// now carries out a kernel, whole: its parameters, and about how many bytes it works on. One that is short is called without
// cgo, which costs as much as a short task (package leap).
func (k *Set) now(kernel, args unsafe.Pointer, bytes int64) {
	if bytes <= briefBytes && k.stack != nil {
		k.stack.Call2(uintptr(unsafe.Pointer(C.gb_now)), args, kernel, 0, 0, 0, 0)
		return
	}
	C.gb_now((*C.uint64_t)(args), (*[0]byte)(kernel))
}

// prepareNow makes what short calls need, where they are allowed.
func (k *Set) prepareNow() (err error) {
	if leap.Allowed() {
		k.stack, err = leap.NewStack()
	}
	return err
}
