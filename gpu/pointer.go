// Pointers: what a driver knows of an address.

package gpu

import "github.com/barnex/cuda5/cu"

// PointerInfo is what the driver says of an address.
type PointerInfo struct {
	Space  Space
	Device int     // ordinal of the device that the memory belongs to; -1 for pageable memory
	Base   uintptr // of the allocation, 0 where the driver does not tell
	Len    int     // of the allocation in bytes, as the driver counts them
	Buffer uint64  // the driver's number for the allocation; differs between allocations at the same address
	IPC    bool    // Export will do
}

// Pointer asks the driver what addr is. Memory that it does not know is pageable.
func (d *Device) Pointer(addr uintptr) (info PointerInfo, err error) {
	d.check()
	call := "cuPointerGetAttributes"
	defer catch(&call, &err)
	p := cu.PointerGetAttributes(cu.DevicePtr(addr))
	if p.Type == 0 {
		return PointerInfo{Space: Pageable, Device: -1}, nil
	}
	info = PointerInfo{Space: OnDevice, Device: int(p.Device), Base: uintptr(p.RangeStart), Len: int(p.RangeBytes),
		Buffer: p.BufferID, IPC: p.LegacyIPC}
	switch {
	case p.Managed:
		info.Space = Managed
	case p.Type == cu.MemoryTypeHost:
		info.Space = Pinned
	}
	return info, nil
}
