// Package device is the benchmarks of a device alone: copies, launches and streams through memory. No message and no
// model is in them. What they measure is what the hardware allows: other records name it as their limit.
package device

import (
	"errors"
	"fmt"
	"time"

	"gpubench/gpu"
	"gpubench/internal/bench"
	"gpubench/internal/result"
	"gpubench/kernels"
)

const (
	// gateLimit is how long queueing what a gate holds may take: it takes milliseconds.
	gateLimit = 10 * time.Second
	// slotAlign keeps the slots of rotating buffers on cache lines of their own.
	slotAlign = 256
)

// side is one device of a case, and what is queued there.
type side struct {
	dev    *gpu.Device
	own    bool // opened here, and closed here
	set    *kernels.Set
	stream *gpu.Stream
}

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
}

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
			if err != nil {
				return err
			}
			total += seconds
		}
		clk.SetElapsed(duration(total))
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

// slots says how many pieces of so many bytes a case's buffers have, and how far apart they begin: one, or with
// rotating buffers as many as take twice the last cache of the host and of the devices.
func slots(pe *bench.PE, p result.Params, size int, sides ...*side) (n, stride int) {
	stride = (max(size, 1) + slotAlign - 1) / slotAlign * slotAlign
	if p.String("buffers") != "rotate" {
		return 1, stride
	}
	cache := pe.LastCache()
	for _, s := range sides {
		cache = max(cache, s.dev.Info().L2Bytes)
	}
	return int(2*cache)/stride + 1, stride
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

// wrong words a piece that does not hold what it should.
func wrong(what string, r kernels.PatternResult, size int) string {
	return fmt.Sprintf("%s, offset %d: expected %#02x, found %#02x (%d of %d bytes differ)", what, r.First, r.Expected, r.Found, r.Errors, size)
}

// duration is seconds as Go counts them.
func duration(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }
