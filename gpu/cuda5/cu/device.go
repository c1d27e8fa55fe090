//go:build cgo

// Devices: how many, which, their properties and identities.

package cu

/*
#include <stdlib.h>
#include "call.h"
static cu_out go_device_count(void) {
	int n = 0;
	CUresult r = CALL(cuDeviceGetCount, &n);
	return (cu_out){r, (uint64_t)n, 0};
}
static cu_out go_device_get(int ordinal) {
	CUdevice d = 0;
	CUresult r = CALL(cuDeviceGet, &d, ordinal);
	return (cu_out){r, (uint64_t)d, 0};
}
static cu_out go_device_attribute(CUdevice_attribute a, CUdevice d) {
	int v = 0;
	CUresult r = CALL(cuDeviceGetAttribute, &v, a, d);
	return (cu_out){r, (uint64_t)v, 0};
}
static cu_out go_device_capability(CUdevice d) {
	int major = 0, minor = 0;
	CUresult r = CALL(cuDeviceComputeCapability, &major, &minor, d);
	return (cu_out){r, (uint64_t)major, (uint64_t)minor};
}
static cu_out go_device_total(CUdevice d) {
	size_t n = 0;
	CUresult r = CALL(cuDeviceTotalMem, &n, d);
	return (cu_out){r, n, 0};
}
typedef struct { CUresult r; CUdevprop p; } prop_out;
static prop_out go_device_properties(CUdevice d) {
	prop_out o = {0};
	o.r = CALL(cuDeviceGetProperties, &o.p, d);
	return o;
}
typedef struct { CUresult r; char text[256]; } text_out;
static text_out go_device_name(CUdevice d) {
	text_out o = {0};
	o.r = CALL(cuDeviceGetName, o.text, sizeof o.text - 1, d);
	return o;
}
static text_out go_device_bus(CUdevice d) {
	text_out o = {0};
	o.r = CALL(cuDeviceGetPCIBusId, o.text, sizeof o.text - 1, d);
	return o;
}
static cu_out go_device_by_bus(const char *id) {
	CUdevice d = 0;
	CUresult r = CALL(cuDeviceGetByPCIBusId, &d, id);
	return (cu_out){r, (uint64_t)d, 0};
}
typedef struct { CUresult r; CUuuid id; } uuid_out;
static uuid_out go_device_uuid(CUdevice d) {
	uuid_out o = {0};
	// The newer one tells the instances of a partitioned (MIG) device apart.
	if (HAS(cuDeviceGetUuid_v2))
		o.r = CALL(cuDeviceGetUuid_v2, &o.id, d);
	else
		o.r = CALL(cuDeviceGetUuid, &o.id, d);
	return o;
}
*/
import "C"

import "unsafe"

// DeviceGetCount returns the number of devices that the process sees.
func DeviceGetCount() int {
	o := C.go_device_count()
	check(o.r)
	return int(o.a)
}

// DeviceGet returns the handle of a device by its number, 0 to DeviceGetCount()-1.
func DeviceGet(ordinal int) Device {
	o := C.go_device_get(C.int(ordinal))
	check(o.r)
	return Device(int32(o.a))
}

// DeviceGetAttribute returns one property of a device.
func DeviceGetAttribute(attrib DeviceAttribute, dev Device) int {
	o := C.go_device_attribute(C.CUdevice_attribute(attrib), C.CUdevice(dev))
	check(o.r)
	return int(int32(o.a))
}

// Attribute is DeviceGetAttribute.
func (dev Device) Attribute(attrib DeviceAttribute) int { return DeviceGetAttribute(attrib, dev) }

// DeviceComputeCapability returns the device's compute capability: 9, 0 for sm_90.
func DeviceComputeCapability(device Device) (major, minor int) {
	o := C.go_device_capability(C.CUdevice(device))
	check(o.r)
	return int(o.a), int(o.b)
}

// ComputeCapability is DeviceComputeCapability.
func (device Device) ComputeCapability() (major, minor int) { return DeviceComputeCapability(device) }

// DeviceTotalMem returns the size of the device's memory in bytes.
func DeviceTotalMem(device Device) int64 {
	o := C.go_device_total(C.CUdevice(device))
	check(o.r)
	return int64(o.a)
}

// TotalMem is DeviceTotalMem.
func (device Device) TotalMem() int64 { return DeviceTotalMem(device) }

// DeviceGetName returns the device's product name.
func DeviceGetName(dev Device) string {
	o := C.go_device_name(C.CUdevice(dev))
	check(o.r)
	return C.GoString(&o.text[0])
}

// Name is DeviceGetName.
func (dev Device) Name() string { return DeviceGetName(dev) }

// DeviceGetProperties returns the properties of DevProp.
func DeviceGetProperties(dev Device) (prop DevProp) {
	o := C.go_device_properties(C.CUdevice(dev))
	check(o.r)
	p := &o.p
	prop.MaxThreadsPerBlock = int(p.maxThreadsPerBlock)
	for i := range prop.MaxThreadsDim {
		prop.MaxThreadsDim[i] = int(p.maxThreadsDim[i])
		prop.MaxGridSize[i] = int(p.maxGridSize[i])
	}
	prop.SharedMemPerBlock = int(p.sharedMemPerBlock)
	prop.TotalConstantMemory = int(p.totalConstantMemory)
	prop.SIMDWidth = int(p.SIMDWidth)
	prop.MemPitch = int(p.memPitch)
	prop.RegsPerBlock = int(p.regsPerBlock)
	prop.ClockRate = int(p.clockRate)
	prop.TextureAlign = int(p.textureAlign)
	return prop
}

// Properties is DeviceGetProperties.
func (dev Device) Properties() DevProp { return DeviceGetProperties(dev) }

// DeviceGetUuid returns the device's identity.
func DeviceGetUuid(dev Device) UUID {
	o := C.go_device_uuid(C.CUdevice(dev))
	check(o.r)
	return *(*UUID)(unsafe.Pointer(&o.id))
}

// DeviceGetPCIBusId returns the device's place on the bus, domain:bus:device.function in hexadecimal digits.
func DeviceGetPCIBusId(dev Device) string {
	o := C.go_device_bus(C.CUdevice(dev))
	check(o.r)
	return C.GoString(&o.text[0])
}

// DeviceGetByPCIBusId returns the device at a place on the bus.
func DeviceGetByPCIBusId(id string) Device {
	s := C.CString(id)
	defer C.free(unsafe.Pointer(s))
	o := C.go_device_by_bus(s)
	check(o.r)
	return Device(int32(o.a))
}
