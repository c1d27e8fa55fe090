//go:build cgo

// Events: marks in streams, to wait for, to ask, and to time with.

package cu

/*
#include "call.h"
static cu_out go_event_create(unsigned flags) {
	CUevent e = NULL;
	CUresult r = CALL(cuEventCreate, &e, flags);
	return (cu_out){r, (uintptr_t)e, 0};
}
static CUresult go_event_destroy(uintptr_t e) { return CALL(cuEventDestroy, (CUevent)e); }
static CUresult go_event_record(uintptr_t e, uintptr_t s) { return CALL(cuEventRecord, (CUevent)e, (CUstream)s); }
static CUresult go_event_record_flags(uintptr_t e, uintptr_t s, unsigned f) {
	return CALL(cuEventRecordWithFlags, (CUevent)e, (CUstream)s, f);
}
static CUresult go_event_query(uintptr_t e) { return CALL(cuEventQuery, (CUevent)e); }
static CUresult go_event_sync(uintptr_t e) { return CALL(cuEventSynchronize, (CUevent)e); }
typedef struct { CUresult r; float ms; } elapsed_out;
static elapsed_out go_event_elapsed(uintptr_t a, uintptr_t b) {
	elapsed_out o = {0};
	o.r = CALL(cuEventElapsedTime, &o.ms, (CUevent)a, (CUevent)b);
	return o;
}
*/
import "C"

// EventCreate creates an event; flags: EVENT_... .
func EventCreate(flags uint) Event {
	o := C.go_event_create(C.uint(flags))
	check(o.r)
	return Event(o.a)
}

// EventDestroy destroys *event and sets it to 0.
func EventDestroy(event *Event) {
	check(C.go_event_destroy(C.uintptr_t(*event)))
	*event = 0
}

// Destroy is EventDestroy.
func (event *Event) Destroy() { EventDestroy(event) }

// EventRecord marks the stream's present end with the event.
func EventRecord(event Event, stream Stream) {
	check(C.go_event_record(C.uintptr_t(event), C.uintptr_t(stream)))
}

// TryEventRecord is EventRecord without the panic.
func TryEventRecord(event Event, stream Stream) Result {
	return result(C.go_event_record(C.uintptr_t(event), C.uintptr_t(stream)))
}

// EventRecordWithFlags is EventRecord; flags 1 makes a node of its own in a captured graph (CUDA 11.1).
func EventRecordWithFlags(event Event, stream Stream, flags uint) {
	check(C.go_event_record_flags(C.uintptr_t(event), C.uintptr_t(stream), C.uint(flags)))
}

// EventQuery returns SUCCESS when the work before the mark is done (or nothing was recorded), ERROR_NOT_READY when
// not, or the error of some earlier work. It does not panic.
func EventQuery(event Event) Result { return result(C.go_event_query(C.uintptr_t(event))) }

// Query is EventQuery.
func (event Event) Query() Result { return EventQuery(event) }

// EventSynchronize waits until the work before the mark is done.
func EventSynchronize(event Event) { check(C.go_event_sync(C.uintptr_t(event))) }

// Synchronize is EventSynchronize.
func (event Event) Synchronize() { EventSynchronize(event) }

// TryEventSynchronize is EventSynchronize without the panic.
func TryEventSynchronize(event Event) Result { return result(C.go_event_sync(C.uintptr_t(event))) }

// EventElapsedTime returns the time between two marks in milliseconds, with the device's resolution (about 0.5 µs).
// It panics with ERROR_NOT_READY while one of them is to come, with ERROR_INVALID_HANDLE where one has no timing.
func EventElapsedTime(start, end Event) float32 {
	o := C.go_event_elapsed(C.uintptr_t(start), C.uintptr_t(end))
	check(o.r)
	return float32(o.ms)
}
