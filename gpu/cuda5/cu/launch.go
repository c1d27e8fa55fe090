//go:build cgo

// Kernel launches.
//
// Parameters travel as 8-byte words in Go memory that C reads during the call alone: the pointers that the driver
// wants are made on C's stack, so that one crossing does and nothing is allocated.

package cu

/*
#cgo noescape go_launch
#cgo nocallback go_launch
#cgo noescape go_launch_cooperative
#cgo nocallback go_launch_cooperative
#include "call.h"

// The driver takes 4 KiB of parameters, 32 KiB from CUDA 12.1 on: no kernel has more words than this.
enum { MAX_PARAMS = 4096 };

static CUresult go_launch(uintptr_t f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                          unsigned shared, uintptr_t s, const uint64_t *args, long n) {
	if (n > MAX_PARAMS)
		return CUDA_ERROR_INVALID_VALUE;
	void *params[n + 1];
	for (long i = 0; i < n; i++)
		params[i] = (void *)&args[i];
	return CALL(cuLaunchKernel, (CUfunction)f, gx, gy, gz, bx, by, bz, shared, (CUstream)s, params, NULL);
}
static CUresult go_launch_cooperative(uintptr_t f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                                      unsigned bz, unsigned shared, uintptr_t s, const uint64_t *args, long n) {
	if (n > MAX_PARAMS)
		return CUDA_ERROR_INVALID_VALUE;
	void *params[n + 1];
	for (long i = 0; i < n; i++)
		params[i] = (void *)&args[i];
	return CALL(cuLaunchCooperativeKernel, (CUfunction)f, gx, gy, gz, bx, by, bz, shared, (CUstream)s, params);
}
*/
import "C"

import "unsafe"

// LaunchKernel launches f over a grid of blocks. kernelParams point to the parameters' values; 8 bytes are read behind
// each, whatever the parameter's size, so give every parameter a variable of 8 bytes.
func LaunchKernel(f Function, gridDimX, gridDimY, gridDimZ int, blockDimX, blockDimY, blockDimZ int, sharedMemBytes int, stream Stream, kernelParams []unsafe.Pointer) {
	var space [32]uint64
	args := space[:0]
	for _, p := range kernelParams {
		args = append(args, word(p))
	}
	r := LaunchKernel64(f, gridDimX, gridDimY, gridDimZ, blockDimX, blockDimY, blockDimZ, sharedMemBytes, stream, args)
	if r != SUCCESS {
		panic(r)
	}
}

// LaunchKernel64 is LaunchKernel with the parameters' values packed, one 8-byte word each (a smaller parameter in the
// low bytes). It does not panic on a failure; it costs one crossing to C and allocates nothing. args may be reused at
// once.
func LaunchKernel64(f Function, gridDimX, gridDimY, gridDimZ int, blockDimX, blockDimY, blockDimZ int, sharedMemBytes int, stream Stream, args []uint64) Result {
	return result(C.go_launch(C.uintptr_t(f), C.uint(gridDimX), C.uint(gridDimY), C.uint(gridDimZ),
		C.uint(blockDimX), C.uint(blockDimY), C.uint(blockDimZ), C.uint(sharedMemBytes), C.uintptr_t(stream),
		(*C.uint64_t)(unsafe.SliceData(args)), C.long(len(args))))
}

// LaunchCooperativeKernel64 is LaunchKernel64 for a kernel whose blocks synchronize with each other: all must fit at
// a time, else ERROR_COOPERATIVE_LAUNCH_TOO_LARGE.
func LaunchCooperativeKernel64(f Function, gridDimX, gridDimY, gridDimZ int, blockDimX, blockDimY, blockDimZ int, sharedMemBytes int, stream Stream, args []uint64) Result {
	return result(C.go_launch_cooperative(C.uintptr_t(f), C.uint(gridDimX), C.uint(gridDimY), C.uint(gridDimZ),
		C.uint(blockDimX), C.uint(blockDimY), C.uint(blockDimZ), C.uint(sharedMemBytes), C.uintptr_t(stream),
		(*C.uint64_t)(unsafe.SliceData(args)), C.long(len(args))))
}
