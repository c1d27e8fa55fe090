//go:build cgo

// Page-locked host memory, and managed memory that host and device share.

package cu

/*
#include "call.h"
static cu_out go_host_alloc_plain(size_t n) {
	void *p = NULL;
	CUresult r = CALL(cuMemAllocHost, &p, n);
	return (cu_out){r, (uintptr_t)p, 0};
}
static cu_out go_host_alloc(size_t n, unsigned flags) {
	void *p = NULL;
	CUresult r = CALL(cuMemHostAlloc, &p, n, flags);
	return (cu_out){r, (uintptr_t)p, 0};
}
static CUresult go_host_free(void *p) { return CALL(cuMemFreeHost, p); }
static CUresult go_host_register(void *p, size_t n, unsigned flags) { return CALL(cuMemHostRegister, p, n, flags); }
static CUresult go_host_unregister(void *p) { return CALL(cuMemHostUnregister, p); }
static cu_out go_host_device_pointer(void *p) {
	CUdeviceptr d = 0;
	CUresult r = CALL(cuMemHostGetDevicePointer, &d, p, 0);
	return (cu_out){r, d, 0};
}
static cu_out go_host_flags(void *p) {
	unsigned v = 0;
	CUresult r = CALL(cuMemHostGetFlags, &v, p);
	return (cu_out){r, v, 0};
}
static cu_out go_managed_alloc(size_t n, unsigned flags) {
	CUdeviceptr p = 0;
	CUresult r = CALL(cuMemAllocManaged, &p, n, flags);
	return (cu_out){r, p, 0};
}
static CUresult go_prefetch(CUdeviceptr p, size_t n, CUdevice d, uintptr_t s) {
	return CALL(cuMemPrefetchAsync, p, n, d, (CUstream)s);
}
static CUresult go_advise(CUdeviceptr p, size_t n, CUmem_advise a, CUdevice d) {
	return CALL(cuMemAdvise, p, n, a, d);
}
static cu_out go_range_attribute(CUmem_range_attribute a, CUdeviceptr p, size_t n) {
	int32_t v = 0;
	CUresult r = CALL(cuMemRangeGetAttribute, &v, sizeof v, a, p, n);
	return (cu_out){r, (uint64_t)v, 0};
}
*/
import "C"

import "unsafe"

// pointer turns an address that C gave into a pointer, by way of memory: the memory is C's, out of the collector's
// sight, so that the rule which vet holds for uintptr does not concern it.
func pointer(address C.uint64_t) unsafe.Pointer {
	return *(*unsafe.Pointer)(unsafe.Pointer(&address))
}

// MemAllocHost allocates bytes of page-locked host memory.
func MemAllocHost(bytes int64) unsafe.Pointer {
	o := C.go_host_alloc_plain(C.size_t(bytes))
	check(o.r)
	return pointer(o.a)
}

// MemHostAlloc allocates bytes of page-locked host memory with flags MEMHOSTALLOC_... .
func MemHostAlloc(bytes int64, flags uint) unsafe.Pointer {
	o := C.go_host_alloc(C.size_t(bytes), C.uint(flags))
	check(o.r)
	return pointer(o.a)
}

// MemFreeHost frees what MemAllocHost or MemHostAlloc gave.
func MemFreeHost(ptr unsafe.Pointer) { check(C.go_host_free(ptr)) }

// MemHostRegister locks pages of memory that is already there, so that it serves as page-locked memory.
func MemHostRegister(ptr unsafe.Pointer, bytes int64, flags MemHostRegisterFlag) {
	check(C.go_host_register(ptr, C.size_t(bytes), C.uint(flags)))
}

// MemHostUnregister takes MemHostRegister back; ptr is the address that was registered.
func MemHostUnregister(ptr unsafe.Pointer) { check(C.go_host_unregister(ptr)) }

// MemHostGetDevicePointer returns the address under which kernels see page-locked memory.
func MemHostGetDevicePointer(ptr unsafe.Pointer) DevicePtr {
	o := C.go_host_device_pointer(ptr)
	check(o.r)
	return DevicePtr(o.a)
}

// MemHostGetFlags returns the flags that page-locked memory was allocated with.
func MemHostGetFlags(ptr unsafe.Pointer) uint {
	o := C.go_host_flags(ptr)
	check(o.r)
	return uint(o.a)
}

// MemAllocManaged allocates bytes that host and device see under one address; flags: MEM_ATTACH_... .
func MemAllocManaged(bytes int64, flags uint) DevicePtr {
	o := C.go_managed_alloc(C.size_t(bytes), C.uint(flags))
	check(o.r)
	return DevicePtr(o.a)
}

// MemPrefetchAsync moves managed memory to a device, or to the host (DeviceCPU), in stream order.
func MemPrefetchAsync(ptr DevicePtr, bytes int64, dev Device, stream Stream) {
	check(C.go_prefetch(C.CUdeviceptr(ptr), C.size_t(bytes), C.CUdevice(dev), C.uintptr_t(stream)))
}

// MemAdvise tells the driver how managed memory will be used by dev (DeviceCPU: the host).
func MemAdvise(ptr DevicePtr, bytes int64, advice MemAdvice, dev Device) {
	check(C.go_advise(C.CUdeviceptr(ptr), C.size_t(bytes), C.CUmem_advise(advice), C.CUdevice(dev)))
}

// MemRangeGetAttribute returns an attribute of a range of managed memory: 0 or 1, or a device (-1: the host, -2: none
// or not the same for the whole range).
func MemRangeGetAttribute(attrib MemRangeAttribute, ptr DevicePtr, bytes int64) int {
	o := C.go_range_attribute(C.CUmem_range_attribute(attrib), C.CUdeviceptr(ptr), C.size_t(bytes))
	check(o.r)
	return int(int32(o.a))
}
