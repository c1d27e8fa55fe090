// Event: a mark in a stream's work, with or without its time.

package gpu

import (
	"time"

	"github.com/barnex/cuda5/cu"
)

// Event marks work of a stream.
type Event struct {
	dev    *Device
	h      cu.Event
	closed bool
}

// NewEvent makes an event; Since needs timed ones.
func (d *Device) NewEvent(timed bool) (*Event, error) {
	flags := uint(cu.EVENT_DEFAULT)
	if !timed {
		flags = cu.EVENT_DISABLE_TIMING
	}
	return d.newEvent(flags)
}

func (d *Device) newEvent(flags uint) (*Event, error) {
	d.here()
	if d.opt.Wait == Block {
		flags |= cu.EVENT_BLOCKING_SYNC
	}
	e := &Event{dev: d}
	if err := call("cuEventCreate", func() { e.h = cu.EventCreate(flags) }); err != nil {
		return nil, err
	}
	d.track(e, "event", 0)
	return e, nil
}

func (e *Event) check() {
	if e.closed {
		panic("gpu: use of an event after Close")
	}
	e.dev.here()
}

// Query tells whether what the event marks is done; an event that was never recorded is.
func (e *Event) Query() (bool, error) {
	e.check()
	return ready("cuEventQuery", cu.EventQuery(e.h))
}

// Sync waits for what the event marks.
func (e *Event) Sync() error {
	e.check()
	return failure("cuEventSynchronize", cu.TryEventSynchronize(e.h))
}

// Since is the time in seconds between start and e, both timed and done. The driver's unit is 2^-24 ms or coarser.
func (e *Event) Since(start *Event) (seconds float64, err error) {
	e.check()
	start.check()
	err = call("cuEventElapsedTime", func() {
		seconds = float64(cu.EventElapsedTime(start.h, e.h)) * float64(time.Millisecond) / float64(time.Second)
	})
	return seconds, err
}

// Close destroys the event.
func (e *Event) Close() error {
	e.check()
	e.closed = true
	e.dev.untrack(e)
	return call("cuEventDestroy", func() { cu.EventDestroy(&e.h) })
}
