// From a driver's name to a table of functions, and what devices it has.

package gpu

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"unsafe"

	"github.com/barnex/cuda5/cu"
	"github.com/barnex/cuda5/emulated"
)

// loaders gives each driver's table; an error says what was looked for.
var loaders = map[Driver]func() (*cu.Driver, error){
	CUDA: sync.OnceValues(func() (*cu.Driver, error) {
		if path := EmulatedPath(); path != "" && os.Getenv(cu.LibcudaEnv) == "" {
			// The linker would take it for the machine's own.
			return nil, &UnsupportedError{Feature: "libcuda.so.1", Reason: "the emulated driver has that name here: " + path}
		}
		return cu.LoadCUDA()
	}),
	Emulated: sync.OnceValues(func() (*cu.Driver, error) {
		if err := emulated.CheckEnv(); err != nil {
			return nil, err
		}
		instance.Lock()
		defer instance.Unlock()
		instance.used = true
		if instance.shared != nil {
			return instance.shared, nil
		}
		return emulated.Driver(), nil
	}),
	CPU: sync.OnceValues(func() (*cu.Driver, error) { return emulated.CPU(), nil }),
}

// instance is which emulated driver this process has.
var instance struct {
	sync.Mutex
	path   string
	shared *cu.Driver
	used   bool
}

// UseEmulated makes Emulated mean the shared object at path, a libcuda.so.1 that scripts/build.sh made, in place of the
// copy in the program; the libnvidia-ml.so.1 beside it is loaded too. UCX and MPI that are loaded later run on it, with no
// LD_LIBRARY_PATH. It must come before the first use of Emulated and of CUDA in the process, and there is no way back. CPU
// is served by the copy as before. The error says in one line what is wrong with the file or the order.
func UseEmulated(path string) error {
	instance.Lock()
	defer instance.Unlock()
	switch {
	case path == instance.path && path != "":
		return nil
	case instance.used:
		return fmt.Errorf("gpu: UseEmulated(%q): the emulated driver is in use already: call it before", path)
	case !filepath.IsAbs(path):
		return fmt.Errorf("gpu: UseEmulated(%q): want an absolute path", path)
	}
	d, err := emulated.Open(path)
	if err != nil {
		return fmt.Errorf("gpu: %w", err)
	}
	instance.path, instance.shared = path, d
	return nil
}

// EmulatedPath is the shared object that Emulated means since UseEmulated; "" for the copy in the program.
func EmulatedPath() string {
	instance.Lock()
	defer instance.Unlock()
	return instance.path
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
		reason := err.Error()
		if e.Code == int(cu.ERROR_NO_DEVICE) {
			reason += hiddenBy(d)
		}
		return 0, &UnsupportedError{Feature: "device " + string(d), Reason: reason}
	}
	return n, err
}

// hiddenBy names the variable that leaves d without a device, and the mend.
func hiddenBy(d Driver) string {
	if d == Emulated && os.Getenv("GPUBENCH_EMU_DEVICES") == "0" {
		return ": GPUBENCH_EMU_DEVICES is 0: unset it, or give 1 to 8"
	}
	if v, set := os.LookupEnv("CUDA_VISIBLE_DEVICES"); set {
		return fmt.Sprintf(": CUDA_VISIBLE_DEVICES=%q leaves none: unset it, or list devices that are there", v)
	}
	return ""
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
