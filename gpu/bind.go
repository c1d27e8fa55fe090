// Bind and Unbind: which device is current on which thread.

package gpu

import (
	"fmt"
	"runtime"

	"github.com/barnex/cuda5/cu"
)

// Bind locks the calling goroutine to its OS thread and makes the device current there: the driver's table, its
// primary context, the size of its team. Devices bound one after the other on one thread form a stack: the last is
// the current one, calls on the others panic until it is unbound. Binding a device that another thread has bound is our
// bug and panics.
func (d *Device) Bind() error {
	if d.closed.Load() {
		panic(fmt.Sprintf("gpu: Bind of %v, which is closed", d))
	}
	runtime.LockOSThread()
	self := threadPointer()
	registry.Lock()
	defer registry.Unlock()
	if d.owner != 0 && d.owner != self {
		runtime.UnlockOSThread()
		panic(fmt.Sprintf("gpu: Bind of %v: it is bound to another thread, or to one that ended without Unbind", d))
	}
	stack := registry.threads[self]
	if err := d.enter(); err != nil {
		leaveTo(top(stack))
		runtime.UnlockOSThread()
		return fmt.Errorf("bind %v: %w", d, err)
	}
	if below := top(stack); below != nil {
		below.thread.Store(0)
	}
	d.thread.Store(self)
	d.owner = self
	d.binds++
	registry.threads[self] = append(stack, d)
	return nil
}

// Unbind undoes the last Bind on the calling thread, which must have been d's. The device below becomes current again.
func (d *Device) Unbind() {
	self := threadPointer()
	registry.Lock()
	defer registry.Unlock()
	stack := registry.threads[self]
	if top(stack) != d {
		panic(fmt.Sprintf("gpu: Unbind of %v, which is not the current device of this thread (%v is)", d, top(stack)))
	}
	stack = stack[:len(stack)-1]
	d.thread.Store(0)
	if d.binds--; d.binds == 0 {
		d.owner = 0
	}
	below := top(stack)
	if below == nil {
		delete(registry.threads, self)
	} else {
		registry.threads[self] = stack
	}
	leaveTo(below)
	if below != nil {
		below.thread.Store(self)
	}
	runtime.UnlockOSThread()
}

func top(stack []*Device) *Device {
	if len(stack) == 0 {
		return nil
	}
	return stack[len(stack)-1]
}

// enter makes table and context current on this thread.
func (d *Device) enter() (err error) {
	call := "cuCtxSetCurrent"
	defer catch(&call, &err)
	d.table.MakeCurrent()
	cu.CtxSetCurrent(d.ctx)
	d.setTeam()
	return nil
}

// leaveTo takes the current device off this thread and puts below back, which may be nil. An error is dropped: a
// context that cannot be set shows in the next call.
func leaveTo(below *Device) {
	drop := func() (err error) {
		call := "cuCtxSetCurrent"
		defer catch(&call, &err)
		cu.CtxSetCurrent(0)
		return nil
	}
	if cu.Current() != nil {
		_ = drop()
	}
	if below != nil {
		_ = below.enter()
		return
	}
	cu.ClearCurrent()
}

func (d *Device) boundHere() bool { return d.thread.Load() == threadPointer() }

// check panics unless the device is current on the calling thread.
func (d *Device) check() {
	if d.thread.Load() != threadPointer() {
		d.misuse()
	}
}

func (d *Device) misuse() {
	if d.closed.Load() {
		site, _ := d.born.site()
		panic(fmt.Sprintf("gpu: use of %v after Close, opened at %s", d, site))
	}
	registry.Lock()
	owner, current := d.owner, top(registry.threads[threadPointer()])
	registry.Unlock()
	switch {
	case owner == threadPointer():
		panic(fmt.Sprintf("gpu: use of %v while %v, bound after it, is the current device of this thread", d, current))
	case owner != 0:
		panic(fmt.Sprintf("gpu: use of %v on a thread that it is not bound to: another thread has it bound", d))
	}
	panic(fmt.Sprintf("gpu: use of %v on a thread that it is not bound to: call Bind first", d))
}
