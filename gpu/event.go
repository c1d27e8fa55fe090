// Event: a point in a stream's work that can be waited for, asked for, timed.

package gpu

import (
	"fmt"

	"github.com/barnex/cuda5/cu"
)

// Event marks a point in a stream. An event that was never recorded counts as done.
type Event struct {
	resource
	h     cu.Event
	timed bool
}

// NewEvent makes an event; timed ones can be measured by Since and cost a little more to record.
func (d *Device) NewEvent(timed bool) (*Event, error) {
	flags := uint(0)
	if !timed {
		flags = cu.EVENT_DISABLE_TIMING
	}
	return d.newEvent(flags, timed)
}

func (d *Device) newEvent(flags uint, timed bool) (e *Event, err error) {
	d.check()
	if d.options.Wait == Block {
		flags |= cu.EVENT_BLOCKING_SYNC
	}
	call := "cuEventCreate"
	defer catch(&call, &err)
	e = &Event{h: cu.EventCreate(flags), timed: timed}
	d.own(&e.resource, "event", e.release)
	return e, nil
}

func (e *Event) release() (err error) {
	call := "cuEventDestroy"
	defer catch(&call, &err)
	cu.EventDestroy(&e.h)
	return nil
}

// Close destroys the event. Closing twice panics.
func (e *Event) Close() error { return e.close() }

// Record makes e the point behind all that is queued in s now; what it marked before is forgotten.
func (s *Stream) Record(e *Event) error {
	s.check()
	e.alive()
	s.given.Records++
	return done("cuEventRecord", cu.TryEventRecord(e.h, s.h))
}

// WaitEvent makes what is queued in s later wait for the point that e marks now. e may be of another device of the same
// driver.
func (s *Stream) WaitEvent(e *Event) error {
	s.check()
	e.alive()
	if e.dev.driver != s.dev.driver {
		panic(fmt.Sprintf("gpu: a stream of %v cannot wait for an event of %v", s.dev, e.dev))
	}
	return done("cuStreamWaitEvent", cu.TryStreamWaitEvent(s.h, e.h))
}

// Query reports whether the point has been reached.
func (e *Event) Query() (done bool, err error) {
	e.check()
	return answer("cuEventQuery", cu.EventQuery(e.h))
}

// Sync waits for the point.
func (e *Event) Sync() error {
	e.check()
	return done("cuEventSynchronize", cu.TryEventSynchronize(e.h))
}

// Since is the time from start to e in seconds, on the device's clock: about half a microsecond of resolution. Both must
// be timed and reached.
func (e *Event) Since(start *Event) (seconds float64, err error) {
	e.check()
	start.alive()
	if !e.timed || !start.timed {
		panic("gpu: Since of an event that was made without timing")
	}
	call := "cuEventElapsedTime"
	defer catch(&call, &err)
	const millisecond = 1e-3
	return float64(cu.EventElapsedTime(start.h, e.h)) * millisecond, nil
}
