//go:build cgo

// Go functions in a stream, called by a thread of the driver.

package cu

/*
#include "call.h"
*/
import "C"

import "runtime/cgo"

// A hostFunc is what the driver holds for a Go function until it has called it.
type hostFunc struct {
	f    func()
	keep bool // part of a graph, which may call it any number of times
}

// LaunchHostFunc calls f in stream order, on a thread of the driver: after the stream's earlier work, before its later.
//
// f must not call the driver, must not wait for work of the device, and must not panic. A function launched into a
// stream that is being captured becomes part of the graph and stays in memory as long as the process.
func LaunchHostFunc(stream Stream, f func()) {
	if f == nil {
		panic("cu: LaunchHostFunc of a nil function")
	}
	h := cgo.NewHandle(&hostFunc{f: f, keep: StreamIsCapturing(stream) != STREAM_CAPTURE_STATUS_NONE})
	if r := C.cu_launch_host_func(C.uintptr_t(stream), C.uintptr_t(h)); r != C.CUDA_SUCCESS {
		h.Delete()
		fail(r)
	}
}

//export cuGoHostFunc
func cuGoHostFunc(handle C.uintptr_t) {
	h := cgo.Handle(handle)
	call := h.Value().(*hostFunc)
	if !call.keep {
		h.Delete()
	}
	call.f()
}
