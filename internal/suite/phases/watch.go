// A watch for phases that pass on the host's clock, one after the other.

package phases

import (
	"time"

	"gpubench/internal/bench"
)

// Watch times phases that follow each other in one thread of execution. The zero value times nothing: a call then costs a
// comparison.
type Watch struct {
	clk *bench.Clock
	at  int64 // the end of the phase before, on bench.Now
}

// Start has the watch add to a batch's clock from now on, or with nil to none.
func (w *Watch) Start(clk *bench.Clock) { w.clk = clk }

// On says whether the watch times anything, and by which clock.
func (w *Watch) On() (*bench.Clock, bool) { return w.clk, w.clk != nil }

// Mark says that what has passed belongs to no phase.
func (w *Watch) Mark() {
	if w.clk != nil {
		w.at = bench.Now()
	}
}

// Lap adds what has passed since the last call to a phase; among: it is the mean of so many that wait side by side.
func (w *Watch) Lap(name string, among int) {
	if w.clk != nil {
		w.lap(name, among)
	}
}

func (w *Watch) lap(name string, among int) {
	now := bench.Now()
	w.clk.Lap(name, time.Duration(now-w.at)/time.Duration(among))
	w.at = now
}
