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
	Deadline time.Duration // without progress anywhere for so long, a run ends with an error; 0: DefaultDeadline; negative: never
	Yield    bool          // give the core away in idle passes: where there are more PEs than cores
	Fanout   int           // PEs under a PE in trees, the same on all; 0: DefaultFanout
}

const (
	DefaultDeadline = time.Minute
	DefaultFanout   = 4
)

// Stats counts since New.
type Stats struct {
	Entries     int64 // entry methods begun
	Resumes     int64 // switches into threads
	Sent, Taken int64 // headers to and from other PEs
	Transfers   int64 // tagged messages sent
	LocalCopies int64 // channel messages copied from buffer to buffer within the PE
}

// Runtime is the scheduler of one PE.
type Runtime struct {
	pe      *PE
	ep      *transport.Endpoint
	yield   bool
	began   time.Time
	in      []byte // the header being taken
	backlog []fifo // by PE: headers that its queue had no room for
	behind  int    // headers in there
	moves   []move // under way
	copies  copier
	closed  bool
}

// move is a transfer on the wire.
type move struct {
	req transport.Request
	x   *transfer
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
		c.Deadline = DefaultDeadline
	}
	if c.Fanout == 0 {
		c.Fanout = DefaultFanout
	}
	rt := &Runtime{ep: ep, yield: c.Yield, began: time.Now(), in: make([]byte, caps.MaxHeader), backlog: make([]fifo, caps.Size)}
	rt.pe = &PE{rt: rt}
	rt.pe.core = *newCore(rt.pe, caps.Rank, caps.Size, caps.MaxHeader, c.Fanout, (*enginePort)(rt))
	rt.pe.deadline = int64(c.Deadline)
	rt.pe.poll = rt.pollInline
	rt.pe.host.fresh = rt.copies.hostMemory
	rt.copies.device = ep.Device()
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

// take takes one header and looks after what is on the wire. It reports whether there was something.
func (rt *Runtime) take(run bool) bool {
	c := &rt.pe.core
	src, n, ok, err := rt.ep.RecvHeader(rt.in)
	if ok {
		c.deliver(src, rt.in[:n], run)
	} else if err != nil {
		rt.lost(src, err)
	}
	if rt.behind > 0 {
		rt.push()
	}
	if len(rt.moves) > 0 && rt.pollMoves(run) {
		ok = true
	}
	if rt.copies.under() && rt.copies.poll(c) {
		ok = true
	}
	return ok
}

// lost is told of an error of the transport.
func (rt *Runtime) lost(src int, err error) {
	if errors.Is(err, transport.ErrPeerDied) && src >= 0 && !rt.pe.missed(src) {
		return
	}
	rt.pe.fail(err)
}

// pollMoves makes progress and finishes what has ended.
func (rt *Runtime) pollMoves(run bool) (any bool) {
	c := &rt.pe.core
	if err := rt.ep.Progress(); err != nil {
		c.fail(err)
		return true
	}
	for i := 0; i < len(rt.moves); {
		m := rt.moves[i]
		if !rt.ep.Completed(m.req) {
			i++
			continue
		}
		last := len(rt.moves) - 1
		copy(rt.moves[i:], rt.moves[i+1:]) // in order, so that entry methods' messages are too
		rt.moves[last] = move{}
		rt.moves = rt.moves[:last]
		st, err := rt.ep.Wait(m.req)
		c.finish(m.x, st.Len, err, run)
		any = true
		run = false // one method a pass
	}
	return any
}

// enginePort is the core's door to an Endpoint.
type enginePort Runtime

var _ port = (*enginePort)(nil)

// Now is the time since New.
func (p *enginePort) Now() int64 { return int64(time.Since(p.began)) }

// Send sends a header, or puts it behind those that wait; or moves payload.
func (p *enginePort) Send(pe int, h []byte, x *transfer) {
	rt := (*Runtime)(p)
	if x != nil {
		rt.move(x)
		return
	}
	if rt.backlog[pe].n == 0 {
		sent, err := rt.ep.TrySendHeader(pe, h)
		if sent {
			return
		}
		if err != nil {
			rt.lost(pe, err)
			return
		}
	}
	copy(rt.backlog[pe].push(len(h)), h)
	rt.behind++
}

// push sends headers that had to wait.
func (rt *Runtime) push() {
	for pe := range rt.backlog {
		for q := &rt.backlog[pe]; q.n > 0; {
			sent, err := rt.ep.TrySendHeader(pe, q.front())
			if err != nil {
				rt.lost(pe, err)
			} else if !sent {
				break
			}
			q.drop()
			rt.behind--
		}
	}
}

// flush sends what has to wait, as long as peers take it. After a failure they may be gone: then not for long.
func (rt *Runtime) flush(patient bool) {
	limit := 100 * time.Millisecond
	if patient {
		limit = time.Duration(rt.pe.deadline)
	}
	for began := time.Now(); rt.behind > 0; {
		if _ = rt.ep.Progress(); limit > 0 && time.Since(began) > limit {
			return
		}
		rt.push()
		rt.relax()
	}
}

// move puts a transfer on its way.
func (rt *Runtime) move(x *transfer) {
	c := &rt.pe.core
	var req transport.Request
	var err error
	switch x.verb {
	case give:
		req, err = rt.ep.Isend(transport.CtxCharm, x.buf, x.peer, int(x.tag))
	case take:
		req, err = rt.ep.Irecv(transport.CtxCharm, x.buf, x.peer, int(x.tag))
	case dup:
		rt.copies.start(c, x)
		return
	}
	if err != nil {
		c.finish(x, 0, err, false)
		return
	}
	rt.moves = append(rt.moves, move{req, x})
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
	return errors.Join(append(errs, rt.copies.close(len(rt.moves) == 0))...)
}

// lastTurn is what transfers get to end in when they have been cancelled.
const lastTurn = 100 * time.Millisecond

var _ Event = (*gpu.Event)(nil)
