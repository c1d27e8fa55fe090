// Host memory: the one allocator behind pageable and pinned buffers.
//
// A buffer is a mapping of its own between two pages without access rights: an overrun faults instead of touching a
// neighbour, and the kernel keeps one line of smaps per buffer, so that its huge pages can be counted.

package gpu

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	hugePage = 2 << 20
	// poison fills every new buffer. It is not zero, since pages of zeros may be merged with the shared zero page
	// (THP's shrinker, KSM), and eight of them are a NaN, which shows in any result that reads what nobody wrote.
	poison = 0xFF
)

// hostBlock is one mapping: guard, pages, guard.
type hostBlock struct {
	mapped     unsafe.Pointer // with the guards
	mappedLen  uintptr
	start      unsafe.Pointer // the buffer's first byte, page aligned; 2 MiB aligned for huge pages
	accessible uintptr        // its length in whole pages
}

var pageSize = uintptr(unix.Getpagesize())

// mapHost maps n bytes (n > 0) and writes all of them on the calling thread: the pages come from the node that this
// thread runs on (first touch), and exist.
func mapHost(n int, p Pages) (hostBlock, error) {
	if err := checkHostMemory(int64(n)); err != nil {
		return hostBlock{}, err
	}
	unit := pageSize
	if p == HugePages {
		unit = hugePage // a last, partly used huge page is wanted too: half a size class must not be slower
	}
	size := roundUp(uintptr(n), unit)
	total := pageSize + size + pageSize
	if p == HugePages {
		total += hugePage // room to align in
	}
	base, err := unix.MmapPtr(-1, 0, nil, total, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	if err != nil {
		return hostBlock{}, mapError("mmap", n, err)
	}
	h := hostBlock{mapped: base, mappedLen: total, accessible: size}
	pad := roundUp(uintptr(base)+pageSize, unit) - uintptr(base)
	h.start = unsafe.Add(base, pad)
	pages := unsafe.Slice((*byte)(h.start), size)
	if err := unix.Mprotect(pages, unix.PROT_READ|unix.PROT_WRITE); err != nil {
		h.unmap()
		return hostBlock{}, mapError("mprotect", n, err)
	}
	if p == HugePages {
		// An error means a kernel without huge pages: what was obtained is reported, not what was asked for.
		_ = unix.Madvise(pages, unix.MADV_HUGEPAGE)
	}
	fill(pages[:n], poison)
	return h, nil
}

func mapError(call string, n int, err error) error {
	if err == unix.ENOMEM {
		return fmt.Errorf("%s of %d B: %w (%w)", call, n, ErrOutOfMemory, err)
	}
	return fmt.Errorf("%s of %d B: %w", call, n, err)
}

func roundUp(n, unit uintptr) uintptr { return (n + unit - 1) / unit * unit }

// fill sets b to v at the speed of copy.
func fill(b []byte, v byte) {
	if len(b) == 0 {
		return
	}
	b[0] = v
	for n := 1; n < len(b); n *= 2 {
		if n > 64<<10 { // stay in the cache for the source
			for rest := b[n:]; len(rest) > 0; {
				rest = rest[copy(rest, b[:64<<10]):]
			}
			return
		}
		copy(b[n:], b[:n])
	}
}

// retired counts the address space that freed buffers still reserve.
var retired atomic.Int64

const maxRetired = 16 << 40

// unmap gives the pages back. The addresses stay reserved, without access rights: UCX and MPI keep registrations by
// address and cannot see this package's system calls, so an address that came back with other pages behind it would
// send stale data; and a use after free faults. Under a limit on address space they are given back too.
func (h hostBlock) unmap() {
	var limit unix.Rlimit
	unlimited := unix.Getrlimit(unix.RLIMIT_AS, &limit) == nil && limit.Cur == unix.RLIM_INFINITY
	if unlimited && retired.Add(int64(h.mappedLen)) < maxRetired {
		_, err := unix.MmapPtr(-1, 0, h.mapped, h.mappedLen, unix.PROT_NONE,
			unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE|unix.MAP_FIXED)
		if err == nil {
			return
		}
	}
	if err := unix.MunmapPtr(h.mapped, h.mappedLen); err != nil {
		panic(fmt.Sprintf("gpu: munmap of our own mapping: %v", err))
	}
}
