// Device: opening, binding to a thread, and what it says of itself.

package gpu

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/barnex/cuda5/cu"
	"github.com/barnex/cuda5/emulated"
)

// WaitMode is how the driver waits for a device, as a primary context's flag says.
type WaitMode uint8

// The modes. Spin is the quickest; Block leaves the core to others.
const (
	Spin WaitMode = iota
	Yield
	Block
)

var waitFlags = [...]uint{Spin: cu.CTX_SCHED_SPIN, Yield: cu.CTX_SCHED_YIELD, Block: cu.CTX_SCHED_BLOCKING_SYNC}

// Options of Open.
type Options struct {
	Threads int      // threads of a kernel on `cpu`, the PE's own included; 0 is 1
	Wait    WaitMode // the first device opened in a process settles it for its ordinal
}

// Info is what a device says of itself; 0 and "" are not known.
type Info struct {
	Name            string
	UUID            string // GPU-xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx
	PCIBusID        string
	ComputeMajor    int
	ComputeMinor    int
	TotalMemory     int64 // B
	Multiprocessors int
	MemoryClockHz   int64
	MemoryBusBits   int
	MemoryBandwidth float64 // B/s counting reads and writes, 0 where unknown
	DriverVersion   int     // 12040 is 12.4
	ClockHz         int64
	L2Bytes         int64
	AsyncEngines    int
}

// Device is one device of a driver. Several may be open for the same ordinal, each on a thread of its own.
type Device struct {
	driver  Driver
	table   *cu.Driver
	ordinal int
	handle  cu.Device
	ctx     cu.Context
	opt     Options
	info    Info
	bound   atomic.Uintptr // threadPointer of the thread it is bound to, 0: none
	closed  atomic.Bool

	mu    sync.Mutex
	live  map[any]Leak
	peers map[int]bool // ordinals whose memory this context may use
}

// tables loads each driver once; a failure is kept too.
var tables = map[Driver]func() (*cu.Driver, error){
	CUDA:     sync.OnceValues(cu.LoadCUDA),
	Emulated: func() (*cu.Driver, error) { return emulated.Driver(), nil },
	CPU:      func() (*cu.Driver, error) { return emulated.CPU(), nil },
}

// load gives a driver's table, initialised.
func load(d Driver) (*cu.Driver, error) {
	get, ok := tables[d]
	if !ok {
		return nil, fmt.Errorf("gpu: no driver is called %q", d)
	}
	return get()
}

// CheckEnv says what is wrong with the variables that set up the emulated device, or nil.
func CheckEnv() error { return emulated.CheckEnv() }

// Count tells how many devices a driver has.
func Count(d Driver) (n int, err error) {
	t, err := load(d)
	if err != nil {
		return 0, err
	}
	err = on(t, func() error {
		return call("cuDeviceGetCount", func() { n = cu.DeviceGetCount() })
	})
	return n, err
}

// on runs f with a driver current, on a thread that may have another one bound; what was current is so again after.
func on(t *cu.Driver, f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := cu.Current()
	t.MakeCurrent()
	defer func() {
		if before == nil {
			cu.ClearCurrent()
		} else {
			before.MakeCurrent()
		}
	}()
	if err := call("cuInit", func() { cu.Init(0) }); err != nil {
		return err
	}
	return f()
}

// Auto chooses the device of `--device auto`: CUDA where there is one, else the emulated one; reason says why not CUDA.
func Auto() (d Driver, reason string) {
	n, err := Count(CUDA)
	switch {
	case err != nil:
		return Emulated, err.Error()
	case n == 0:
		return Emulated, "the CUDA driver has no device"
	}
	return CUDA, ""
}

// Open opens a device: its primary context is retained, which UCX, MPI and NCCL rely on.
func Open(d Driver, ordinal int, o Options) (*Device, error) {
	t, err := load(d)
	if err != nil {
		return nil, err
	}
	if int(o.Wait) >= len(waitFlags) {
		panic(fmt.Sprintf("gpu: wait mode %d", o.Wait))
	}
	dev := &Device{driver: d, table: t, ordinal: ordinal, opt: o, live: map[any]Leak{}, peers: map[int]bool{}}
	err = on(t, func() error {
		n := 0
		if err := call("cuDeviceGetCount", func() { n = cu.DeviceGetCount() }); err != nil {
			return err
		}
		if ordinal < 0 || ordinal >= n {
			return fmt.Errorf("no %s device %d: there are %d", d, ordinal, n)
		}
		if err := call("cuDeviceGet", func() { dev.handle = cu.DeviceGet(ordinal) }); err != nil {
			return err
		}
		if err := dev.retain(); err != nil {
			return err
		}
		return dev.inform()
	})
	if err != nil {
		return nil, fmt.Errorf("open %s device %d: %w", d, ordinal, err)
	}
	return dev, nil
}

// retain sets the primary context's flags, where it is not active yet, and retains it.
func (d *Device) retain() error {
	active := false
	if err := call("cuDevicePrimaryCtxGetState", func() { _, active = cu.DevicePrimaryCtxGetState(d.handle) }); err != nil {
		return err
	}
	if !active {
		if err := call("cuDevicePrimaryCtxSetFlags", func() { cu.DevicePrimaryCtxSetFlags(d.handle, waitFlags[d.opt.Wait]) }); err != nil {
			return err
		}
	}
	return call("cuDevicePrimaryCtxRetain", func() { d.ctx = cu.DevicePrimaryCtxRetain(d.handle) })
}

// inform asks what the device is. Attributes that a driver does not know stay 0.
func (d *Device) inform() error {
	i := &d.info
	err := call("cuDeviceGetName", func() {
		i.Name = d.handle.Name()
		i.TotalMemory = d.handle.TotalMem()
		i.ComputeMajor = d.handle.Attribute(cu.COMPUTE_CAPABILITY_MAJOR)
		i.ComputeMinor = d.handle.Attribute(cu.COMPUTE_CAPABILITY_MINOR)
		i.DriverVersion = cu.Version()
	})
	if err != nil {
		return err
	}
	optional := func(f func()) { _ = call("", f) }
	optional(func() { i.UUID = cu.DeviceGetUuid(d.handle).String() })
	optional(func() { i.PCIBusID = cu.DeviceGetPCIBusId(d.handle) })
	optional(func() { i.Multiprocessors = d.handle.Attribute(cu.MULTIPROCESSOR_COUNT) })
	optional(func() { i.MemoryClockHz = int64(d.handle.Attribute(cu.MEMORY_CLOCK_RATE)) * 1000 })
	optional(func() { i.MemoryBusBits = d.handle.Attribute(cu.GLOBAL_MEMORY_BUS_WIDTH) })
	optional(func() { i.ClockHz = int64(d.handle.Attribute(cu.CLOCK_RATE)) * 1000 })
	optional(func() { i.L2Bytes = int64(d.handle.Attribute(cu.L2_CACHE_SIZE)) })
	optional(func() { i.AsyncEngines = d.handle.Attribute(cu.ASYNC_ENGINE_COUNT) })
	// Both edges of the clock move data.
	i.MemoryBandwidth = 2 * float64(i.MemoryClockHz) * float64(i.MemoryBusBits) / 8
	return nil
}

// Bind locks the calling goroutine to its OS thread and makes the device current there. A thread has one device bound
// at a time; binding another one to it unbinds nothing, and the last one counts.
func (d *Device) Bind() error {
	if d.closed.Load() {
		panic("gpu: Bind of a closed device")
	}
	runtime.LockOSThread()
	me := threadPointer()
	if at := d.bound.Load(); at != 0 && at != me {
		runtime.UnlockOSThread()
		panic("gpu: Bind of a device that is bound to another thread: Unbind it there first")
	}
	d.table.MakeCurrent()
	if err := call("cuCtxSetCurrent", func() { cu.CtxSetCurrent(d.ctx) }); err != nil {
		cu.ClearCurrent()
		runtime.UnlockOSThread()
		return fmt.Errorf("bind %v: %w", d, err)
	}
	if d.driver == CPU {
		emulated.SetTeam(max(d.opt.Threads, 1))
	}
	bindings.Store(me, d)
	d.bound.Store(me)
	return nil
}

// bindings says which device each thread has bound last.
var bindings sync.Map // threadPointer → *Device

// Unbind undoes Bind, on the same thread.
func (d *Device) Unbind() {
	d.here()
	if d.driver == CPU {
		emulated.SetTeam(1)
	}
	cu.ClearCurrent()
	bindings.CompareAndDelete(threadPointer(), d)
	d.bound.Store(0)
	runtime.UnlockOSThread()
}

// here panics unless the calling thread is the one that the device is bound to.
func (d *Device) here() {
	if d.bound.Load() != threadPointer() {
		d.elsewhere()
	}
}

//go:noinline
func (d *Device) elsewhere() {
	if d.closed.Load() {
		panic(fmt.Sprintf("gpu: use of %v after Close", d))
	}
	if d.bound.Load() == 0 {
		panic(fmt.Sprintf("gpu: %v is bound to no thread: call Bind first", d))
	}
	panic(fmt.Sprintf("gpu: %v is bound to another thread", d))
}

// String is driver and ordinal: "emulated:1".
func (d *Device) String() string { return fmt.Sprintf("%s:%d", d.driver, d.ordinal) }

// Driver tells what stands behind the device.
func (d *Device) Driver() Driver { return d.driver }

// Ordinal is the device's number among those that are visible.
func (d *Device) Ordinal() int { return d.ordinal }

// Info is what the device said of itself when it was opened.
func (d *Device) Info() Info { return d.info }

// Synchronize waits for all work of the device's context.
func (d *Device) Synchronize() error {
	d.here()
	return call("cuCtxSynchronize", cu.CtxSynchronize)
}

// MemInfo is the device's free and total memory in bytes.
func (d *Device) MemInfo() (free, total int64, err error) {
	d.here()
	err = call("cuMemGetInfo", func() { free, total = cu.MemGetInfo() })
	return free, total, err
}

// Close releases the device. A bound device is closed on its own thread, which is unbound by it. What was not freed is a
// *LeakError that names each by where it was made.
func (d *Device) Close() error {
	if d.closed.Load() {
		return nil
	}
	if d.bound.Load() != 0 {
		d.here()
		d.Unbind()
	}
	d.closed.Store(true)
	leaks := d.leaks()
	forget(d)
	err := on(d.table, func() error {
		return call("cuDevicePrimaryCtxRelease", func() { cu.DevicePrimaryCtxRelease(d.handle) })
	})
	if len(leaks) > 0 {
		err = errors.Join(&LeakError{Leaks: leaks}, err)
	}
	return err
}
