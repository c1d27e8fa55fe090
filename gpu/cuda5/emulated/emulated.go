//go:build cgo

// Package emulated is a CUDA driver carried out on the CPU, in C, in two instances. Driver is a test double: devices,
// asynchronous streams, addresses that the host cannot touch, faults on demand. CPU is the same code with open
// addresses, for real runs on the cores: device memory is host memory, work runs on the calling thread and its team.
//
// Kernels are C functions that are registered by name (RegisterKernel); cuModuleLoadData takes any image that a CUDA
// driver would look at, and cuModuleGetFunction finds the body of that name. The environment variables that shape the
// devices and inject faults are listed by Variables.
package emulated

/*
#cgo CFLAGS: -std=gnu11 -O2 -Wall -Wextra -fno-strict-aliasing -I${SRCDIR}/../cu
#cgo LDFLAGS: -lpthread
#include <stdlib.h>
#include "emulated.h"
const void *gpubench_emu_table(int driver);
*/
import "C"

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/barnex/cuda5/cu"
)

const (
	indexEmulated = 0
	indexCPU      = 1
)

// Driver is the emulated CUDA driver: a test double, never a performance figure.
func Driver() *cu.Driver { return cu.NewDriver("emulated", C.gpubench_emu_table(indexEmulated)) }

// CPU is the driver with open addresses: one device, the host's own memory and cores.
func CPU() *cu.Driver { return cu.NewDriver("cpu", C.gpubench_emu_table(indexCPU)) }

// RegisterKernel makes a kernel known by name to both drivers. kinds has one letter a parameter, each of which is 8
// bytes: p device pointer, i int64, d float64. body is a C function (gb_body in emulated.h) that computes its part of
// a phase; a join of all parts stands between phases. A name registered again gets the new body. It panics on a letter
// that it does not know and on fewer than 1 phase.
func RegisterKernel(name, kinds string, phases int, body unsafe.Pointer) {
	n, k := C.CString(name), C.CString(kinds)
	defer C.free(unsafe.Pointer(n))
	defer C.free(unsafe.Pointer(k))
	if C.gpubench_emu_register(n, k, C.int(phases), C.gb_body(body)) != 0 {
		panic(fmt.Sprintf("emulated: kernel %q cannot be registered with parameters %q, %d phases", name, kinds, phases))
	}
}

// SetTeam sets how many threads a launch on the calling OS thread uses on the cpu driver, this thread among them (1 at
// first). The thread must be locked. It returns the number in force, which is smaller where threads could not be had.
// New threads inherit the calling thread's CPU affinity.
func SetTeam(n int) int { return int(C.gpubench_emu_set_team(C.int(min(max(n, 1), 1<<16)))) }

// CheckEnv says in one line what is wrong with the GPUBENCH_EMU_ variables and how to mend it, or nil.
func CheckEnv() error {
	var text [512]C.char
	if C.gpubench_emu_check(&text[0], C.size_t(len(text))) == 0 {
		return nil
	}
	return errors.New(C.GoString(&text[0]))
}

// A Variable is an environment variable that the emulated driver reads.
type Variable struct {
	Name, Form, What string
}

// Variables lists the GPUBENCH_EMU_ variables.
func Variables() []Variable {
	var list []Variable
	var name, form, what *C.char
	for i := C.int(0); C.gpubench_emu_variable(i, &name, &form, &what) != 0; i++ {
		list = append(list, Variable{C.GoString(name), C.GoString(form), C.GoString(what)})
	}
	return list
}

// index returns the number of one of the two drivers.
func index(d *cu.Driver) C.int {
	switch d {
	case Driver():
		return indexEmulated
	case CPU():
		return indexCPU
	}
	panic("emulated: not a driver of this package")
}

// Calls says how often each driver function was called on d (Driver or CPU) since the process began, by symbol.
// Functions never called are left out.
func Calls(d *cu.Driver) map[string]uint64 {
	which := index(d)
	calls := make(map[string]uint64)
	for i := C.int(0); ; i++ {
		var name *C.char
		n := C.gpubench_emu_calls(which, i, &name)
		if name == nil {
			return calls
		}
		if n != 0 {
			calls[C.GoString(name)] = uint64(n)
		}
	}
}

// Alive counts what exists on a driver, for leak tests.
type Alive struct {
	DeviceBytes, Allocations, Chunks, HostRanges, Streams, Events, Graphs, Execs, Modules, Contexts, Workers uint64
}

// Count returns what exists on d (Driver or CPU).
func Count(d *cu.Driver) Alive {
	var a C.struct_gpubench_emu_alive
	C.gpubench_emu_alive(index(d), &a)
	return Alive{uint64(a.device_bytes), uint64(a.allocations), uint64(a.chunks), uint64(a.host_ranges), uint64(a.streams),
		uint64(a.events), uint64(a.graphs), uint64(a.execs), uint64(a.modules), uint64(a.contexts), uint64(a.workers)}
}
