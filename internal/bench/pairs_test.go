// Tests of bodies whose messages go between pairs of PEs.
package bench

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gpubench/gpu"
	"gpubench/internal/result"
)

// paired is a slotted body of these pairs.
type paired struct {
	*slotted
	pairs [][2]int
}

func (p *paired) Pairs() [][2]int { return p.pairs }

func runPaired(t *testing.T, n int, pairs [][2]int) result.Record {
	t.Helper()
	b := &Benchmark{Name: "b", Metrics: []Metric{{Name: "latency", Unit: "s"}},
		New: map[Model]func(*PE, result.Params) (Body, error){MPI: func(pe *PE, p result.Params) (Body, error) {
			e, err := newExchanger(pe, p)
			if err != nil {
				return nil, err
			}
			x := e.(*exchanger)
			x.peer = -1
			for _, pair := range pairs {
				if side := slices.Index(pair[:], pe.Rank); side >= 0 {
					x.peer = pair[1-side]
				}
			}
			return &paired{&slotted{exchanger: x, slots: bothWays}, pairs}, nil
		}}}
	var rec result.Record
	onDevices(t, gpu.Emulated, n, func(pe *PE) {
		r, err := Run(pe, b, Case{Params: pipelined(n, result.Params{"staging": "simple", "size_bytes": int64(4096)})})
		if pe.Rank == 0 {
			rec = r
		}
		if err != nil || r.Status != result.OK {
			t.Errorf("%s %q, %v", r.Status, r.Reason, err)
		}
	})
	return rec
}

// The legs lie between the pair's PEs, whichever these are, and there are none
// of several pairs; the record says who they were.
func TestLegsOfPairs(t *testing.T) {
	for want, pairs := range map[string][][2]int{"2-1": {{2, 1}}, "0-2,3-1": {{0, 2}, {3, 1}}} {
		n := 2*len(pairs) + 1 - len(pairs)/2
		r := runPaired(t, n, pairs)
		if r.Pairs != want {
			t.Errorf("pairs %q, want %q", r.Pairs, want)
		}
		for _, name := range []string{"wire_time", "to_host_time_pe2", "to_host_time_pe1", "to_device_time_pe2", "to_device_time_pe1"} {
			samples := 0
			if len(pairs) == 1 {
				samples = legSamples
			}
			if len(r.Samples[name]) != samples {
				t.Errorf("%s: %d samples of %s, want %d", want, len(r.Samples[name]), name, samples)
			}
		}
	}
}

// Of several PEs that run the clock the largest time counts, or the mean; and
// what a pair does counts once for each.
func TestMetricsOfPairs(t *testing.T) {
	o := runFake(t, 4, params(4, nil), func(b *Benchmark) {
		perSecond := func(_ result.Params, n int, seconds float64) float64 { return float64(n) / seconds }
		b.Metrics = []Metric{{Name: "latency", Unit: "s"}, {Name: "mean", Unit: "s", Mean: true},
			{Name: "rate", Unit: "op/s", Value: perSecond, Mean: true, EachPair: true}}
		inner := b.New[MPI]
		b.New[MPI] = func(pe *PE, p result.Params) (Body, error) {
			f, err := inner(pe, p)
			return &fakePairs{f.(*fake)}, err
		}
	}, func(f *fake) {
		f.batch = func(n int, clk *Clock) error {
			if f.pe.Rank >= 2 {
				return nil // the others' partners
			}
			for range n {
				clk.AddElapsed(time.Duration(10+20*f.pe.Rank) * time.Microsecond)
			}
			return nil
		}
	})
	r := o.recs[0]
	for name, want := range map[string]float64{"latency": 30e-6, "mean": 20e-6, "rate": 2 / 20e-6} {
		if m := r.Metrics[name]; math.Abs(m.Median/want-1) > 1e-9 {
			t.Errorf("%s is %g, want %g (%v)", name, m.Median, want, o)
		}
	}
	if r.Pairs != "0-2,1-3" {
		t.Errorf("pairs %q", r.Pairs)
	}
}

type fakePairs struct{ *fake }

func (*fakePairs) Pairs() [][2]int { return [][2]int{{0, 2}, {1, 3}} }

// Meet holds those of the list until the last has come, and nobody else.
func TestMeet(t *testing.T) {
	for _, pes := range [][]int{{0, 1}, {3, 1}, {4, 0, 2}, {0, 2, 1, 3}, {4, 3, 2, 1, 0}} {
		t.Run(fmt.Sprint(pes), func(t *testing.T) {
			var here atomic.Int32
			onPEs(t, 5, nil, func(pe *PE) {
				if !slices.Contains(pes, pe.Rank) {
					return
				}
				for round := range int32(20) {
					if pe.Rank == pes[len(pes)-1] && round%7 == 0 {
						time.Sleep(time.Millisecond)
					}
					here.Add(1)
					if err := pe.Control.Meet(pes); err != nil {
						t.Error(err)
						return
					}
					if n := here.Load(); n < (round+1)*int32(len(pes)) {
						t.Errorf("PE %d left round %d when %d had come", pe.Rank, round, n)
					}
				}
			})
		})
	}
}

// A PE that fails before it comes is not waited for.
func TestMeetWithAFailedPE(t *testing.T) {
	began := time.Now()
	o := runFake(t, 3, params(3, nil), nil, func(f *fake) {
		f.batch = func(n int, clk *Clock) error {
			if f.pe.Rank == 2 {
				return fmt.Errorf("its own error")
			}
			return f.pe.Control.Meet([]int{0, 1, 2})
		}
	})
	if r := o.recs[0]; r.Status != result.Failed || !strings.Contains(r.Reason, "PE 2: its own error") {
		t.Errorf("%v", o)
	}
	if d := time.Since(began); d > 5*time.Second {
		t.Errorf("took %v: the others were not told", d)
	}
}
