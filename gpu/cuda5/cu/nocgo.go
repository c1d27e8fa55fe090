//go:build !cgo

// The same interface where cgo is off (CGO_ENABLED=0): there is no driver, and every call says why.
// Made by: go test -run TestNoCgo -update

package cu

import "unsafe"

// Driver is one implementation of the CUDA driver interface. There is none in a build without cgo.
type Driver struct{}

const builtWithoutCgo = "built without cgo (CGO_ENABLED=0)"

func noCgo() string { return "cu: " + builtWithoutCgo + ": no driver can be called" }

func CtxCreate(flags uint, dev Device) Context { panic(noCgo()) }

func CtxDestroy(ctx *Context) { panic(noCgo()) }

func (ctx *Context) Destroy() { panic(noCgo()) }

func CtxGetCurrent() Context { panic(noCgo()) }

func CtxSetCurrent(ctx Context) { panic(noCgo()) }

func (ctx Context) SetCurrent() { panic(noCgo()) }

func CtxPushCurrent(ctx Context) { panic(noCgo()) }

func CtxPopCurrent() Context { panic(noCgo()) }

func CtxGetDevice() Device { panic(noCgo()) }

func CtxSynchronize() { panic(noCgo()) }

func CtxGetApiVersion(ctx Context) (version int) { panic(noCgo()) }

func (ctx Context) ApiVersion() (version int) { panic(noCgo()) }

func CtxGetFlags() uint { panic(noCgo()) }

func CtxSetFlags(flags uint) { panic(noCgo()) }

func CtxGetId(ctx Context) uint64 { panic(noCgo()) }

func CtxGetLimit(limit Limit) int64 { panic(noCgo()) }

func CtxSetLimit(limit Limit, bytes int64) { panic(noCgo()) }

func CtxGetCacheConfig() FuncCache { panic(noCgo()) }

func CtxSetCacheConfig(config FuncCache) { panic(noCgo()) }

func CtxGetStreamPriorityRange() (least, greatest int) { panic(noCgo()) }

func Memcpy2D(b *CopyBox) { panic(noCgo()) }

func Memcpy2DAsync(b *CopyBox, stream Stream) { panic(noCgo()) }

func TryMemcpy2DAsync(b *CopyBox, stream Stream) Result { panic(noCgo()) }

func Memcpy3D(b *CopyBox) { panic(noCgo()) }

func Memcpy3DAsync(b *CopyBox, stream Stream) { panic(noCgo()) }

func TryMemcpy3DAsync(b *CopyBox, stream Stream) Result { panic(noCgo()) }

func Memcpy3DPeer(b *CopyBox) { panic(noCgo()) }

func Memcpy3DPeerAsync(b *CopyBox, stream Stream) { panic(noCgo()) }

func TryMemcpy3DPeerAsync(b *CopyBox, stream Stream) Result { panic(noCgo()) }

func DeviceGetCount() int { panic(noCgo()) }

func DeviceGet(ordinal int) Device { panic(noCgo()) }

func DeviceGetAttribute(attrib DeviceAttribute, dev Device) int { panic(noCgo()) }

func (dev Device) Attribute(attrib DeviceAttribute) int { panic(noCgo()) }

func DeviceComputeCapability(device Device) (major, minor int) { panic(noCgo()) }

func (device Device) ComputeCapability() (major, minor int) { panic(noCgo()) }

func DeviceTotalMem(device Device) int64 { panic(noCgo()) }

func (device Device) TotalMem() int64 { panic(noCgo()) }

func DeviceGetName(dev Device) string { panic(noCgo()) }

func (dev Device) Name() string { panic(noCgo()) }

func DeviceGetProperties(dev Device) (prop DevProp) { panic(noCgo()) }

func (dev Device) Properties() DevProp { panic(noCgo()) }

func DeviceGetUuid(dev Device) UUID { panic(noCgo()) }

func DeviceGetPCIBusId(dev Device) string { panic(noCgo()) }

func DeviceGetByPCIBusId(id string) Device { panic(noCgo()) }

func NewDriver(name string, table unsafe.Pointer) *Driver { panic(noCgo()) }

func LoadCUDA() (*Driver, error) {
	return nil, &LoadError{Path: libcudaName, Reason: "this program was " + builtWithoutCgo}
}

func (d *Driver) Name() string { panic(noCgo()) }

func (d *Driver) String() string { panic(noCgo()) }

func (d *Driver) MakeCurrent() { panic(noCgo()) }

func Current() *Driver { return nil }

func ClearCurrent() {}

func (d *Driver) Has(function string) bool { panic(noCgo()) }

func EventCreate(flags uint) Event { panic(noCgo()) }

func EventDestroy(event *Event) { panic(noCgo()) }

func (event *Event) Destroy() { panic(noCgo()) }

func EventRecord(event Event, stream Stream) { panic(noCgo()) }

func TryEventRecord(event Event, stream Stream) Result { panic(noCgo()) }

func EventRecordWithFlags(event Event, stream Stream, flags uint) { panic(noCgo()) }

func EventQuery(event Event) Result { panic(noCgo()) }

func (event Event) Query() Result { panic(noCgo()) }

func EventSynchronize(event Event) { panic(noCgo()) }

func (event Event) Synchronize() { panic(noCgo()) }

func TryEventSynchronize(event Event) Result { panic(noCgo()) }

func EventElapsedTime(start, end Event) float32 { panic(noCgo()) }

func FuncGetAttribute(attrib FunctionAttribute, function Function) int { panic(noCgo()) }

func (f Function) GetAttribute(attrib FunctionAttribute) int { panic(noCgo()) }

func FuncSetAttribute(attrib FunctionAttribute, function Function, value int) { panic(noCgo()) }

func FuncSetCacheConfig(function Function, config FuncCache) { panic(noCgo()) }

func FuncGetName(function Function) string { panic(noCgo()) }

func OccupancyMaxActiveBlocksPerMultiprocessor(f Function, blockSize int, sharedMemBytes int64) int {
	panic(noCgo())
}

func OccupancyMaxPotentialBlockSize(f Function, sharedMemBytes int64, blockSizeLimit int) (minGridSize, blockSize int) {
	panic(noCgo())
}

func OccupancyAvailableDynamicSMemPerBlock(f Function, numBlocks, blockSize int) int64 {
	panic(noCgo())
}

func StreamBeginCapture(stream Stream, mode CaptureMode) { panic(noCgo()) }

func StreamEndCapture(stream Stream) Graph { panic(noCgo()) }

func StreamIsCapturing(stream Stream) CaptureStatus { panic(noCgo()) }

func ThreadExchangeStreamCaptureMode(mode CaptureMode) CaptureMode { panic(noCgo()) }

func GraphGetNodeCount(graph Graph) int { panic(noCgo()) }

func GraphInstantiate(graph Graph) GraphExec { panic(noCgo()) }

func GraphLaunch(exec GraphExec, stream Stream) { panic(noCgo()) }

func TryGraphLaunch(exec GraphExec, stream Stream) Result { panic(noCgo()) }

func GraphUpload(exec GraphExec, stream Stream) { panic(noCgo()) }

func GraphDestroy(graph *Graph) { panic(noCgo()) }

func GraphExecDestroy(exec *GraphExec) { panic(noCgo()) }

func LaunchHostFunc(stream Stream, f func()) { panic(noCgo()) }

func MemAllocHost(bytes int64) unsafe.Pointer { panic(noCgo()) }

func MemHostAlloc(bytes int64, flags uint) unsafe.Pointer { panic(noCgo()) }

func MemFreeHost(ptr unsafe.Pointer) { panic(noCgo()) }

func MemHostRegister(ptr unsafe.Pointer, bytes int64, flags MemHostRegisterFlag) { panic(noCgo()) }

func MemHostUnregister(ptr unsafe.Pointer) { panic(noCgo()) }

func MemHostGetDevicePointer(ptr unsafe.Pointer) DevicePtr { panic(noCgo()) }

func MemHostGetFlags(ptr unsafe.Pointer) uint { panic(noCgo()) }

func MemAllocManaged(bytes int64, flags uint) DevicePtr { panic(noCgo()) }

func MemPrefetchAsync(ptr DevicePtr, bytes int64, dev Device, stream Stream) { panic(noCgo()) }

func MemAdvise(ptr DevicePtr, bytes int64, advice MemAdvice, dev Device) { panic(noCgo()) }

func MemRangeGetAttribute(attrib MemRangeAttribute, ptr DevicePtr, bytes int64) int { panic(noCgo()) }

func Init(flags int) { panic(noCgo()) }

func Version() int { panic(noCgo()) }

func ErrorString(err Result) string { panic(noCgo()) }

func IpcGetMemHandle(ptr DevicePtr) IpcMemHandle { panic(noCgo()) }

func IpcOpenMemHandle(handle IpcMemHandle, flags uint) DevicePtr { panic(noCgo()) }

func IpcCloseMemHandle(ptr DevicePtr) { panic(noCgo()) }

func IpcGetEventHandle(event Event) IpcEventHandle { panic(noCgo()) }

func IpcOpenEventHandle(handle IpcEventHandle) Event { panic(noCgo()) }

func LaunchKernel(f Function, gridDimX, gridDimY, gridDimZ int, blockDimX, blockDimY, blockDimZ int, sharedMemBytes int, stream Stream, kernelParams []unsafe.Pointer) {
	panic(noCgo())
}

func LaunchKernel64(f Function, gridDimX, gridDimY, gridDimZ int, blockDimX, blockDimY, blockDimZ int, sharedMemBytes int, stream Stream, args []uint64) Result {
	panic(noCgo())
}

func LaunchCooperativeKernel64(f Function, gridDimX, gridDimY, gridDimZ int, blockDimX, blockDimY, blockDimZ int, sharedMemBytes int, stream Stream, args []uint64) Result {
	panic(noCgo())
}

func Memcpy(dst, src DevicePtr, bytes int64) { panic(noCgo()) }

func MemcpyAsync(dst, src DevicePtr, bytes int64, stream Stream) { panic(noCgo()) }

func MemcpyDtoD(dst, src DevicePtr, bytes int64) { panic(noCgo()) }

func MemcpyDtoDAsync(dst, src DevicePtr, bytes int64, stream Stream) { panic(noCgo()) }

func MemcpyDtoH(dst unsafe.Pointer, src DevicePtr, bytes int64) { panic(noCgo()) }

func MemcpyDtoHAsync(dst unsafe.Pointer, src DevicePtr, bytes int64, stream Stream) { panic(noCgo()) }

func MemcpyHtoD(dst DevicePtr, src unsafe.Pointer, bytes int64) { panic(noCgo()) }

func MemcpyHtoDAsync(dst DevicePtr, src unsafe.Pointer, bytes int64, stream Stream) { panic(noCgo()) }

func MemcpyPeer(dst DevicePtr, dstCtx Context, src DevicePtr, srcCtx Context, bytes int64) {
	panic(noCgo())
}

func MemcpyPeerAsync(dst DevicePtr, dstCtx Context, src DevicePtr, srcCtx Context, bytes int64, stream Stream) {
	panic(noCgo())
}

func TryMemcpy(dst, src DevicePtr, bytes int64) Result { panic(noCgo()) }

func TryMemcpyAsync(dst, src DevicePtr, bytes int64, stream Stream) Result { panic(noCgo()) }

func TryMemcpyDtoDAsync(dst, src DevicePtr, bytes int64, stream Stream) Result { panic(noCgo()) }

func TryMemcpyDtoHAsync(dst uintptr, src DevicePtr, bytes int64, stream Stream) Result {
	panic(noCgo())
}

func TryMemcpyHtoDAsync(dst DevicePtr, src uintptr, bytes int64, stream Stream) Result {
	panic(noCgo())
}

func TryMemcpyPeerAsync(dst DevicePtr, dstCtx Context, src DevicePtr, srcCtx Context, bytes int64, stream Stream) Result {
	panic(noCgo())
}

func MemAlloc(bytes int64) DevicePtr { panic(noCgo()) }

func MemAllocPitch(width, height int64, elementSize int) (ptr DevicePtr, pitch int64) { panic(noCgo()) }

func MemAllocAsync(bytes int64, stream Stream) DevicePtr { panic(noCgo()) }

func MemFree(p DevicePtr) { panic(noCgo()) }

func (ptr DevicePtr) Free() { panic(noCgo()) }

func MemFreeAsync(p DevicePtr, stream Stream) { panic(noCgo()) }

func MemGetInfo() (free, total int64) { panic(noCgo()) }

func MemGetAddressRange(ptr DevicePtr) (bytes int64, base DevicePtr) { panic(noCgo()) }

func (ptr DevicePtr) GetAddressRange() (bytes int64, base DevicePtr) { panic(noCgo()) }

func (ptr DevicePtr) Bytes() (bytes int64) { panic(noCgo()) }

func DeviceGetDefaultMemPool(dev Device) MemPool { panic(noCgo()) }

func MemPoolTrimTo(pool MemPool, keep int64) { panic(noCgo()) }

func MemPoolGetAttribute(pool MemPool, attrib MemPoolAttribute) uint64 { panic(noCgo()) }

func MemPoolSetAttribute(pool MemPool, attrib MemPoolAttribute, value uint64) { panic(noCgo()) }

func MemsetD8(deviceptr DevicePtr, value uint8, N int64) { panic(noCgo()) }

func MemsetD16(deviceptr DevicePtr, value uint16, N int64) { panic(noCgo()) }

func MemsetD32(deviceptr DevicePtr, value uint32, N int64) { panic(noCgo()) }

func MemsetD8Async(deviceptr DevicePtr, value uint8, N int64, stream Stream) { panic(noCgo()) }

func MemsetD16Async(deviceptr DevicePtr, value uint16, N int64, stream Stream) { panic(noCgo()) }

func MemsetD32Async(deviceptr DevicePtr, value uint32, N int64, stream Stream) { panic(noCgo()) }

func TryMemsetD8Async(deviceptr DevicePtr, value uint8, N int64, stream Stream) Result {
	panic(noCgo())
}

func TryMemsetD32Async(deviceptr DevicePtr, value uint32, N int64, stream Stream) Result {
	panic(noCgo())
}

func MemsetD2D8(deviceptr DevicePtr, pitch int64, value uint8, width, height int64) { panic(noCgo()) }

func MemsetD2D16(deviceptr DevicePtr, pitch int64, value uint16, width, height int64) { panic(noCgo()) }

func MemsetD2D32(deviceptr DevicePtr, pitch int64, value uint32, width, height int64) { panic(noCgo()) }

func MemsetD2D8Async(deviceptr DevicePtr, pitch int64, value uint8, width, height int64, stream Stream) {
	panic(noCgo())
}

func MemsetD2D16Async(deviceptr DevicePtr, pitch int64, value uint16, width, height int64, stream Stream) {
	panic(noCgo())
}

func MemsetD2D32Async(deviceptr DevicePtr, pitch int64, value uint32, width, height int64, stream Stream) {
	panic(noCgo())
}

func ModuleLoad(fname string) Module { panic(noCgo()) }

func ModuleLoadData(image string) Module { panic(noCgo()) }

func ModuleLoadDataLog(image []byte) (m Module, log string, err Result) { panic(noCgo()) }

func ModuleUnload(module *Module) { panic(noCgo()) }

func (m *Module) Unload() { panic(noCgo()) }

func ModuleGetFunction(module Module, name string) Function { panic(noCgo()) }

func (m Module) GetFunction(name string) Function { panic(noCgo()) }

func ModuleGetGlobal(module Module, name string) (ptr DevicePtr, bytes int64) { panic(noCgo()) }

func DeviceCanAccessPeer(dev, peer Device) bool { panic(noCgo()) }

func (dev Device) CanAccessPeer(peer Device) bool { panic(noCgo()) }

func DeviceGetP2PAttribute(attrib P2PAttribute, src, dst Device) int { panic(noCgo()) }

func CtxEnablePeerAccess(peer Context) { panic(noCgo()) }

func (peer Context) EnablePeerAccess() { panic(noCgo()) }

func CtxDisablePeerAccess(peer Context) { panic(noCgo()) }

func (peer Context) DisablePeerAccess() { panic(noCgo()) }

func PointerGetAttributeMemoryType(ptr DevicePtr) (t MemoryType, err Result) { panic(noCgo()) }

func (ptr DevicePtr) MemoryType() MemoryType { panic(noCgo()) }

func PointerGetAttribute(attrib PointerAttribute, ptr DevicePtr) (value uint64, err Result) {
	panic(noCgo())
}

func PointerGetAttributes(ptr DevicePtr) PointerInfo { panic(noCgo()) }

func PointerSetSyncMemops(ptr DevicePtr, on bool) { panic(noCgo()) }

func DevicePrimaryCtxRetain(dev Device) Context { panic(noCgo()) }

func DevicePrimaryCtxRelease(dev Device) { panic(noCgo()) }

func DevicePrimaryCtxReset(dev Device) { panic(noCgo()) }

func DevicePrimaryCtxSetFlags(dev Device, flags uint) { panic(noCgo()) }

func DevicePrimaryCtxGetState(dev Device) (flags uint, active bool) { panic(noCgo()) }

func SetDevice(device Device) { panic(noCgo()) }

func SetDeviceFlags(flags uint) { panic(noCgo()) }

func DeviceReset() { panic(noCgo()) }

func Malloc(bytes int64) DevicePtr { panic(noCgo()) }

func MallocHost(bytes int64) unsafe.Pointer { panic(noCgo()) }

func FreeHost(ptr unsafe.Pointer) { panic(noCgo()) }

func MemCpy(dst, src unsafe.Pointer, bytes int64, flags uint) { panic(noCgo()) }

func StreamCreate() Stream { panic(noCgo()) }

func StreamCreateWithFlags(flags uint) Stream { panic(noCgo()) }

func StreamCreateWithPriority(flags uint, priority int) Stream { panic(noCgo()) }

func StreamDestroy(stream *Stream) { panic(noCgo()) }

func (stream *Stream) Destroy() { panic(noCgo()) }

func StreamQuery(stream Stream) Result { panic(noCgo()) }

func (stream Stream) Query() Result { panic(noCgo()) }

func StreamSynchronize(stream Stream) { panic(noCgo()) }

func (stream Stream) Synchronize() { panic(noCgo()) }

func TryStreamSynchronize(stream Stream) Result { panic(noCgo()) }

func StreamWaitEvent(stream Stream, event Event) { panic(noCgo()) }

func TryStreamWaitEvent(stream Stream, event Event) Result { panic(noCgo()) }

func StreamGetCtx(stream Stream) Context { panic(noCgo()) }

func StreamGetFlags(stream Stream) uint { panic(noCgo()) }

func StreamGetPriority(stream Stream) int { panic(noCgo()) }

func StreamGetId(stream Stream) uint64 { panic(noCgo()) }

func StreamAttachMemAsync(stream Stream, ptr DevicePtr, bytes int64, flags uint) { panic(noCgo()) }

func StreamWaitValue32(stream Stream, ptr DevicePtr, value uint32, flags uint) { panic(noCgo()) }

func StreamWriteValue32(stream Stream, ptr DevicePtr, value uint32, flags uint) { panic(noCgo()) }

func StreamWaitValue64(stream Stream, ptr DevicePtr, value uint64, flags uint) { panic(noCgo()) }

func StreamWriteValue64(stream Stream, ptr DevicePtr, value uint64, flags uint) { panic(noCgo()) }
