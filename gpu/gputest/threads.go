// Threads: which device is current where, several PEs on one device, two drivers in one process, no allocation.

package gputest

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"sync"
	"testing"

	"gpubench/gpu"
)

func init() {
	add(
		test{"unbound", unbound},
		test{"bind on another thread", rebind},
		test{"coroutine", coroutine},
		test{"two drivers on one thread", twoDrivers},
		test{"two drivers on two threads", twoThreads},
		test{"many PEs", manyPEs},
		test{"way of waiting", waitModes},
		test{"no allocation", noAllocation},
	)
}

// elsewhere runs f on another thread and waits for it; f must not end the test.
func elsewhere(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
}

func unbound(t *testing.T, d *gpu.Device) {
	s, e := stream(t, d), event(t, d, false)
	b := alloc(t, d, gpu.OnDevice, 8)
	m, f := kernel(t, d, "gputest_store")
	defer free(t, s, e, b, m)
	calls := map[string]func(){
		"Alloc":       func() { d.Alloc(gpu.Pageable, 1, gpu.DefaultPages) },
		"NewStream":   func() { d.NewStream() },
		"NewEvent":    func() { d.NewEvent(true) },
		"LoadModule":  func() { d.LoadModule(image) },
		"Synchronize": func() { d.Synchronize() },
		"MemInfo":     func() { d.MemInfo() },
		"Pointer":     func() { d.Pointer(1) },
		"Copy":        func() { s.Copy(b.Memory(), b.Memory()) },
		"Fill":        func() { s.Fill(b.Memory(), 1) },
		"Record":      func() { s.Record(e) },
		"WaitEvent":   func() { s.WaitEvent(e) },
		"Query":       func() { s.Query() },
		"Sync":        func() { s.Sync() },
		"HostFunc":    func() { s.HostFunc(func() {}) },
		"Capture":     func() { s.Capture(func() error { return nil }) },
		"Event.Query": func() { e.Query() },
		"Event.Sync":  func() { e.Sync() },
		"Function":    func() { m.Function("gputest_axpy") },
		"Attribute":   func() { f.Attribute(gpu.NumRegs) },
		"Launch":      func() { s.Launch(f, gpu.Dim3{X: 1, Y: 1, Z: 1}, gpu.Dim3{X: 1, Y: 1, Z: 1}, 0) },
		"Free":        func() { b.Free() },
		"Close":       func() { s.Close() },
		"Bind":        func() { d.Bind() },
		"Unbind":      func() { d.Unbind() },
	}
	elsewhere(func() {
		for name, call := range calls {
			panics(t, name+" on another thread", call, d.String())
		}
		_ = b.Memory() // may be asked anywhere
		_ = d.Info()
	})
	must(t, s.Sync()) // nothing of it did harm
	d.Unbind()
	panics(t, "Sync of an unbound device", func() { s.Sync() }, "call Bind first")
	panics(t, "a second Unbind", d.Unbind)
	must(t, d.Bind())
}

func rebind(t *testing.T, d *gpu.Device) {
	s := stream(t, d)
	b := alloc(t, d, gpu.OnDevice, 999)
	for round := range 3 {
		d.Unbind()
		elsewhere(func() {
			if err := d.Bind(); err != nil {
				t.Error(err)
				return
			}
			defer d.Unbind()
			if err := s.Fill(b.Memory(), byte(round)); err != nil {
				t.Error(err)
			}
		})
		must(t, d.Bind())
		if got := contents(t, d, s, b.Memory())[998]; got != byte(round) {
			t.Errorf("round %d: the other thread wrote %d", round, got)
		}
	}
	must(t, d.Bind()) // twice: an inner function need not know
	d.Unbind()
	free(t, s, b)
}

// coroutine: what runs on the bound thread may use the device, be it another goroutine. Chares' threaded methods do.
func coroutine(t *testing.T, d *gpu.Device) {
	s := stream(t, d)
	b := alloc(t, d, gpu.Pinned, 1)
	next, stop := iter.Pull(func(yield func(error) bool) {
		for i := byte(1); yield(s.Fill(b.Memory(), i)); i++ {
		}
	})
	for i := byte(1); i < 10; i++ {
		err, _ := next()
		must(t, err)
		must(t, s.Sync())
		if got := b.Memory().Bytes()[0]; got != i {
			t.Errorf("the coroutine wrote %d, not %d", got, i)
		}
	}
	stop()
	free(t, s, b)
}

// another opens a device of a driver other than d's.
func another(t testing.TB, d *gpu.Device) *gpu.Device {
	t.Helper()
	if d.Driver() == gpu.CPU {
		return openOrdinal(t, gpu.Emulated, 0)
	}
	return openOrdinal(t, gpu.CPU, 0)
}

func twoDrivers(t *testing.T, d *gpu.Device) {
	o := another(t, d)
	s := stream(t, d)
	b := alloc(t, d, gpu.OnDevice, 100)
	bound(t, o, func() {
		panics(t, "use of the device below", func() { s.Sync() }, d.String(), o.String())
		panics(t, "Unbind of the device below", d.Unbind, d.String(), o.String())
		so := stream(t, o)
		bo := alloc(t, o, gpu.OnDevice, 100)
		must(t, so.Fill(bo.Memory(), 2))
		must(t, d.Bind()) // a third on top: the first again
		must(t, s.Fill(b.Memory(), 1))
		d.Unbind()
		if got := contents(t, o, so, bo.Memory())[99]; got != 2 {
			t.Errorf("%v holds %d", o, got)
		}
		free(t, so, bo)
		for _, mix := range []func(){
			func() { must(t, d.Bind()); defer d.Unbind(); s.CopyPeer(b.Memory(), d, b.Memory(), o) },
			func() { must(t, d.Bind()); defer d.Unbind(); s.CopyPeer(b.Memory(), o, b.Memory(), d) },
		} {
			panics(t, "a peer copy between drivers", mix, d.String(), o.String())
		}
		if err := o.EnablePeer(d); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("peer access between drivers: %v", err)
		}
	})
	if got := contents(t, d, s, b.Memory())[99]; got != 1 {
		t.Errorf("%v holds %d", d, got)
	}
	free(t, s, b)
}

// twoThreads: device cases on one thread, host cases on another, at the same time.
func twoThreads(t *testing.T, d *gpu.Device) {
	o := another(t, d)
	var other sync.WaitGroup
	other.Go(func() { pe(t, o, 1) })
	s := stream(t, d)
	exchange(t, d, s, 2)
	free(t, s)
	other.Wait()
}

// pe is the life of a PE with a handle of its own. It must not end the test, being on another goroutine.
func pe(t *testing.T, d *gpu.Device, number int) {
	defer func() {
		if err := d.Close(); err != nil {
			t.Errorf("PE %d: %v", number, err)
		}
	}()
	if err := d.Bind(); err != nil {
		t.Errorf("PE %d: %v", number, err)
		return
	}
	defer d.Unbind()
	s, err := d.NewStream()
	if err != nil {
		t.Errorf("PE %d: %v", number, err)
		return
	}
	exchange(t, d, s, number)
	if err := s.Close(); err != nil {
		t.Errorf("PE %d: %v", number, err)
	}
}

// exchange sends a pattern to the device and back, again and again.
func exchange(t *testing.T, d *gpu.Device, s *gpu.Stream, number int) {
	const n = 20_000
	up, errUp := d.Alloc(gpu.Pinned, n, gpu.DefaultPages)
	there, errThere := d.Alloc(gpu.OnDevice, n, gpu.DefaultPages)
	back, errBack := d.Alloc(gpu.Pinned, n, gpu.DefaultPages)
	err := errors.Join(errUp, errThere, errBack)
	for round := 0; round < 20 && err == nil; round++ {
		for i, b := 0, up.Memory().Bytes(); i < n; i++ {
			b[i] = pattern(number*1000+round, i)
		}
		err = errors.Join(s.Copy(there.Memory(), up.Memory()), s.Copy(back.Memory(), there.Memory()), s.Sync())
		for i, b := range back.Memory().Bytes() {
			if err == nil && b != pattern(number*1000+round, i) {
				err = fmt.Errorf("round %d: byte %d is %#x, not %#x", round, i, b, pattern(number*1000+round, i))
			}
		}
	}
	if err != nil {
		t.Errorf("PE %d on %v: %v", number, d, err)
		return
	}
	if err := errors.Join(up.Free(), there.Free(), back.Free()); err != nil {
		t.Errorf("PE %d on %v: %v", number, d, err)
	}
}

func manyPEs(t *testing.T, d *gpu.Device) {
	var pes sync.WaitGroup
	for i := range 3 {
		handle := openOrdinal(t, d.Driver(), d.Ordinal())
		pes.Go(func() { pe(t, handle, i) })
	}
	s := stream(t, d)
	exchange(t, d, s, 3)
	pes.Wait()
	free(t, s)
}

func waitModes(t *testing.T, d *gpu.Device) {
	for _, w := range []gpu.WaitMode{gpu.Spin, gpu.Yield, gpu.Block} {
		o, err := gpu.Open(d.Driver(), d.Ordinal(), gpu.Options{Wait: w})
		if w == d.Options().Wait {
			must(t, err)
			must(t, o.Close())
		} else if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("a context in use with %v was opened with %v: %v", d.Options().Wait, w, err)
		}
	}
}

// noAllocation: the calls of a timed loop leave Go's heap alone.
func noAllocation(t *testing.T, d *gpu.Device) {
	s := stream(t, d)
	m, f := kernel(t, d, "gputest_store")
	dev, host := alloc(t, d, gpu.OnDevice, 4096), alloc(t, d, gpu.Pinned, 4096)
	e, e2 := event(t, d, true), event(t, d, true)
	defer free(t, s, m, dev, host, e, e2)
	g, err := s.Capture(func() error { return s.Fill(dev.Memory(), 1) })
	must(t, err)
	defer free(t, g)
	one := gpu.Dim3{X: 1, Y: 1, Z: 1}
	layout := gpu.Layout{Memory: dev.Memory(), Pitch: 64, Rows: 8}
	for name, call := range map[string]func() error{
		"Copy":      func() error { return s.Copy(host.Slice(0, 64), dev.Slice(64, 64)) },
		"CopyPeer":  func() error { return s.CopyPeer(dev.Slice(0, 64), d, dev.Slice(64, 64), d) },
		"Copy2D":    func() error { return s.Copy2D(layout, layout, 8, 8) },
		"Copy3D":    func() error { return s.Copy3D(layout, layout, 8, 8, 2) },
		"Fill":      func() error { return s.Fill(dev.Memory(), 3) },
		"Fill32":    func() error { return s.Fill32(dev.Memory(), 3) },
		"Record":    func() error { return s.Record(e) },
		"WaitEvent": func() error { return s.WaitEvent(e) },
		"Sync":      func() error { return s.Sync() },
		"Event.Sync": func() error {
			return e.Sync()
		},
		"Query": func() error {
			_, err := s.Query()
			return err
		},
		"Event.Query": func() error {
			_, err := e.Query()
			return err
		},
		"Graph.Launch": func() error { return g.Launch(s) },
		"Launch": func() error {
			return s.Launch(f, one, one, 0, uint64(dev.Memory().Addr), 1, 2, 3, math.Float64bits(4), 5)
		},
	} {
		must(t, s.Sync())
		must(t, call())
		if n := testing.AllocsPerRun(50, func() {
			if err := call(); err != nil {
				t.Error(err)
			}
		}); n != 0 {
			t.Errorf("%s allocates %g times", name, n)
		}
	}
	must(t, s.Sync())
}
