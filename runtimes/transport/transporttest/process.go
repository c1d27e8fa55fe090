// What the tests of transports between processes share: a process that is one PE.

package transporttest

import (
	"fmt"
	"os"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"gpubench/gpu"
	"gpubench/runtimes/transport"
)

// OpenDevice opens and binds a process's emulated device, if arg asks for one: "device" for the copy in the test's
// binary, "direct=PATH" for the shared object that UCX and MPI see, "direct=cuda" for a real one. It must come before they
// are loaded.
func OpenDevice(arg string, rank int) (*gpu.Device, error) {
	_, path, direct := strings.Cut(arg, "direct=")
	if !direct && !strings.Contains(arg, "device") {
		return nil, nil
	}
	driver := gpu.Emulated
	switch {
	case path == string(gpu.CUDA):
		driver = gpu.CUDA
	case direct:
		if err := gpu.UseEmulated(path); err != nil {
			return nil, err
		}
	}
	n, err := gpu.Count(driver)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, fmt.Errorf("the %s driver has no device", driver)
	}
	dev, err := gpu.Open(driver, rank%n, gpu.Options{Wait: gpu.Yield})
	if err != nil {
		return nil, err
	}
	return dev, dev.Bind()
}

// Given reports whether arg has device memory given to the library.
func Given(arg string) bool { return strings.Contains(arg, "direct=") }

// DirectDriver is what to put behind "direct=": the shared object, or cuda where GPUBENCH_TEST_DRIVER asks for it.
func DirectDriver(emulated func() string) string {
	if os.Getenv("GPUBENCH_TEST_DRIVER") == string(gpu.CUDA) {
		return string(gpu.CUDA)
	}
	return emulated()
}

// Mapped maps n written bytes as gpu.Alloc does, for as long as the process lasts.
func Mapped(n int, huge bool) gpu.Memory {
	page := 4096
	if huge {
		page = 2 << 20
	}
	size := max((n+page-1)/page, 1) * page
	b, err := unix.Mmap(-1, 0, size+page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		panic(err)
	}
	off := (page - int(uintptr(unsafe.Pointer(&b[0]))%uintptr(page))) % page
	b = b[off : off+size]
	if huge {
		_ = unix.Madvise(b, unix.MADV_HUGEPAGE)
	}
	for i := range b {
		b[i] = 0xff
	}
	return gpu.HostMemory(b[:n])
}

// RunProcess runs the steps that GPUBENCH_TEST_STEPS selects as one PE over d, and closes it. PE 0 prints the ways that
// are tried and the steps that passed; given says that device memory goes to the driver, which must take it.
func RunProcess(d transport.Driver, dev *gpu.Device, yield, given bool) error {
	if given && (!d.Caps().Spaces[gpu.OnDevice] || !d.Caps().Spaces[gpu.Managed]) {
		return fmt.Errorf("device memory is not taken: %v", d.Caps().Why)
	}
	// A device's streams run on these cores too.
	ep, err := transport.New(d, transport.Config{Deadline: Deadline, Yield: yield || dev != nil, Device: dev})
	if err != nil {
		return err
	}
	if ep.Rank() == 0 {
		for _, w := range Ways(ep) {
			fmt.Println("way:", w)
		}
	}
	var failed error
	err = RunRank(ep, Select("GPUBENCH_TEST_STEPS"), func(step string, took time.Duration, err error) {
		switch {
		case IsSkip(err):
			fmt.Printf("PE %d: %s: %v\n", ep.Rank(), step, err)
		case err != nil:
			fmt.Printf("PE %d: %s: FAILED: %v\n", ep.Rank(), step, err)
			failed = err
		case ep.Rank() == 0:
			fmt.Printf("passed %s in %v\n", step, took.Round(time.Millisecond))
		}
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return err
	}
	return ep.Close()
}

// DirectWays are what must be tried where a library takes device memory.
var DirectWays = []string{"host pageable to pageable", "host pinned to pageable", "direct device to device", "direct device to pageable",
	"direct pinned to device", "host managed to managed", "direct managed to device", "staged pipelined (pinned, chunk 4096) device to device"}
