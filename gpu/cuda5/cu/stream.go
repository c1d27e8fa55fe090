//go:build cgo

// Streams: work of one stream runs in order.

package cu

/*
#include "call.h"
static cu_out go_stream_create(unsigned flags) {
	CUstream s = NULL;
	CUresult r = CALL(cuStreamCreate, &s, flags);
	return (cu_out){r, (uintptr_t)s, 0};
}
static cu_out go_stream_create_priority(unsigned flags, int priority) {
	CUstream s = NULL;
	CUresult r = CALL(cuStreamCreateWithPriority, &s, flags, priority);
	return (cu_out){r, (uintptr_t)s, 0};
}
static CUresult go_stream_destroy(uintptr_t s) { return CALL(cuStreamDestroy, (CUstream)s); }
static CUresult go_stream_query(uintptr_t s) { return CALL(cuStreamQuery, (CUstream)s); }
static CUresult go_stream_sync(uintptr_t s) { return CALL(cuStreamSynchronize, (CUstream)s); }
static CUresult go_stream_wait(uintptr_t s, uintptr_t e) { return CALL(cuStreamWaitEvent, (CUstream)s, (CUevent)e, 0); }
static cu_out go_stream_ctx(uintptr_t s) {
	CUcontext c = NULL;
	CUresult r = CALL(cuStreamGetCtx, (CUstream)s, &c);
	return (cu_out){r, (uintptr_t)c, 0};
}
static cu_out go_stream_flags(uintptr_t s) {
	unsigned v = 0;
	CUresult r = CALL(cuStreamGetFlags, (CUstream)s, &v);
	return (cu_out){r, v, 0};
}
static cu_out go_stream_priority(uintptr_t s) {
	int v = 0;
	CUresult r = CALL(cuStreamGetPriority, (CUstream)s, &v);
	return (cu_out){r, (uint64_t)v, 0};
}
static cu_out go_stream_id(uintptr_t s) {
	unsigned long long v = 0;
	CUresult r = CALL(cuStreamGetId, (CUstream)s, &v);
	return (cu_out){r, v, 0};
}
static CUresult go_stream_attach(uintptr_t s, CUdeviceptr p, size_t n, unsigned flags) {
	return CALL(cuStreamAttachMemAsync, (CUstream)s, p, n, flags);
}
// The first versions of these four work only where the system's administrator allowed them: the second where it is.
static CUresult go_wait32(uintptr_t s, CUdeviceptr p, uint32_t v, unsigned f) {
	return HAS(cuStreamWaitValue32_v2) ? CALL(cuStreamWaitValue32_v2, (CUstream)s, p, v, f)
	                                   : CALL(cuStreamWaitValue32, (CUstream)s, p, v, f);
}
static CUresult go_write32(uintptr_t s, CUdeviceptr p, uint32_t v, unsigned f) {
	return HAS(cuStreamWriteValue32_v2) ? CALL(cuStreamWriteValue32_v2, (CUstream)s, p, v, f)
	                                    : CALL(cuStreamWriteValue32, (CUstream)s, p, v, f);
}
static CUresult go_wait64(uintptr_t s, CUdeviceptr p, uint64_t v, unsigned f) {
	return HAS(cuStreamWaitValue64_v2) ? CALL(cuStreamWaitValue64_v2, (CUstream)s, p, v, f)
	                                   : CALL(cuStreamWaitValue64, (CUstream)s, p, v, f);
}
static CUresult go_write64(uintptr_t s, CUdeviceptr p, uint64_t v, unsigned f) {
	return HAS(cuStreamWriteValue64_v2) ? CALL(cuStreamWriteValue64_v2, (CUstream)s, p, v, f)
	                                    : CALL(cuStreamWriteValue64, (CUstream)s, p, v, f);
}
*/
import "C"

// StreamCreate creates a stream that synchronizes with the legacy stream 0.
func StreamCreate() Stream { return StreamCreateWithFlags(STREAM_DEFAULT) }

// StreamCreateWithFlags creates a stream; flags: STREAM_... .
func StreamCreateWithFlags(flags uint) Stream {
	o := C.go_stream_create(C.uint(flags))
	check(o.r)
	return Stream(o.a)
}

// StreamCreateWithPriority creates a stream with a priority in the range of CtxGetStreamPriorityRange.
func StreamCreateWithPriority(flags uint, priority int) Stream {
	o := C.go_stream_create_priority(C.uint(flags), C.int(priority))
	check(o.r)
	return Stream(o.a)
}

// StreamDestroy gives *stream back and sets it to 0; work that is in it still completes.
func StreamDestroy(stream *Stream) {
	check(C.go_stream_destroy(C.uintptr_t(*stream)))
	*stream = 0
}

// Destroy is StreamDestroy.
func (stream *Stream) Destroy() { StreamDestroy(stream) }

// StreamQuery returns SUCCESS when all work of the stream is done, ERROR_NOT_READY when not, or the error of some
// earlier work. It does not panic.
func StreamQuery(stream Stream) Result { return result(C.go_stream_query(C.uintptr_t(stream))) }

// Query is StreamQuery.
func (stream Stream) Query() Result { return StreamQuery(stream) }

// StreamSynchronize waits until all work of the stream is done.
func StreamSynchronize(stream Stream) { check(C.go_stream_sync(C.uintptr_t(stream))) }

// Synchronize is StreamSynchronize.
func (stream Stream) Synchronize() { StreamSynchronize(stream) }

// TryStreamSynchronize is StreamSynchronize without the panic.
func TryStreamSynchronize(stream Stream) Result { return result(C.go_stream_sync(C.uintptr_t(stream))) }

// StreamWaitEvent makes later work of the stream wait for what the event recorded; the host does not wait.
func StreamWaitEvent(stream Stream, event Event) {
	check(C.go_stream_wait(C.uintptr_t(stream), C.uintptr_t(event)))
}

// TryStreamWaitEvent is StreamWaitEvent without the panic.
func TryStreamWaitEvent(stream Stream, event Event) Result {
	return result(C.go_stream_wait(C.uintptr_t(stream), C.uintptr_t(event)))
}

// StreamGetCtx returns the stream's context.
func StreamGetCtx(stream Stream) Context {
	o := C.go_stream_ctx(C.uintptr_t(stream))
	check(o.r)
	return Context(o.a)
}

// StreamGetFlags returns the flags that the stream was created with.
func StreamGetFlags(stream Stream) uint {
	o := C.go_stream_flags(C.uintptr_t(stream))
	check(o.r)
	return uint(o.a)
}

// StreamGetPriority returns the stream's priority.
func StreamGetPriority(stream Stream) int {
	o := C.go_stream_priority(C.uintptr_t(stream))
	check(o.r)
	return int(int32(o.a))
}

// StreamGetId returns a number that no other stream of the process has had (CUDA 12.0).
func StreamGetId(stream Stream) uint64 {
	o := C.go_stream_id(C.uintptr_t(stream))
	check(o.r)
	return uint64(o.a)
}

// StreamAttachMemAsync ties managed memory to a stream; flags: MEM_ATTACH_... . bytes 0 means the whole allocation.
func StreamAttachMemAsync(stream Stream, ptr DevicePtr, bytes int64, flags uint) {
	check(C.go_stream_attach(C.uintptr_t(stream), C.CUdeviceptr(ptr), C.size_t(bytes), C.uint(flags)))
}

// StreamWaitValue32 makes the stream wait until *ptr meets the condition of flags, STREAM_WAIT_VALUE_... .
func StreamWaitValue32(stream Stream, ptr DevicePtr, value uint32, flags uint) {
	check(C.go_wait32(C.uintptr_t(stream), C.CUdeviceptr(ptr), C.uint32_t(value), C.uint(flags)))
}

// StreamWriteValue32 writes value to *ptr in stream order; flags: STREAM_WRITE_VALUE_... .
func StreamWriteValue32(stream Stream, ptr DevicePtr, value uint32, flags uint) {
	check(C.go_write32(C.uintptr_t(stream), C.CUdeviceptr(ptr), C.uint32_t(value), C.uint(flags)))
}

// StreamWaitValue64 is StreamWaitValue32 for 8 bytes.
func StreamWaitValue64(stream Stream, ptr DevicePtr, value uint64, flags uint) {
	check(C.go_wait64(C.uintptr_t(stream), C.CUdeviceptr(ptr), C.uint64_t(value), C.uint(flags)))
}

// StreamWriteValue64 is StreamWriteValue32 for 8 bytes.
func StreamWriteValue64(stream Stream, ptr DevicePtr, value uint64, flags uint) {
	check(C.go_write64(C.uintptr_t(stream), C.CUdeviceptr(ptr), C.uint64_t(value), C.uint(flags)))
}
