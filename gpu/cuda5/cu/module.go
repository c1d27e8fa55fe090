//go:build cgo

// Modules: device code, loaded, and what is in it.

package cu

/*
#include <stdlib.h>
#include "call.h"
static cu_out go_module_load(const char *file) {
	CUmodule m = NULL;
	CUresult r = CALL(cuModuleLoad, &m, file);
	return (cu_out){r, (uintptr_t)m, 0};
}
static cu_out go_module_load_data(const void *image) {
	CUmodule m = NULL;
	CUresult r = CALL(cuModuleLoadData, &m, image);
	return (cu_out){r, (uintptr_t)m, 0};
}
static cu_out go_module_load_log(const void *image, char *log, size_t len) {
	CUmodule m = NULL;
	CUjit_option o[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
	void *v[] = {log, (void *)len};
	CUresult r = CALL(cuModuleLoadDataEx, &m, image, 2, o, v);
	return (cu_out){r, (uintptr_t)m, 0};
}
static CUresult go_module_unload(uintptr_t m) { return CALL(cuModuleUnload, (CUmodule)m); }
static cu_out go_module_function(uintptr_t m, const char *name) {
	CUfunction f = NULL;
	CUresult r = CALL(cuModuleGetFunction, &f, (CUmodule)m, name);
	return (cu_out){r, (uintptr_t)f, 0};
}
static cu_out go_module_global(uintptr_t m, const char *name) {
	CUdeviceptr p = 0;
	size_t n = 0;
	CUresult r = CALL(cuModuleGetGlobal, &p, &n, (CUmodule)m, name);
	return (cu_out){r, p, n};
}
*/
import "C"

import "unsafe"

// ModuleLoad loads a PTX, cubin or fatbin file into the current context.
func ModuleLoad(fname string) Module {
	s := C.CString(fname)
	defer C.free(unsafe.Pointer(s))
	o := C.go_module_load(s)
	check(o.r)
	return Module(o.a)
}

// ModuleLoadData loads a PTX, cubin or fatbin image into the current context. The driver gets a copy that ends with a
// zero byte, as PTX text must.
func ModuleLoadData(image string) Module {
	s := C.CString(image)
	defer C.free(unsafe.Pointer(s))
	o := C.go_module_load_data(unsafe.Pointer(s))
	check(o.r)
	return Module(o.a)
}

// ModuleLoadDataLog is ModuleLoadData for callers who report: it does not panic, and log is what the driver's
// compiler said about an image that it refused.
func ModuleLoadDataLog(image []byte) (m Module, log string, err Result) {
	const logLen = 8192
	s := (*C.char)(C.calloc(1, C.size_t(len(image)+1)))
	defer C.free(unsafe.Pointer(s))
	copy(unsafe.Slice((*byte)(unsafe.Pointer(s)), len(image)), image)
	text := (*C.char)(C.calloc(1, logLen))
	defer C.free(unsafe.Pointer(text))
	o := C.go_module_load_log(unsafe.Pointer(s), text, logLen-1)
	return Module(o.a), C.GoString(text), result(o.r)
}

// ModuleUnload unloads *module and sets it to 0; its functions and globals are gone.
func ModuleUnload(module *Module) {
	check(C.go_module_unload(C.uintptr_t(*module)))
	*module = 0
}

// Unload is ModuleUnload.
func (m *Module) Unload() { ModuleUnload(m) }

// ModuleGetFunction returns the kernel of that (C) name; ERROR_NOT_FOUND where there is none.
func ModuleGetFunction(module Module, name string) Function {
	s := C.CString(name)
	defer C.free(unsafe.Pointer(s))
	o := C.go_module_function(C.uintptr_t(module), s)
	check(o.r)
	return Function(o.a)
}

// GetFunction is ModuleGetFunction.
func (m Module) GetFunction(name string) Function { return ModuleGetFunction(m, name) }

// ModuleGetGlobal returns address and size in bytes of the module's global variable of that name.
func ModuleGetGlobal(module Module, name string) (ptr DevicePtr, bytes int64) {
	s := C.CString(name)
	defer C.free(unsafe.Pointer(s))
	o := C.go_module_global(C.uintptr_t(module), s)
	check(o.r)
	return DevicePtr(o.a), int64(o.b)
}
