// Info: what a device says of itself.

package gpu

import (
	"strings"

	"github.com/barnex/cuda5/cu"
)

// Info describes a device. What a driver does not tell is zero.
type Info struct {
	Name                string
	UUID                string // GPU-xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx, as nvidia-smi prints it
	PCIBusID            string // 0000:3b:00.0
	ComputeMajor        int
	ComputeMinor        int
	TotalMemory         int64 // bytes
	Multiprocessors     int
	ClockHz             int64
	MemoryClockHz       int64
	MemoryBusBits       int
	MemoryBandwidth     float64 // bytes per second that move, reads and writes together: 2 × clock × width; 0: unknown
	L2Bytes             int64
	MaxSharedBytes      int // shared memory of one block
	MaxThreadsPerBlock  int
	AsyncEngines        int
	ECC                 bool
	Integrated          bool
	ManagedMemory       bool
	ConcurrentManaged   bool // host and device may touch managed memory at the same time
	UnifiedAddressing   bool
	HostPointersAreSame bool // registered host memory has the same address on the device
	DirectRDMA          bool // network cards may be let into device memory, by the driver's peer memory module
	DMABuf              bool // and through the kernel's dma-buf
	Exclusive           bool // compute mode exclusive-process: one process at a time
	DriverVersion       int  // 12040 is CUDA 12.4
	Emulated            bool // a test double, whatever driver it was opened as: no figure of it counts
}

// emulatedName is how the emulated driver names its devices, also where GPUBENCH_LIBCUDA put it in CUDA's place.
const emulatedName = "Emulated CUDA device"

const exclusiveProcess = 3 // CU_COMPUTEMODE_EXCLUSIVE_PROCESS

func readInfo(d cu.Device) Info {
	attr := func(a cu.DeviceAttribute) (value int) {
		var call string
		var unknown error // an attribute that this driver has not: zero
		defer catch(&call, &unknown)
		return cu.DeviceGetAttribute(a, d)
	}
	i := Info{
		Name:                cu.DeviceGetName(d),
		UUID:                cu.DeviceGetUuid(d).String(),
		PCIBusID:            cu.DeviceGetPCIBusId(d),
		TotalMemory:         cu.DeviceTotalMem(d),
		Multiprocessors:     attr(cu.MULTIPROCESSOR_COUNT),
		ClockHz:             int64(attr(cu.CLOCK_RATE)) * 1000,
		MemoryClockHz:       int64(attr(cu.MEMORY_CLOCK_RATE)) * 1000,
		MemoryBusBits:       attr(cu.GLOBAL_MEMORY_BUS_WIDTH),
		L2Bytes:             int64(attr(cu.L2_CACHE_SIZE)),
		MaxSharedBytes:      attr(cu.MAX_SHARED_MEMORY_PER_BLOCK),
		MaxThreadsPerBlock:  attr(cu.MAX_THREADS_PER_BLOCK),
		AsyncEngines:        attr(cu.ASYNC_ENGINE_COUNT),
		ECC:                 attr(cu.ECC_ENABLED) != 0,
		Integrated:          attr(cu.INTEGRATED) != 0,
		ManagedMemory:       attr(cu.MANAGED_MEMORY) != 0,
		ConcurrentManaged:   attr(cu.CONCURRENT_MANAGED_ACCESS) != 0,
		UnifiedAddressing:   attr(cu.UNIFIED_ADDRESSING) != 0,
		HostPointersAreSame: attr(cu.CAN_USE_HOST_POINTER_FOR_REGISTERED_MEM) != 0,
		DirectRDMA:          attr(cu.GPU_DIRECT_RDMA_SUPPORTED) != 0,
		DMABuf:              attr(cu.DMA_BUF_SUPPORTED) != 0,
		Exclusive:           attr(cu.COMPUTE_MODE) == exclusiveProcess,
		DriverVersion:       cu.Version(),
	}
	i.Emulated = strings.HasPrefix(i.Name, emulatedName)
	i.ComputeMajor, i.ComputeMinor = cu.DeviceComputeCapability(d)
	// Double data rate: two transfers a clock. HBM reports its clock in the same way.
	i.MemoryBandwidth = 2 * float64(i.MemoryClockHz) * float64(i.MemoryBusBits) / 8
	return i
}

// Info describes the device. It may be called on any thread.
func (d *Device) Info() Info { return d.info }

// List describes the devices that d shows this process, by ordinal. No context is made: a device may belong to another
// PE.
func List(d Driver) (list []Info, err error) {
	var call string
	err = with(d, &call, func() {
		call = "cuDeviceGetCount"
		n := cu.DeviceGetCount()
		call = "cuDeviceGetAttribute"
		for i := range n {
			list = append(list, readInfo(cu.DeviceGet(i)))
		}
	})
	return list, err
}
