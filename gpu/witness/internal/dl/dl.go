// Package dl opens shared libraries as other libraries do, for tests, which cannot use cgo themselves.
package dl

/*
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>

static uint64_t call(void *f, uint64_t a, uint64_t b, uint64_t c) {
	return ((uint64_t (*)(uint64_t, uint64_t, uint64_t))f)(a, b, c);
}
*/
import "C"

import (
	"errors"
	"fmt"
	"unsafe"
)

// Library is open for good.
type Library struct{ handle unsafe.Pointer }

// Open opens a library with its names to itself, or for all that are loaded later.
func Open(path string, global bool) (Library, error) {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	flags := C.int(C.RTLD_NOW | C.RTLD_LOCAL)
	if global {
		flags = C.RTLD_NOW | C.RTLD_GLOBAL
	}
	h := C.dlopen(name, flags)
	if h == nil {
		return Library{}, errors.New(C.GoString(C.dlerror()))
	}
	return Library{h}, nil
}

// Call calls a function of up to three integers or addresses.
func (l Library) Call(name string, args ...uint64) uint64 {
	cname := C.CString(name)
	defer C.free(unsafe.Pointer(cname))
	f := C.dlsym(l.handle, cname)
	if f == nil || len(args) > 3 {
		panic(fmt.Sprintf("dl: Call(%q, %d arguments)", name, len(args)))
	}
	var a [3]uint64
	copy(a[:], args)
	return uint64(C.call(f, C.uint64_t(a[0]), C.uint64_t(a[1]), C.uint64_t(a[2])))
}
