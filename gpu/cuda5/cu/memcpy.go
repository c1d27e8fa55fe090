//go:build cgo

// Copies of contiguous memory.
//
// Host memory of an asynchronous copy stays where it is and alive until the copy is done: memory of the driver or of
// mmap, not of Go's heap. Go memory may be given to the synchronous ones.

package cu

/*
#include "call.h"
static CUresult go_memcpy(CUdeviceptr d, CUdeviceptr s, size_t n) { return CALL(cuMemcpy, d, s, n); }
static CUresult go_memcpy_async(CUdeviceptr d, CUdeviceptr s, size_t n, uintptr_t st) {
	return CALL(cuMemcpyAsync, d, s, n, (CUstream)st);
}
static CUresult go_memcpy_dtod(CUdeviceptr d, CUdeviceptr s, size_t n) { return CALL(cuMemcpyDtoD, d, s, n); }
static CUresult go_memcpy_dtod_async(CUdeviceptr d, CUdeviceptr s, size_t n, uintptr_t st) {
	return CALL(cuMemcpyDtoDAsync, d, s, n, (CUstream)st);
}
static CUresult go_memcpy_dtoh(void *d, CUdeviceptr s, size_t n) { return CALL(cuMemcpyDtoH, d, s, n); }
static CUresult go_memcpy_dtoh_async(void *d, CUdeviceptr s, size_t n, uintptr_t st) {
	return CALL(cuMemcpyDtoHAsync, d, s, n, (CUstream)st);
}
static CUresult go_memcpy_htod(CUdeviceptr d, void *s, size_t n) { return CALL(cuMemcpyHtoD, d, s, n); }
static CUresult go_memcpy_htod_async(CUdeviceptr d, void *s, size_t n, uintptr_t st) {
	return CALL(cuMemcpyHtoDAsync, d, s, n, (CUstream)st);
}
static CUresult go_memcpy_peer(CUdeviceptr d, uintptr_t dc, CUdeviceptr s, uintptr_t sc, size_t n) {
	return CALL(cuMemcpyPeer, d, (CUcontext)dc, s, (CUcontext)sc, n);
}
static CUresult go_memcpy_peer_async(CUdeviceptr d, uintptr_t dc, CUdeviceptr s, uintptr_t sc, size_t n, uintptr_t st) {
	return CALL(cuMemcpyPeerAsync, d, (CUcontext)dc, s, (CUcontext)sc, n, (CUstream)st);
}
static CUresult try_memcpy_dtoh_async(uintptr_t d, CUdeviceptr s, size_t n, uintptr_t st) {
	return CALL(cuMemcpyDtoHAsync, (void *)d, s, n, (CUstream)st);
}
static CUresult try_memcpy_htod_async(CUdeviceptr d, uintptr_t s, size_t n, uintptr_t st) {
	return CALL(cuMemcpyHtoDAsync, d, (const void *)s, n, (CUstream)st);
}
*/
import "C"

import "unsafe"

// Memcpy copies between any two addresses of the unified address space, host addresses included.
func Memcpy(dst, src DevicePtr, bytes int64) {
	check(C.go_memcpy(C.CUdeviceptr(dst), C.CUdeviceptr(src), C.size_t(bytes)))
}

// MemcpyAsync is Memcpy in stream order.
func MemcpyAsync(dst, src DevicePtr, bytes int64, stream Stream) {
	check(C.go_memcpy_async(C.CUdeviceptr(dst), C.CUdeviceptr(src), C.size_t(bytes), C.uintptr_t(stream)))
}

// MemcpyDtoD copies within device memory; it returns before the copy is done.
func MemcpyDtoD(dst, src DevicePtr, bytes int64) {
	check(C.go_memcpy_dtod(C.CUdeviceptr(dst), C.CUdeviceptr(src), C.size_t(bytes)))
}

// MemcpyDtoDAsync is MemcpyDtoD in stream order.
func MemcpyDtoDAsync(dst, src DevicePtr, bytes int64, stream Stream) {
	check(C.go_memcpy_dtod_async(C.CUdeviceptr(dst), C.CUdeviceptr(src), C.size_t(bytes), C.uintptr_t(stream)))
}

// MemcpyDtoH copies from device to host.
func MemcpyDtoH(dst unsafe.Pointer, src DevicePtr, bytes int64) {
	check(C.go_memcpy_dtoh(dst, C.CUdeviceptr(src), C.size_t(bytes)))
}

// MemcpyDtoHAsync is MemcpyDtoH in stream order.
func MemcpyDtoHAsync(dst unsafe.Pointer, src DevicePtr, bytes int64, stream Stream) {
	check(C.go_memcpy_dtoh_async(dst, C.CUdeviceptr(src), C.size_t(bytes), C.uintptr_t(stream)))
}

// MemcpyHtoD copies from host to device.
func MemcpyHtoD(dst DevicePtr, src unsafe.Pointer, bytes int64) {
	check(C.go_memcpy_htod(C.CUdeviceptr(dst), src, C.size_t(bytes)))
}

// MemcpyHtoDAsync is MemcpyHtoD in stream order.
func MemcpyHtoDAsync(dst DevicePtr, src unsafe.Pointer, bytes int64, stream Stream) {
	check(C.go_memcpy_htod_async(C.CUdeviceptr(dst), src, C.size_t(bytes), C.uintptr_t(stream)))
}

// MemcpyPeer copies from srcCtx's device to dstCtx's, with or without peer access.
func MemcpyPeer(dst DevicePtr, dstCtx Context, src DevicePtr, srcCtx Context, bytes int64) {
	check(C.go_memcpy_peer(C.CUdeviceptr(dst), C.uintptr_t(dstCtx), C.CUdeviceptr(src), C.uintptr_t(srcCtx), C.size_t(bytes)))
}

// MemcpyPeerAsync is MemcpyPeer in stream order.
func MemcpyPeerAsync(dst DevicePtr, dstCtx Context, src DevicePtr, srcCtx Context, bytes int64, stream Stream) {
	check(C.go_memcpy_peer_async(C.CUdeviceptr(dst), C.uintptr_t(dstCtx), C.CUdeviceptr(src), C.uintptr_t(srcCtx), C.size_t(bytes), C.uintptr_t(stream)))
}

// The Try functions are their namesakes without the panic, and without the pointer checks of cgo: host addresses are
// plain numbers, of memory outside Go's heap and stacks. They are for callers who copy in a measured loop.

// TryMemcpy is Memcpy.
func TryMemcpy(dst, src DevicePtr, bytes int64) Result {
	return result(C.go_memcpy(C.CUdeviceptr(dst), C.CUdeviceptr(src), C.size_t(bytes)))
}

// TryMemcpyAsync is MemcpyAsync.
func TryMemcpyAsync(dst, src DevicePtr, bytes int64, stream Stream) Result {
	return result(C.go_memcpy_async(C.CUdeviceptr(dst), C.CUdeviceptr(src), C.size_t(bytes), C.uintptr_t(stream)))
}

// TryMemcpyDtoDAsync is MemcpyDtoDAsync.
func TryMemcpyDtoDAsync(dst, src DevicePtr, bytes int64, stream Stream) Result {
	return result(C.go_memcpy_dtod_async(C.CUdeviceptr(dst), C.CUdeviceptr(src), C.size_t(bytes), C.uintptr_t(stream)))
}

// TryMemcpyDtoHAsync is MemcpyDtoHAsync.
func TryMemcpyDtoHAsync(dst uintptr, src DevicePtr, bytes int64, stream Stream) Result {
	return result(C.try_memcpy_dtoh_async(C.uintptr_t(dst), C.CUdeviceptr(src), C.size_t(bytes), C.uintptr_t(stream)))
}

// TryMemcpyHtoDAsync is MemcpyHtoDAsync.
func TryMemcpyHtoDAsync(dst DevicePtr, src uintptr, bytes int64, stream Stream) Result {
	return result(C.try_memcpy_htod_async(C.CUdeviceptr(dst), C.uintptr_t(src), C.size_t(bytes), C.uintptr_t(stream)))
}

// TryMemcpyPeerAsync is MemcpyPeerAsync.
func TryMemcpyPeerAsync(dst DevicePtr, dstCtx Context, src DevicePtr, srcCtx Context, bytes int64, stream Stream) Result {
	return result(C.go_memcpy_peer_async(C.CUdeviceptr(dst), C.uintptr_t(dstCtx), C.CUdeviceptr(src), C.uintptr_t(srcCtx), C.size_t(bytes), C.uintptr_t(stream)))
}
