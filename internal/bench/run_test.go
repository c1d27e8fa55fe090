// Tests of the loop: order of calls, counts, samples, and that whatever goes
// wrong on any PE becomes a failed record that names it.
package bench

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gpubench/internal/result"
	"gpubench/runtimes/transport"
)

func TestLoop(t *testing.T) {
	for _, n := range []int{1, 2, 3, 5} {
		t.Run(fmt.Sprintf("%d PEs", n), func(t *testing.T) {
			o := runFake(t, n, params(n, nil), nil, nil)
			r := o.recs[0]
			if r.Status != result.OK || r.Trial != 3 || r.EnvID != "e" || r.Started.IsZero() || !(r.ElapsedS > 0) {
				t.Fatalf("%v", o)
			}
			for pe, f := range o.bodies {
				if o.errs[pe] != nil {
					t.Errorf("PE %d: %v", pe, o.errs[pe])
				}
				if !reflect.DeepEqual(f.batches, o.bodies[0].batches) {
					t.Errorf("PE %d ran %v, PE 0 %v", pe, f.batches, o.bodies[0].batches)
				}
				if o.recs[pe].ID != r.ID || o.recs[pe].Status != result.OK {
					t.Errorf("PE %d has %+v", pe, o.recs[pe])
				}
			}
			// 10 warm-up iterations as 1, 2, 4, 3; 100 of 1 µs in batches of 10 at least.
			f := o.bodies[0]
			if !slices.Equal(f.batches[:4], []int{1, 2, 4, 3}) || sum(f.batches) != 110 {
				t.Errorf("batches %v", f.batches)
			}
			for _, b := range f.batches[4:] {
				if b < 10 {
					t.Errorf("a timed batch of %d µs", b)
				}
			}
			m := r.Metrics["latency"]
			if m.N != len(f.batches)-4 || math.Abs(m.Median-1e-6) > 1e-15 || !math.IsNaN(m.P99) {
				t.Errorf("%+v", m)
			}
			v := r.Validation
			per := int64(len(f.batches) + 10)
			if v == nil || v.Checked != per*int64(n) || v.Sent != (per+10)*int64(n) || v.Errors != 0 {
				t.Errorf("validation %+v, wanted %d each", v, per)
			}
			if p := r.PathTaken; p == nil || p.Lane != "host" || p.HowKnown == "" {
				t.Errorf("path taken %+v", p)
			}
			want := "poison " + strings.Repeat("batch inspect poison ", len(f.batches)) + "check close"
			if got := strings.Join(f.calls, " "); got != want {
				t.Errorf("calls %s", got)
			}
		})
	}
}

func TestWithoutValidation(t *testing.T) {
	o := runFake(t, 2, params(2, result.Params{"validate": false}), nil, nil)
	if o.recs[0].Status != result.OK || o.recs[0].Validation != nil {
		t.Errorf("%v, %+v", o, o.recs[0].Validation)
	}
	for _, c := range o.bodies[1].calls {
		if c != "batch" && c != "close" {
			t.Errorf("call of %s", c)
		}
	}
}

func TestByTime(t *testing.T) {
	p := params(2, result.Params{"iterations": nil, "seconds": 0.05, "warmup": int64(3)})
	o := runFake(t, 2, p, nil, func(f *fake) { f.each = 20 * time.Microsecond })
	r := o.recs[0]
	if r.Status != result.OK {
		t.Fatal(o)
	}
	var timed float64
	for _, b := range o.bodies[0].batches {
		timed += float64(b) * 20e-6
	}
	if timed < 0.05+0.005 || timed > 0.07 { // a tenth more for the warm-up
		t.Errorf("%g s in all", timed)
	}
	if m := r.Metrics["latency"]; m.N < fewSamples || m.N > maxSamples+1 {
		t.Errorf("%d samples", m.N)
	}
}

func TestSingleOperationsHavePercentiles(t *testing.T) {
	o := runFake(t, 1, params(1, result.Params{"validate": false}), nil, func(f *fake) { f.each = 15 * time.Microsecond })
	m := o.recs[0].Metrics["latency"]
	if m.N != 100 || math.IsNaN(m.P95) || math.IsNaN(m.P99) {
		t.Errorf("%+v", m)
	}
}

func TestLargestClockCountsAndValueIsAsked(t *testing.T) {
	o := runFake(t, 3, params(3, result.Params{"size_bytes": 8}), func(b *Benchmark) {
		b.MinBatch = 25
		b.Metrics = append(b.Metrics,
			Metric{Name: "bandwidth", Unit: "B/s", Value: func(p result.Params, n int, s float64) float64 {
				return float64(p.Int("size_bytes")) * float64(n) / s
			}},
			Metric{Name: "compute_time", Unit: "s", Lap: "compute"})
	}, func(f *fake) {
		f.batch = func(n int, clk *Clock) error {
			if f.pe.Rank == 0 {
				clk.Lap("compute", 4*time.Duration(n)*time.Microsecond)
				return nil // times nothing
			}
			clk.SetElapsed(time.Duration(n*f.pe.Rank) * 10 * time.Microsecond)
			clk.Lap("compute", time.Duration(n)*time.Microsecond/2)
			clk.Lap("compute", time.Duration(n)*time.Microsecond/2)
			return nil
		}
	})
	r := o.recs[0]
	want := map[string]float64{"latency": 20e-6, "bandwidth": 8 / 20e-6, "compute_time": 4e-6, "compute_time_mean": 2e-6}
	for name, v := range want {
		if m := r.Metrics[name]; math.Abs(m.Median-v) > 1e-9*v || m.N != 4 {
			t.Errorf("%s: %+v, wanted %g of 4", name, m, v)
		}
	}
	if s := r.Samples["compute_time_pe2"]; len(s) != 4 || math.Abs(s[0]-1e-6) > 1e-15 {
		t.Errorf("PE 2's samples %v", s)
	}
	if len(r.Metrics) != len(want) {
		t.Errorf("metrics %v", r.Metrics)
	}
}

// A metric is there for the cases that it concerns, and laps of others keep their places.
func TestMetricsOfSomeCases(t *testing.T) {
	o := runFake(t, 2, params(2, result.Params{"balance": "greedy"}), func(b *Benchmark) {
		of := func(word string) func(result.Params) bool {
			return func(p result.Params) bool { return p.String("balance") == word }
		}
		b.Metrics = append(b.Metrics, Metric{Name: "rotate_time", Unit: "s", Lap: "rotate", When: of("rotate")},
			Metric{Name: "greedy_time", Unit: "s", Lap: "greedy", When: of("greedy")})
	}, func(f *fake) {
		f.batch = func(n int, clk *Clock) error {
			clk.SetElapsed(time.Duration(n) * 10 * time.Microsecond)
			clk.Lap("greedy", time.Duration(n)*time.Microsecond)
			clk.Lap("rotate", time.Duration(n)*time.Second)
			return nil
		}
	})
	r := o.recs[0]
	if _, there := r.Metrics["rotate_time"]; there || math.Abs(r.Metrics["greedy_time"].Median-1e-6) > 1e-15 {
		t.Errorf("%+v", r.Metrics)
	}
}

// What balancing came to: this PE's own is added up, what all know is not.
func TestBalancingIsAddedUp(t *testing.T) {
	var asked *fake
	o := runFake(t, 3, params(3, nil), nil, func(f *fake) {
		if f.pe.Rank == 2 {
			asked = f
		}
		f.balance = &result.Balancing{Syncs: 5, Migrations: 9, MovedBytes: int64(100 * (f.pe.Rank + 1)), ImbalanceBefore: 2, ImbalanceAfter: 1}
		if f.pe.Rank == 0 {
			f.balance.DecideS = 0.25
		}
	})
	want := result.Balancing{Syncs: 5, Migrations: 9, MovedBytes: 600, DecideS: 0.25, ImbalanceBefore: 2, ImbalanceAfter: 1}
	if got := o.recs[0].Balancing; got == nil || *got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	// Of the timed batches: what it was before is asked for where the warm-up ends.
	if a := asked.asked; len(a) != 2 || a[0] < 1 || a[0] >= a[1] || a[1] != len(asked.batches) || int64(sum(asked.batches[:a[0]])) != params(3, nil).Int("warmup") {
		t.Errorf("asked after %v of the batches %v", a, asked.batches)
	}
	if got := runFake(t, 2, params(2, nil), nil, nil).recs[0].Balancing; got != nil {
		t.Errorf("%+v where nothing balances", got)
	}
}

// TestNothingElseRunsWhileOneIsTimed: PE 0's batch lasts, the others' not.
func TestNothingElseRunsWhileOneIsTimed(t *testing.T) {
	var timing atomic.Int32
	idle := func(f *fake) error {
		if timing.Load() != 0 {
			return fmt.Errorf("called while PE 0 was timing")
		}
		return nil
	}
	o := runFake(t, 3, params(3, nil), nil, func(f *fake) {
		f.batch = func(n int, clk *Clock) error {
			if f.pe.Rank == 0 {
				timing.Add(1)
				defer timing.Add(-1)
				clk.Start()
				time.Sleep(3 * time.Millisecond)
				clk.Stop()
			}
			return nil
		}
		f.poison = func() error { return idle(f) }
		f.inspect = func() (result.Validation, error) { return result.Validation{Checked: 1, Sent: 1}, idle(f) }
	})
	if o.recs[0].Status != result.OK {
		t.Error(o)
	}
}

func TestAnswersAreAddedUp(t *testing.T) {
	o := runFake(t, 3, params(3, nil), nil, func(f *fake) {
		f.check = func() (result.Validation, error) {
			r := float64(f.pe.Rank)
			return result.Validation{Checked: 5, Sent: 5, Answer: &result.Answer{
				Sum: 1 + r, ExpectedSum: 2 + r, MaxError: r, AppliedIterations: 110}}, nil
		}
	})
	a := o.recs[0].Validation.Answer
	if a == nil || *a != (result.Answer{Sum: 6, ExpectedSum: 9, MaxError: 2, AppliedIterations: 110}) {
		t.Errorf("%+v", a)
	}
}

var errBoom = errors.New("boom")

// TestEveryFailureIsNamed: on PE 1 of 3, in each step, by error and by panic.
func TestEveryFailureIsNamed(t *testing.T) {
	fail := map[string]func() error{
		"error":     func() error { return errBoom },
		"panic":     func() error { panic("boom") },
		"nil":       func() error { var f *fake; f.buf[0] = 1; return nil },
		"bad index": func() error { var x []int; return fmt.Errorf("%d", x[3]) },
	}
	steps := map[string]func(f *fake, g func() error){
		"Batch": func(f *fake, g func() error) {
			f.batch = func(n int, clk *Clock) error {
				if len(f.batches) == 6 {
					return g()
				}
				return f.ring(n, clk)
			}
		},
		"Poison": func(f *fake, g func() error) { f.poison = g },
		"Inspect": func(f *fake, g func() error) {
			f.inspect = func() (result.Validation, error) { return result.Validation{}, g() }
		},
		"Check": func(f *fake, g func() error) {
			f.check = func() (result.Validation, error) { return result.Validation{}, g() }
		},
		"Close": func(f *fake, g func() error) { f.close = g },
	}
	for how, g := range fail {
		for step, set := range steps {
			t.Run(step+" "+how, func(t *testing.T) {
				began := time.Now()
				o := runFake(t, 3, params(3, nil), nil, func(f *fake) {
					if f.pe.Rank == 1 {
						set(f, g)
					}
				})
				r := o.recs[0]
				if r.Status != result.Failed || !strings.HasPrefix(r.Reason, "PE 1: ") || len(r.Metrics) != 0 {
					t.Errorf("%v", o)
				}
				if how == "error" && !strings.Contains(r.Reason, "boom") {
					t.Errorf("reason %q", r.Reason)
				}
				if how != "error" && (!strings.Contains(r.Reason, "panic in "+step) || !strings.Contains(r.Reason, "bench/run_test.go:")) {
					t.Errorf("reason %q", r.Reason)
				}
				for pe, err := range o.errs {
					var b *BrokenError
					if !errors.As(err, &b) || b.PE != 1 {
						t.Errorf("PE %d: %v", pe, err)
					}
				}
				if d := time.Since(began); d > 5*time.Second {
					t.Errorf("took %v: the others were not told", d)
				}
				for pe, f := range o.bodies {
					if f.calls[len(f.calls)-1] != "close" {
						t.Errorf("PE %d's body was not closed: %v", pe, f.calls)
					}
				}
			})
		}
	}
}

func TestWrongAnswerIsFailedAndLeavesThePEsWell(t *testing.T) {
	o := runFake(t, 2, params(2, nil), nil, func(f *fake) {
		f.inspect = func() (result.Validation, error) {
			if f.pe.Rank == 1 && len(f.batches) == 7 {
				return result.Validation{Checked: 1, Sent: 1, Errors: 2, FirstError: "offset 17: expected 0x12, found 0x13"}, nil
			}
			return result.Validation{Checked: 1, Sent: 1}, nil
		}
	})
	r := o.recs[0]
	if r.Status != result.Failed || r.Reason != "wrong answer: PE 1: offset 17: expected 0x12, found 0x13" {
		t.Errorf("%v", o)
	}
	if v := r.Validation; v.Errors != 2 || v.FirstError != "PE 1: offset 17: expected 0x12, found 0x13" {
		t.Errorf("%+v", v)
	}
	if o.errs[0] != nil || o.errs[1] != nil {
		t.Errorf("errors %v", o.errs)
	}
	if len(o.bodies[0].batches) != 7 || slices.Contains(o.bodies[0].calls, "check") {
		t.Errorf("went on: %v", o.bodies[0].calls)
	}
}

func TestNothingCheckedIsFailed(t *testing.T) {
	o := runFake(t, 2, params(2, nil), nil, func(f *fake) {
		f.inspect = func() (result.Validation, error) { return result.Validation{Sent: 1}, nil }
		f.check = f.inspect
	})
	if r := o.recs[0]; r.Status != result.Failed || !strings.Contains(r.Reason, "were checked") {
		t.Errorf("%v", o)
	}
}

func TestNobodyTimed(t *testing.T) {
	o := runFake(t, 2, params(2, nil), nil, func(f *fake) {
		f.batch = func(_ int, clk *Clock) error { clk.Start(); return nil }
	})
	if r := o.recs[0]; r.Status != result.Failed || !strings.Contains(r.Reason, "clock") {
		t.Errorf("%v", o)
	}
}

func TestBodiesThatCannotBeMade(t *testing.T) {
	unsupported := &transport.Error{Op: "send", Rank: 1, Kind: transport.ErrUnsupported}
	for name, c := range map[string]struct {
		err    func(rank int) error
		status result.Status
		broken bool
	}{
		"one fails":        {func(r int) error { return map[int]error{1: errBoom}[r] }, result.Failed, true},
		"all fail":         {func(int) error { return errBoom }, result.Failed, false},
		"all cannot":       {func(int) error { return unsupported }, result.Skipped, false},
		"cannot and fails": {func(r int) error { return []error{unsupported, errBoom}[r] }, result.Failed, false},
	} {
		t.Run(name, func(t *testing.T) {
			o := runFake(t, 2, params(2, nil), func(b *Benchmark) {
				inner := b.New[MPI]
				b.New[MPI] = func(pe *PE, p result.Params) (Body, error) {
					if err := c.err(pe.Rank); err != nil {
						return nil, err
					}
					return inner(pe, p)
				}
			}, nil)
			if r := o.recs[0]; r.Status != c.status || !strings.HasPrefix(r.Reason, "PE ") || (o.errs[1] != nil) != c.broken {
				t.Errorf("%v", o)
			}
		})
	}
	o := runFake(t, 2, params(2, result.Params{"model": "charm"}), nil, nil)
	if r := o.recs[0]; r.Status != result.Skipped || !strings.Contains(r.Reason, "charm") {
		t.Errorf("%v", o)
	}
	o = runFake(t, 2, params(2, result.Params{"path": "sideways"}), nil, nil)
	if r := o.recs[0]; r.Status != result.Failed || o.errs[0] != nil {
		t.Errorf("%v", o)
	}
	o = runFake(t, 2, params(2, result.Params{"iterations": nil}), nil, nil)
	if r := o.recs[0]; r.Status != result.Failed || o.errs[0] != nil {
		t.Errorf("%v", o)
	}
}

// TestCasesFollowEachOther on the same PEs, after good and bad ones.
func TestCasesFollowEachOther(t *testing.T) {
	bad := &Benchmark{Name: "bad", Metrics: []Metric{{Name: "latency", Unit: "s"}}, New: map[Model]func(*PE, result.Params) (Body, error){
		MPI: func(*PE, result.Params) (Body, error) { return nil, errBoom }}}
	good := &Benchmark{Name: "good", Metrics: bad.Metrics, New: map[Model]func(*PE, result.Params) (Body, error){
		MPI: func(pe *PE, _ result.Params) (Body, error) { return &fake{pe: pe, buf: make([]byte, 8)}, nil }}}
	onPEs(t, 3, nil, func(pe *PE) {
		for i := range 6 {
			b, want := good, result.OK
			if i%2 == 1 {
				b, want = bad, result.Failed
			}
			r, err := Run(pe, b, Case{Params: params(3, nil)})
			if err != nil || r.Status != want {
				t.Errorf("case %d on PE %d: %s %q, %v", i, pe.Rank, r.Status, r.Reason, err)
			}
		}
	})
}

func TestLostPE(t *testing.T) {
	// PE 2 leaves in the middle: its endpoint is closed under the others.
	b := &Benchmark{Name: "b", Metrics: []Metric{{Name: "latency", Unit: "s"}}, New: map[Model]func(*PE, result.Params) (Body, error){
		MPI: func(pe *PE, _ result.Params) (Body, error) {
			f := &fake{pe: pe, buf: make([]byte, 8)}
			f.batch = func(n int, clk *Clock) error {
				if pe.Rank == 2 && len(f.batches) == 3 {
					return pe.Endpoint.Close()
				}
				return f.ring(n, clk)
			}
			return f, nil
		}}}
	onPEs(t, 3, nil, func(pe *PE) {
		defer func() {
			if p := recover(); p != nil && pe.Rank != 2 { // use after Close is a panic, on PE 2's own thread
				t.Errorf("PE %d: %v", pe.Rank, p)
			}
		}()
		r, err := Run(pe, b, Case{Params: params(3, nil)})
		if pe.Rank == 2 {
			return
		}
		var broken *BrokenError
		if !errors.As(err, &broken) || !errors.Is(err, transport.ErrPeerDied) || r.Status != result.Failed {
			t.Errorf("PE %d: %s %q, %v", pe.Rank, r.Status, r.Reason, err)
		}
		if pe.Rank == 0 && !strings.Contains(r.Reason, "PE 2") {
			t.Errorf("reason %q", r.Reason)
		}
	})
}

func TestClocksAreReadAfterTheLastBatch(t *testing.T) {
	var f *fake
	b := &Benchmark{Name: "fake", Metrics: []Metric{{Name: "latency", Unit: "s"}},
		New: map[Model]func(*PE, result.Params) (Body, error){MPI: func(pe *PE, _ result.Params) (Body, error) {
			f = &fake{pe: pe, each: time.Microsecond, buf: make([]byte, 64)}
			return f, nil
		}}}
	asked := ""
	onPEs(t, 1, nil, func(pe *PE) {
		r, err := Run(pe, b, Case{Params: params(1, nil), Clocks: func() *result.Clocks {
			asked = strings.Join(f.calls, " ")
			return &result.Clocks{SMMHz: 1755, MemoryMHz: 2619}
		}})
		if err != nil || r.Clocks == nil || r.Clocks.SMMHz != 1755 {
			t.Errorf("%+v, %v", r.Clocks, err)
		}
	})
	if !strings.HasSuffix(asked, "batch inspect poison") || asked+" check close" != strings.Join(f.calls, " ") {
		t.Errorf("asked after %q of %q", asked, f.calls)
	}
}

func TestOversubscribedHasNoLimit(t *testing.T) {
	for _, over := range []bool{false, true} {
		b := &Benchmark{Name: "b", Metrics: []Metric{{Name: "latency", Unit: "s"}}, New: map[Model]func(*PE, result.Params) (Body, error){
			MPI: func(pe *PE, _ result.Params) (Body, error) { return &fake{pe: pe, buf: make([]byte, 8)}, nil }}}
		onPEs(t, 2, nil, func(pe *PE) {
			pe.Oversubscribed = over && pe.Rank == 1
			r, _ := Run(pe, b, Case{Params: params(2, nil), Limit: func(r *result.Record) *result.Limit {
				return &result.Limit{Name: "light", Value: r.Metrics["latency"].Median, Unit: "s", Fraction: 1}
			}})
			if pe.Rank == 0 && (r.Oversubscribed != over || (r.Limit == nil) != over) {
				t.Errorf("oversubscribed %v: %v, limit %v", over, r.Oversubscribed, r.Limit)
			}
		})
	}
}

func TestClock(t *testing.T) {
	var c Clock
	if _, ok := c.Elapsed(); ok {
		t.Error("a clock that never ran has a time")
	}
	c.Start()
	time.Sleep(2 * time.Millisecond)
	c.Start() // a second chare's: changes nothing
	c.Stop()
	first, _ := c.Elapsed()
	time.Sleep(time.Millisecond)
	c.Stop()
	last, ok := c.Elapsed()
	if !ok || first < 2*time.Millisecond || last < first+time.Millisecond {
		t.Errorf("%v, then %v", first, last)
	}
	c.Lap("a", 1)
	c.Lap("a", 2)
	if n := testing.AllocsPerRun(100, func() { c.Start(); c.Lap("a", 3); c.Stop(); c.reset() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkNow(b *testing.B) {
	for b.Loop() {
		Now()
	}
}
