// What must be there before UCX or MPI start: the driver's library, the witness of its calls, and a context on this
// thread.

package main

import (
	"errors"
	"fmt"
	"os"

	"gpubench/gpu"
	"gpubench/gpu/nccl"
	"gpubench/gpu/witness"
	"gpubench/internal/launch"
	"gpubench/internal/library"
)

// Libraries that CMake builds for device memory across processes.
const (
	emulatedLibrary = "emulated/libcuda.so.1"
	witnessLibrary  = "libgpubench_witness.so"
)

// loadDriver loads a driver's library as UCX and MPI will look for it, and the witness in front of it. Where they were not
// built the emulated driver is the program's own copy, which no other library can see, and nobody counts.
func loadDriver(device string) error {
	driver := gpu.Driver(device)
	if driver == gpu.CPU {
		return nil
	}
	if driver == gpu.Emulated {
		if found, err := shareEmulated(); !found || err != nil {
			return err
		}
	} else if n, err := gpu.Count(driver); err != nil || n == 0 {
		return err // opening it says more
	}
	path, err := library.Find(witnessLibrary)
	if err != nil {
		return nil
	}
	return witness.Load(path)
}

// shareEmulated makes the emulated driver the library that others in this process can see, where it was built.
func shareEmulated() (found bool, err error) {
	path, err := library.Find(emulatedLibrary)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		err = gpu.UseEmulated(path)
	}
	return err == nil, err
}

// loadForNCCL lets an NCCL that is named see the emulated driver, in a process without UCX and MPI. It finds a real one itself.
func loadForNCCL(device string) error {
	if gpu.Driver(device) != gpu.Emulated || os.Getenv(nccl.EnvLibrary) == "" {
		return nil
	}
	_, err := shareEmulated()
	return err
}

// holdDevice loads a device's driver, and opens and binds this rank's device below all that its jobs will bind. nil for
// cpu. first says that the ranks can meet now and choose together.
func holdDevice(device string, met *meeting, first bool) (held, error) {
	if gpu.Driver(device) == gpu.CPU {
		return held{}, nil
	}
	if err := loadDriver(device); err != nil {
		return held{}, err
	}
	job, _ := launch.Joined(os.Getenv)
	var x exchange
	if first {
		m, err := met.exchange()
		if err != nil {
			return held{}, err
		}
		x = m
	}
	ordinal, err := chooseDevice(device, job, x)
	if err != nil {
		return held{}, err
	}
	dev, err := openDevice(device, ordinal, gpu.Options{Threads: 1, Wait: waitMode(max(job.Size, 1), device)})
	return held{dev}, err
}

// held is a device that stays open as long as a transport does.
type held struct{ dev *gpu.Device }

// Close does nothing where there is no device.
func (h held) Close() error {
	if h.dev == nil {
		return nil
	}
	return h.dev.Close()
}

// waitMode is how a rank's driver waits, as far as is known before the ranks have found each other: the wait mode is the
// context's, and the context comes first.
func waitMode(ranks int, device string) gpu.WaitMode {
	if ranks*(1+busyThreads(device)) > site().CPUsOnline.Count() {
		return gpu.Block
	}
	return gpu.Spin
}

// openDevice opens and binds a PE's device; ordinal is -1 where it was shown none.
func openDevice(device string, ordinal int, o gpu.Options) (*gpu.Device, error) {
	driver := gpu.Driver(device)
	n, err := gpu.Count(driver)
	if err == nil && n == 0 {
		err = fmt.Errorf("the %s driver has no device", driver)
	}
	if err != nil {
		return nil, err
	}
	dev, err := gpu.Open(driver, ordinal, o)
	if err != nil {
		if list, e := gpu.List(driver); e == nil && ordinal >= 0 && ordinal < len(list) && list[ordinal].Exclusive {
			err = fmt.Errorf("%w: %s", err, excluded)
		}
		return nil, err
	}
	if err := dev.Bind(); err != nil {
		return nil, errors.Join(err, dev.Close())
	}
	return dev, nil
}
