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
// The same C files, compiled with -DEMU_SHARED, are a libcuda.so.1 with the emulated instance, for UCX and MPI
// (cmake/Driver.cmake makes it, and a libnvidia-ml.so.1 of nvml/ beside it). Open takes it in the place of Driver's copy.
//
// What differs from the real driver: kernels are C bodies found by name; CUDA arrays, textures, memory pools of one's
// own, DMA-BUF, fabric handles and graphs with memory or event nodes are "not supported"; the nodes of a graph run one
// after the other; a copy from or to pageable memory returns when it is done; libcudart does not run on it.
package emulated

/*
#cgo CFLAGS: -std=gnu11 -O2 -Wall -Wextra
#cgo LDFLAGS: -lpthread -ldl
#include <stdlib.h>
#include "open.h"

static int add_to(struct emu_shared *s, const char *name, const char *kinds, int phases, gb_body body) {
	return s->add(name, kinds, phases, body);
}
static uint64_t calls_of(struct emu_shared *s, int driver, int i, const char **name) {
	return s ? s->calls(driver, i, name) : gpubench_emu_calls(driver, i, name);
}
static void alive_of(struct emu_shared *s, int driver, struct gpubench_emu_alive *a) {
	if (s)
		s->alive(driver, a);
	else
		gpubench_emu_alive(driver, a);
}
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

// Open loads the shared object at path, with the libnvidia-ml.so.1 beside it, and gives it all registered kernels. A
// process has one at most, and should not use Driver then: the two know nothing of each other's memory. The error says in
// one line what is wrong: no such file, no emulated driver, another build, another libcuda.so.1 in the process before it.
func Open(path string) (*cu.Driver, error) {
	kernels.Lock()
	defer kernels.Unlock()
	if shared.driver != nil {
		if path != shared.path {
			return nil, fmt.Errorf("emulated: %s: %s is open already, and a process has one at most", path, shared.path)
		}
		return shared.driver, nil
	}
	cpath := C.CString(path)
	defer C.free(unsafe.Pointer(cpath))
	var text [4400]C.char
	lib := (*C.struct_emu_shared)(C.calloc(1, C.sizeof_struct_emu_shared))
	if C.emu_open(cpath, lib, &text[0], C.size_t(len(text))) == 0 {
		C.free(unsafe.Pointer(lib))
		return nil, errors.New("emulated: " + C.GoString(&text[0]))
	}
	for _, k := range kernels.all {
		k.addTo(lib)
	}
	shared.lib, shared.path, shared.driver = lib, path, cu.NewDriver("emulated", unsafe.Pointer(&lib.table))
	return shared.driver, nil
}

// shared is the instance that Open made; under kernels' lock.
var shared struct {
	lib    *C.struct_emu_shared
	path   string
	driver *cu.Driver
}

// kernels are kept for an instance that is opened later.
var kernels struct {
	sync.Mutex
	all []kernel
}

type kernel struct {
	name, kinds string
	phases      int
	body        unsafe.Pointer
}

func (k kernel) addTo(lib *C.struct_emu_shared) {
	name, kinds := C.CString(k.name), C.CString(k.kinds)
	defer C.free(unsafe.Pointer(name))
	defer C.free(unsafe.Pointer(kinds))
	if C.add_to(lib, name, kinds, C.int(k.phases), C.gb_body(k.body)) != 0 {
		panic(fmt.Sprintf("emulated: the shared object refuses kernel %q", k.name))
	}
}

// RegisterKernel makes a kernel known by name to all drivers; a second registration replaces the body for modules
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
	kernels.Lock()
	defer kernels.Unlock()
	k := kernel{name, kinds, phases, body}
	kernels.all = append(kernels.all, k)
	if shared.lib != nil {
		k.addTo(shared.lib)
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

// place is where a driver's state is: in the shared object or not, and its number there. It panics for a driver that is
// not of this package.
func place(d *cu.Driver) (*C.struct_emu_shared, C.int) {
	kernels.Lock()
	defer kernels.Unlock()
	switch d {
	case shared.driver:
		return shared.lib, 0
	case Driver():
		return nil, 0
	case CPU():
		return nil, 1
	}
	panic("emulated: not a driver of this package: " + d.Name())
}

// Calls says how often each driver function was called on d (Driver, CPU or what Open gave) since the process began, by its symbol
// ("cuMemcpyDtoDAsync_v2"). Functions never called are left out.
func Calls(d *cu.Driver) map[string]uint64 {
	calls := make(map[string]uint64)
	var name *C.char
	lib, number := place(d)
	for i := 0; ; i++ {
		n := C.calls_of(lib, number, C.int(i), &name)
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

// Alive counts what is alive on d (Driver, CPU or what Open gave), for leak checks. A destroyed stream or event counts while work that
// it was given is unfinished.
func Alive(d *cu.Driver) Objects {
	var a C.struct_gpubench_emu_alive
	lib, number := place(d)
	C.alive_of(lib, number, &a)
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
