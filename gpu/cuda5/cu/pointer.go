//go:build cgo

// What the driver knows about an address.

package cu

/*
#include "call.h"
// 32 zeroed bytes hold every attribute; booleans are written as 1 or 4 bytes, so little-endian zeroes do the rest.
static cu_out go_pointer_attribute(CUpointer_attribute a, CUdeviceptr p) {
	uint64_t v[4] = {0};
	CUresult r = CALL(cuPointerGetAttribute, v, a, p);
	return (cu_out){r, v[0], 0};
}
typedef struct {
	CUresult r;
	uint64_t ctx, type, device, host, buffer, managed, ordinal, ipc, start, size;
} pointer_out;
static pointer_out go_pointer_attributes(CUdeviceptr p) {
	pointer_out o = {0};
	o.ordinal = (uint32_t)-2;
	CUpointer_attribute a[] = {
		CU_POINTER_ATTRIBUTE_CONTEXT, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, CU_POINTER_ATTRIBUTE_DEVICE_POINTER,
		CU_POINTER_ATTRIBUTE_HOST_POINTER, CU_POINTER_ATTRIBUTE_BUFFER_ID, CU_POINTER_ATTRIBUTE_IS_MANAGED,
		CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE,
		CU_POINTER_ATTRIBUTE_RANGE_START_ADDR, CU_POINTER_ATTRIBUTE_RANGE_SIZE,
	};
	void *v[] = {
		&o.ctx, &o.type, &o.device, &o.host, &o.buffer, &o.managed, &o.ordinal, &o.ipc, &o.start, &o.size,
	};
	o.r = CALL(cuPointerGetAttributes, sizeof a / sizeof a[0], a, v, p);
	return o;
}
static CUresult go_pointer_sync_memops(uint32_t on, CUdeviceptr p) {
	return CALL(cuPointerSetAttribute, &on, CU_POINTER_ATTRIBUTE_SYNC_MEMOPS, p);
}
*/
import "C"

// PointerGetAttributeMemoryType returns what kind of memory ptr is. It does not panic when the driver does not know
// the address: err is ERROR_INVALID_VALUE then.
func PointerGetAttributeMemoryType(ptr DevicePtr) (t MemoryType, err Result) {
	v, err := PointerGetAttribute(POINTER_MEMORY_TYPE, ptr)
	return MemoryType(uint32(v)), err
}

// MemoryType returns what kind of memory ptr is; an address that the driver does not know panics.
func (ptr DevicePtr) MemoryType() MemoryType {
	t, err := PointerGetAttributeMemoryType(ptr)
	if err != SUCCESS {
		panic(err)
	}
	return t
}

// PointerGetAttribute returns one attribute of an address as a number: an address, a handle, a size, an identity, or
// 0 and 1. It does not panic when the driver does not know the address.
func PointerGetAttribute(attrib PointerAttribute, ptr DevicePtr) (value uint64, err Result) {
	o := C.go_pointer_attribute(C.CUpointer_attribute(attrib), C.CUdeviceptr(ptr))
	return uint64(o.a), result(o.r)
}

// PointerGetAttributes returns all of PointerInfo in one call. An address that the driver does not know is no error:
// Type is 0 then.
func PointerGetAttributes(ptr DevicePtr) PointerInfo {
	o := C.go_pointer_attributes(C.CUdeviceptr(ptr))
	check(o.r)
	return PointerInfo{
		Type:       MemoryType(uint32(o._type)),
		Device:     Device(int32(o.ordinal)),
		Managed:    o.managed != 0,
		Context:    Context(o.ctx),
		DevicePtr:  DevicePtr(o.device),
		HostPtr:    uintptr(o.host),
		RangeStart: DevicePtr(o.start),
		RangeBytes: int64(o.size),
		BufferID:   uint64(o.buffer),
		LegacyIPC:  o.ipc != 0,
	}
}

// PointerSetSyncMemops makes synchronous copies to and from the allocation of ptr complete before they return, which
// other devices that read it directly (RDMA) rely on.
func PointerSetSyncMemops(ptr DevicePtr, on bool) {
	var v C.uint32_t
	if on {
		v = 1
	}
	check(C.go_pointer_sync_memops(v, C.CUdeviceptr(ptr)))
}
