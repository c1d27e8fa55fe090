// Package inproctest gives tests PEs that are threads: each locked, with an Endpoint over inproc.
package inproctest

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"

	"gpubench/gpu"
	"gpubench/runtimes/transport"
	"gpubench/runtimes/transport/inproc"
)

// PEs is what a test runs on: N PEs, with host memory alone where no more is said.
type PEs struct {
	N      int
	World  *inproc.World                                       // nil: one of their own
	Open   func(rank int) (*gpu.Device, error)                 // nil: no device
	Wrap   func(rank int, d transport.Driver) transport.Driver // nil: the driver itself
	Config transport.Config                                    // of the Endpoints; the Device is set
	Path   transport.PathConfig
}

// Run runs body on every PE and returns what it returned on each, joined with what closing Endpoint and device did. A PE
// that fails or panics is dead to the others.
func (p PEs) Run(body func(ep *transport.Endpoint) error) []error {
	if old := runtime.GOMAXPROCS(0); old < p.N+2 { // a spinning PE keeps its P
		runtime.GOMAXPROCS(p.N + 2)
		defer runtime.GOMAXPROCS(old)
	}
	if p.World == nil {
		p.World = inproc.NewWorld(p.N)
	}
	errs := make([]error, p.N)
	var all sync.WaitGroup
	for rank := range p.N {
		all.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			if errs[rank] = p.one(rank, body); errs[rank] != nil {
				p.World.Kill(rank)
			}
		})
	}
	all.Wait()
	return errs
}

func (p PEs) one(rank int, body func(ep *transport.Endpoint) error) (err error) {
	keep := func(f func() error) {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		}
		err = errors.Join(err, f())
	}
	if p.Open != nil {
		if p.Config.Device, err = p.Open(rank); err != nil {
			return err
		}
		defer keep(p.Config.Device.Close) // says what was not freed
		if err := p.Config.Device.Bind(); err != nil {
			return err
		}
		defer p.Config.Device.Unbind()
	}
	d, err := p.World.Driver(rank, p.Config.Device)
	if err != nil {
		return err
	}
	if p.Wrap != nil {
		d = p.Wrap(rank, d)
	}
	ep, err := transport.New(d, p.Config)
	if err != nil {
		return err
	}
	defer keep(ep.Close)
	if err := ep.SetPath(p.Path); err != nil {
		return err
	}
	return body(ep)
}
