// inproc with devices: every driver that is here.

package inproc_test

import (
	"errors"
	"runtime"
	"testing"

	"gpubench/gpu"
	"gpubench/runtimes/transport"
	"gpubench/runtimes/transport/inproc"
	"gpubench/runtimes/transport/transporttest"
)

// eachDriver runs f on each driver that has a device. Emulated and CPU are part of the program: they must be there.
func eachDriver(t *testing.T, f func(t *testing.T, d gpu.Driver)) {
	for _, d := range gpu.Drivers {
		t.Run(string(d), func(t *testing.T) {
			n, err := gpu.Count(d)
			if (err != nil || n == 0) && d == gpu.CUDA {
				t.Skipf("%d devices, %v", n, err)
			}
			if err != nil || n == 0 {
				t.Fatalf("%d devices, %v", n, err)
			}
			f(t, d)
		})
	}
}

// openDevice is PE rank's device, bound to the calling thread.
func openDevice(driver gpu.Driver, rank int) (*gpu.Device, func() error, error) {
	n, err := gpu.Count(driver)
	if err != nil {
		return nil, nil, err
	}
	dev, err := gpu.Open(driver, rank%n, gpu.Options{Threads: 1, Wait: gpu.Yield})
	if err != nil {
		return nil, nil, err
	}
	if err := dev.Bind(); err != nil {
		return nil, nil, errors.Join(err, dev.Close())
	}
	return dev, func() error { dev.Unbind(); return dev.Close() }, nil
}

func deviceWorld(driver gpu.Driver) func(t *testing.T, n int) transporttest.World {
	return func(t *testing.T, n int) transporttest.World {
		w := inproc.NewWorld(n)
		return transporttest.World{PEs: n, Kill: w.Kill, Open: func(rank int) (*transport.Endpoint, func(), error) {
			dev, done, err := openDevice(driver, rank)
			if err != nil {
				return nil, nil, err
			}
			d, err := w.Driver(rank, dev)
			if err != nil {
				return nil, nil, errors.Join(err, done())
			}
			e, err := transport.New(d, transport.Config{Device: dev, Deadline: transporttest.Deadline, Yield: true})
			return e, func() {
				if err := done(); err != nil {
					t.Errorf("PE %d: close device: %v", rank, err)
				}
			}, err
		}}
	}
}

func TestConformanceDevice(t *testing.T) {
	eachDriver(t, func(t *testing.T, d gpu.Driver) {
		if transporttest.Race && d == gpu.CPU {
			t.Skip("for the race detector it is the same as emulated, which has more threads")
		}
		transporttest.Run(t, deviceWorld(d))
	})
}

// PEs of one process must have devices of one driver: a device address of one means nothing to another.
func TestMixedDriversAreRefused(t *testing.T) {
	w := inproc.NewWorld(2)
	a, doneA, err := openDevice(gpu.Emulated, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer doneA()
	d, err := w.Driver(0, a)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	b, doneB, err := openDevice(gpu.CPU, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer doneB()
	if _, err := w.Driver(1, b); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a cpu device beside an emulated one: %v", err)
	}
}

// Nothing is allocated per message of device memory, direct or staged.
func TestNoAllocationsWithDevice(t *testing.T) {
	dev, done, err := openDevice(gpu.CPU, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	d, err := inproc.NewWorld(1).Driver(0, dev)
	if err != nil {
		t.Fatal(err)
	}
	e, err := transport.New(d, transport.Config{Device: dev})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	const n = 300000
	a, err := dev.Alloc(gpu.OnDevice, n, gpu.DefaultPages)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Free()
	b, err := dev.Alloc(gpu.OnDevice, n, gpu.DefaultPages)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Free()
	for _, p := range []transport.PathConfig{
		{Path: transport.Direct},
		{Path: transport.Staged, Staging: transport.Pipelined, StagingSpace: gpu.Pinned, Chunk: 50000},
		{Path: transport.Staged, Staging: transport.Simple, StagingSpace: gpu.Pinned},
	} {
		if err := e.SetPath(p); err != nil {
			t.Fatal(err)
		}
		for _, size := range []int{8, n} {
			f := func() {
				r, err := e.Irecv(1, b.Slice(0, size), 0, 1)
				if err != nil {
					t.Fatal(err)
				}
				if err := e.Send(1, a.Slice(0, size), 0, 1); err != nil {
					t.Fatal(err)
				}
				if _, err := e.Wait(r); err != nil {
					t.Fatal(err)
				}
			}
			f()
			if k := testing.AllocsPerRun(50, f); k != 0 {
				t.Errorf("%+v, %d B: %v allocations a message", p, size, k)
			}
		}
	}
}

// More PEs than cores: with Yield a ring of messages still goes round quickly.
func TestOversubscribed(t *testing.T) {
	const pes, rounds = 8, 200
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(pes + 1))
	w := inproc.NewWorld(pes)
	errs := make(chan error, pes)
	for rank := range pes {
		go func() {
			runtime.LockOSThread()
			errs <- func() error {
				d, err := w.Driver(rank, nil)
				if err != nil {
					return err
				}
				e, err := transport.New(d, transport.Config{Yield: true, Deadline: transporttest.Deadline})
				if err != nil {
					return err
				}
				raw := make([]byte, 5000)
				defer runtime.KeepAlive(raw)
				b := gpu.HostMemory(raw)
				for range rounds {
					for turn := range 2 {
						if (rank+turn)%2 == 0 {
							err = e.Send(1, b, (rank+1)%pes, 0)
						} else {
							_, err = e.Recv(1, b, (rank+pes-1)%pes, 0)
						}
						if err != nil {
							return err
						}
					}
				}
				return e.Close()
			}()
		}()
	}
	for range pes {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}
