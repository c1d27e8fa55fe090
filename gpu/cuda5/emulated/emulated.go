//go:build cgo

// Package emulated is a CUDA driver carried out on the CPU, in C, in two instances.
//
// Driver is a test double: devices (two, or as many as GPUBENCH_EMU_DEVICES says), streams that keep order and run beside
// the caller, events with times, graphs, peers, memory that other processes can map, errors that stick, and faults that
// the environment injects (Variables lists them). Device addresses lie in a range without access rights, so a host that
// touches one crashes, as with a GPU; the bytes lie at a constant distance, and a launch translates those kernel
// parameters that were declared as device pointers. It shows that code works, never how fast it is.
//
// CPU is the same with open addresses: device memory is host memory, and copies and launches run at once on the calling
// thread, launches with a team of threads (SetTeam). These are real runs on the cores.
//
// The same C files, compiled with -DEMU_SHARED, are a libcuda.so.1 with the emulated instance, for UCX and MPI:
//
//	cc -std=gnu11 -O2 -fPIC -shared -fcf-protection=none -DEMU_SHARED -Wl,-soname,libcuda.so.1 -o libcuda.so.1 *.c -lpthread
//
// What differs from the real driver: kernels are C bodies found by name; CUDA arrays, textures, memory pools of one's
// own, DMA-BUF, fabric handles and graphs with memory or event nodes are "not supported"; the nodes of a graph run one
// after the other; a copy from or to pageable memory returns when it is done; libcudart does not run on it.
package emulated

/*
#cgo CFLAGS: -std=gnu11 -O2 -Wall -Wextra
#cgo LDFLAGS: -lpthread
#include <stdlib.h>
#include "emu.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"sync"
	"unsafe"

	"github.com/barnex/cuda5/cu"
)

var (
	driver = sync.OnceValue(func() *cu.Driver { return cu.NewDriver("emulated", unsafe.Pointer(C.emu_table(0))) })
	cpu    = sync.OnceValue(func() *cu.Driver { return cu.NewDriver("cpu", unsafe.Pointer(C.emu_table(1))) })
)

// Driver is the emulated CUDA driver: a test double, never a performance figure.
func Driver() *cu.Driver { return driver() }

// CPU is the driver with open addresses: device memory is host memory, copies and launches run on the calling thread and
// its team. It has one device, the host.
func CPU() *cu.Driver { return cpu() }

// RegisterKernel makes a kernel known by name to both drivers; a second registration replaces the body for modules
// loaded afterwards. kinds has one letter a parameter: p device pointer, i int64, d float64; each parameter is 8 bytes.
// body is a C function of type gb_body (emulated.h), called once a phase and part. It panics on a bad description.
func RegisterKernel(name, kinds string, phases int, body unsafe.Pointer) {
	cname, ckinds := C.CString(name), C.CString(kinds)
	defer C.free(unsafe.Pointer(cname))
	defer C.free(unsafe.Pointer(ckinds))
	if C.gpubench_emu_register(cname, ckinds, C.int(phases), C.gb_body(body)) != 0 {
		panic(fmt.Sprintf("emulated: RegisterKernel(%q, %q, %d): want a name, at most %d kinds of p, i and d, phases from 1 and a body",
			name, kinds, phases, C.EMU_MAX_ARGS))
	}
}

// SetTeam sets how many threads a launch on the calling OS thread uses on the cpu driver, itself among them; 1 at first.
// The caller holds its thread with runtime.LockOSThread. Fewer are used where the system gives fewer.
func SetTeam(n int) { C.gpubench_emu_set_team(C.int(n)) }

// CheckEnv says in one line what is wrong with the GPUBENCH_EMU_ variables and how to mend it, or returns nil. The
// drivers themselves read the variables once, in cuInit, which fails on wrong ones.
func CheckEnv() error {
	var text [512]C.char
	if C.gpubench_emu_check(&text[0], C.size_t(len(text))) != 0 {
		return errors.New(C.GoString(&text[0]))
	}
	return nil
}

// Variable is one of the environment variables that shape the drivers: its name, the form of its value, what it does.
type Variable struct{ Name, Form, Does string }

// Variables lists the environment variables that the drivers read, beside CUDA_VISIBLE_DEVICES.
func Variables() []Variable {
	var list []Variable
	var name, form, what *C.char
	for i := 0; C.gpubench_emu_variable(C.int(i), &name, &form, &what) != 0; i++ {
		list = append(list, Variable{C.GoString(name), C.GoString(form), C.GoString(what)})
	}
	return list
}

// index is the number of a driver in C; it panics for a driver that is not of this package.
func index(d *cu.Driver) C.int {
	switch d {
	case Driver():
		return 0
	case CPU():
		return 1
	}
	panic("emulated: not a driver of this package: " + d.Name())
}

// Calls says how often each driver function was called on d (Driver or CPU) since the process began, by its symbol
// ("cuMemcpyDtoDAsync_v2"). Functions never called are left out.
func Calls(d *cu.Driver) map[string]uint64 {
	calls := make(map[string]uint64)
	var name *C.char
	for i := 0; ; i++ {
		n := C.gpubench_emu_calls(index(d), C.int(i), &name)
		if name == nil {
			return calls
		}
		if n > 0 {
			calls[C.GoString(name)] = uint64(n)
		}
	}
}

// Objects counts what is alive on a driver. Contexts include primary ones that were ever retained; Workers are threads
// of streams.
type Objects struct {
	DeviceBytes, Allocations, Chunks, HostRanges                        uint64
	Streams, Events, Graphs, Execs, Modules, Contexts, Workers, Handles uint64
}

// Alive counts what is alive on d (Driver or CPU), for leak checks. A destroyed stream or event counts while work that
// it was given is unfinished.
func Alive(d *cu.Driver) Objects {
	var a C.struct_gpubench_emu_alive
	C.gpubench_emu_alive(index(d), &a)
	return Objects{
		DeviceBytes: uint64(a.device_bytes), Allocations: uint64(a.allocations), Chunks: uint64(a.chunks),
		HostRanges: uint64(a.host_ranges), Streams: uint64(a.streams), Events: uint64(a.events),
		Graphs: uint64(a.graphs), Execs: uint64(a.execs), Modules: uint64(a.modules),
		Contexts: uint64(a.contexts), Workers: uint64(a.workers), Handles: uint64(a.handles),
	}
}

// missing lists functions of cu's table that are not emulated.
func missing() []string {
	var list []string
	for i := 0; ; i++ {
		s := C.emu_missing(C.int(i))
		if s == nil {
			return list
		}
		list = append(list, C.GoString(s))
	}
}
