//go:build cgo

// Memory and events shared between processes of a host.

package cu

/*
#include "call.h"
typedef struct { CUresult r; CUipcMemHandle h; } mem_handle_out;
static mem_handle_out go_ipc_get_mem(CUdeviceptr p) {
	mem_handle_out o = {0};
	o.r = CALL(cuIpcGetMemHandle, &o.h, p);
	return o;
}
static cu_out go_ipc_open_mem(CUipcMemHandle h, unsigned flags) {
	CUdeviceptr p = 0;
	CUresult r = CALL(cuIpcOpenMemHandle, &p, h, flags);
	return (cu_out){r, p, 0};
}
static CUresult go_ipc_close_mem(CUdeviceptr p) { return CALL(cuIpcCloseMemHandle, p); }
typedef struct { CUresult r; CUipcEventHandle h; } event_handle_out;
static event_handle_out go_ipc_get_event(uintptr_t e) {
	event_handle_out o = {0};
	o.r = CALL(cuIpcGetEventHandle, &o.h, (CUevent)e);
	return o;
}
static cu_out go_ipc_open_event(CUipcEventHandle h) {
	CUevent e = NULL;
	CUresult r = CALL(cuIpcOpenEventHandle, &e, h);
	return (cu_out){r, (uintptr_t)e, 0};
}
*/
import "C"

import "unsafe"

// IpcGetMemHandle returns the handle of the allocation that starts at ptr.
func IpcGetMemHandle(ptr DevicePtr) IpcMemHandle {
	o := C.go_ipc_get_mem(C.CUdeviceptr(ptr))
	check(o.r)
	return *(*IpcMemHandle)(unsafe.Pointer(&o.h))
}

// IpcOpenMemHandle maps another process's allocation; flags: IPC_MEM_LAZY_ENABLE_PEER_ACCESS. The exporter itself
// cannot open its handle.
func IpcOpenMemHandle(handle IpcMemHandle, flags uint) DevicePtr {
	o := C.go_ipc_open_mem(*(*C.CUipcMemHandle)(unsafe.Pointer(&handle)), C.uint(flags))
	check(o.r)
	return DevicePtr(o.a)
}

// IpcCloseMemHandle unmaps what IpcOpenMemHandle mapped.
func IpcCloseMemHandle(ptr DevicePtr) { check(C.go_ipc_close_mem(C.CUdeviceptr(ptr))) }

// IpcGetEventHandle returns the handle of an event created with EVENT_INTERPROCESS | EVENT_DISABLE_TIMING.
func IpcGetEventHandle(event Event) IpcEventHandle {
	o := C.go_ipc_get_event(C.uintptr_t(event))
	check(o.r)
	return *(*IpcEventHandle)(unsafe.Pointer(&o.h))
}

// IpcOpenEventHandle opens another process's event; EventDestroy closes it.
func IpcOpenEventHandle(handle IpcEventHandle) Event {
	o := C.go_ipc_open_event(*(*C.CUipcEventHandle)(unsafe.Pointer(&handle)))
	check(o.r)
	return Event(o.a)
}
