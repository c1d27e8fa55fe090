// Buffer: memory of every space from one method.

package gpu

import (
	"fmt"
	"slices"
	"unsafe"

	"github.com/barnex/cuda5/cu"
	"golang.org/x/sys/unix"
)

// Buffer is an allocation. It is made and freed on its device's thread; Memory, Len and Slice may be called anywhere.
type Buffer struct {
	resource
	mem   Memory
	host  hostBlock // of Pageable and Pinned
	pages Pages

	imported bool // another process's
}

// Alloc makes a buffer of n bytes. Every byte is written, on the calling thread for host spaces (their pages come from
// its NUMA node), and is 0xFF: eight of them are a NaN. Pinned is the same memory as Pageable, registered with the
// driver. p concerns the host spaces; device and managed memory lie in pages of the driver's choice. n may be 0.
// Errors: ErrOutOfMemory, *PinError, *UnsupportedError, *Error.
func (d *Device) Alloc(s Space, n int, p Pages) (*Buffer, error) {
	d.check()
	if n < 0 || int(p) >= len(pagesNames) {
		panic(fmt.Sprintf("gpu: Alloc of %d B in %v pages", n, p))
	}
	b := &Buffer{mem: Memory{Len: n, Space: s}, pages: p}
	b.size, b.space = n, s
	var err error
	switch s {
	case Pageable:
		err = b.mapPages(n)
	case Pinned:
		err = b.pin(n)
	case OnDevice, Managed:
		err = b.allocDevice(d, n)
	default:
		panic(fmt.Sprintf("gpu: Alloc in %v", s))
	}
	if err != nil {
		return nil, fmt.Errorf("alloc %d B of %v memory on %v: %w", n, s, d, err)
	}
	d.own(&b.resource, "buffer", b.release)
	noteAlive(b.mem)
	return b, nil
}

func (b *Buffer) mapPages(n int) (err error) {
	b.host, err = mapHost(max(n, 1), b.pages)
	b.mem.Addr = uintptr(b.host.start)
	return err
}

func (b *Buffer) pin(n int) error {
	if err := b.mapPages(n); err != nil {
		return err
	}
	err := register(b.host)
	if err != nil {
		b.host.unmap()
	}
	return err
}

// limitCodes are the answers of a driver that cannot lock memory because of a limit; others have other reasons.
var limitCodes = []cu.Result{cu.ERROR_OUT_OF_MEMORY, cu.ERROR_OPERATING_SYSTEM, cu.ERROR_NOT_PERMITTED}

// register pins whole pages: a driver may refuse less.
func register(h hostBlock) (err error) {
	const flags = cu.MEMHOSTREGISTER_PORTABLE | cu.MEMHOSTREGISTER_DEVICEMAP
	call := "cuMemHostRegister"
	defer func() {
		e, _ := err.(*Error)
		if e != nil && slices.Contains(limitCodes, cu.Result(e.Code)) {
			limit := unix.Rlimit{Cur: unix.RLIM_INFINITY}
			_ = unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit)
			err = &PinError{Size: int(h.accessible), Limit: limit.Cur, Err: e}
		}
	}()
	defer catch(&call, &err)
	cu.MemHostRegister(h.start, int64(h.accessible), flags)
	return nil
}

func (b *Buffer) allocDevice(d *Device, n int) (err error) {
	if b.mem.Space == Managed && !d.info.ManagedMemory {
		return &UnsupportedError{Feature: "managed memory", Reason: "the device has none"}
	}
	if d.driver != CUDA { // device memory is the host's
		if err := checkHostMemory(int64(n)); err != nil {
			return err
		}
	}
	size := int64(max(n, 1))
	var call string
	var ptr cu.DevicePtr
	defer func() {
		if err != nil && ptr != 0 {
			_ = freeDevice(ptr)
		}
	}()
	defer catch(&call, &err)
	if b.mem.Space == Managed {
		call = "cuMemAllocManaged"
		ptr = cu.MemAllocManaged(size, cu.MEM_ATTACH_GLOBAL)
	} else {
		call = "cuMemAlloc"
		ptr = cu.MemAlloc(size)
	}
	b.mem.Addr = uintptr(ptr)
	// On a stream of our own: the default stream does not wait for non-blocking ones, nor they for it.
	call = "cuMemsetD8Async"
	cu.MemsetD8Async(ptr, poison, size, d.util)
	call = "cuStreamSynchronize"
	cu.StreamSynchronize(d.util)
	return nil
}

func freeDevice(ptr cu.DevicePtr) (err error) {
	call := "cuMemFree"
	defer catch(&call, &err)
	cu.MemFree(ptr)
	return nil
}

// Memory is the whole buffer. It panics after Free.
func (b *Buffer) Memory() Memory {
	b.alive()
	return b.mem
}

// Len is the length that was asked for, in bytes.
func (b *Buffer) Len() int { return b.mem.Len }

// Pages is what was asked for; see PageUse.
func (b *Buffer) Pages() Pages { return b.pages }

// Slice is the n bytes that begin off bytes into the buffer. It panics when they do not lie in it, and after Free.
func (b *Buffer) Slice(off, n int) Memory {
	b.alive()
	return b.mem.Slice(off, n)
}

// PageUse says what pages the buffer really lies in; for host spaces only.
func (b *Buffer) PageUse() (PageUse, error) {
	b.alive()
	if b.host.start == nil {
		return PageUse{}, &UnsupportedError{Feature: fmt.Sprintf("pages of %v memory", b.mem.Space),
			Reason: "the driver does not show them"}
	}
	return readPageUse(uintptr(b.host.start))
}

// Free gives the memory back. For host spaces it waits for what this handle's streams have queued; other users must
// have finished. A second Free panics.
func (b *Buffer) Free() error {
	if err := b.close(); err != nil {
		return fmt.Errorf("free %d B of %v memory on %v: %w", b.mem.Len, b.mem.Space, b.dev, err)
	}
	return nil
}

func (b *Buffer) release() (err error) {
	noteDead(b.mem)
	if b.imported {
		return closeImported(cu.DevicePtr(b.mem.Addr))
	}
	if b.host.start == nil {
		return freeDevice(cu.DevicePtr(b.mem.Addr))
	}
	b.dev.settle()
	if b.mem.Space == Pinned {
		err = unregister(b.host.start)
	}
	b.host.unmap()
	return err
}

func unregister(p unsafe.Pointer) (err error) {
	call := "cuMemHostUnregister"
	defer catch(&call, &err)
	cu.MemHostUnregister(p)
	return nil
}
