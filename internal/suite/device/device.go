// Package device is the benchmarks of a device alone: copies, launches and streams through memory. No message and no
// model is in them. What they measure is what the hardware allows: other records name it as their limit.
package device

import (
	"errors"
	"time"

	"gpubench/gpu"
	"gpubench/internal/bench"
	"gpubench/internal/result"
	"gpubench/internal/suite/phases"
	"gpubench/internal/suite/slots"
	"gpubench/kernels"
)

// gateLimit is how long queueing what a gate holds may take: it takes milliseconds.
const gateLimit = 10 * time.Second

// side is one device of a case, and what is queued there.
type side struct {
	dev    *gpu.Device
	own    bool // opened here, and closed here
	set    *kernels.Set
	stream *gpu.Stream
}

// pen writes and checks patterns here.
func (s *side) pen() slots.Pen { return slots.Pen{Set: s.set, Stream: s.stream} }

// openSide opens device number ordinal of the PE's driver; the PE's own device is taken where it is that.
func openSide(pe *bench.PE, ordinal int) (*side, error) {
	s := &side{dev: pe.Device}
	var err error
	if pool, ok := pe.Services[Others].(*Pool); ok {
		s.dev, err = pool.device(pe, ordinal)
	} else if ordinal != pe.Device.Ordinal() {
		s.dev, err = gpu.Open(pe.Device.Driver(), ordinal, pe.Device.Options())
		s.own = err == nil
	}
	if err != nil {
		return nil, err
	}
	err = s.here(func() (err error) {
		if s.set, err = kernels.Load(s.dev); err == nil {
			s.stream, err = s.dev.NewStream()
		}
		return err
	})
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// here runs f with the device current on this thread.
func (s *side) here(f func() error) error {
	if err := s.dev.Bind(); err != nil {
		return err
	}
	defer s.dev.Unbind()
	return f()
}

func (s *side) close() error {
	err := s.here(func() (err error) {
		if s.stream != nil {
			err = s.stream.Close()
		}
		if s.own {
			err = errors.Join(err, kernels.Unload(s.dev))
		}
		return err
	})
	if s.own {
		err = errors.Join(err, s.dev.Close())
	}
	return err
}

// timer times what is queued in a side's stream.
type timer struct {
	*side
	gate        *kernels.Gate
	first, last *gpu.Event
	byHost      bool // on the host's clock, with queueing in it

	ended func() error // after each round; nil: nothing
}

// Done is what the stream was given.
func (t *timer) Done() int64 { return t.stream.Given().Work }

// newTimer makes one on the device's clock. byHost is for what must not stand behind a gate, and for `cpu`, where
// queueing is doing.
func newTimer(s *side, byHost bool) (*timer, error) {
	t := &timer{side: s, byHost: byHost || s.dev.Driver() == gpu.CPU}
	err := s.here(func() (err error) {
		if t.gate, err = s.set.NewGate(gateLimit); err != nil {
			return err
		}
		if t.first, err = s.dev.NewEvent(true); err != nil {
			return err
		}
		t.last, err = s.dev.NewEvent(true)
		return err
	})
	if err != nil {
		return nil, errors.Join(err, t.close())
	}
	return t, nil
}

// openTimer is one on the PE's own device, which it opens and end closes.
func openTimer(pe *bench.PE, byHost bool) (*timer, error) {
	s, err := openSide(pe, pe.Device.Ordinal())
	if err != nil {
		return nil, err
	}
	t, err := newTimer(s, byHost)
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return t, nil
}

// end frees, with the device current, and closes what openTimer opened; nothing where that has failed.
func (t *timer) end(free func() error) error {
	if t == nil {
		return nil
	}
	return errors.Join(t.close(), t.here(free), t.side.close())
}

// open has a body open what it needs, and closes it again where that fails.
func open[B interface {
	bench.Body
	open(*bench.PE, result.Params) error
}](b B, pe *bench.PE, p result.Params) (bench.Body, error) {
	if err := b.open(pe, p); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

// time times n iterations, each of `each` operations in the stream at most, queued by `queue`: those from lo on and
// before hi. Behind the gate they go in rounds of as many as it holds; the time is the sum of the rounds'.
func (t *timer) time(n, each int, clk *bench.Clock, queue func(lo, hi int) error) error {
	return t.here(func() error {
		if t.byHost {
			clk.Start()
			if err := queue(0, n); err != nil {
				return err
			}
			err := t.stream.Sync()
			clk.Stop()
			return err
		}
		step := max(1, (kernels.GateDepth-4)/each)
		total := 0.0
		for lo := 0; lo < n; lo += step {
			seconds, err := t.round(func() error { return queue(lo, min(lo+step, n)) })
			if err == nil && t.ended != nil {
				err = t.ended()
			}
			if err != nil {
				return err
			}
			total += seconds
		}
		clk.SetElapsed(phases.Duration(total))
		return nil
	})
}

// round is the time of what queue queues, by events before and behind it. Nothing of it begins before all is queued.
func (t *timer) round(queue func() error) (seconds float64, err error) {
	if err := t.gate.Hold(t.stream); err != nil {
		return 0, err
	}
	err = t.stream.Record(t.first)
	if err == nil {
		err = queue()
	}
	if err == nil {
		err = t.stream.Record(t.last)
	}
	opened := t.gate.Open()
	// Whatever went wrong, the stream must have gone through the gate before the word is used again.
	if err = errors.Join(err, t.stream.Sync(), opened); err != nil {
		return 0, err
	}
	return t.last.Since(t.first)
}

func (t *timer) close() error {
	return t.here(func() error {
		var errs []error
		errs = append(errs, t.stream.Sync())
		if t.gate != nil {
			errs = append(errs, t.gate.Close())
		}
		for _, e := range []*gpu.Event{t.first, t.last} {
			if e != nil {
				errs = append(errs, e.Close())
			}
		}
		return errors.Join(errs...)
	})
}

// slotsOf says how many slots of so many bytes a case's buffers have: see slots.Count. The last cache is that of the host or
// of the devices.
func slotsOf(pe *bench.PE, p result.Params, size int, sides ...*side) int {
	cache := int64(0)
	for _, s := range sides {
		cache = max(cache, s.dev.Info().L2Bytes)
	}
	return slots.Count(pe, p, cache, size)
}

// bytesPerSecond is the payload of n operations over their time.
func bytesPerSecond(p result.Params, n int, seconds float64) float64 {
	return float64(p.Int("size_bytes")) * float64(n) / seconds
}

// counts are timed and warm-up operations: many of small ones, which cost microseconds each.
func counts(size int64, quick bool) (timed, warmup int64) {
	switch {
	case quick && size >= 1<<20:
		return 10, 2
	case quick:
		return 200, 20
	case size > 1<<20:
		return 50, 5
	}
	return 2000, 100
}
