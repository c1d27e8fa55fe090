// IPC: device memory and events shared with another process on the same host.

package gpu

import (
	"encoding/binary"
	"fmt"

	"github.com/barnex/cuda5/cu"
)

// IPCHandle names a device buffer to another process. It is valid while the buffer is.
type IPCHandle struct {
	Mem [64]byte // CUipcMemHandle
	Len int64    // bytes
}

// IPCHandleLen is the length of an encoded IPCHandle.
const IPCHandleLen = 72

// AppendBinary appends the handle's IPCHandleLen bytes to b.
func (h IPCHandle) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, h.Mem[:]...)
	return binary.LittleEndian.AppendUint64(b, uint64(h.Len)), nil
}

// UnmarshalBinary reads what AppendBinary wrote.
func (h *IPCHandle) UnmarshalBinary(b []byte) error {
	if len(b) != IPCHandleLen {
		return fmt.Errorf("gpu: an IPC handle has %d B, not %d", IPCHandleLen, len(b))
	}
	copy(h.Mem[:], b)
	h.Len = int64(binary.LittleEndian.Uint64(b[64:]))
	if h.Len < 0 {
		return fmt.Errorf("gpu: an IPC handle of %d B of memory", h.Len)
	}
	return nil
}

// Export makes a handle for a buffer of d. Only device memory can be exported.
func (d *Device) Export(b *Buffer) (h IPCHandle, err error) {
	d.check()
	b.alive()
	if b.mem.Space != OnDevice || b.imported {
		return h, &UnsupportedError{Feature: "export of this buffer", Reason: "only device memory of this process's own can be exported"}
	}
	call := "cuIpcGetMemHandle"
	defer catch(&call, &err)
	return IPCHandle{Mem: cu.IpcGetMemHandle(cu.DevicePtr(b.mem.Addr)), Len: int64(b.mem.Len)}, nil
}

// Import opens another process's buffer. Free closes it again; the memory stays the exporter's, and what it holds is as
// the exporter left it.
func (d *Device) Import(h IPCHandle) (b *Buffer, err error) {
	d.check()
	call := "cuIpcOpenMemHandle"
	defer catch(&call, &err)
	ptr := cu.IpcOpenMemHandle(h.Mem, cu.IPC_MEM_LAZY_ENABLE_PEER_ACCESS)
	b = &Buffer{mem: Memory{Addr: uintptr(ptr), Len: int(h.Len), Space: OnDevice}, imported: true}
	b.size, b.space = b.mem.Len, OnDevice
	d.own(&b.resource, "buffer", b.release)
	noteAlive(b.mem)
	return b, nil
}

func closeImported(ptr cu.DevicePtr) (err error) {
	call := "cuIpcCloseMemHandle"
	defer catch(&call, &err)
	cu.IpcCloseMemHandle(ptr)
	return nil
}

// IPCEventHandle names an event to another process.
type IPCEventHandle [64]byte

// NewIPCEvent makes an event, without timing, that can be exported.
func (d *Device) NewIPCEvent() (*Event, error) {
	return d.newEvent(cu.EVENT_INTERPROCESS|cu.EVENT_DISABLE_TIMING, false)
}

// ExportEvent makes a handle for an event from NewIPCEvent.
func (d *Device) ExportEvent(e *Event) (h IPCEventHandle, err error) {
	d.check()
	e.alive()
	call := "cuIpcGetEventHandle"
	defer catch(&call, &err)
	return IPCEventHandle(cu.IpcGetEventHandle(e.h)), nil
}

// ImportEvent opens another process's event.
func (d *Device) ImportEvent(h IPCEventHandle) (e *Event, err error) {
	d.check()
	call := "cuIpcOpenEventHandle"
	defer catch(&call, &err)
	e = &Event{h: cu.IpcOpenEventHandle(cu.IpcEventHandle(h))}
	d.own(&e.resource, "event", e.release)
	return e, nil
}
