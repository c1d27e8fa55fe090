package taskbench

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"gpubench/internal/result"
)

// machine is a made-up machine: what a run of so many tasks takes, by the size of a task.
type machine func(size int64) float64

// play runs a search against it and counts the batches.
func play(t *testing.T, m machine) (s *search, batches int) {
	t.Helper()
	p := result.Params{"pattern": "stencil_1d", "task_kernel": computeBound, "width": int64(2), "steps": int64(1000), "graphs": int64(1),
		"radix": nil, "period": nil, "fraction": nil, "imbalance": nil, "scratch_bytes": nil, "scratch_pieces": nil,
		"task_blocks": int64(1), "pes": int64(2), "repetitions": int64(15)}
	made, err := newSearch(p)
	if err != nil {
		t.Fatal(err)
	}
	s = made.(*search)
	for {
		size, n := s.Next()
		if n == 0 {
			return s, batches
		}
		if batches++; batches > 1000 {
			t.Fatal("the search has no end")
		}
		s.Note(float64(n) * m(size))
	}
}

// overhead is a machine whose tasks cost a fixed time and some for each iteration, in seconds; METG(50 %) is twice the
// former, whatever the latter.
func overhead(fixed, each float64) machine {
	return func(size int64) float64 { return 1000 * (fixed + each*float64(size)) }
}

func TestSearchFindsTwiceTheOverhead(t *testing.T) {
	for _, c := range []struct{ fixed, each float64 }{
		{540e-9, 3e-9}, {54e-9, 3e-9}, {50e-6, 3e-9}, {540e-9, 200e-9}, {1e-6, 1e-10}, {1e-6, 1e-6},
	} {
		s, batches := play(t, overhead(c.fixed, c.each))
		metrics, samples, err := s.Result()
		if err != nil {
			t.Errorf("%+v: %v", c, err)
			continue
		}
		// The line between two sizes lies below the curve, by more the farther they are apart; the peak is short by 1 %.
		if m := metrics["metg"]; math.Abs(m.Median/(2*c.fixed)-1) > 0.06 || m.CILow != m.CIHigh || m.N != 15 {
			t.Errorf("%+v: METG %+v after %d batches, want %g", c, m, batches, 2*c.fixed)
		}
		if rate := metrics["peak_rate"]; math.Abs(rate.Median/(2*128/c.each)-1) > 0.03 {
			t.Errorf("%+v: peak %g, want %g", c, rate.Median, 2*128/c.each)
		}
		if e := samples["curve_efficiency"]; e[0] >= threshold || e[len(e)-1] != 1 {
			t.Errorf("%+v: efficiencies %v", c, e)
		}
	}
}

// Noise, a slow batch now and then, and a machine that slows down by a fifth on the way.
func TestSearchBearsNoise(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		ideal, calls := overhead(540e-9, 3e-9), 0.0
		s, _ := play(t, func(size int64) float64 {
			calls++
			run := ideal(size) * math.Exp(0.05*rng.NormFloat64()) * (1 + 0.2*math.Min(1, calls/60))
			if rng.IntN(10) == 0 {
				run *= 5
			}
			return run
		})
		metrics, _, err := s.Result()
		if err != nil {
			t.Errorf("seed %d: %v", seed, err)
			continue
		}
		if m := metrics["metg"]; m.Median < 0.9*1.08e-6 || m.Median > 1.45*1.08e-6 || m.CILow >= m.CIHigh || m.CILow > m.Median || m.CIHigh < m.Median {
			t.Errorf("seed %d: METG %+v", seed, m)
		}
	}
}

// Tasks that cost nothing but their work are efficient at every size: METG is then between none and one iteration.
func TestSearchThatIsAlwaysAbove(t *testing.T) {
	s, _ := play(t, overhead(1e-9, 1e-6))
	metrics, _, err := s.Result()
	if m := metrics["metg"]; err != nil || s.lo != 0 || s.hi != 1 || m.Median < 1e-9 || m.Median > 1.001e-6 {
		t.Errorf("%v: METG %+v between %d and %d iterations", err, metrics["metg"], s.lo, s.hi)
	}
}

// A machine that gains with every size has no peak, and so no METG: an error that says what to do.
func TestSearchWithoutAPeak(t *testing.T) {
	for name, m := range map[string]machine{
		"work is free":    overhead(1e-3, 0),
		"a run is longer": overhead(2e-3, 1e-9),
	} {
		s, _ := play(t, m)
		if _, _, err := s.Result(); err == nil || !strings.Contains(err.Error(), "still grows") || !strings.Contains(err.Error(), "--steps") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A peak that was measured while others used the machine is no peak.
func TestSearchThatIsDisturbed(t *testing.T) {
	ideal := overhead(540e-9, 3e-9)
	s, _ := play(t, func(size int64) float64 {
		if size >= 4096 {
			return 10 * ideal(size)
		}
		return ideal(size)
	})
	if _, _, err := s.Result(); err == nil || !strings.Contains(err.Error(), "times the peak's") || !strings.Contains(err.Error(), disturbed) {
		t.Errorf("%v", err)
	}
}

// While others have the CPUs, each run waits for its turn, and the work rate says nothing of the size. Whenever that is in the
// search: either the figures are right, or there are none.
func TestSearchThatIsDisturbedForAWhile(t *testing.T) {
	ideal, found, tried := overhead(540e-9, 3e-9), 0, 0
	for first := 0; first < 60; first += 3 {
		for last := first + 5; last < first+80; last += 15 {
			calls := 0
			s, _ := play(t, func(size int64) float64 {
				if calls++; calls > first && calls <= last {
					return 0.1 + ideal(size)
				}
				return ideal(size)
			})
			tried++
			metrics, _, err := s.Result()
			if err != nil {
				continue
			}
			found++
			metg, peak := metrics["metg"].Median/1.08e-6, metrics["peak_rate"].Median/(2*128/3e-9)
			if metg < 0.8 || metg > 1.2 || peak < 0.9 || peak > 1.01 {
				t.Errorf("batches %d to %d disturbed: METG is %.3g times what it is, the peak at size %d %.3g times", first, last, metg, s.top, peak)
			}
		}
	}
	if found < tried/2 {
		t.Errorf("%d of %d searches found a METG", found, tried)
	}
}

// A search has an end, however noisy the machine: it does not climb to runs of seconds, nor begin again and again.
func TestSearchIsBounded(t *testing.T) {
	for _, c := range []struct{ fixed, longest, all float64 }{
		{540e-9, 0.9, 2 * 30}, // a run at METG lasts 1 ms
		{30e-6, 4, 4 * 30},    // 60 ms
	} {
		for seed := range uint64(10) {
			rng := rand.New(rand.NewPCG(seed, 2))
			ideal := overhead(c.fixed, 3e-9)
			s, _ := play(t, func(size int64) float64 { return ideal(size) * math.Exp(0.3*rng.NormFloat64()) })
			if run := ideal(s.top); run > c.longest || s.spent > c.all {
				t.Errorf("%+v, seed %d: a run at the peak lasts %.3g s, the search %.3g s", c, seed, run, s.spent)
			}
		}
	}
}

func TestInterpolation(t *testing.T) {
	for _, c := range []struct{ lowE, lowG, highE, highG, want float64 }{
		{0.4, 1, 0.6, 2, 1.5}, {0, 1, 1, 3, 2}, {0.4, 1, 0.5, 2, 2},
		{0.6, 1, 0.4, 2, 2}, // a larger task that was less efficient
		{0.5, 3, 0.6, 2, 2}, // a larger task that took less time
	} {
		if got := interpolate(c.lowE, c.lowG, c.highE, c.highG); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%+v: %g", c, got)
		}
	}
}
