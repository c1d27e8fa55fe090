// Flags and attributes, as numbers of the driver's binary interface; no cgo here, so that every build has them.

package cu

import "strconv"

// Flags of CtxCreate and DevicePrimaryCtxSetFlags: how a thread waits for the device.
//
// CTX_BLOCKING_SYNC is 2, that is CTX_SCHED_YIELD: so it is in the interface that this package keeps to. Use
// CTX_SCHED_BLOCKING_SYNC for the flag that blocks.
const (
	CTX_SCHED_AUTO         = 0
	CTX_SCHED_SPIN         = 1
	CTX_SCHED_YIELD        = 2
	CTX_BLOCKING_SYNC      = CTX_SCHED_YIELD
	CTX_MAP_HOST           = 8
	CTX_LMEM_RESIZE_TO_MAX = 16

	CTX_SCHED_BLOCKING_SYNC = 4
)

// Flags of SetDeviceFlags, in the runtime API's names.
const (
	DeviceAuto                 = 0
	DeviceSpin                 = 1
	DeviceYield                = 2
	DeviceScheduleBlockingSync = 4
	DeviceBlockingSync         = 4
	DeviceMapHost              = 8
	DeviceLmemResizeToMax      = 16
)

// Directions of MemCpy, in the runtime API's names. Virt: the driver finds out by the addresses.
const (
	HtoH = 0
	HtoD = 1
	DtoH = 2
	DtoD = 3
	Virt = 4
)

// Sizes of the element types of device arrays, in bytes.
const (
	SIZEOF_FLOAT32    = 4
	SIZEOF_FLOAT64    = 8
	SIZEOF_COMPLEX64  = 8
	SIZEOF_COMPLEX128 = 16
)

// DeviceAttribute names a property of a device (DeviceGetAttribute).
type DeviceAttribute int

const (
	MAX_THREADS_PER_BLOCK                        DeviceAttribute = 1
	MAX_BLOCK_DIM_X                              DeviceAttribute = 2
	MAX_BLOCK_DIM_Y                              DeviceAttribute = 3
	MAX_BLOCK_DIM_Z                              DeviceAttribute = 4
	MAX_GRID_DIM_X                               DeviceAttribute = 5
	MAX_GRID_DIM_Y                               DeviceAttribute = 6
	MAX_GRID_DIM_Z                               DeviceAttribute = 7
	MAX_SHARED_MEMORY_PER_BLOCK                  DeviceAttribute = 8
	TOTAL_CONSTANT_MEMORY                        DeviceAttribute = 9
	WARP_SIZE                                    DeviceAttribute = 10
	MAX_PITCH                                    DeviceAttribute = 11
	MAX_REGISTERS_PER_BLOCK                      DeviceAttribute = 12
	CLOCK_RATE                                   DeviceAttribute = 13
	TEXTURE_ALIGNMENT                            DeviceAttribute = 14
	GPU_OVERLAP                                  DeviceAttribute = 15
	MULTIPROCESSOR_COUNT                         DeviceAttribute = 16
	KERNEL_EXEC_TIMEOUT                          DeviceAttribute = 17
	INTEGRATED                                   DeviceAttribute = 18
	CAN_MAP_HOST_MEMORY                          DeviceAttribute = 19
	COMPUTE_MODE                                 DeviceAttribute = 20
	MAXIMUM_TEXTURE1D_WIDTH                      DeviceAttribute = 21
	MAXIMUM_TEXTURE2D_WIDTH                      DeviceAttribute = 22
	MAXIMUM_TEXTURE2D_HEIGHT                     DeviceAttribute = 23
	MAXIMUM_TEXTURE3D_WIDTH                      DeviceAttribute = 24
	MAXIMUM_TEXTURE3D_HEIGHT                     DeviceAttribute = 25
	MAXIMUM_TEXTURE3D_DEPTH                      DeviceAttribute = 26
	MAXIMUM_TEXTURE2D_LAYERED_WIDTH              DeviceAttribute = 27
	MAXIMUM_TEXTURE2D_LAYERED_HEIGHT             DeviceAttribute = 28
	MAXIMUM_TEXTURE2D_LAYERED_LAYERS             DeviceAttribute = 29
	SURFACE_ALIGNMENT                            DeviceAttribute = 30
	CONCURRENT_KERNELS                           DeviceAttribute = 31
	ECC_ENABLED                                  DeviceAttribute = 32
	PCI_BUS_ID                                   DeviceAttribute = 33
	PCI_DEVICE_ID                                DeviceAttribute = 34
	TCC_DRIVER                                   DeviceAttribute = 35
	MEMORY_CLOCK_RATE                            DeviceAttribute = 36
	GLOBAL_MEMORY_BUS_WIDTH                      DeviceAttribute = 37
	L2_CACHE_SIZE                                DeviceAttribute = 38
	MAX_THREADS_PER_MULTIPROCESSOR               DeviceAttribute = 39
	ASYNC_ENGINE_COUNT                           DeviceAttribute = 40
	UNIFIED_ADDRESSING                           DeviceAttribute = 41
	MAXIMUM_TEXTURE1D_LAYERED_WIDTH              DeviceAttribute = 42
	MAXIMUM_TEXTURE1D_LAYERED_LAYERS             DeviceAttribute = 43
	PCI_DOMAIN_ID                                DeviceAttribute = 50
	COMPUTE_CAPABILITY_MAJOR                     DeviceAttribute = 75
	COMPUTE_CAPABILITY_MINOR                     DeviceAttribute = 76
	STREAM_PRIORITIES_SUPPORTED                  DeviceAttribute = 78
	MAX_SHARED_MEMORY_PER_MULTIPROCESSOR         DeviceAttribute = 81
	MAX_REGISTERS_PER_MULTIPROCESSOR             DeviceAttribute = 82
	MANAGED_MEMORY                               DeviceAttribute = 83
	MULTI_GPU_BOARD                              DeviceAttribute = 84
	HOST_NATIVE_ATOMIC_SUPPORTED                 DeviceAttribute = 86
	PAGEABLE_MEMORY_ACCESS                       DeviceAttribute = 88
	CONCURRENT_MANAGED_ACCESS                    DeviceAttribute = 89
	CAN_USE_HOST_POINTER_FOR_REGISTERED_MEM      DeviceAttribute = 91
	COOPERATIVE_LAUNCH                           DeviceAttribute = 95
	MAX_SHARED_MEMORY_PER_BLOCK_OPTIN            DeviceAttribute = 97
	HOST_REGISTER_SUPPORTED                      DeviceAttribute = 99
	PAGEABLE_MEMORY_ACCESS_USES_HOST_PAGE_TABLES DeviceAttribute = 100
	DIRECT_MANAGED_MEM_ACCESS_FROM_HOST          DeviceAttribute = 101
	VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED          DeviceAttribute = 102
	MAX_BLOCKS_PER_MULTIPROCESSOR                DeviceAttribute = 106
	MEMORY_POOLS_SUPPORTED                       DeviceAttribute = 115
	GPU_DIRECT_RDMA_SUPPORTED                    DeviceAttribute = 116
	DMA_BUF_SUPPORTED                            DeviceAttribute = 124
)

// P2PAttribute names a property of a pair of devices (DeviceGetP2PAttribute).
type P2PAttribute int

const (
	P2P_PERFORMANCE_RANK            P2PAttribute = 1
	P2P_ACCESS_SUPPORTED            P2PAttribute = 2
	P2P_NATIVE_ATOMIC_SUPPORTED     P2PAttribute = 3
	P2P_CUDA_ARRAY_ACCESS_SUPPORTED P2PAttribute = 4
)

// FunctionAttribute names a property of a kernel (FuncGetAttribute, FuncSetAttribute).
type FunctionAttribute int

const (
	FUNC_A_MAX_THREADS_PER_BLOCK FunctionAttribute = 0
	FUNC_A_SHARED_SIZE_BYTES     FunctionAttribute = 1
	FUNC_A_CONST_SIZE_BYTES      FunctionAttribute = 2
	FUNC_A_LOCAL_SIZE_BYTES      FunctionAttribute = 3
	FUNC_A_NUM_REGS              FunctionAttribute = 4
	FUNC_A_PTX_VERSION           FunctionAttribute = 5
	FUNC_A_BINARY_VERSION        FunctionAttribute = 6

	FUNC_A_CACHE_MODE_CA                    FunctionAttribute = 7
	FUNC_A_MAX_DYNAMIC_SHARED_SIZE_BYTES    FunctionAttribute = 8
	FUNC_A_PREFERRED_SHARED_MEMORY_CARVEOUT FunctionAttribute = 9
)

// FuncCache is a preference between L1 cache and shared memory.
type FuncCache int

const (
	FUNC_CACHE_PREFER_NONE   FuncCache = 0
	FUNC_CACHE_PREFER_SHARED FuncCache = 1
	FUNC_CACHE_PREFER_L1     FuncCache = 2
	FUNC_CACHE_PREFER_EQUAL  FuncCache = 3
)

// Limit names a resource limit of a context (CtxGetLimit, CtxSetLimit); values are bytes.
type Limit int

const (
	LIMIT_STACK_SIZE       Limit = 0
	LIMIT_PRINTF_FIFO_SIZE Limit = 1
	LIMIT_MALLOC_HEAP_SIZE Limit = 2
)

// MemoryType says what an address is.
type MemoryType uint

const (
	MemoryTypeHost    MemoryType = 1
	MemoryTypeDevice  MemoryType = 2
	MemoryTypeArray   MemoryType = 3
	MemoryTypeUnified MemoryType = 4
)

var memoryTypeNames = [...]string{1: "MemoryTypeHost", "MemoryTypeDevice", "MemoryTypeArray", "MemoryTypeUnified"}

// String returns the constant's name.
func (t MemoryType) String() string {
	if t < MemoryTypeHost || t > MemoryTypeUnified {
		return "MemoryType(" + strconv.FormatUint(uint64(t), 10) + ")"
	}
	return memoryTypeNames[t]
}

// PointerAttribute names a property of an address (PointerGetAttribute).
type PointerAttribute int

const (
	POINTER_CONTEXT                    PointerAttribute = 1
	POINTER_MEMORY_TYPE                PointerAttribute = 2
	POINTER_DEVICE_POINTER             PointerAttribute = 3
	POINTER_HOST_POINTER               PointerAttribute = 4
	POINTER_SYNC_MEMOPS                PointerAttribute = 6
	POINTER_BUFFER_ID                  PointerAttribute = 7
	POINTER_IS_MANAGED                 PointerAttribute = 8
	POINTER_DEVICE_ORDINAL             PointerAttribute = 9
	POINTER_IS_LEGACY_CUDA_IPC_CAPABLE PointerAttribute = 10
	POINTER_RANGE_START_ADDR           PointerAttribute = 11
	POINTER_RANGE_SIZE                 PointerAttribute = 12
	POINTER_MAPPED                     PointerAttribute = 13
)

// MemHostRegisterFlag is a flag of MemHostRegister.
type MemHostRegisterFlag int

const (
	MEMHOSTREGISTER_PORTABLE  MemHostRegisterFlag = 1
	MEMHOSTREGISTER_DEVICEMAP MemHostRegisterFlag = 2

	MEMHOSTREGISTER_IOMEMORY  MemHostRegisterFlag = 4
	MEMHOSTREGISTER_READ_ONLY MemHostRegisterFlag = 8
)

// Flags of MemHostAlloc.
const (
	MEMHOSTALLOC_PORTABLE      = 1
	MEMHOSTALLOC_DEVICEMAP     = 2
	MEMHOSTALLOC_WRITECOMBINED = 4
)

// Flags of MemAllocManaged and StreamAttachMemAsync: who may touch managed memory.
const (
	MEM_ATTACH_GLOBAL = 1
	MEM_ATTACH_HOST   = 2
	MEM_ATTACH_SINGLE = 4
)

// MemAdvice is advice about managed memory (MemAdvise).
type MemAdvice int

const (
	MEM_ADVISE_SET_READ_MOSTLY          MemAdvice = 1
	MEM_ADVISE_UNSET_READ_MOSTLY        MemAdvice = 2
	MEM_ADVISE_SET_PREFERRED_LOCATION   MemAdvice = 3
	MEM_ADVISE_UNSET_PREFERRED_LOCATION MemAdvice = 4
	MEM_ADVISE_SET_ACCESSED_BY          MemAdvice = 5
	MEM_ADVISE_UNSET_ACCESSED_BY        MemAdvice = 6
)

// MemRangeAttribute names a property of a range of managed memory (MemRangeGetAttribute).
type MemRangeAttribute int

const (
	MEM_RANGE_READ_MOSTLY            MemRangeAttribute = 1
	MEM_RANGE_PREFERRED_LOCATION     MemRangeAttribute = 2
	MEM_RANGE_LAST_PREFETCH_LOCATION MemRangeAttribute = 4
)

// MemPoolAttribute names a property of a memory pool (MemPoolGetAttribute, MemPoolSetAttribute).
type MemPoolAttribute int

const (
	MEMPOOL_REUSE_FOLLOW_EVENT_DEPENDENCIES   MemPoolAttribute = 1
	MEMPOOL_REUSE_ALLOW_OPPORTUNISTIC         MemPoolAttribute = 2
	MEMPOOL_REUSE_ALLOW_INTERNAL_DEPENDENCIES MemPoolAttribute = 3
	MEMPOOL_RELEASE_THRESHOLD                 MemPoolAttribute = 4
	MEMPOOL_RESERVED_MEM_CURRENT              MemPoolAttribute = 5
	MEMPOOL_RESERVED_MEM_HIGH                 MemPoolAttribute = 6
	MEMPOOL_USED_MEM_CURRENT                  MemPoolAttribute = 7
	MEMPOOL_USED_MEM_HIGH                     MemPoolAttribute = 8
)

// IPC_MEM_LAZY_ENABLE_PEER_ACCESS is the one flag of IpcOpenMemHandle; the driver wants it set.
const IPC_MEM_LAZY_ENABLE_PEER_ACCESS = 1

// Flags of StreamCreateWithFlags.
const (
	STREAM_DEFAULT      = 0
	STREAM_NON_BLOCKING = 1 // does not synchronize with the legacy stream 0
)

// Flags of EventCreate.
const (
	EVENT_DEFAULT        = 0
	EVENT_BLOCKING_SYNC  = 1
	EVENT_DISABLE_TIMING = 2 // cheaper; EventElapsedTime fails
	EVENT_INTERPROCESS   = 4 // with EVENT_DISABLE_TIMING, for IpcGetEventHandle
)

// Flags of StreamWaitValue32 and 64: the condition on *ptr.
const (
	STREAM_WAIT_VALUE_GEQ   = 0 // (int32)(*ptr - value) >= 0
	STREAM_WAIT_VALUE_EQ    = 1
	STREAM_WAIT_VALUE_AND   = 2 // (*ptr & value) != 0
	STREAM_WAIT_VALUE_NOR   = 3 // ~(*ptr | value) != 0
	STREAM_WAIT_VALUE_FLUSH = 1 << 30
)

// Flags of StreamWriteValue32 and 64.
const (
	STREAM_WRITE_VALUE_DEFAULT           = 0
	STREAM_WRITE_VALUE_NO_MEMORY_BARRIER = 1
)

// CaptureMode says what unsafe calls do while a stream is captured (StreamBeginCapture).
type CaptureMode int

const (
	STREAM_CAPTURE_MODE_GLOBAL       CaptureMode = 0
	STREAM_CAPTURE_MODE_THREAD_LOCAL CaptureMode = 1
	STREAM_CAPTURE_MODE_RELAXED      CaptureMode = 2
)

// CaptureStatus says whether a stream is being captured (StreamIsCapturing).
type CaptureStatus int

const (
	STREAM_CAPTURE_STATUS_NONE        CaptureStatus = 0
	STREAM_CAPTURE_STATUS_ACTIVE      CaptureStatus = 1
	STREAM_CAPTURE_STATUS_INVALIDATED CaptureStatus = 2
)
