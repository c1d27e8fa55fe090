/* The way from a driver's thread to a Go function. */
#include "_cgo_export.h"
#include "call.h"

static void run_host_func(void *handle) { cuGoHostFunc((uintptr_t)handle); }

CUresult cu_launch_host_func(uintptr_t s, uintptr_t handle) {
	return CALL(cuLaunchHostFunc, (CUstream)s, run_host_func, (void *)handle);
}
