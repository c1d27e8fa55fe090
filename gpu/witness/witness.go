// Package witness counts the copies that libraries (UCX, MPI) ask the CUDA driver for, real or emulated: what proves that
// a message went from device to device, or that the library took it through the host.
//
//	gpu.UseEmulated(...) or gpu.Count(gpu.CUDA)  // libcuda.so.1 is loaded
//	err := witness.Load(path)                    // libgpubench_witness.so stands before it
//	...                                          // only now MPI or UCX
//	witness.Arm(true)
//	before := witness.Read()
//	...                                          // messages
//	c := witness.Read().Sub(before)              // c.DeviceToDevice.Copies, c.ToHost.Bytes, ...
//
// gpubench's own copies go by a table of function pointers and are not counted. Neither are copies of a library that takes
// the driver's addresses by dlsym from a handle of its own (what is linked with the CUDA runtime, which does so).
package witness

/*
#cgo LDFLAGS: -ldl
#cgo CFLAGS: -O2 -Wall -D_GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include "lib/witness.h"

static void arm(void *f, int on) { ((void (*)(int))f)(on); }
static void counts(void *f, uint64_t *out, int n) { ((void (*)(uint64_t *, int))f)(out, n); }
static int abi(void *f) { return ((int (*)(void))f)(); }
static void *open_library(const char *path, int flags) { return dlopen(path, flags); }
static void *symbol(void *lib, const char *name) { return dlsym(lib, name); }
static void *first(const char *name) { return dlsym(RTLD_DEFAULT, name); }
*/
import "C"

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"
)

// Count is a number of copies and the bytes that they moved.
type Count struct{ Copies, Bytes uint64 }

// Counts is what was copied, by where from and where to. Managed memory counts as the device's. Undecided are copies
// between addresses of any kind (cuMemcpy, cuMemcpyAsync) while the witness is not armed.
type Counts struct{ DeviceToDevice, ToHost, ToDevice, HostToHost, Undecided Count }

func (c Count) sub(o Count) Count { return Count{c.Copies - o.Copies, c.Bytes - o.Bytes} }

// Sub is what was counted since o was read.
func (c Counts) Sub(o Counts) Counts {
	return Counts{c.DeviceToDevice.sub(o.DeviceToDevice), c.ToHost.sub(o.ToHost), c.ToDevice.sub(o.ToDevice),
		c.HostToHost.sub(o.HostToHost), c.Undecided.sub(o.Undecided)}
}

func (c Count) add(o Count) Count { return Count{c.Copies + o.Copies, c.Bytes + o.Bytes} }

// Add is the sum of two.
func (c Counts) Add(o Counts) Counts {
	return Counts{c.DeviceToDevice.add(o.DeviceToDevice), c.ToHost.add(o.ToHost), c.ToDevice.add(o.ToDevice),
		c.HostToHost.add(o.HostToHost), c.Undecided.add(o.Undecided)}
}

var (
	mu     sync.Mutex
	loaded atomic.Pointer[functions]
)

type functions struct{ arm, read unsafe.Pointer }

// probe is a function that the witness must be the first to have.
const probe = "cuMemcpyDtoDAsync_v2"

// Load puts the library at path, libgpubench_witness.so, before the driver for all libraries that are loaded later. It
// stays for good; a second call does nothing. The error is one line: the order was wrong, or the file is.
func Load(path string) error {
	mu.Lock()
	defer mu.Unlock()
	if loaded.Load() != nil {
		return nil
	}
	if !isLoaded("libcuda.so.1") {
		return fmt.Errorf("witness: no libcuda.so.1 is loaded in this process: the driver must come first")
	}
	if isLoaded("libuct_cuda.so.0") {
		return fmt.Errorf("witness: UCX's CUDA transports are loaded already and would not be seen: the witness must come before")
	}
	cpath := C.CString(path)
	defer C.free(unsafe.Pointer(cpath))
	lib := C.open_library(cpath, C.RTLD_NOW|C.RTLD_GLOBAL)
	if lib == nil {
		return fmt.Errorf("witness: %s: %s", path, strings.TrimPrefix(C.GoString(C.dlerror()), path+": "))
	}
	f, err := check(path, lib)
	if err != nil {
		C.dlclose(lib)
		return err
	}
	loaded.Store(f)
	return nil
}

func check(path string, lib unsafe.Pointer) (*functions, error) {
	abi := symbol(lib, "gpubench_witness_abi")
	if abi == nil {
		return nil, fmt.Errorf("witness: %s is not gpubench's witness", path)
	}
	if n := C.abi(abi); n != C.GPUBENCH_WITNESS_ABI {
		return nil, fmt.Errorf("witness: %s is of another build (number %d, this program needs %d): build both with scripts/build.sh",
			path, n, C.GPUBENCH_WITNESS_ABI)
	}
	name := C.CString(probe)
	defer C.free(unsafe.Pointer(name))
	if C.first(name) != symbol(lib, probe) {
		return nil, fmt.Errorf("witness: another library stands before it with %s and it would count nothing: unset LD_PRELOAD, "+
			"and do not link the program with libcuda", probe)
	}
	return &functions{symbol(lib, "gpubench_witness_arm"), symbol(lib, "gpubench_witness_read")}, nil
}

func symbol(lib unsafe.Pointer, name string) unsafe.Pointer {
	cname := C.CString(name)
	defer C.free(unsafe.Pointer(cname))
	return C.symbol(lib, cname)
}

func isLoaded(soname string) bool {
	name := C.CString(soname)
	defer C.free(unsafe.Pointer(name))
	h := C.open_library(name, C.RTLD_LAZY|C.RTLD_NOLOAD)
	if h == nil {
		return false
	}
	C.dlclose(h)
	return true
}

// Loaded reports whether Load has succeeded.
func Loaded() bool { return loaded.Load() != nil }

// Arm says whether copies between addresses of any kind are looked into, which asks the driver twice for each: for
// untimed messages. Without it they count as undecided. It does nothing where the witness is not loaded.
func Arm(on bool) {
	if f := loaded.Load(); f != nil {
		v := C.int(0)
		if on {
			v = 1
		}
		C.arm(f.arm, v)
	}
}

// Read is what was counted since Load, by all threads; zero where the witness is not loaded.
func Read() Counts {
	f := loaded.Load()
	if f == nil {
		return Counts{}
	}
	var n [2 * C.WITNESS_KINDS]C.uint64_t
	C.counts(f.read, &n[0], C.int(len(n)))
	of := func(kind int) Count { return Count{uint64(n[2*kind]), uint64(n[2*kind+1])} }
	return Counts{of(C.WITNESS_DEVICE_TO_DEVICE), of(C.WITNESS_TO_HOST), of(C.WITNESS_TO_DEVICE), of(C.WITNESS_HOST_TO_HOST),
		of(C.WITNESS_UNDECIDED)}
}
