// Summary statistics: median, mean, spread, percentiles.

// Package stats sums up samples and says how sure the sum is: intervals that
// treat trials as the clusters they are, ratios, and a rank test. Every random
// choice is seeded, so the same samples give the same numbers.
package stats

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// Mean is the arithmetic mean; NaN of nothing.
func Mean(x []float64) float64 {
	if len(x) == 0 {
		return math.NaN()
	}
	return stat.Mean(x, nil)
}

// Stddev is the sample's standard deviation, with n−1; NaN below two samples.
func Stddev(x []float64) float64 {
	if len(x) < 2 {
		return math.NaN()
	}
	return stat.StdDev(x, nil)
}

// Median is the middle sample, or the mean of the middle two; NaN of nothing.
func Median(x []float64) float64 { return medianSorted(sorted(x)) }

// Percentile is the value below which p percent of the samples lie, between
// neighbours by linear interpolation (Hyndman and Fan's type 7, the default of
// numpy and R). It panics unless 0 ≤ p ≤ 100.
func Percentile(x []float64, p float64) float64 { return percentileSorted(sorted(x), p) }

func sorted(x []float64) []float64 {
	s := slices.Clone(x)
	slices.Sort(s)
	return s
}

func medianSorted(s []float64) float64 {
	n := len(s)
	switch {
	case n == 0:
		return math.NaN()
	case n%2 == 1:
		return s[n/2]
	}
	return s[n/2-1]/2 + s[n/2]/2 // no overflow of the sum
}

func percentileSorted(s []float64, p float64) float64 {
	if !(p >= 0 && p <= 100) {
		panic("stats: percentile outside 0 to 100")
	}
	if len(s) == 0 {
		return math.NaN()
	}
	at := p / 100 * float64(len(s)-1)
	i := int(at)
	if i+1 >= len(s) {
		return s[len(s)-1]
	}
	return s[i] + (at-float64(i))*(s[i+1]-s[i])
}

// Sum adds with Neumaier's compensation (Z. angew. Math. Mech. 54, 1974): the
// error does not grow with the number of terms.
func Sum(x []float64) float64 {
	var sum, lost float64
	for _, v := range x {
		t := sum + v
		if math.Abs(sum) >= math.Abs(v) {
			lost += (sum - t) + v
		} else {
			lost += (v - t) + sum
		}
		sum = t
	}
	if math.IsNaN(lost) || math.IsInf(lost, 0) {
		return sum // the terms are not finite: the plain sum says so
	}
	return sum + lost
}
