package libucx

import (
	"syscall"
	"unsafe"

	"gpubench/gpu"
)

// testBuffer maps n written bytes as gpu.Alloc does.
func testBuffer(n int, huge bool) gpu.Memory {
	page := 4096
	if huge {
		page = 2 << 20
	}
	size := max((n+page-1)/page, 1) * page
	b, err := syscall.Mmap(-1, 0, size+page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		panic(err)
	}
	off := (page - int(uintptr(unsafe.Pointer(&b[0]))%uintptr(page))) % page
	b = b[off : off+size]
	if huge {
		syscall.Madvise(b, 14)
	}
	for i := range b {
		b[i] = 0xff
	}
	return gpu.HostMemory(b[:n])
}
