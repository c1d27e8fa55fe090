//go:build cgo

// Filling device memory with a value. N counts elements, not bytes.

package cu

/*
#include "call.h"
static CUresult go_set8(CUdeviceptr p, unsigned char v, size_t n) { return CALL(cuMemsetD8, p, v, n); }
static CUresult go_set16(CUdeviceptr p, unsigned short v, size_t n) { return CALL(cuMemsetD16, p, v, n); }
static CUresult go_set32(CUdeviceptr p, unsigned v, size_t n) { return CALL(cuMemsetD32, p, v, n); }
static CUresult go_set8_async(CUdeviceptr p, unsigned char v, size_t n, uintptr_t s) {
	return CALL(cuMemsetD8Async, p, v, n, (CUstream)s);
}
static CUresult go_set16_async(CUdeviceptr p, unsigned short v, size_t n, uintptr_t s) {
	return CALL(cuMemsetD16Async, p, v, n, (CUstream)s);
}
static CUresult go_set32_async(CUdeviceptr p, unsigned v, size_t n, uintptr_t s) {
	return CALL(cuMemsetD32Async, p, v, n, (CUstream)s);
}
static CUresult go_set2d(CUdeviceptr p, size_t pitch, unsigned v, int bytes, size_t w, size_t h) {
	switch (bytes) {
	case 1: return CALL(cuMemsetD2D8, p, pitch, (unsigned char)v, w, h);
	case 2: return CALL(cuMemsetD2D16, p, pitch, (unsigned short)v, w, h);
	default: return CALL(cuMemsetD2D32, p, pitch, v, w, h);
	}
}
static CUresult go_set2d_async(CUdeviceptr p, size_t pitch, unsigned v, int bytes, size_t w, size_t h, uintptr_t s) {
	switch (bytes) {
	case 1: return CALL(cuMemsetD2D8Async, p, pitch, (unsigned char)v, w, h, (CUstream)s);
	case 2: return CALL(cuMemsetD2D16Async, p, pitch, (unsigned short)v, w, h, (CUstream)s);
	default: return CALL(cuMemsetD2D32Async, p, pitch, v, w, h, (CUstream)s);
	}
}
*/
import "C"

// MemsetD8 sets N bytes.
func MemsetD8(deviceptr DevicePtr, value uint8, N int64) {
	check(C.go_set8(C.CUdeviceptr(deviceptr), C.uchar(value), C.size_t(N)))
}

// MemsetD16 sets N 2-byte words; deviceptr is aligned to 2.
func MemsetD16(deviceptr DevicePtr, value uint16, N int64) {
	check(C.go_set16(C.CUdeviceptr(deviceptr), C.ushort(value), C.size_t(N)))
}

// MemsetD32 sets N 4-byte words; deviceptr is aligned to 4.
func MemsetD32(deviceptr DevicePtr, value uint32, N int64) {
	check(C.go_set32(C.CUdeviceptr(deviceptr), C.uint(value), C.size_t(N)))
}

// MemsetD8Async is MemsetD8 in stream order.
func MemsetD8Async(deviceptr DevicePtr, value uint8, N int64, stream Stream) {
	check(C.go_set8_async(C.CUdeviceptr(deviceptr), C.uchar(value), C.size_t(N), C.uintptr_t(stream)))
}

// MemsetD16Async is MemsetD16 in stream order.
func MemsetD16Async(deviceptr DevicePtr, value uint16, N int64, stream Stream) {
	check(C.go_set16_async(C.CUdeviceptr(deviceptr), C.ushort(value), C.size_t(N), C.uintptr_t(stream)))
}

// MemsetD32Async is MemsetD32 in stream order.
func MemsetD32Async(deviceptr DevicePtr, value uint32, N int64, stream Stream) {
	check(C.go_set32_async(C.CUdeviceptr(deviceptr), C.uint(value), C.size_t(N), C.uintptr_t(stream)))
}

// TryMemsetD8Async is MemsetD8Async without the panic.
func TryMemsetD8Async(deviceptr DevicePtr, value uint8, N int64, stream Stream) Result {
	return result(C.go_set8_async(C.CUdeviceptr(deviceptr), C.uchar(value), C.size_t(N), C.uintptr_t(stream)))
}

// TryMemsetD32Async is MemsetD32Async without the panic.
func TryMemsetD32Async(deviceptr DevicePtr, value uint32, N int64, stream Stream) Result {
	return result(C.go_set32_async(C.CUdeviceptr(deviceptr), C.uint(value), C.size_t(N), C.uintptr_t(stream)))
}

// MemsetD2D8 sets height rows of width bytes, pitch bytes apart.
func MemsetD2D8(deviceptr DevicePtr, pitch int64, value uint8, width, height int64) {
	check(set2D(deviceptr, pitch, uint32(value), 1, width, height))
}

// MemsetD2D16 sets height rows of width 2-byte words, pitch bytes apart.
func MemsetD2D16(deviceptr DevicePtr, pitch int64, value uint16, width, height int64) {
	check(set2D(deviceptr, pitch, uint32(value), 2, width, height))
}

// MemsetD2D32 sets height rows of width 4-byte words, pitch bytes apart.
func MemsetD2D32(deviceptr DevicePtr, pitch int64, value uint32, width, height int64) {
	check(set2D(deviceptr, pitch, value, 4, width, height))
}

// MemsetD2D8Async is MemsetD2D8 in stream order.
func MemsetD2D8Async(deviceptr DevicePtr, pitch int64, value uint8, width, height int64, stream Stream) {
	check(set2DAsync(deviceptr, pitch, uint32(value), 1, width, height, stream))
}

// MemsetD2D16Async is MemsetD2D16 in stream order.
func MemsetD2D16Async(deviceptr DevicePtr, pitch int64, value uint16, width, height int64, stream Stream) {
	check(set2DAsync(deviceptr, pitch, uint32(value), 2, width, height, stream))
}

// MemsetD2D32Async is MemsetD2D32 in stream order.
func MemsetD2D32Async(deviceptr DevicePtr, pitch int64, value uint32, width, height int64, stream Stream) {
	check(set2DAsync(deviceptr, pitch, value, 4, width, height, stream))
}

func set2D(p DevicePtr, pitch int64, value uint32, bytes C.int, width, height int64) C.CUresult {
	return C.go_set2d(C.CUdeviceptr(p), C.size_t(pitch), C.uint(value), bytes, C.size_t(width), C.size_t(height))
}

func set2DAsync(p DevicePtr, pitch int64, value uint32, bytes C.int, width, height int64, stream Stream) C.CUresult {
	return C.go_set2d_async(C.CUdeviceptr(p), C.size_t(pitch), C.uint(value), bytes, C.size_t(width), C.size_t(height),
		C.uintptr_t(stream))
}
