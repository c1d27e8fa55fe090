// --phases: the parts of a timestep, of a PE in the rank model and of a chare in the message-driven one.

package taskbench

import (
	"errors"

	"gpubench/gpu"
	"gpubench/internal/bench"
	"gpubench/internal/suite/phases"
)

// timer times the phases of one thread of execution; off until it is started.
//
// On the host a task is over when its call returns. On a device events around the tasks of a timestep have their time; it
// is read two timesteps later, when they are needed again, and waited for then.
type timer struct {
	phases.Watch
	spans [2]phases.Span // around the tasks of an even or odd timestep; on a device alone
	begun [2]bool        // they have a time that is not booked yet
}

// open makes what a case with phases needs.
func (t *timer) open(w *points) error {
	if !w.phases || w.host {
		return nil
	}
	return errors.Join(t.spans[0].Open(w.pe.Device), t.spans[1].Open(w.pe.Device))
}

// begin starts a batch.
func (t *timer) begin(w *points, clk *bench.Clock) {
	if w.phases {
		t.Start(clk)
	}
}

// tasks times run, which is or starts the tasks of a timestep. wait waits for an event.
func (t *timer) tasks(s *gpu.Stream, step int, wait func(*gpu.Event) error, run func() error) error {
	span := &t.spans[step&1]
	if span.Over() == nil {
		t.Mark()
		if err := run(); err != nil {
			return err
		}
		t.Lap(lapCompute, 1)
		return nil
	}
	if err := t.book(step&1, wait); err != nil {
		return err
	}
	t.begun[step&1] = true
	return span.Around(s, run)
}

// book adds the device's time of an earlier timestep to the clock.
func (t *timer) book(parity int, wait func(*gpu.Event) error) error {
	clk, on := t.On()
	if !on || !t.begun[parity] {
		return nil
	}
	t.begun[parity] = false
	if err := wait(t.spans[parity].Over()); err != nil {
		return err
	}
	return phases.Lap(clk, lapCompute, t.spans[parity])
}

// finish books what is left at the end of a run.
func (t *timer) finish(wait func(*gpu.Event) error) error {
	return errors.Join(t.book(0, wait), t.book(1, wait))
}

// close frees the events.
func (t *timer) close() error { return errors.Join(t.spans[0].Close(), t.spans[1].Close()) }

// copies books the staging copies of a batch.
func (w *points) copies(clk *bench.Clock, batch func() error) error {
	before := w.pe.Endpoint.CopySeconds()
	if err := batch(); err != nil {
		return err
	}
	if w.phases {
		clk.Lap(phases.Copy, phases.Duration(w.pe.Endpoint.CopySeconds()-before))
	}
	return nil
}
