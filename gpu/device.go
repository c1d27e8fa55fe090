// Device: opened once, bound to a thread, closed with a report of what was forgotten.

package gpu

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/barnex/cuda5/cu"
	"github.com/barnex/cuda5/emulated"
	"golang.org/x/sys/unix"
)

// WaitMode says how the driver waits for the device in Sync calls. It belongs to the device's primary context: all
// that use the device in this process share it.
type WaitMode uint8

// Spin gives the least latency, Yield lets other threads of the core run, Block sleeps.
const (
	Spin WaitMode = iota
	Yield
	Block
)

var waitModes = [...]struct {
	name  string
	sched uint
}{{"spin", cu.CTX_SCHED_SPIN}, {"yield", cu.CTX_SCHED_YIELD}, {"block", cu.CTX_SCHED_BLOCKING_SYNC}}

const schedMask = 7 // CU_CTX_SCHED_MASK

// String is the name used in flags and records: spin, yield, block.
func (w WaitMode) String() string {
	if int(w) < len(waitModes) {
		return waitModes[w].name
	}
	return fmt.Sprintf("WaitMode(%d)", uint8(w))
}

// ParseWaitMode is the inverse of String.
func ParseWaitMode(name string) (WaitMode, error) {
	for i, m := range waitModes {
		if m.name == name {
			return WaitMode(i), nil
		}
	}
	return 0, fmt.Errorf("gpu: no way of waiting is called %q: want spin, yield or block", name)
}

// Options of Open; the zero value is good.
type Options struct {
	Threads int // CPU: threads of one launch's team, the calling one included; 0: as many as cores are allowed
	Wait    WaitMode
}

// Device is one PE's handle on a device. Several handles may be open on one device: they share its primary context.
// A handle is bound to one thread at a time, and its methods, and those of all that it makes, panic elsewhere;
// Driver, Ordinal, Info and String may be called anywhere.
type Device struct {
	driver  Driver
	ordinal int
	options Options
	table   *cu.Driver
	dev     cu.Device
	ctx     cu.Context
	info    Info
	born    birth
	util    cu.Stream // for the device's own fills; never handed out

	thread atomic.Uintptr // the thread where this device is current, 0: none
	owner  uintptr        // the thread that has it bound, perhaps below another device; under registry's lock
	binds  int            // how often; under registry's lock
	closed atomic.Bool

	mu    sync.Mutex
	owned map[*resource]struct{}
}

// Open opens device number ordinal of d and retains its primary context, whose flags are set before if nobody in this
// process has retained it yet. It may be called on any thread. The device is not bound yet.
func Open(d Driver, ordinal int, o Options) (*Device, error) {
	dev := &Device{driver: d, ordinal: ordinal, options: o, born: newBirth(), owned: map[*resource]struct{}{}}
	if int(o.Wait) >= len(waitModes) || o.Threads < 0 {
		panic(fmt.Sprintf("gpu: Open with options %+v", o))
	}
	if dev.options.Threads == 0 {
		dev.options.Threads = allowedCores()
	}
	var call string
	var inner error
	err := with(d, &call, func() { inner = dev.open(&call) })
	if err := errors.Join(err, inner); err != nil {
		return nil, fmt.Errorf("open %v: %w", dev, err)
	}
	registry.Lock()
	registry.open[dev] = struct{}{}
	registry.Unlock()
	return dev, nil
}

// open runs with d's table current.
func (d *Device) open(call *string) (err error) {
	*call = "cuDeviceGetCount"
	if n := cu.DeviceGetCount(); d.ordinal < 0 || d.ordinal >= n {
		return &UnsupportedError{Feature: d.String(), Reason: fmt.Sprintf("there are %d such devices", n)}
	}
	d.table = cu.Current()
	*call = "cuDeviceGet"
	d.dev = cu.DeviceGet(d.ordinal)
	*call = "cuDeviceGetAttribute"
	d.info = readInfo(d.dev)
	if !d.info.UnifiedAddressing {
		return &UnsupportedError{Feature: d.String(), Reason: "the device has no unified addressing"}
	}
	if err := d.setFlags(call); err != nil {
		return err
	}
	*call = "cuDevicePrimaryCtxRetain"
	d.ctx = cu.DevicePrimaryCtxRetain(d.dev)
	before := cu.CtxGetCurrent()
	defer func() {
		cu.CtxSetCurrent(before)
		if d.util == 0 {
			cu.DevicePrimaryCtxRelease(d.dev)
		}
	}()
	*call = "cuCtxSetCurrent"
	cu.CtxSetCurrent(d.ctx)
	*call = "cuStreamCreate"
	d.util = cu.StreamCreateWithFlags(cu.STREAM_NON_BLOCKING)
	return nil
}

// setFlags chooses how waits wait. Flags count only before the first retain; after it a wish that differs is an error,
// since figures taken with another way of waiting would carry the wrong label.
func (d *Device) setFlags(call *string) error {
	want := waitModes[d.options.Wait].sched
	*call = "cuDevicePrimaryCtxGetState"
	flags, active := cu.DevicePrimaryCtxGetState(d.dev)
	if active && flags&schedMask != want {
		return &UnsupportedError{Feature: fmt.Sprintf("waiting by %v on %v", d.options.Wait, d),
			Reason: fmt.Sprintf("its primary context is in use in this process with flags %#x already", flags)}
	}
	if !active {
		*call = "cuDevicePrimaryCtxSetFlags"
		cu.DevicePrimaryCtxSetFlags(d.dev, want)
	}
	return nil
}

func allowedCores() int {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil || set.Count() == 0 {
		return runtime.NumCPU()
	}
	return set.Count()
}

// String is driver and ordinal: "emulated:0".
func (d *Device) String() string { return fmt.Sprintf("%s:%d", d.driver, d.ordinal) }

// Driver is what the device was opened with.
func (d *Device) Driver() Driver { return d.driver }

// Ordinal is the device's number among those that its driver shows this process.
func (d *Device) Ordinal() int { return d.ordinal }

// Options are those given to Open, with Threads filled in.
func (d *Device) Options() Options { return d.options }

// Synchronize waits until all work in the device's primary context is done, other PEs' included.
func (d *Device) Synchronize() (err error) {
	d.check()
	call := "cuCtxSynchronize"
	defer catch(&call, &err)
	cu.CtxSynchronize()
	return nil
}

// MemInfo is how many bytes of device memory are free, and how many there are.
func (d *Device) MemInfo() (free, total int64, err error) {
	d.check()
	call := "cuMemGetInfo"
	defer catch(&call, &err)
	free, total = cu.MemGetInfo()
	return free, total, nil
}

// Close frees what was forgotten and releases the primary context. What was forgotten comes back as a *LeakError that
// names each by the call that made it. The device must be bound to no thread, or be the current one of the calling
// thread, whose bindings Close then undoes. Closing a closed device does nothing.
func (d *Device) Close() error {
	if d.closed.Load() {
		return nil
	}
	registry.Lock()
	elsewhere := d.owner != 0 && !d.boundHere()
	registry.Unlock()
	if elsewhere {
		d.misuse()
	}
	if err := d.Bind(); err != nil {
		return fmt.Errorf("close %v: %w", d, err)
	}
	var errs []error
	leaked := d.leaks()
	for _, r := range d.living() {
		if err := r.close(); err != nil {
			errs = append(errs, err)
		}
	}
	errs = append(errs, d.endUtil())
	for d.boundHere() {
		d.Unbind()
	}
	var call string
	errs = append(errs, with(d.driver, &call, func() {
		call = "cuDevicePrimaryCtxRelease"
		cu.DevicePrimaryCtxRelease(d.dev)
	}))
	d.closed.Store(true)
	registry.Lock()
	delete(registry.open, d)
	registry.Unlock()
	if len(leaked) > 0 {
		errs = append([]error{&LeakError{Device: d.String(), Leaks: leaked}}, errs...)
	}
	return errors.Join(errs...)
}

func (d *Device) endUtil() (err error) {
	call := "cuStreamDestroy"
	defer catch(&call, &err)
	cu.StreamDestroy(&d.util)
	return nil
}

// settle waits for all that this handle's streams have queued. Errors show in the streams' own calls.
func (d *Device) settle() {
	cu.TryStreamSynchronize(d.util)
	for _, r := range d.living() {
		if r.stream != nil {
			cu.TryStreamSynchronize(r.stream.h)
		}
	}
}

// setTeam tells the CPU driver how many threads launches from this thread use.
func (d *Device) setTeam() {
	if d.driver == CPU {
		emulated.SetTeam(d.options.Threads)
	}
}
