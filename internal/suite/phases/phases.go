// Package phases times the parts of an iteration inside it, where --phases asks for that: what all benchmarks with such
// parts share. Without it nothing is recorded and nothing read.
package phases

import (
	"errors"
	"time"

	"gpubench/gpu"
	"gpubench/internal/bench"
	"gpubench/internal/result"
)

// The laps of an iteration that are phases.
const (
	Pack   = "pack"
	Copy   = "copy"
	Post   = "post"
	Wait   = "wait"
	Unpack = "unpack"
)

// Param is --phases.
var Param = bench.Param{Name: "phases", Doc: "time the phases of an iteration too", Default: false, Null: false, Flag: "phases"}

// Metric is the time of a phase in an iteration, in seconds, in the cases that when says.
func Metric(lap string, when func(result.Params) bool, doc string) bench.Metric {
	return bench.Metric{Name: lap + "_time", Unit: "s", Lap: lap, When: when, Doc: doc}
}

// On says whether a case times its phases.
func On(p result.Params) bool { return p.Has("phases") && p.Bool("phases") }

// Copies says whether staging copies are among the phases of a case.
func Copies(p result.Params) bool { return On(p) && p.String("path") == "staged" }

// Span is two events around launches, of which the zero value times nothing.
type Span struct{ began, ended *gpu.Event }

// Open makes the events.
func (t *Span) Open(dev *gpu.Device) (err error) {
	if t.began, err = dev.NewEvent(true); err == nil {
		t.ended, err = dev.NewEvent(true)
	}
	return err
}

// Close frees the events that were made.
func (t *Span) Close() error {
	var errs []error
	for _, e := range []*gpu.Event{t.began, t.ended} {
		if e != nil {
			errs = append(errs, e.Close())
		}
	}
	*t = Span{}
	return errors.Join(errs...)
}

// Around brackets launches between the two events, where there are any.
func (t *Span) Around(s *gpu.Stream, launch func() error) error {
	if t.began == nil {
		return launch()
	}
	if err := t.Begin(s); err != nil {
		return err
	}
	if err := launch(); err != nil {
		return err
	}
	return t.End(s)
}

// Begin and End are the two ends of what Around brackets; the span is open.
func (t *Span) Begin(s *gpu.Stream) error { return s.Record(t.began) }

// End: see Begin.
func (t *Span) End(s *gpu.Stream) error { return s.Record(t.ended) }

// Over is the event at the end.
func (t *Span) Over() *gpu.Event { return t.ended }

// Seconds is the time of a span that is over.
func (t *Span) Seconds() (float64, error) { return t.ended.Since(t.began) }

// Lap adds the time of spans that are over to the clock.
func Lap(clk *bench.Clock, name string, spans ...Span) error {
	sum := 0.0
	for _, t := range spans {
		s, err := t.Seconds()
		if err != nil {
			return err
		}
		sum += s
	}
	clk.Lap(name, Duration(sum))
	return nil
}

// Duration is a time in seconds, such as devices measure, as clocks take it.
func Duration(seconds float64) time.Duration { return time.Duration(seconds * 1e9) }
