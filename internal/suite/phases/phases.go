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
type Span struct{ Began, Ended *gpu.Event }

// Open makes the events.
func (t *Span) Open(dev *gpu.Device) (err error) {
	if t.Began, err = dev.NewEvent(true); err == nil {
		t.Ended, err = dev.NewEvent(true)
	}
	return err
}

// Close frees the events that were made.
func (t *Span) Close() error {
	var errs []error
	for _, e := range []*gpu.Event{t.Began, t.Ended} {
		if e != nil {
			errs = append(errs, e.Close())
		}
	}
	*t = Span{}
	return errors.Join(errs...)
}

// Around brackets launches between the two events, where there are any.
func (t *Span) Around(s *gpu.Stream, launch func() error) error {
	if t.Began == nil {
		return launch()
	}
	if err := s.Record(t.Began); err != nil {
		return err
	}
	if err := launch(); err != nil {
		return err
	}
	return s.Record(t.Ended)
}

// Lap adds the time of spans that are over to the clock.
func Lap(clk *bench.Clock, name string, spans ...Span) error {
	sum := 0.0
	for _, t := range spans {
		s, err := t.Ended.Since(t.Began)
		if err != nil {
			return err
		}
		sum += s
	}
	clk.Lap(name, Seconds(sum))
	return nil
}

// Seconds is a time that a device measured, as clocks take it.
func Seconds(s float64) time.Duration { return time.Duration(s * 1e9) }
