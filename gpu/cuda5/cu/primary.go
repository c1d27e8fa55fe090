//go:build cgo

// The primary context of a device: one per process, shared with every library in it.

package cu

/*
#include "call.h"
static cu_out go_primary_retain(CUdevice d) {
	CUcontext c = NULL;
	CUresult r = CALL(cuDevicePrimaryCtxRetain, &c, d);
	return (cu_out){r, (uintptr_t)c, 0};
}
static CUresult go_primary_release(CUdevice d) { return CALL(cuDevicePrimaryCtxRelease, d); }
static CUresult go_primary_reset(CUdevice d) { return CALL(cuDevicePrimaryCtxReset, d); }
static CUresult go_primary_set_flags(CUdevice d, unsigned f) { return CALL(cuDevicePrimaryCtxSetFlags, d, f); }
static cu_out go_primary_state(CUdevice d) {
	unsigned flags = 0;
	int active = 0;
	CUresult r = CALL(cuDevicePrimaryCtxGetState, d, &flags, &active);
	return (cu_out){r, flags, (uint64_t)active};
}
*/
import "C"

// DevicePrimaryCtxRetain returns the device's primary context and counts one more user; it does not make it current.
func DevicePrimaryCtxRetain(dev Device) Context {
	o := C.go_primary_retain(C.CUdevice(dev))
	check(o.r)
	return Context(o.a)
}

// DevicePrimaryCtxRelease counts one user less; the last one's release destroys the context.
func DevicePrimaryCtxRelease(dev Device) { check(C.go_primary_release(C.CUdevice(dev))) }

// DevicePrimaryCtxReset destroys all that lives in the primary context, whoever uses it.
func DevicePrimaryCtxReset(dev Device) { check(C.go_primary_reset(C.CUdevice(dev))) }

// DevicePrimaryCtxSetFlags sets the flags (CTX_...) of the primary context, active or to come.
func DevicePrimaryCtxSetFlags(dev Device, flags uint) {
	check(C.go_primary_set_flags(C.CUdevice(dev), C.uint(flags)))
}

// DevicePrimaryCtxGetState returns the primary context's flags and whether it exists now.
func DevicePrimaryCtxGetState(dev Device) (flags uint, active bool) {
	o := C.go_primary_state(C.CUdevice(dev))
	check(o.r)
	return uint(o.a), o.b != 0
}
