// --launch auto: the ways to launch are tried, and the fastest is taken.

package stencil

import (
	"fmt"
	"strings"

	"gpubench/internal/bench"
	"gpubench/internal/result"
)

// A try is so many iterations, and each way is tried so often; its first try
// warms up and does not count.
const (
	tryIterations = 20
	tries         = 6
)

// choose times iterations without an exchange in each way, in turn, and takes
// the one whose fastest try is fastest where it is slowest, the same on every
// PE. The blocks start anew after.
func (w *share) choose() error {
	ways := []string{launchFused, launchSeparate, launchGraph}
	best := make([]float64, len(ways)) // seconds of an iteration
	for i := range tries {
		for k, way := range ways {
			s, err := w.try(way)
			if err != nil {
				return fmt.Errorf("trying --launch %s: %w", way, err)
			}
			if i == 1 || s < best[k] {
				best[k] = s
			}
		}
	}
	chosen, how := 0, make([]string, len(ways))
	for k, way := range ways {
		var err error
		if best[k], err = w.pe.Control.MaxFloat64(best[k]); err != nil {
			return err
		}
		how[k] = fmt.Sprintf("%s %.3g µs", way, best[k]*1e6)
		if best[k] < best[chosen] {
			chosen = k
		}
	}
	w.layout.launch = ways[chosen]
	w.found = &result.Launch{Chosen: ways[chosen], How: "measured: an iteration without an exchange took " + strings.Join(how, ", ")}
	for _, b := range w.blocks {
		if err := b.start(); err != nil {
			return err
		}
	}
	return nil
}

// try is the time of an iteration in one way, in seconds.
func (w *share) try(way string) (float64, error) {
	w.layout.launch = way
	for _, b := range w.blocks {
		b.ahead = false
	}
	began := bench.Now()
	for range tryIterations {
		for _, b := range w.blocks {
			if err := b.pack(); err != nil {
				return 0, err
			}
		}
		for _, b := range w.blocks {
			if err := b.ready.Sync(); err != nil {
				return 0, err
			}
			if err := b.interior(); err != nil {
				return 0, err
			}
			if err := b.shell(); err != nil {
				return 0, err
			}
		}
	}
	for _, b := range w.blocks {
		if err := b.edge.Sync(); err != nil {
			return 0, err
		}
	}
	return float64(bench.Now()-began) / 1e9 / tryIterations, nil
}

// Launch is what choose has found; nil where the way was given.
func (w *share) Launch() *result.Launch { return w.found }
