//go:build cgo

// Drivers: tables of functions, the one that is current on a thread, and the loader of the real one.

package cu

/*
#cgo CFLAGS: -O2 -Wall
#cgo LDFLAGS: -ldl
#include <stdlib.h>
#include "call.h"
*/
import "C"

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"unsafe"
)

// Driver is one implementation of the CUDA driver interface: the machine's, or an emulated one.
type Driver struct {
	name  string
	table *C.cu_table
}

var drivers struct {
	sync.Mutex
	byTable map[*C.cu_table]*Driver
	byPath  map[string]*Driver // loaded libraries
}

// NewDriver makes a driver of a table in C: table points to a cu_table (table.h) that is never freed nor changed.
// A function whose field is NULL is one that the driver does not support. The same table gives the same Driver.
func NewDriver(name string, table unsafe.Pointer) *Driver {
	if table == nil {
		panic("cu: NewDriver of a nil table")
	}
	drivers.Lock()
	defer drivers.Unlock()
	return register(name, (*C.cu_table)(table))
}

// register needs drivers locked.
func register(name string, t *C.cu_table) *Driver {
	if d := drivers.byTable[t]; d != nil {
		return d
	}
	d := &Driver{name: name, table: t}
	if drivers.byTable == nil {
		drivers.byTable = make(map[*C.cu_table]*Driver)
	}
	drivers.byTable[t] = d
	return d
}

// LoadCUDA loads the machine's driver, libcuda.so.1, or the library that GPUBENCH_LIBCUDA names by its absolute path.
// It is loaded once and never unloaded. The error is a *LoadError. LoadCUDA does not call cuInit.
func LoadCUDA() (*Driver, error) {
	path := os.Getenv(LibcudaEnv)
	if path == "" {
		return load(libcudaName)
	}
	if !filepath.IsAbs(path) {
		return nil, &LoadError{Path: path, Reason: LibcudaEnv + " is not an absolute path"}
	}
	return load(path)
}

func load(path string) (*Driver, error) {
	drivers.Lock()
	defer drivers.Unlock()
	if d := drivers.byPath[path]; d != nil {
		return d, nil
	}
	cpath := C.CString(path)
	defer C.free(unsafe.Pointer(cpath))
	const textLen, missingLen = 1024, 16384
	text := (*C.char)(C.malloc(textLen))
	defer C.free(unsafe.Pointer(text))
	missing := (*C.char)(C.malloc(missingLen))
	defer C.free(unsafe.Pointer(missing))

	table := (*C.cu_table)(C.calloc(1, C.sizeof_cu_table))
	if C.cu_load(cpath, table, text, textLen, missing, missingLen) == 0 {
		C.free(unsafe.Pointer(table))
		return nil, &LoadError{Path: path, Reason: C.GoString(text), Missing: strings.Fields(C.GoString(missing))}
	}
	d := register("cuda", table)
	if drivers.byPath == nil {
		drivers.byPath = make(map[string]*Driver)
	}
	drivers.byPath[path] = d
	return d, nil
}

// Name returns the driver's name: "cuda" for the machine's own, else what NewDriver was given.
func (d *Driver) Name() string { return d.name }

// String returns the driver's name.
func (d *Driver) String() string { return d.name }

// MakeCurrent makes d the driver that calls on this thread go to. The caller holds the thread with
// runtime.LockOSThread: a driver is current on a thread, as a context is, not on a goroutine.
func (d *Driver) MakeCurrent() { C.cu_make_current(d.table) }

// Current returns the calling thread's driver, nil where there is none.
func Current() *Driver {
	t := currentTable()
	if t == nil {
		return nil
	}
	drivers.Lock()
	defer drivers.Unlock()
	return drivers.byTable[t]
}

func currentTable() *C.cu_table { return (*C.cu_table)(C.cu_get_current()) }

// ClearCurrent leaves the calling thread without a driver; calls on it panic until the next MakeCurrent.
func ClearCurrent() { C.cu_make_current(nil) }

// Has reports whether the driver has a function, named as in table.def ("cuMemAllocAsync"). A call of one that it
// has not panics with ERROR_NOT_SUPPORTED. Has panics on a name that is not in table.def.
func (d *Driver) Has(function string) bool {
	for _, e := range entries(d.table) {
		if e.name == function {
			return e.present
		}
	}
	panic(fmt.Sprintf("cu: Has(%q): no such function in table.def", function))
}

type entry struct {
	name, symbol      string
	required, present bool
}

// entries lists table.def as it was compiled, with what t has; t may be nil.
func entries(t *C.cu_table) []entry {
	var list []entry
	var e C.cu_entry
	for i := 0; C.cu_entry_at(t, C.int(i), &e) != 0; i++ {
		list = append(list, entry{C.GoString(e.name), C.GoString(e.symbol), e.need == C.CU_REQUIRED, e.pointer != nil})
	}
	return list
}

// check panics with the result of a call that failed.
func check(r C.CUresult) {
	if r != C.CUDA_SUCCESS {
		fail(r)
	}
}

func fail(r C.CUresult) { panic(result(r)) }

// result turns a driver's answer into a Result; a call that reached no driver panics here.
func result(r C.CUresult) Result {
	if r == C.CU_NO_DRIVER {
		panic(noDriverMessage)
	}
	return Result(r)
}
