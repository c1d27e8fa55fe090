// Memory: an address, a length and a space, as a plain value that transports and models are given.

package gpu

import (
	"fmt"
	"unsafe"
)

// Space says where a buffer lives.
type Space uint8

// The spaces. Pageable and Pinned are host memory; Managed is reachable from both sides; OnDevice from the device
// alone (on `cpu` its address is host memory too, but code must not rely on that).
const (
	Pageable Space = iota
	Pinned
	OnDevice
	Managed
)

// Spaces lists every space, for loops over them.
var Spaces = []Space{Pageable, Pinned, OnDevice, Managed}

var spaceNames = [...]string{"pageable", "pinned", "device", "managed"}

// String is the name used in flags and records: pageable, pinned, device, managed.
func (s Space) String() string {
	if int(s) < len(spaceNames) {
		return spaceNames[s]
	}
	return fmt.Sprintf("Space(%d)", uint8(s))
}

// ParseSpace is the inverse of String.
func ParseSpace(name string) (Space, error) {
	for i, n := range spaceNames {
		if n == name {
			return Space(i), nil
		}
	}
	return 0, fmt.Errorf("gpu: no space is called %q: want one of %v", name, Spaces)
}

// Pages says what pages a host buffer is asked to lie in.
type Pages uint8

// DefaultPages leaves it to the system, as malloc does. HugePages aligns to 2 MiB and asks with MADV_HUGEPAGE;
// Buffer.PageUse tells what was obtained. Device and managed memory lie in pages of the driver's own choice.
const (
	DefaultPages Pages = iota
	HugePages
)

var pagesNames = [...]string{"default", "huge"}

// String is the name used in flags and records: default, huge.
func (p Pages) String() string {
	if int(p) < len(pagesNames) {
		return pagesNames[p]
	}
	return fmt.Sprintf("Pages(%d)", uint8(p))
}

// ParsePages is the inverse of String.
func ParsePages(name string) (Pages, error) {
	for i, n := range pagesNames {
		if n == name {
			return Pages(i), nil
		}
	}
	return 0, fmt.Errorf("gpu: no kind of pages is called %q: want default or huge", name)
}

// Memory is a piece of a buffer: Len bytes at Addr. It does not keep the buffer alive.
type Memory struct {
	Addr  uintptr
	Len   int
	Space Space
}

// Slice is the n bytes that begin off bytes into m. It panics when they do not lie in m.
func (m Memory) Slice(off, n int) Memory {
	// Written so that no sum can overflow.
	if off < 0 || n < 0 || off > m.Len || n > m.Len-off {
		panicSlice(off, n, m.Len)
	}
	return Memory{Addr: m.Addr + uintptr(off), Len: n, Space: m.Space}
}

func panicSlice(off, n, length int) {
	panic(fmt.Sprintf("gpu: slice past end of buffer: offset %d, length %d of %d B", off, n, length))
}

// HostReadable reports whether host code may touch the bytes: Pageable, Pinned and Managed.
func (m Memory) HostReadable() bool { return m.Space != OnDevice }

// Bytes is the memory as a slice of bytes, without a copy. It panics for memory that the host cannot touch.
func (m Memory) Bytes() []byte {
	if !m.HostReadable() {
		panic("gpu: Bytes of device memory: copy it to the host first")
	}
	if m.Len == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(m.pointer()), m.Len)
}

// HostMemory is b as pageable memory. b must not lie on a goroutine's stack and must be kept alive by the caller;
// for tests and small control data, since only buffers from Alloc have known pages and placement.
func HostMemory(b []byte) Memory {
	if len(b) == 0 {
		return Memory{}
	}
	m := Memory{Addr: uintptr(unsafe.Pointer(unsafe.SliceData(b))), Len: len(b), Space: Pageable}
	noteAlive(m) // the system may have given it the addresses of a freed buffer
	return m
}

// pointer turns the address into a pointer. The memory is outside the Go heap, where such a conversion is sound; vet's
// rule cannot see that, hence the detour.
func (m Memory) pointer() unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&m.Addr)) }

// Of views host-readable memory as a slice of T: float64 fields, int64 counters. It panics when the address is not
// aligned for T or the length is no multiple of its size.
func Of[T any](m Memory) []T {
	var t T
	size, align := unsafe.Sizeof(t), unsafe.Alignof(t)
	if m.Addr%align != 0 || size == 0 || m.Len%int(size) != 0 {
		panic(fmt.Sprintf("gpu: %d B at %#x are no slice of %T", m.Len, m.Addr, t))
	}
	b := m.Bytes()
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/int(size))
}

// Bytes views a slice's elements as bytes, without a copy: the inverse of Of, for HostMemory.
func Bytes[T any](x []T) []byte {
	var t T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), len(x)*int(unsafe.Sizeof(t)))
}
