//go:build cgo

// The library, loaded, and its calls by name. Most of them have one of five signatures: one C function each.

package nvml

/*
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdlib.h>
#include <stdint.h>

// Our own declarations (nvml.h of CUDA 12.9): an nvmlReturn_t is an int, 0 for success; a device is a pointer.
typedef void *device;
typedef struct { unsigned gpu, memory; } utilization;
typedef struct { unsigned long long total, free, used; } memory_info;
typedef struct {
	char bus_id_legacy[16];
	unsigned domain, bus, device, pci_device_id, pci_subsystem_id;
	char bus_id[32];
} pci_info;
_Static_assert(sizeof(pci_info) == 68, "nvmlPciInfo_t");
_Static_assert(sizeof(memory_info) == 24, "nvmlMemory_t");

typedef struct { int r; uint64_t a, b; } out;
typedef struct { int r; char text[128]; } text_out;

static int call0(void *f) { return ((int (*)(void))f)(); }
static out count(void *f) {
	unsigned v = 0;
	int r = ((int (*)(unsigned *))f)(&v);
	return (out){r, v, 0};
}
static out handle(void *f, unsigned i) {
	device d = NULL;
	int r = ((int (*)(unsigned, device *))f)(i, &d);
	return (out){r, (uintptr_t)d, 0};
}
static const char *error_text(void *f, int r) { return ((const char *(*)(int))f)(r); }
static text_out system_text(void *f) {
	text_out o = {0};
	o.r = ((int (*)(char *, unsigned))f)(o.text, sizeof o.text - 1);
	return o;
}
static text_out device_text(void *f, uintptr_t d) {
	text_out o = {0};
	o.r = ((int (*)(device, char *, unsigned))f)((device)d, o.text, sizeof o.text - 1);
	return o;
}
static out device_uint(void *f, uintptr_t d) {
	unsigned v = 0;
	int r = ((int (*)(device, unsigned *))f)((device)d, &v);
	return (out){r, v, 0};
}
static out device_uint_of(void *f, uintptr_t d, unsigned which) {
	unsigned v = 0;
	int r = ((int (*)(device, unsigned, unsigned *))f)((device)d, which, &v);
	return (out){r, v, 0};
}
static out device_two(void *f, uintptr_t d) {
	unsigned a = 0, b = 0;
	int r = ((int (*)(device, unsigned *, unsigned *))f)((device)d, &a, &b);
	return (out){r, a, b};
}
static out device_mask(void *f, uintptr_t d) {
	unsigned long long v = 0;
	int r = ((int (*)(device, unsigned long long *))f)((device)d, &v);
	return (out){r, v, 0};
}
static out device_memory(void *f, uintptr_t d) {
	memory_info m = {0};
	int r = ((int (*)(device, memory_info *))f)((device)d, &m);
	return (out){r, m.total, m.used};
}
static out device_utilization(void *f, uintptr_t d) {
	utilization u = {0};
	int r = ((int (*)(device, utilization *))f)((device)d, &u);
	return (out){r, u.gpu, u.memory};
}
// With no room for the list the answer is NVML_ERROR_INSUFFICIENT_SIZE (7) and the number; none is success.
static out device_processes(void *f, uintptr_t d) {
	unsigned n = 0;
	int r = ((int (*)(device, unsigned *, void *))f)((device)d, &n, NULL);
	return (out){r == 7 ? 0 : r, n, 0};
}
static text_out device_pci(void *f, uintptr_t d) {
	text_out o = {0};
	pci_info p = {0};
	o.r = ((int (*)(device, pci_info *))f)((device)d, &p);
	for (unsigned i = 0; i < sizeof p.bus_id - 1; i++)
		o.text[i] = p.bus_id[i];
	return o;
}
static text_out link_pci(void *f, uintptr_t d, unsigned link) {
	text_out o = {0};
	pci_info p = {0};
	o.r = ((int (*)(device, unsigned, pci_info *))f)((device)d, link, &p);
	for (unsigned i = 0; i < sizeof p.bus_id - 1; i++)
		o.text[i] = p.bus_id[i];
	return o;
}
*/
import "C"

import (
	"os"
	"path/filepath"
	"sync"
	"unsafe"
)

// Library is the loaded management library. Its methods may be called from any goroutine.
type Library struct {
	path    string
	handle  unsafe.Pointer
	mu      sync.Mutex
	symbols map[string]unsafe.Pointer // nil pointers too: looked up once
	devices map[string]C.uintptr_t    // by UUID
}

// Open loads and initializes the library. The error is an *UnsupportedError where there is none, or where it finds no
// driver to talk to.
func Open() (*Library, error) {
	path := os.Getenv(LibraryEnv)
	if path == "" {
		return open(libraryName)
	}
	if !filepath.IsAbs(path) {
		return nil, &UnsupportedError{path, LibraryEnv + " is not an absolute path"}
	}
	return open(path)
}

func open(path string) (*Library, error) {
	cpath := C.CString(path)
	defer C.free(unsafe.Pointer(cpath))
	handle := C.dlopen(cpath, C.RTLD_NOW|C.RTLD_LOCAL)
	if handle == nil {
		return nil, &UnsupportedError{path, C.GoString(C.dlerror())}
	}
	l := &Library{path: path, handle: handle, symbols: make(map[string]unsafe.Pointer), devices: make(map[string]C.uintptr_t)}
	for _, name := range []string{"nvmlInit_v2", "nvmlShutdown", "nvmlDeviceGetCount_v2", "nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetUUID"} {
		if l.symbol(name) == nil {
			C.dlclose(handle)
			return nil, &UnsupportedError{path, "it lacks " + name}
		}
	}
	if err := l.error("nvmlInit_v2", C.call0(l.symbol("nvmlInit_v2"))); err != nil {
		C.dlclose(handle)
		return nil, &UnsupportedError{path, err.Error()}
	}
	return l, nil
}

// Close shuts the library down; it is not to be used after that. It stays mapped: other libraries may hold it.
func (l *Library) Close() error {
	return l.error("nvmlShutdown", C.call0(l.symbol("nvmlShutdown")))
}

func (l *Library) symbol(name string) unsafe.Pointer {
	l.mu.Lock()
	defer l.mu.Unlock()
	p, ok := l.symbols[name]
	if !ok {
		cname := C.CString(name)
		defer C.free(unsafe.Pointer(cname))
		p = C.dlsym(l.handle, cname)
		l.symbols[name] = p
	}
	return p
}

func (l *Library) error(call string, r C.int) error {
	if r == 0 {
		return nil
	}
	text := "unknown error"
	if f := l.symbol("nvmlErrorString"); f != nil {
		text = C.GoString(C.error_text(f, r))
	}
	return &Error{call, int(r), text}
}

// Versions returns the versions of the kernel's driver and of the library, "" for what is not known.
func (l *Library) Versions() (driver, library string) {
	for _, v := range []struct {
		call string
		text *string
	}{{"nvmlSystemGetDriverVersion", &driver}, {"nvmlSystemGetNVMLVersion", &library}} {
		if f := l.symbol(v.call); f != nil {
			if o := C.system_text(f); o.r == 0 {
				*v.text = C.GoString(&o.text[0])
			}
		}
	}
	return driver, library
}

// The questions below return nil where the library lacks the function or the device the answer.

func (l *Library) text(call string, d C.uintptr_t) *string {
	f := l.symbol(call)
	if f == nil {
		return nil
	}
	return textOf(C.device_text(f, d))
}

func textOf(o C.text_out) *string {
	if o.r != 0 {
		return nil
	}
	s := C.GoString(&o.text[0])
	return &s
}

func (l *Library) number(call string, d C.uintptr_t) *int {
	f := l.symbol(call)
	if f == nil {
		return nil
	}
	return first(C.device_uint(f, d))
}

// numberOf asks about one of several: a clock, a sensor, a link.
func (l *Library) numberOf(call string, d C.uintptr_t, which uint) *int {
	f := l.symbol(call)
	if f == nil {
		return nil
	}
	return first(C.device_uint_of(f, d, C.uint(which)))
}

func first(o C.out) *int {
	if o.r != 0 {
		return nil
	}
	v := int(o.a)
	return &v
}

func (l *Library) count() (int, error) {
	o := C.count(l.symbol("nvmlDeviceGetCount_v2"))
	return int(o.a), l.error("nvmlDeviceGetCount_v2", o.r)
}

func (l *Library) byIndex(i int) (C.uintptr_t, error) {
	o := C.handle(l.symbol("nvmlDeviceGetHandleByIndex_v2"), C.uint(i))
	return C.uintptr_t(o.a), l.error("nvmlDeviceGetHandleByIndex_v2", o.r)
}

func (l *Library) uuid(d C.uintptr_t) (string, error) {
	o := C.device_text(l.symbol("nvmlDeviceGetUUID"), d)
	return C.GoString(&o.text[0]), l.error("nvmlDeviceGetUUID", o.r)
}

func (l *Library) pci(d C.uintptr_t) *string {
	f := l.symbol("nvmlDeviceGetPciInfo_v3")
	if f == nil {
		return nil
	}
	return textOf(C.device_pci(f, d))
}

func (l *Library) linkPCI(d C.uintptr_t, link uint) *string {
	f := l.symbol("nvmlDeviceGetNvLinkRemotePciInfo_v2")
	if f == nil {
		return nil
	}
	return textOf(C.link_pci(f, d, C.uint(link)))
}

// mode asks for one that has a present and a pending state; the present one counts.
func (l *Library) mode(call string, d C.uintptr_t) *int {
	f := l.symbol(call)
	if f == nil {
		return nil
	}
	return first(C.device_two(f, d))
}

func (l *Library) memory(d C.uintptr_t) (total, used *int64) {
	f := l.symbol("nvmlDeviceGetMemoryInfo")
	if f == nil {
		return nil, nil
	}
	o := C.device_memory(f, d)
	if o.r != 0 {
		return nil, nil
	}
	t, u := int64(o.a), int64(o.b)
	return &t, &u
}

func (l *Library) utilization(d C.uintptr_t) *int {
	f := l.symbol("nvmlDeviceGetUtilizationRates")
	if f == nil {
		return nil
	}
	return first(C.device_utilization(f, d))
}

func (l *Library) processes(d C.uintptr_t) *int {
	for _, call := range []string{"nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetComputeRunningProcesses_v2", "nvmlDeviceGetComputeRunningProcesses"} {
		if f := l.symbol(call); f != nil {
			return first(C.device_processes(f, d))
		}
	}
	return nil
}

// throttle asks under the newer name first.
func (l *Library) throttle(d C.uintptr_t) []string {
	for _, call := range []string{"nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons"} {
		if f := l.symbol(call); f != nil {
			if o := C.device_mask(f, d); o.r == 0 {
				return reasons(uint64(o.a))
			}
		}
	}
	return nil
}
