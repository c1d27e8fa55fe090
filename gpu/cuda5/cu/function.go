//go:build cgo

// Kernels: their attributes, and how many of their blocks fit.

package cu

/*
#include "call.h"
static cu_out go_func_attribute(CUfunction_attribute a, uintptr_t f) {
	int v = 0;
	CUresult r = CALL(cuFuncGetAttribute, &v, a, (CUfunction)f);
	return (cu_out){r, (uint64_t)v, 0};
}
static CUresult go_func_set_attribute(CUfunction_attribute a, uintptr_t f, int v) {
	return CALL(cuFuncSetAttribute, (CUfunction)f, a, v);
}
static CUresult go_func_set_cache(uintptr_t f, CUfunc_cache c) { return CALL(cuFuncSetCacheConfig, (CUfunction)f, c); }
static CUresult go_func_name(uintptr_t f, const char **name) { return CALL(cuFuncGetName, name, (CUfunction)f); }
static cu_out go_occupancy_blocks(uintptr_t f, int threads, size_t shared) {
	int n = 0;
	CUresult r = CALL(cuOccupancyMaxActiveBlocksPerMultiprocessor, &n, (CUfunction)f, threads, shared);
	return (cu_out){r, (uint64_t)n, 0};
}
static cu_out go_occupancy_size(uintptr_t f, size_t shared, int limit) {
	int grid = 0, block = 0;
	CUresult r = CALL(cuOccupancyMaxPotentialBlockSize, &grid, &block, (CUfunction)f, NULL, shared, limit);
	return (cu_out){r, (uint64_t)grid, (uint64_t)block};
}
static cu_out go_occupancy_shared(uintptr_t f, int blocks, int threads) {
	size_t n = 0;
	CUresult r = CALL(cuOccupancyAvailableDynamicSMemPerBlock, &n, (CUfunction)f, blocks, threads);
	return (cu_out){r, n, 0};
}
*/
import "C"

// FuncGetAttribute returns one property of a kernel.
func FuncGetAttribute(attrib FunctionAttribute, function Function) int {
	o := C.go_func_attribute(C.CUfunction_attribute(attrib), C.uintptr_t(function))
	check(o.r)
	return int(int32(o.a))
}

// GetAttribute is FuncGetAttribute.
func (f Function) GetAttribute(attrib FunctionAttribute) int { return FuncGetAttribute(attrib, f) }

// FuncSetAttribute sets one of the settable properties: FUNC_A_MAX_DYNAMIC_SHARED_SIZE_BYTES (bytes),
// FUNC_A_PREFERRED_SHARED_MEMORY_CARVEOUT (percent).
func FuncSetAttribute(attrib FunctionAttribute, function Function, value int) {
	check(C.go_func_set_attribute(C.CUfunction_attribute(attrib), C.uintptr_t(function), C.int(value)))
}

// FuncSetCacheConfig sets the kernel's preference between L1 cache and shared memory.
func FuncSetCacheConfig(function Function, config FuncCache) {
	check(C.go_func_set_cache(C.uintptr_t(function), C.CUfunc_cache(config)))
}

// FuncGetName returns the kernel's name in its module (CUDA 12.3).
func FuncGetName(function Function) string {
	var s *C.char
	check(C.go_func_name(C.uintptr_t(function), &s))
	return C.GoString(s)
}

// OccupancyMaxActiveBlocksPerMultiprocessor returns how many blocks of blockSize threads, each with sharedMemBytes of
// dynamic shared memory, run on one multiprocessor at a time.
func OccupancyMaxActiveBlocksPerMultiprocessor(f Function, blockSize int, sharedMemBytes int64) int {
	o := C.go_occupancy_blocks(C.uintptr_t(f), C.int(blockSize), C.size_t(sharedMemBytes))
	check(o.r)
	return int(o.a)
}

// OccupancyMaxPotentialBlockSize returns a block size that fills the multiprocessors, at most blockSizeLimit threads
// (0: the kernel's own limit), and the smallest grid that does so.
func OccupancyMaxPotentialBlockSize(f Function, sharedMemBytes int64, blockSizeLimit int) (minGridSize, blockSize int) {
	o := C.go_occupancy_size(C.uintptr_t(f), C.size_t(sharedMemBytes), C.int(blockSizeLimit))
	check(o.r)
	return int(o.a), int(o.b)
}

// OccupancyAvailableDynamicSMemPerBlock returns how many bytes of dynamic shared memory a block can have when
// numBlocks blocks of blockSize threads share a multiprocessor.
func OccupancyAvailableDynamicSMemPerBlock(f Function, numBlocks, blockSize int) int64 {
	o := C.go_occupancy_shared(C.uintptr_t(f), C.int(numBlocks), C.int(blockSize))
	check(o.r)
	return int64(o.a)
}
