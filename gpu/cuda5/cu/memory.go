//go:build cgo

// Memory of the device, and what an address belongs to.

package cu

/*
#include "call.h"
static cu_out go_mem_alloc(size_t n) {
	CUdeviceptr p = 0;
	CUresult r = CALL(cuMemAlloc, &p, n);
	return (cu_out){r, p, 0};
}
static cu_out go_mem_alloc_pitch(size_t width, size_t height, unsigned element) {
	CUdeviceptr p = 0;
	size_t pitch = 0;
	CUresult r = CALL(cuMemAllocPitch, &p, &pitch, width, height, element);
	return (cu_out){r, p, pitch};
}
static cu_out go_mem_alloc_async(size_t n, uintptr_t s) {
	CUdeviceptr p = 0;
	CUresult r = CALL(cuMemAllocAsync, &p, n, (CUstream)s);
	return (cu_out){r, p, 0};
}
static CUresult go_mem_free(CUdeviceptr p) { return CALL(cuMemFree, p); }
static CUresult go_mem_free_async(CUdeviceptr p, uintptr_t s) { return CALL(cuMemFreeAsync, p, (CUstream)s); }
static cu_out go_mem_info(void) {
	size_t free = 0, total = 0;
	CUresult r = CALL(cuMemGetInfo, &free, &total);
	return (cu_out){r, free, total};
}
static cu_out go_mem_range(CUdeviceptr p) {
	CUdeviceptr base = 0;
	size_t n = 0;
	CUresult r = CALL(cuMemGetAddressRange, &base, &n, p);
	return (cu_out){r, n, base};
}
static cu_out go_pool_default(CUdevice d) {
	CUmemoryPool p = NULL;
	CUresult r = CALL(cuDeviceGetDefaultMemPool, &p, d);
	return (cu_out){r, (uintptr_t)p, 0};
}
static CUresult go_pool_trim(uintptr_t p, size_t keep) { return CALL(cuMemPoolTrimTo, (CUmemoryPool)p, keep); }
// Attributes are int for the three reuse flags, cuuint64_t for the rest; little-endian, so one 8-byte value does.
static cu_out go_pool_get(uintptr_t p, CUmemPool_attribute a) {
	uint64_t v = 0;
	CUresult r = CALL(cuMemPoolGetAttribute, (CUmemoryPool)p, a, &v);
	return (cu_out){r, v, 0};
}
static CUresult go_pool_set(uintptr_t p, CUmemPool_attribute a, uint64_t v) {
	return CALL(cuMemPoolSetAttribute, (CUmemoryPool)p, a, &v);
}
*/
import "C"

// MemAlloc allocates bytes of device memory, aligned for any variable type. 0 bytes is ERROR_INVALID_VALUE.
func MemAlloc(bytes int64) DevicePtr {
	o := C.go_mem_alloc(C.size_t(bytes))
	check(o.r)
	return DevicePtr(o.a)
}

// MemAllocPitch allocates height rows of width bytes and returns the distance between rows in bytes, which the
// driver chooses so that rows suit accesses of elementSize (4, 8 or 16) bytes.
func MemAllocPitch(width, height int64, elementSize int) (ptr DevicePtr, pitch int64) {
	o := C.go_mem_alloc_pitch(C.size_t(width), C.size_t(height), C.uint(elementSize))
	check(o.r)
	return DevicePtr(o.a), int64(o.b)
}

// MemAllocAsync allocates in stream order from the device's current pool (CUDA 11.2).
func MemAllocAsync(bytes int64, stream Stream) DevicePtr {
	o := C.go_mem_alloc_async(C.size_t(bytes), C.uintptr_t(stream))
	check(o.r)
	return DevicePtr(o.a)
}

// MemFree frees what MemAlloc, MemAllocPitch or MemAllocManaged gave.
func MemFree(p DevicePtr) { check(C.go_mem_free(C.CUdeviceptr(p))) }

// Free is MemFree.
func (ptr DevicePtr) Free() { MemFree(ptr) }

// MemFreeAsync frees what MemAllocAsync gave, in stream order (CUDA 11.2).
func MemFreeAsync(p DevicePtr, stream Stream) {
	check(C.go_mem_free_async(C.CUdeviceptr(p), C.uintptr_t(stream)))
}

// MemGetInfo returns the free and the total memory of the current context's device in bytes.
func MemGetInfo() (free, total int64) {
	o := C.go_mem_info()
	check(o.r)
	return int64(o.a), int64(o.b)
}

// MemGetAddressRange returns size and start of the allocation that ptr lies in.
func MemGetAddressRange(ptr DevicePtr) (bytes int64, base DevicePtr) {
	o := C.go_mem_range(C.CUdeviceptr(ptr))
	check(o.r)
	return int64(o.a), DevicePtr(o.b)
}

// GetAddressRange is MemGetAddressRange.
func (ptr DevicePtr) GetAddressRange() (bytes int64, base DevicePtr) { return MemGetAddressRange(ptr) }

// Bytes returns the size of the allocation that ptr lies in.
func (ptr DevicePtr) Bytes() (bytes int64) {
	bytes, _ = MemGetAddressRange(ptr)
	return bytes
}

// DeviceGetDefaultMemPool returns the pool that MemAllocAsync takes from by default (CUDA 11.2).
func DeviceGetDefaultMemPool(dev Device) MemPool {
	o := C.go_pool_default(C.CUdevice(dev))
	check(o.r)
	return MemPool(o.a)
}

// MemPoolTrimTo gives unused memory of the pool back until it holds no more than keep bytes (CUDA 11.2).
func MemPoolTrimTo(pool MemPool, keep int64) {
	check(C.go_pool_trim(C.uintptr_t(pool), C.size_t(keep)))
}

// MemPoolGetAttribute returns a pool's attribute: a flag, or bytes (CUDA 11.2).
func MemPoolGetAttribute(pool MemPool, attrib MemPoolAttribute) uint64 {
	o := C.go_pool_get(C.uintptr_t(pool), C.CUmemPool_attribute(attrib))
	check(o.r)
	return uint64(o.a)
}

// MemPoolSetAttribute sets a pool's attribute: a flag, or bytes (CUDA 11.2).
func MemPoolSetAttribute(pool MemPool, attrib MemPoolAttribute, value uint64) {
	check(C.go_pool_set(C.uintptr_t(pool), C.CUmemPool_attribute(attrib), C.uint64_t(value)))
}
