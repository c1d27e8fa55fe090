//go:build cgo

// Contexts: created, current on a thread, and their settings.

package cu

/*
#include "call.h"
static cu_out go_ctx_create(unsigned flags, CUdevice d) {
	CUcontext c = NULL;
	CUresult r = CALL(cuCtxCreate, &c, flags, d);
	return (cu_out){r, (uintptr_t)c, 0};
}
static CUresult go_ctx_destroy(uintptr_t c) { return CALL(cuCtxDestroy, (CUcontext)c); }
static cu_out go_ctx_current(void) {
	CUcontext c = NULL;
	CUresult r = CALL(cuCtxGetCurrent, &c);
	return (cu_out){r, (uintptr_t)c, 0};
}
static CUresult go_ctx_set(uintptr_t c) { return CALL(cuCtxSetCurrent, (CUcontext)c); }
static CUresult go_ctx_push(uintptr_t c) { return CALL(cuCtxPushCurrent, (CUcontext)c); }
static cu_out go_ctx_pop(void) {
	CUcontext c = NULL;
	CUresult r = CALL(cuCtxPopCurrent, &c);
	return (cu_out){r, (uintptr_t)c, 0};
}
static cu_out go_ctx_device(void) {
	CUdevice d = 0;
	CUresult r = CALL(cuCtxGetDevice, &d);
	return (cu_out){r, (uint64_t)d, 0};
}
static CUresult go_ctx_sync(void) { return CALL(cuCtxSynchronize, ); }
static cu_out go_ctx_version(uintptr_t c) {
	unsigned v = 0;
	CUresult r = CALL(cuCtxGetApiVersion, (CUcontext)c, &v);
	return (cu_out){r, v, 0};
}
static cu_out go_ctx_flags(void) {
	unsigned v = 0;
	CUresult r = CALL(cuCtxGetFlags, &v);
	return (cu_out){r, v, 0};
}
static CUresult go_ctx_set_flags(unsigned f) { return CALL(cuCtxSetFlags, f); }
static cu_out go_ctx_id(uintptr_t c) {
	unsigned long long v = 0;
	CUresult r = CALL(cuCtxGetId, (CUcontext)c, &v);
	return (cu_out){r, v, 0};
}
static cu_out go_ctx_limit(CUlimit l) {
	size_t v = 0;
	CUresult r = CALL(cuCtxGetLimit, &v, l);
	return (cu_out){r, v, 0};
}
static CUresult go_ctx_set_limit(CUlimit l, size_t v) { return CALL(cuCtxSetLimit, l, v); }
static cu_out go_ctx_cache(void) {
	CUfunc_cache v = 0;
	CUresult r = CALL(cuCtxGetCacheConfig, &v);
	return (cu_out){r, v, 0};
}
static CUresult go_ctx_set_cache(CUfunc_cache v) { return CALL(cuCtxSetCacheConfig, v); }
static cu_out go_ctx_priorities(void) {
	int least = 0, greatest = 0;
	CUresult r = CALL(cuCtxGetStreamPriorityRange, &least, &greatest);
	return (cu_out){r, (uint64_t)least, (uint64_t)greatest};
}
*/
import "C"

// CtxCreate creates a context on dev and makes it current. flags: CTX_... . Prefer DevicePrimaryCtxRetain: what is
// shared with other libraries of the process (MPI, UCX) lives in the primary context.
func CtxCreate(flags uint, dev Device) Context {
	o := C.go_ctx_create(C.uint(flags), C.CUdevice(dev))
	check(o.r)
	return Context(o.a)
}

// CtxDestroy destroys *ctx with all that lives in it, and sets it to 0.
func CtxDestroy(ctx *Context) {
	check(C.go_ctx_destroy(C.uintptr_t(*ctx)))
	*ctx = 0
}

// Destroy is CtxDestroy.
func (ctx *Context) Destroy() { CtxDestroy(ctx) }

// CtxGetCurrent returns the calling thread's context, 0 for none.
func CtxGetCurrent() Context {
	o := C.go_ctx_current()
	check(o.r)
	return Context(o.a)
}

// CtxSetCurrent makes ctx the calling thread's context; 0 leaves it without.
func CtxSetCurrent(ctx Context) { check(C.go_ctx_set(C.uintptr_t(ctx))) }

// SetCurrent is CtxSetCurrent.
func (ctx Context) SetCurrent() { CtxSetCurrent(ctx) }

// CtxPushCurrent makes ctx current on top of the thread's stack of contexts.
func CtxPushCurrent(ctx Context) { check(C.go_ctx_push(C.uintptr_t(ctx))) }

// CtxPopCurrent takes the current context off the thread's stack and returns it.
func CtxPopCurrent() Context {
	o := C.go_ctx_pop()
	check(o.r)
	return Context(o.a)
}

// CtxGetDevice returns the device of the current context.
func CtxGetDevice() Device {
	o := C.go_ctx_device()
	check(o.r)
	return Device(int32(o.a))
}

// CtxSynchronize waits until all work of the current context is done.
func CtxSynchronize() { check(C.go_ctx_sync()) }

// CtxGetApiVersion returns the interface version that a context was created with: 3020 for any in use today.
func CtxGetApiVersion(ctx Context) (version int) {
	o := C.go_ctx_version(C.uintptr_t(ctx))
	check(o.r)
	return int(o.a)
}

// ApiVersion is CtxGetApiVersion.
func (ctx Context) ApiVersion() (version int) { return CtxGetApiVersion(ctx) }

// CtxGetFlags returns the current context's flags, CTX_... .
func CtxGetFlags() uint {
	o := C.go_ctx_flags()
	check(o.r)
	return uint(o.a)
}

// CtxSetFlags changes the current context's flags (CUDA 12.1).
func CtxSetFlags(flags uint) { check(C.go_ctx_set_flags(C.uint(flags))) }

// CtxGetId returns a number that no other context of the process has had (CUDA 12.0).
func CtxGetId(ctx Context) uint64 {
	o := C.go_ctx_id(C.uintptr_t(ctx))
	check(o.r)
	return uint64(o.a)
}

// CtxGetLimit returns a limit of the current context in bytes.
func CtxGetLimit(limit Limit) int64 {
	o := C.go_ctx_limit(C.CUlimit(limit))
	check(o.r)
	return int64(o.a)
}

// CtxSetLimit asks for a limit in bytes; the driver may round it.
func CtxSetLimit(limit Limit, bytes int64) {
	check(C.go_ctx_set_limit(C.CUlimit(limit), C.size_t(bytes)))
}

// CtxGetCacheConfig returns the current context's preference between L1 cache and shared memory.
func CtxGetCacheConfig() FuncCache {
	o := C.go_ctx_cache()
	check(o.r)
	return FuncCache(o.a)
}

// CtxSetCacheConfig sets the current context's preference between L1 cache and shared memory.
func CtxSetCacheConfig(config FuncCache) { check(C.go_ctx_set_cache(C.CUfunc_cache(config))) }

// CtxGetStreamPriorityRange returns the ends of the range of stream priorities; greatest is the smaller number.
func CtxGetStreamPriorityRange() (least, greatest int) {
	o := C.go_ctx_priorities()
	check(o.r)
	return int(int32(o.a)), int(int32(o.b))
}
