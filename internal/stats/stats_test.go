// Tests against values of numpy and scipy, and of intervals by simulation.
package stats

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance*math.Max(1, math.Abs(want))) {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

func TestKnownValues(t *testing.T) { // numpy 2
	x := []float64{3.1, 0.2, 5.5, 2.2, 9.7, 4.4, 1.0}
	near(t, "mean", Mean(x), 3.7285714285714286, 1e-15)
	near(t, "stddev", Stddev(x), 3.2112896089236407, 1e-15)
	near(t, "median", Median(x), 3.1, 0)
	for p, want := range map[float64]float64{0: 0.2, 5: 0.44, 25: 1.6, 50: 3.1, 95: 8.44, 99: 9.448, 100: 9.7} {
		near(t, "percentile", Percentile(x, p), want, 1e-14)
	}
	near(t, "even median", Median([]float64{4, 1, 3, 2}), 2.5, 0)
	near(t, "median near the largest float", Median([]float64{math.MaxFloat64, math.MaxFloat64}), math.MaxFloat64, 0)
	near(t, "percentile of one", Percentile([]float64{7}, 99), 7, 0)
	for name, v := range map[string]float64{
		"mean": Mean(nil), "median": Median(nil), "percentile": Percentile(nil, 5), "stddev": Stddev([]float64{1}),
	} {
		if !math.IsNaN(v) {
			t.Errorf("%s of too little is %v", name, v)
		}
	}
	if x[0] != 3.1 {
		t.Error("the samples were reordered")
	}
}

func TestSumIsCompensated(t *testing.T) {
	near(t, "Neumaier's example", Sum([]float64{1, 1e100, 1, -1e100}), 2, 0)
	x := make([]float64, 10_000_000)
	for i := range x {
		x[i] = 0.1
	}
	near(t, "ten million tenths", Sum(x), 1e6, 1e-15)
	if !math.IsInf(Sum([]float64{1, math.Inf(1), 2}), 1) || !math.IsNaN(Sum([]float64{1, math.NaN()})) {
		t.Error("an infinity or a NaN vanished")
	}
}

func TestMannWhitney(t *testing.T) { // scipy 1.x, two-sided
	series := func(n, step, mod int, shift, slope float64) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = float64((i*step)%mod)/float64(mod) + shift + slope*float64(i)
		}
		return x
	}
	for name, c := range map[string]struct {
		a, b []float64
		u, p float64
	}{
		"exact":    {[]float64{1.1, 2.3, 3.7, 0.4, 5.9}, []float64{6.1, 7.2, 3.3, 8.8, 9.4, 2.9}, 4, 0.05194805194805195},
		"apart":    {series(10, 1, 1000, 0, 0), series(10, 1, 1000, 1, 0), 0, 1.082508822446903e-05},
		"ties":     {[]float64{1, 2, 2, 3, 4, 4, 4}, []float64{2, 4, 5, 5, 6, 7}, 6.5, 0.04109920575522472},
		"many":     {series(60, 37, 101, 0, 0.001), series(55, 53, 103, 0.1, 0.001), 1452, 0.26881841609689716},
		"exact 50": {series(50, 37, 101, 0, 0.0001), series(50, 53, 103, 0.2, 0.00017), 907, 0.01775962314645208},
		"equal":    {[]float64{1, 1, 1}, []float64{1, 1}, 3, 1},
	} {
		t.Run(name, func(t *testing.T) {
			u, p := MannWhitney(c.a, c.b)
			near(t, "U", u, c.u, 0)
			near(t, "p", p, c.p, 1e-12)
			v, q := MannWhitney(c.b, c.a)
			near(t, "U of both", u+v, float64(len(c.a)*len(c.b)), 0)
			near(t, "p the other way round", q, p, 1e-12)
		})
	}
	if _, p := MannWhitney(nil, []float64{1}); !math.IsNaN(p) {
		t.Error("p of nothing")
	}
}

// launches draws trials whose medians scatter around 1 by between, and whose
// samples scatter around the trial's by within.
func launches(rng *rand.Rand, trials, samples int, between, within float64) [][]float64 {
	out := make([][]float64, trials)
	for i := range out {
		level := 1 + between*rng.NormFloat64()
		for range samples {
			out[i] = append(out[i], level+within*rng.NormFloat64())
		}
	}
	return out
}

// TestIntervalsCover: a 95 % interval holds the truth in about 95 of 100
// cases although launches differ; one that pools samples would hold it in
// about 10 here.
func TestIntervalsCover(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const cases = 200
	var center, ratio, paired, pooled int
	for i := range cases {
		a, b := launches(rng, 10, 40, 0.05, 0.01), launches(rng, 10, 40, 0.05, 0.01)
		holds := func(v Interval, n *int) {
			if v.Low <= 1 && 1 <= v.High {
				*n++
			}
		}
		holds(CenterInterval(a, 0.95, uint64(i)), &center)
		holds(Ratio(a, b, 0.95, uint64(i)), &ratio)
		holds(PairedRatio(a, b, 0.95, uint64(i)), &paired)
		var all []float64
		for _, x := range a {
			all = append(all, x...)
		}
		holds(MedianInterval(all[:40], 0.95, uint64(i)), &pooled)
	}
	t.Logf("of %d: center %d, ratio %d, paired %d; one trial alone %d", cases, center, ratio, paired, pooled)
	for name, n := range map[string]int{"center": center, "ratio": ratio, "paired ratio": paired} {
		if n < cases*90/100 {
			t.Errorf("%s holds the truth in %d of %d", name, n, cases)
		}
	}
	if pooled > cases/2 {
		t.Errorf("one trial is as good as ten: the simulation proves nothing")
	}
}

// TestBlocksWiden: samples that drift slowly say less than as many independent
// ones of the same spread.
func TestBlocksWiden(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	n := 1000
	drift, free := make([]float64, n), make([]float64, n)
	x := 0.0
	for i := range drift {
		x = 0.9*x + math.Sqrt(1-0.81)*rng.NormFloat64()
		drift[i], free[i] = x, rng.NormFloat64()
	}
	a, b := MedianInterval(drift, 0.95, 1), MedianInterval(free, 0.95, 1)
	if a.High-a.Low < 1.5*(b.High-b.Low) {
		t.Errorf("correlated %v, independent %v", a, b)
	}
	// The median of n normal values has the standard error 1.2533/√n.
	near(t, "width for independent samples", (b.High-b.Low)/(2*1.96*1.2533/math.Sqrt(float64(n))), 1, 0.25)
}

func TestRatio(t *testing.T) {
	a := [][]float64{{2, 2.02}, {2.1, 2.1}, {1.9}}
	b := [][]float64{{1}, {1.05}, {0.95, 0.95, 0.95}}
	r := Ratio(a, b, 0.95, 1)
	near(t, "ratio", r.Estimate, 2.01, 1e-12)
	if r.Low > r.Estimate || r.High < r.Estimate || r.Low < 1.8 || r.High > 2.25 {
		t.Errorf("%+v", r)
	}
	p := PairedRatio(a, b, 0.95, 1)
	near(t, "paired", p.Estimate, 2, 1e-12)
	if p != PairedRatio(a, b, 0.95, 1) || r != Ratio(a, b, 0.95, 1) {
		t.Error("the same seed gives another interval")
	}
	if one := Ratio([][]float64{{1}}, b, 0.95, 1); !math.IsNaN(one.Low) || one.Estimate != 1 {
		t.Errorf("an interval out of one sample: %+v", one)
	}
}

func TestMetric(t *testing.T) {
	x := []float64{3, 1, 2, 5, 4}
	m := Metric("s", x, false)
	if m.Unit != "s" || m.Median != 3 || m.Mean != 3 || m.Min != 1 || m.Max != 5 || m.N != 5 || m.Confidence != 0.95 ||
		!math.IsNaN(m.P95) || !math.IsNaN(m.P99) || !(m.CILow <= 3 && 3 <= m.CIHigh) {
		t.Errorf("%+v", m)
	}
	near(t, "stddev", m.Stddev, math.Sqrt(2.5), 1e-15)
	if m := Metric("s", x, true); m.P95 != 4.8 || math.Abs(m.P99-4.96) > 1e-12 {
		t.Errorf("%+v", m)
	}
	one := Metric("s", []float64{2}, false)
	if one.Median != 2 || !math.IsNaN(one.Stddev) || !math.IsNaN(one.CILow) || !math.IsNaN(one.Confidence) {
		t.Errorf("%+v", one)
	}
	if _, err := json.Marshal(one); err != nil {
		t.Error(err)
	}
	for name, bad := range map[string][]float64{"none": nil, "NaN": {1, math.NaN()}, "infinite": {math.Inf(1)}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			Metric("s", bad, false)
		}()
	}
}

// TestFewSamples: below LeastSamples there is no interval, alone or in a ratio, and from it on one that is worth its name.
func TestFewSamples(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	const cases = 200
	for n := 1; n <= 12; n++ {
		holds := 0
		for i := range cases {
			x := launches(rng, 1, n, 0, 0.1)[0]
			v, r := MedianInterval(x, 0.95, uint64(i)), Ratio([][]float64{x}, [][]float64{x}, 0.95, uint64(i))
			if known := n >= LeastSamples; math.IsNaN(v.Low) == known || math.IsNaN(v.High) == known || math.IsNaN(r.Low) == known {
				t.Fatalf("%d samples: %v, ratio %v", n, v, r)
			}
			if v.Low <= 1 && 1 <= v.High {
				holds++
			}
		}
		if n >= LeastSamples && holds < cases*80/100 {
			t.Errorf("%d samples: the interval holds the truth in %d of %d", n, holds, cases)
		}
		if blocks := (n + blockLength(n) - 1) / blockLength(n); n >= LeastSamples && blocks < 3 {
			t.Errorf("%d samples are %d blocks", n, blocks)
		}
	}
}

// TestIntervalsHaveAWidth: where no two samples are equal, the ends are not either.
func TestIntervalsHaveAWidth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.SliceOfNDistinct(rapid.Float64Range(1, 1e6), LeastSamples, 40, rapid.ID).Draw(t, "x")
		if v := MedianInterval(x, 0.95, 1); !(v.Low < v.High) {
			t.Fatalf("%v of %v", v, x)
		}
		same := make([]float64, len(x))
		for i := range same {
			same[i] = x[0]
		}
		if v := MedianInterval(same, 0.95, 1); v.Low != x[0] || v.High != x[0] {
			t.Fatalf("%v of equal samples of %v", v, x[0])
		}
	})
}

// TestIntervalsHoldTheirEstimate for any samples: ends in order, within the data.
func TestIntervalsHoldTheirEstimate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.SliceOfN(rapid.Float64Range(-1e6, 1e6), LeastSamples, 60).Draw(t, "x")
		v := MedianInterval(x, 0.95, 1)
		lo, hi := Percentile(x, 0), Percentile(x, 100)
		if !(lo <= v.Low && v.Low <= v.High && v.High <= hi) {
			t.Fatalf("%v of %v", v, x)
		}
	})
}

func BenchmarkMedianInterval1000(b *testing.B) {
	rng := rand.New(rand.NewPCG(5, 6))
	x := make([]float64, 1000)
	for i := range x {
		x[i] = rng.Float64()
	}
	for b.Loop() {
		MedianInterval(x, 0.95, 1)
	}
}
