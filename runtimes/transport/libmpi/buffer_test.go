package libmpi

import (
	"syscall"

	"gpubench/gpu"
	"gpubench/runtimes/transport/transporttest"
)

func testBuffer(n int, huge bool) gpu.Memory { return transporttest.Mapped(n, huge) }

// untouched maps n bytes that nobody has written.
func untouched(n int) gpu.Memory {
	b, err := syscall.Mmap(-1, 0, n, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON|syscall.MAP_NORESERVE)
	if err != nil {
		panic(err)
	}
	return gpu.HostMemory(b)
}
