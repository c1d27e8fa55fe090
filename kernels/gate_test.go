package kernels

import (
	"strings"
	"testing"
	"time"

	"gpubench/gpu"
)

// gateTest has a gate of both kinds: the driver's wait, and the kernel for drivers that have none.
func gateTest(t *testing.T, limit time.Duration, f func(t *testing.T, e *env, g *Gate)) {
	each(t, func(t *testing.T, e *env) {
		for _, kernel := range []bool{false, true} {
			g, err := e.set.NewGate(limit)
			check(t, err)
			g.kernel = kernel
			f(t, e, g)
			check(t, e.stream.Sync())
			check(t, g.Close())
		}
	})
}

// What is queued behind a gate begins when it is opened, whatever queueing takes: no event behind it is reached before.
func TestGateHoldsUntilAllIsQueued(t *testing.T) {
	gateTest(t, time.Minute, func(t *testing.T, e *env, g *Gate) {
		first, err := e.dev.NewEvent(true)
		check(t, err)
		defer first.Close()
		last, err := e.dev.NewEvent(true)
		check(t, err)
		defer last.Close()
		for round := range 3 {
			check(t, g.Hold(e.stream))
			check(t, e.stream.Record(first))
			for range GateDepth - 2 {
				check(t, e.set.Nothing(e.stream))
			}
			check(t, e.stream.Record(last))
			reached, err := first.Query()
			check(t, err)
			if held := e.dev.Driver() != gpu.CPU; reached == held {
				t.Errorf("round %d: all is queued, the gate is closed: first event reached: %v", round, reached)
			}
			check(t, g.Open())
			check(t, last.Sync())
			if seconds, err := last.Since(first); err != nil || seconds < 0 {
				t.Errorf("round %d: %g s, %v", round, seconds, err)
			}
		}
	})
}

// A gate that nobody opens opens by itself, and whoever comes to open it is told.
func TestGateHasATimeLimit(t *testing.T) {
	gateTest(t, 5*time.Millisecond, func(t *testing.T, e *env, g *Gate) {
		check(t, g.Hold(e.stream))
		check(t, e.stream.Sync())
		err := g.Open()
		if e.dev.Driver() == gpu.CPU {
			check(t, err)
			return
		}
		if err == nil || !strings.Contains(err.Error(), "not queued within 5ms") {
			t.Errorf("a gate that opened by itself: %v", err)
		}
		check(t, g.Hold(e.stream)) // it serves again
		if err := g.Open(); err != nil {
			t.Errorf("opened at once: %v", err)
		}
	})
}

// A gate that is closed while it holds lets the stream go.
func TestGateIsClosedWhileItHolds(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		g, err := e.set.NewGate(time.Minute)
		check(t, err)
		check(t, g.Hold(e.stream))
		if e.dev.Driver() != gpu.CPU {
			panics(t, func() { _ = g.Hold(e.stream) }, "holds already")
		}
		check(t, g.Close())
		check(t, e.stream.Sync())
	})
}
