// What the tests share: ranks as locked threads over inproc.
package mpi_test

import (
	"runtime"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gpubench/gpu"
	"gpubench/runtimes/mpi"
	"gpubench/runtimes/transport"
	"gpubench/runtimes/transport/inproc/inproctest"
)

func TestMain(m *testing.M) {
	// A spinning rank keeps its P: with fewer, the others wait for sysmon's 10 ms.
	runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), 10))
	goleak.VerifyTestMain(m)
}

// failer is what *testing.T and *rapid.T have in common.
type failer interface {
	Helper()
	Errorf(format string, args ...any)
}

// ranks runs f on n ranks without a device. A rank that returns an error or
// panics is reported, and the others see it as dead.
func ranks(t failer, n int, f func(c *mpi.Comm) error) {
	t.Helper()
	launch(t, n, "", transport.PathConfig{}, f)
}

// launch is ranks with a device of a driver and a path.
func launch(t failer, n int, driver gpu.Driver, path transport.PathConfig, f func(c *mpi.Comm) error) {
	t.Helper()
	defer func() { alive.list = nil }()
	pes := inproctest.PEs{N: n, Path: path, Config: transport.Config{Yield: n > runtime.NumCPU()-1, Deadline: 20 * time.Second}}
	if driver != "" {
		pes.Open = func(int) (*gpu.Device, error) { return gpu.Open(driver, 0, gpu.Options{Threads: 1}) }
	}
	for rank, err := range pes.Run(func(ep *transport.Endpoint) error {
		c := mpi.World(ep)
		if err := f(c); err != nil {
			return err
		}
		if err := c.Barrier(); err != nil { // nobody leaves while others still send
			return err
		}
		return c.Free()
	}) {
		if err != nil {
			t.Errorf("rank %d of %d: %v", rank, n, err)
		}
	}
}

// host is b as memory. An address does not keep b alive or off a stack: the
// list does, for the length of a test.
func host(b []byte) gpu.Memory {
	alive.Lock()
	alive.list = append(alive.list, b)
	alive.Unlock()
	return gpu.HostMemory(b)
}

var alive struct {
	sync.Mutex
	list [][]byte
}

// floats is n float64 in host memory, and the same memory.
func floats(n int) ([]float64, gpu.Memory) {
	m := host(make([]byte, 8*n+8)).Slice(0, 8*n)
	return gpu.Of[float64](m), m
}
