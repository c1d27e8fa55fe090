//go:build cgo

// The runtime API's duplicates, expressed by driver calls on primary contexts. Nothing of libcudart is used: its
// rules that matter are kept here. A thread works on the device of its current context; a thread without one gets the
// primary context of device 0 with its first call.

package cu

import (
	"runtime"
	"sync"
	"unsafe"
)

// The primary contexts that this file holds: one count for each device of each driver, however often it is asked for.
var primaries struct {
	sync.Mutex
	held map[primaryKey]Context
}

type primaryKey struct {
	driver *Driver
	device Device
}

func holdPrimary(dev Device) Context {
	key := primaryKey{Current(), dev}
	primaries.Lock()
	defer primaries.Unlock()
	if ctx, ok := primaries.held[key]; ok {
		return ctx
	}
	ctx := DevicePrimaryCtxRetain(dev)
	if primaries.held == nil {
		primaries.held = make(map[primaryKey]Context)
	}
	primaries.held[key] = ctx
	return ctx
}

// lazyContext gives the thread a context if it has none.
func lazyContext() {
	if CtxGetCurrent() == 0 {
		SetDevice(0)
	}
}

// SetDevice makes the device's primary context current on the calling thread, and creates it if need be.
func SetDevice(device Device) { CtxSetCurrent(holdPrimary(device)) }

// SetDeviceFlags sets the flags (DeviceAuto, DeviceSpin, ...) of the thread's device, or of device 0 where the thread
// has none. DeviceMapHost is left out of what the driver is told: it has been always on since CUDA 11.
func SetDeviceFlags(flags uint) {
	var dev Device
	if CtxGetCurrent() != 0 {
		dev = CtxGetDevice()
	}
	DevicePrimaryCtxSetFlags(dev, flags&^DeviceMapHost)
}

// DeviceReset destroys all that the process has on the thread's device, and leaves the thread without a context. It
// does nothing where the thread has no context.
func DeviceReset() {
	if CtxGetCurrent() == 0 {
		return
	}
	dev := CtxGetDevice()
	DevicePrimaryCtxReset(dev)
	primaries.Lock()
	defer primaries.Unlock()
	key := primaryKey{Current(), dev}
	if _, ok := primaries.held[key]; ok {
		delete(primaries.held, key)
		DevicePrimaryCtxRelease(dev) // a reset does not count as our release
	}
	CtxSetCurrent(0)
}

// Malloc allocates bytes of device memory; 0 bytes give 0.
func Malloc(bytes int64) DevicePtr {
	lazyContext()
	if bytes == 0 {
		return 0
	}
	return MemAlloc(bytes)
}

// MallocHost allocates bytes of page-locked host memory; 0 bytes give nil.
func MallocHost(bytes int64) unsafe.Pointer {
	lazyContext()
	if bytes == 0 {
		return nil
	}
	return MemAllocHost(bytes)
}

// FreeHost frees what MallocHost gave; nil is nothing to free.
func FreeHost(ptr unsafe.Pointer) {
	lazyContext()
	if ptr != nil {
		MemFreeHost(ptr)
	}
}

// MemCpy copies bytes in the direction that flags says: HtoH, HtoD, DtoH, DtoD, or Virt for the driver to find out.
// It panics with ERROR_INVALID_VALUE at any other flags.
func MemCpy(dst, src unsafe.Pointer, bytes int64, flags uint) {
	lazyContext()
	switch flags {
	case HtoD:
		MemcpyHtoD(DevicePtr(dst), src, bytes)
	case DtoH:
		MemcpyDtoH(dst, DevicePtr(src), bytes)
	case DtoD:
		MemcpyDtoD(DevicePtr(dst), DevicePtr(src), bytes)
	case HtoH, Virt:
		Memcpy(DevicePtr(dst), DevicePtr(src), bytes)
	default:
		panic(ERROR_INVALID_VALUE)
	}
	runtime.KeepAlive(dst) // where it went to the driver as a number
	runtime.KeepAlive(src)
}
