// From a driver's name to a table of functions, and what devices it has.

package gpu

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"unsafe"

	"github.com/barnex/cuda5/cu"
	"github.com/barnex/cuda5/emulated"
)

// loaders gives each driver's table; an error says what was looked for.
var loaders = map[Driver]func() (*cu.Driver, error){
	CUDA: sync.OnceValues(cu.LoadCUDA),
	Emulated: sync.OnceValues(func() (*cu.Driver, error) {
		if err := emulated.CheckEnv(); err != nil {
			return nil, err
		}
		return emulated.Driver(), nil
	}),
	CPU: sync.OnceValues(func() (*cu.Driver, error) { return emulated.CPU(), nil }),
}

// with runs f with the table of d current on this thread, initialized, and puts the thread back as it was. What the
// binding says of failure becomes the error.
func with(d Driver, call *string, f func()) (err error) {
	load := loaders[d]
	if load == nil {
		return fmt.Errorf("gpu: no driver is called %q: want one of %v", d, Drivers)
	}
	table, err := load()
	if errors.Is(err, errors.ErrUnsupported) {
		return &UnsupportedError{Feature: "device " + string(d), Reason: err.Error()}
	}
	if err != nil {
		return fmt.Errorf("device %s: %w", d, err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := cu.Current()
	table.MakeCurrent()
	defer func() {
		if before != nil {
			before.MakeCurrent()
		} else {
			cu.ClearCurrent()
		}
	}()
	defer catch(call, &err)
	*call = "cuInit"
	cu.Init(0)
	f()
	return nil
}

// CheckEnv says in one line what is wrong with the variables that set the emulated device up, and the mend; or nil.
func CheckEnv() error { return emulated.CheckEnv() }

// Count is how many devices d has. Without a usable driver it is 0 and an *UnsupportedError says what is missing.
func Count(d Driver) (n int, err error) {
	var call string
	err = with(d, &call, func() {
		call = "cuDeviceGetCount"
		n = cu.DeviceGetCount()
	})
	var e *Error
	if errors.As(err, &e) {
		return 0, &UnsupportedError{Feature: "device " + string(d), Reason: err.Error()}
	}
	return n, err
}

// Auto is what `--device auto` stands for: CUDA where there is a CUDA device, else Emulated; and why.
func Auto() (d Driver, reason string) {
	n, err := Count(CUDA)
	switch {
	case err != nil:
		return Emulated, err.Error()
	case n == 0:
		return Emulated, "the CUDA driver is there and shows no device (see CUDA_VISIBLE_DEVICES)"
	case n == 1:
		return CUDA, "1 CUDA device"
	}
	return CUDA, fmt.Sprintf("%d CUDA devices", n)
}

// RegisterKernel makes a kernel's CPU body known by name to Emulated and CPU, before a module is asked for it. kinds has
// a letter for each parameter, 8 bytes all of them: p device pointer, i int64, d float64. body is a C function of the
// type gb_body (gpu/cuda5/emulated); phases is how many times it is called for a launch, with a barrier between.
func RegisterKernel(name, kinds string, phases int, body unsafe.Pointer) {
	emulated.RegisterKernel(name, kinds, phases, body)
}
