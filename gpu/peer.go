// Memory of other devices and other processes, and what an address is.

package gpu

import (
	"errors"
	"fmt"

	"github.com/barnex/cuda5/cu"
)

// CanAccessPeer tells whether d's kernels and copies can reach o's memory without the host.
func (d *Device) CanAccessPeer(o *Device) (ok bool, err error) {
	d.here()
	if d.driver != o.driver {
		return false, nil
	}
	if d.ordinal == o.ordinal {
		return true, nil
	}
	err = call("cuDeviceCanAccessPeer", func() { ok = d.handle.CanAccessPeer(o.handle) })
	return ok, err
}

// EnablePeer lets d reach o's memory. Again: nothing happens.
func (d *Device) EnablePeer(o *Device) error {
	ok, err := d.CanAccessPeer(o)
	if err != nil {
		return err
	}
	if !ok {
		return &UnsupportedError{Feature: fmt.Sprintf("peer access %v→%v", d, o), Reason: "the driver says that the first cannot reach the second's memory"}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ordinal == o.ordinal || d.peers[o.ordinal] {
		return nil
	}
	err = call("cuCtxEnablePeerAccess", func() { cu.CtxEnablePeerAccess(o.ctx) })
	var e *Error
	if errors.As(err, &e) && e.Code == int(cu.ERROR_PEER_ACCESS_ALREADY_ENABLED) {
		err = nil // by another Device of the same ordinal: they share the primary context
	}
	if err == nil {
		d.peers[o.ordinal] = true
	}
	return err
}

// IPCHandle names a device buffer to other processes of the host.
type IPCHandle struct {
	Mem  [64]byte
	Len  int64
	UUID [16]byte
}

// Export names a device buffer to other processes. The buffer must outlive their use.
func (d *Device) Export(b *Buffer) (h IPCHandle, err error) {
	d.here()
	b.alive("Export")
	if b.mem.Space != OnDevice || b.imported {
		return h, &UnsupportedError{Feature: "export of " + b.mem.Space.String() + " memory", Reason: "only a process's own device memory has IPC handles"}
	}
	err = call("cuIpcGetMemHandle", func() {
		h.Mem = cu.IpcGetMemHandle(cu.DevicePtr(b.mem.Addr))
		h.UUID = cu.DeviceGetUuid(d.handle)
	})
	h.Len = int64(b.mem.Len)
	return h, err
}

// Import maps another process's buffer.
func (d *Device) Import(h IPCHandle) (*Buffer, error) {
	d.here()
	b := &Buffer{dev: d, imported: true, mem: Memory{Len: int(h.Len), Space: OnDevice}}
	err := call("cuIpcOpenMemHandle", func() {
		b.mem.Addr = uintptr(cu.IpcOpenMemHandle(h.Mem, cu.IPC_MEM_LAZY_ENABLE_PEER_ACCESS))
	})
	if err != nil {
		return nil, err
	}
	d.track(b, "imported buffer", b.mem.Len)
	return b, nil
}

// IPCEventHandle names an event to other processes of the host.
type IPCEventHandle struct{ Event [64]byte }

// NewIPCEvent makes an event that other processes may wait for. It has no time.
func (d *Device) NewIPCEvent() (*Event, error) {
	return d.newEvent(cu.EVENT_DISABLE_TIMING | cu.EVENT_INTERPROCESS)
}

// ExportEvent names an event of NewIPCEvent to other processes.
func (d *Device) ExportEvent(e *Event) (h IPCEventHandle, err error) {
	e.check()
	err = call("cuIpcGetEventHandle", func() { h.Event = cu.IpcGetEventHandle(e.h) })
	return h, err
}

// ImportEvent opens another process's event.
func (d *Device) ImportEvent(h IPCEventHandle) (*Event, error) {
	d.here()
	e := &Event{dev: d}
	if err := call("cuIpcOpenEventHandle", func() { e.h = cu.IpcOpenEventHandle(h.Event) }); err != nil {
		return nil, err
	}
	d.track(e, "imported event", 0)
	return e, nil
}

// PointerInfo is what the driver knows of an address.
type PointerInfo struct {
	Space  Space
	Device int // ordinal, -1 for pageable memory
	Base   uintptr
	Len    int
	Buffer uint64 // the driver's id of the allocation, 0 where it has none
}

// Pointer asks the driver what an address is. An address that it does not know is pageable memory.
func (d *Device) Pointer(addr uintptr) (PointerInfo, error) {
	d.here()
	var p cu.PointerInfo
	if err := call("cuPointerGetAttributes", func() { p = cu.PointerGetAttributes(cu.DevicePtr(addr)) }); err != nil {
		return PointerInfo{}, err
	}
	out := PointerInfo{Space: OnDevice, Device: int(p.Device), Base: uintptr(p.RangeStart), Len: int(p.RangeBytes), Buffer: p.BufferID}
	switch {
	case p.Managed:
		out.Space = Managed
	case p.Type == cu.MemoryTypeHost:
		out.Space = Pinned
	case p.Type == 0:
		return PointerInfo{Space: Pageable, Device: -1}, nil
	}
	return out, nil
}
