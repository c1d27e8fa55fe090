// The handles and plain structures of the driver interface; no cgo here, so that every build has them.

package cu

import (
	"errors"
	"fmt"
	"strings"
	"unsafe"
)

// Handles. The zero value of each means none (of Stream: the legacy default stream, of Device: the first device).
type (
	Context   uintptr // execution context: a device's address space, current on a thread
	Device    int     // device handle: its ordinal among the visible devices
	DevicePtr uintptr // address in the device's (unified) address space
	Event     uintptr
	Function  uintptr // a kernel of a Module
	Graph     uintptr
	GraphExec uintptr // a Graph made ready to launch
	MemPool   uintptr // pool that MemAllocAsync takes from
	Module    uintptr // loaded device code
	Stream    uintptr
)

// Streams that exist without StreamCreate.
const (
	StreamLegacy    Stream = 1
	StreamPerThread Stream = 2
)

// DeviceCPU stands for the host in MemPrefetchAsync and MemAdvise.
const DeviceCPU Device = -1

// Dim3 is the size of a grid or a block.
type Dim3 struct {
	X, Y, Z int
}

// DevProp holds the properties that the driver's oldest query gives. Sizes are bytes, ClockRate is kHz.
type DevProp struct {
	MaxThreadsPerBlock  int
	MaxThreadsDim       [3]int
	MaxGridSize         [3]int
	SharedMemPerBlock   int
	TotalConstantMemory int
	SIMDWidth           int
	MemPitch            int
	RegsPerBlock        int
	ClockRate           int
	TextureAlign        int
}

// UUID is the identity of a device (or of a MIG instance), the same in every process and in NVML.
type UUID [16]byte

// String returns the form that nvidia-smi prints and CUDA_VISIBLE_DEVICES takes: "GPU-" and 8-4-4-4-12 hex digits.
func (u UUID) String() string {
	return fmt.Sprintf("GPU-%x-%x-%x-%x-%x", u[0:4], u[4:6], u[6:8], u[8:10], u[10:16])
}

// IpcMemHandle names an allocation to other processes of the host.
type IpcMemHandle [64]byte

// IpcEventHandle names an event to other processes of the host.
type IpcEventHandle [64]byte

// CopySide is one side of Memcpy2D, Memcpy3D and Memcpy3DPeer: where a box of bytes begins in a pitched block.
//
// The first byte is Addr + X + Y*Pitch + Z*Pitch*Height. Addr is a host address for MemoryTypeHost, a device pointer
// for MemoryTypeDevice, either for MemoryTypeUnified; the zero Type counts as MemoryTypeUnified. Arrays are not
// supported. Pitch is bytes from row to row, Height rows from plane to plane (unused in 2D); the driver takes the
// box's own where they are 0. Context is looked at by Memcpy3DPeer alone.
type CopySide struct {
	Addr    uintptr
	Type    MemoryType
	X       int64 // bytes
	Y, Z    int64 // rows, planes
	Pitch   int64 // bytes
	Height  int64 // rows
	Context Context
}

// CopyBox is a copy of Width bytes × Height rows × Depth planes (Depth unused in 2D).
type CopyBox struct {
	Dst, Src      CopySide
	Width         int64 // bytes
	Height, Depth int64
}

// PointerInfo is what PointerGetAttributes finds out about an address.
type PointerInfo struct {
	Type       MemoryType // 0: memory that CUDA does not know
	Device     Device     // ordinal; -2 where there is none (CUDA's invalid device)
	Managed    bool
	Context    Context
	DevicePtr  DevicePtr // as kernels see it
	HostPtr    uintptr   // as the host sees it, 0: it does not
	RangeStart DevicePtr // of the allocation
	RangeBytes int64
	BufferID   uint64 // differs between allocations, also at the same address
	LegacyIPC  bool   // IpcGetMemHandle will do
}

// String returns the address in hexadecimal.
func (p DevicePtr) String() string { return fmt.Sprintf("0x%x", uintptr(p)) }

// LoadError says why there is no CUDA driver: what was looked for, what was found, what to do.
// It matches errors.ErrUnsupported.
type LoadError struct {
	Path    string   // what was given to dlopen
	Reason  string   // dlopen's words, or ours
	Missing []string // symbols that the library at Path lacks
}

// Environment variable that names the driver library to load instead of libcuda.so.1: an absolute path.
const LibcudaEnv = "GPUBENCH_LIBCUDA"

const libcudaName = "libcuda.so.1"

// Error says what was looked for and what to do.
func (e *LoadError) Error() string {
	const advice = "install NVIDIA's driver (CUDA 11 or later), or set " + LibcudaEnv + " to the absolute path of a " + libcudaName
	if len(e.Missing) > 0 {
		names := e.Missing
		more := ""
		if len(names) > 5 {
			more = fmt.Sprintf(" and %d more", len(names)-5)
			names = names[:5]
		}
		return fmt.Sprintf("cu: %s is no CUDA driver of version 11 or later: it lacks %s%s; %s",
			e.Path, strings.Join(names, ", "), more, advice)
	}
	reason := strings.TrimPrefix(e.Reason, e.Path+": ") // dlerror begins with the path, mostly
	return fmt.Sprintf("cu: no CUDA driver: %s: %s; %s", e.Path, reason, advice)
}

// Is makes errors.Is(err, errors.ErrUnsupported) true.
func (e *LoadError) Is(target error) bool { return target == errors.ErrUnsupported }

// noDriverMessage is the panic of a call on a thread where no driver is current: always our bug, never the machine's.
const noDriverMessage = "cu: no driver is current on this thread"

// word reads 8 bytes behind a parameter pointer, whatever the variable's size: the promise of LaunchKernel, which is
// why the compiler's pointer checks are off here.
//
//go:nocheckptr
func word(p unsafe.Pointer) uint64 { return *(*uint64)(p) }
