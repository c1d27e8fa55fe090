// Intervals by bootstrap: over trials as clusters, over blocks within one trial.
package stats

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Resamples is how often a bootstrap draws: enough that the ends of a 95 %
// interval move by less than a tenth of its width (Davison and Hinkley,
// Bootstrap Methods and their Application, 1997, section 2.5.2).
const Resamples = 2000

// Interval is an estimate with an interval around it. NaN ends: not known.
type Interval struct {
	Estimate, Low, High, Confidence float64
}

// Center is the median over trials of each trial's median: every trial counts
// alike, however many samples it took.
func Center(trials [][]float64) float64 { return Median(medians(trials)) }

func medians(trials [][]float64) []float64 {
	m := make([]float64, 0, len(trials))
	for _, t := range trials {
		if len(t) > 0 {
			m = append(m, Median(t))
		}
	}
	return m
}

// CenterInterval puts a percentile interval around Center. With two trials or
// more, whole trials are drawn with replacement, since samples of one trial go
// together (the cluster bootstrap; Davison and Hinkley, section 3.8). With one
// it is that trial's MedianInterval, which knows nothing of how launches
// differ.
func CenterInterval(trials [][]float64, confidence float64, seed uint64) Interval {
	m := medians(trials)
	if len(m) < 2 {
		var x []float64
		for _, t := range trials {
			x = append(x, t...)
		}
		return MedianInterval(x, confidence, seed)
	}
	rng := source(seed)
	draws := make([]float64, Resamples)
	for i := range draws {
		draws[i] = resampledMedian(m, rng)
	}
	return interval(Median(m), draws, confidence)
}

// Ratio estimates Center(a) / Center(b) and its interval, by drawing trials of
// both sides independently. Where one side has a single trial, samples of a
// side with one trial are drawn in blocks, as MedianInterval does.
func Ratio(a, b [][]float64, confidence float64, seed uint64) Interval {
	return Combined(func(c []float64) float64 { return c[0] / c[1] }, confidence, seed, a, b)
}

// Combined estimates f of the sides' Centers and its interval: in each draw every side's center is drawn anew,
// independently of the others', as Ratio says. Ends are NaN where a side has too little to draw from.
func Combined(f func(centers []float64) float64, confidence float64, seed uint64, sides ...[][]float64) Interval {
	rng := source(seed)
	centers, drawn := make([]float64, len(sides)), make([][]float64, len(sides))
	known := true
	for i, s := range sides {
		centers[i], drawn[i] = Center(s), centerDraws(s, rng)
		known = known && drawn[i] != nil
	}
	est := f(centers)
	if !known {
		return Interval{est, math.NaN(), math.NaN(), confidence}
	}
	draws := make([]float64, Resamples)
	for d := range draws {
		for i := range sides {
			centers[i] = drawn[i][d]
		}
		draws[d] = f(centers)
	}
	return interval(est, draws, confidence)
}

// PairedRatio estimates the median of a[i]/b[i] over interleaved launches,
// where trial i of both sides ran side by side and shares the machine's drift.
// It panics unless both have the same number of trials.
func PairedRatio(a, b [][]float64, confidence float64, seed uint64) Interval {
	if len(a) != len(b) {
		panic("stats: paired trials of different numbers")
	}
	var r []float64
	for i := range a {
		if len(a[i]) > 0 && len(b[i]) > 0 {
			r = append(r, Median(a[i])/Median(b[i]))
		}
	}
	if len(r) < 2 {
		return Interval{Median(r), math.NaN(), math.NaN(), confidence}
	}
	rng := source(seed)
	draws := make([]float64, Resamples)
	for i := range draws {
		draws[i] = resampledMedian(r, rng)
	}
	return interval(Median(r), draws, confidence)
}

// centerDraws are resampled centers; nil where there is too little to draw from.
func centerDraws(trials [][]float64, rng *rand.Rand) []float64 {
	m := medians(trials)
	if len(m) >= 2 {
		draws := make([]float64, Resamples)
		for i := range draws {
			draws[i] = resampledMedian(m, rng)
		}
		return draws
	}
	for _, t := range trials {
		if len(t) >= LeastSamples {
			return blockDraws(t, rng)
		}
	}
	return nil
}

// MedianInterval puts an interval around the median of one trial's samples.
// Batches that follow each other are correlated, so blocks of n^(1/3) of them
// are drawn from the sequence, which is taken as a circle (moving blocks: Hall,
// Horowitz and Jing, Biometrika 82, 1995, for the length). Of fewer samples than
// LeastSamples the ends are not known.
func MedianInterval(x []float64, confidence float64, seed uint64) Interval {
	if len(x) < LeastSamples {
		return Interval{Median(x), math.NaN(), math.NaN(), confidence}
	}
	return interval(Median(x), blockDraws(x, source(seed)), confidence)
}

// LeastSamples is from how many samples of one trial on there is an interval: a
// draw has three blocks then. Two samples are one block, so that every draw is
// both of them and the interval a point; of three or four a draw is two blocks,
// and a 95 % interval of independent samples holds the truth in 60 to 75 of 100
// cases, where from five on it does so in 80 at least (TestFewSamples).
const LeastSamples = 5

// blockLength is how many of n samples are drawn together.
func blockLength(n int) int { return int(math.Ceil(math.Cbrt(float64(n)))) }

// blockDraws are medians of resampled blocks. Samples are replaced by their
// ranks and counted, so that a draw costs no sorting.
func blockDraws(x []float64, rng *rand.Rand) []float64 {
	n := len(x)
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		switch {
		case x[i] < x[j]:
			return -1
		case x[i] > x[j]:
			return 1
		}
		return 0
	})
	rank := make([]int32, n)
	for r, i := range order {
		rank[i] = int32(r)
	}
	block := blockLength(n)
	count := make([]int32, n)
	draws := make([]float64, Resamples)
	for d := range draws {
		clear(count)
		for drawn := 0; drawn < n; drawn += block {
			at := rng.IntN(n)
			for range min(block, n-drawn) {
				count[rank[at]]++
				if at++; at == n {
					at = 0
				}
			}
		}
		draws[d] = (x[order[quantileOf(count, (n-1)/2)]] + x[order[quantileOf(count, n/2)]]) / 2
	}
	return draws
}

// quantileOf returns the rank of the k-th drawn sample, from 0.
func quantileOf(count []int32, k int) int {
	for r, c := range count {
		if k -= int(c); k < 0 {
			return r
		}
	}
	panic("stats: fewer samples drawn than asked for")
}

func resampledMedian(m []float64, rng *rand.Rand) float64 {
	d := make([]float64, len(m))
	for i := range d {
		d[i] = m[rng.IntN(len(m))]
	}
	slices.Sort(d)
	return medianSorted(d)
}

// interval takes the percentiles of the draws.
func interval(est float64, draws []float64, confidence float64) Interval {
	slices.Sort(draws)
	tail := (1 - confidence) / 2 * 100
	return Interval{est, percentileSorted(draws, tail), percentileSorted(draws, 100-tail), confidence}
}

func source(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x7374617473)) }
