// Metric: a record's metric from its samples.
package stats

import (
	"math"

	"gpubench/internal/result"
)

// Confidence is that of the intervals in records.
const Confidence = 0.95

// Metric sums up the samples of one trial. single says that every sample is
// one operation, not the mean of a batch: only then are percentiles known. It
// panics if there are no samples or one is not finite.
func Metric(unit string, samples []float64, single bool) result.Metric {
	if len(samples) == 0 {
		panic("stats: a metric without samples")
	}
	for _, x := range samples {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			panic("stats: a sample that is not finite")
		}
	}
	s := sorted(samples)
	ci := MedianInterval(samples, Confidence, uint64(len(samples)))
	m := result.Metric{
		Unit: unit, Median: medianSorted(s), Mean: Mean(samples), Stddev: Stddev(samples),
		Min: s[0], Max: s[len(s)-1], P95: math.NaN(), P99: math.NaN(),
		CILow: ci.Low, CIHigh: ci.High, Confidence: Confidence, N: len(s),
	}
	if math.IsNaN(ci.Low) {
		m.Confidence = math.NaN()
	}
	if single {
		m.P95, m.P99 = percentileSorted(s, 95), percentileSorted(s, 99)
	}
	return m
}
