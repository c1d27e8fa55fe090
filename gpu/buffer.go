// Buffer: memory of any space, with a lifetime that is checked.

package gpu

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/barnex/cuda5/cu"
)

// Buffer is memory that Alloc gave.
type Buffer struct {
	dev      *Device
	mem      Memory
	host     hostBlock // pageable and pinned
	imported bool
	freed    bool
}

// PinError says that host memory could not be pinned, and the mend.
type PinError struct {
	Bytes int
	Err   error
}

func (e *PinError) Error() string {
	return fmt.Sprintf("pin %d B of host memory: %v (raise the limit on locked memory, ulimit -l, or use pageable memory)", e.Bytes, e.Err)
}

// Unwrap gives the driver's error.
func (e *PinError) Unwrap() error { return e.Err }

// Alloc gives n bytes (n > 0) of any space. Host memory is mapped, aligned to a page (2 MiB for huge pages), and written
// by the calling thread, so that it lies near it; pinned memory is the same, registered with the driver. On `cpu` all
// spaces are host memory. Errors match ErrOutOfMemory where that is the reason.
func (d *Device) Alloc(s Space, n int, p Pages) (*Buffer, error) {
	d.here()
	if n <= 0 {
		panic(fmt.Sprintf("gpu: Alloc of %d B", n))
	}
	b := &Buffer{dev: d, mem: Memory{Len: n, Space: s}}
	if err := b.alloc(p); err != nil {
		return nil, fmt.Errorf("alloc %d B of %v memory on %v: %w", n, s, d, err)
	}
	d.track(b, "buffer", n)
	return b, nil
}

func (b *Buffer) alloc(p Pages) (err error) {
	n := b.mem.Len
	switch b.mem.Space {
	case Pageable, Pinned:
		if b.host, err = mapHost(n, p); err != nil {
			return err
		}
		b.mem.Addr = uintptr(b.host.start)
		if b.mem.Space == Pageable {
			return nil
		}
		err = call("cuMemHostRegister", func() {
			cu.MemHostRegister(b.host.start, int64(n), cu.MEMHOSTREGISTER_PORTABLE|cu.MEMHOSTREGISTER_DEVICEMAP)
		})
		if err != nil {
			b.host.unmap()
			return &PinError{Bytes: n, Err: err}
		}
		return nil
	case OnDevice:
		return call("cuMemAlloc", func() { b.mem.Addr = uintptr(cu.MemAlloc(int64(n))) })
	case Managed:
		err := call("cuMemAllocManaged", func() { b.mem.Addr = uintptr(cu.MemAllocManaged(int64(n), cu.MEM_ATTACH_GLOBAL)) })
		if errors.Is(err, errors.ErrUnsupported) {
			return &UnsupportedError{Feature: "managed memory", Reason: err.Error()}
		}
		return err
	}
	panic(fmt.Sprintf("gpu: Alloc of space %v", b.mem.Space))
}

// Memory is all of the buffer. Using it after Free is the caller's fault that only some drivers notice.
func (b *Buffer) Memory() Memory {
	b.alive("Memory")
	return b.mem
}

// Len is the length in bytes.
func (b *Buffer) Len() int { return b.mem.Len }

// Slice is n bytes from off on; it panics where they are not in the buffer.
func (b *Buffer) Slice(off, n int) Memory {
	b.alive("Slice")
	return b.mem.Slice(off, n)
}

func (b *Buffer) alive(what string) {
	if b.freed {
		panic("gpu: " + what + " of a buffer after Free")
	}
}

// PageUse tells what pages a host buffer lies in.
func (b *Buffer) PageUse() (PageUse, error) {
	b.alive("PageUse")
	if b.host.start == nil {
		return PageUse{}, &UnsupportedError{Feature: "page use of " + b.mem.Space.String() + " memory", Reason: "its pages are the driver's"}
	}
	return readPageUse(uintptr(b.host.start))
}

// HugeBytes is how much of a host buffer lies in huge pages.
func (b *Buffer) HugeBytes() (int64, error) {
	u, err := b.PageUse()
	return u.Huge, err
}

// Free gives the memory back. Work that uses it must have ended.
func (b *Buffer) Free() error {
	b.dev.here()
	b.alive("Free")
	b.freed = true
	b.dev.untrack(b)
	switch {
	case b.imported:
		return call("cuIpcCloseMemHandle", func() { cu.IpcCloseMemHandle(cu.DevicePtr(b.mem.Addr)) })
	case b.mem.Space == OnDevice || b.mem.Space == Managed:
		return call("cuMemFree", func() { cu.MemFree(cu.DevicePtr(b.mem.Addr)) })
	}
	var err error
	if b.mem.Space == Pinned {
		err = call("cuMemHostUnregister", func() { cu.MemHostUnregister(b.host.start) })
	}
	b.host.unmap()
	return err
}

// RegisterKernel makes a kernel's CPU body known to `cpu` and `emulated`: see emulated.RegisterKernel. Called in init.
func RegisterKernel(name, kinds string, phases int, body unsafe.Pointer) { registerKernel(name, kinds, phases, body) }
