// Runtime: a core on an Endpoint. It polls the transport and the device's events between entry methods.
package charm

import (
	"errors"
	"fmt"
	"time"

	"gpubench/gpu"
	"gpubench/runtimes/transport"
)

// Config is what a Runtime is made with.
type Config struct {
	Deadline time.Duration // without progress anywhere for so long, a run ends with an error; 0: the Endpoint's; negative: never
	Yield    bool          // give the core away in idle passes: where there are more PEs than cores
	Fanout   int           // PEs under a PE in trees, the same on all; 0: DefaultFanout
}

// DefaultFanout is how many PEs are under a PE in trees.
const DefaultFanout = 4

// Stats counts since New.
type Stats struct {
	Entries     int64 // entry methods begun
	Resumes     int64 // switches into threads
	Sent, Taken int64 // headers to and from other PEs
	Messages    int64 // of Sent, those of channels, reductions and broadcasts: one for each message
	Transfers   int64 // tagged messages sent
	LocalCopies int64 // channel messages copied from buffer to buffer within the PE
}

// Runtime is the scheduler of one PE.
type Runtime struct {
	pe      *PE
	ep      *transport.Endpoint
	yield   bool
	began   time.Time
	in, out []byte // the header being taken, the one being sent
	backlog []fifo // by PE: headers that its queue had no room for
	behind  int    // headers in there
	moves   []move // under way
	copies  copier
	closed  bool
}

// New makes the scheduler of ep's PE. The calling goroutine is locked to its OS thread, and the device, if there is one,
// bound, before; all calls come from it, and it is locked equally often at each. The first New of a program ends the
// registration of methods.
func New(ep *transport.Endpoint, c Config) (*Runtime, error) {
	caps := ep.Caps()
	if least := 256; caps.MaxHeader < least {
		return nil, fmt.Errorf("charm: headers of transport %s have %d B: want at least %d", caps.Name, caps.MaxHeader, least)
	}
	if c.Deadline == 0 {
		c.Deadline = ep.Deadline()
	}
	if c.Fanout == 0 {
		c.Fanout = DefaultFanout
	}
	rt := &Runtime{ep: ep, yield: c.Yield, began: time.Now(), in: make([]byte, caps.MaxHeader), out: make([]byte, 0, caps.MaxHeader), backlog: make([]fifo, caps.Size)}
	rt.pe = &PE{rt: rt}
	rt.pe.core = *newCore(rt.pe, caps.Rank, caps.Size, caps.MaxHeader-sealLen, c.Fanout, (*enginePort)(rt))
	rt.pe.deadline = int64(c.Deadline)
	rt.pe.poll = rt.pollInline
	rt.copies.device = ep.Device()
	rt.pe.alloc = func(s gpu.Space, n int, p gpu.Pages) (*gpu.Buffer, error) {
		if ep.Device() == nil {
			return nil, &gpu.UnsupportedError{Feature: "moving a chare with buffers", Reason: "the Endpoint was made without a device"}
		}
		return ep.Device().Alloc(s, n, p)
	}
	rt.pe.sit(seatOf(ep))
	return rt, nil
}

// PE is the PE itself, to make arrays with and to look at chares between runs.
func (rt *Runtime) PE() *PE { return rt.pe }

// Endpoint is what the runtime stands on.
func (rt *Runtime) Endpoint() *transport.Endpoint { return rt.ep }

// Stats is what has been counted.
func (rt *Runtime) Stats() Stats { return rt.pe.stats }

// Run schedules until a chare on some PE calls Exit, with a nil error, or some PE fails. Every PE calls it. Once all have,
// each calls its main (nil: none), which starts things off; usually one PE's does. It returns when all have exited.
//
// Run can be called again: arrays, chares, suspended threads and messages live on. After an error it cannot.
func (rt *Runtime) Run(main func(*PE)) error {
	return rt.run(func() {
		if main != nil {
			main(rt.pe)
		}
	})
}

// RunThreaded is Run with a main that may wait.
func (rt *Runtime) RunThreaded(main func(*Thread)) error {
	return rt.run(func() {
		if main != nil {
			rt.pe.startMain(main)
		}
	})
}

func (rt *Runtime) run(main func()) error {
	c := &rt.pe.core
	if rt.closed {
		panic("charm: Run of a closed Runtime")
	}
	if c.err == nil {
		c.guard(func() {
			c.begin(main)
			c.deliverEarly()
			rt.loop(coming)
			rt.loop(acting)
			if c.err == nil {
				c.depart()
				rt.loop(leaving)
			}
		})
	}
	rt.flush(c.err == nil)
	return c.err
}

// tickPasses is how many passes there are between two looks at the clock.
const tickPasses = 256

// loop schedules as long as the run is in the given phase.
func (rt *Runtime) loop(p phase) {
	c := &rt.pe.core
	for pass := 1; c.start.phase == p && c.err == nil && !(p == acting && c.exited); pass++ {
		worked := rt.take(p == acting)
		if p == acting && c.step() {
			worked = true
		}
		if len(c.events) > 0 && c.pollEvents() {
			worked = true
		}
		if !worked {
			c.idle()
			rt.relax()
		}
		if pass%tickPasses == 0 {
			c.tick()
		}
	}
}

func (rt *Runtime) relax() {
	if rt.yield {
		yieldThread()
		return
	}
	rt.ep.Relax()
}

// pollInline is for threads that wait: it takes what comes and runs nothing.
func (rt *Runtime) pollInline() {
	if !rt.take(false) {
		rt.relax()
	}
}

// Close stops suspended threads, whose methods unwind, withdraws what is under way, and frees what the runtime holds. The
// Endpoint stays open.
func (rt *Runtime) Close() error {
	if rt.closed {
		return nil
	}
	rt.closed = true
	rt.pe.stopThreads()
	var errs []error
	for _, m := range rt.moves {
		if err := rt.ep.Cancel(m.req); err != nil {
			errs = append(errs, err)
		}
	}
	for began := time.Now(); len(rt.moves) > 0 && time.Since(began) < lastTurn; rt.relax() {
		if err := rt.ep.Progress(); err != nil {
			errs = append(errs, err)
			break
		}
		for len(rt.moves) > 0 && rt.ep.Completed(rt.moves[0].req) {
			_, _ = rt.ep.Wait(rt.moves[0].req) // cancelled, or too late to matter
			rt.moves = rt.moves[1:]
		}
	}
	if n := len(rt.moves); n > 0 && len(errs) == 0 {
		errs = append(errs, fmt.Errorf("charm: PE %d: %d transfers cannot be withdrawn: their buffers are in use until the Endpoint is closed", rt.pe.rank, n))
	}
	errs = append(errs, rt.copies.close())
	if len(rt.moves) == 0 {
		errs = append(errs, rt.pe.freeCargoes()...)
		rt.pe.host.close()
	}
	return errors.Join(errs...)
}

// lastTurn is what transfers get to end in when they have been cancelled.
const lastTurn = 100 * time.Millisecond

var _ Event = (*gpu.Event)(nil)
