// METG: the figures of a search, and whether they stand. Pure.

package taskbench

import (
	"fmt"
	"slices"

	"gpubench/internal/result"
	"gpubench/internal/stats"
)

// Result interpolates in each repetition, and keeps the curve: sizes, granularities and efficiencies by their medians.
func (s *search) Result() (map[string]result.Metric, map[string]result.Samples, error) {
	if s.failed != nil {
		return nil, nil, s.failed
	}
	samples := map[string]result.Samples{}
	lo, hi, top := s.last(s.lo, s.reps), s.last(s.hi, s.reps), s.last(s.top, s.reps)
	peak := s.peak()
	for i := range s.reps {
		samples["peak_rate"] = append(samples["peak_rate"], s.work(s.top)/top[i])
		samples["metg"] = append(samples["metg"], interpolate(
			s.work(s.lo)/lo[i]/peak, s.granularity(lo[i]), s.work(s.hi)/hi[i]/peak, s.granularity(hi[i])))
	}
	for _, size := range s.ascending() {
		samples["curve_task_size"] = append(samples["curve_task_size"], float64(size))
		samples["curve_granularity"] = append(samples["curve_granularity"], s.granularity(s.run(size)))
		samples["curve_efficiency"] = append(samples["curve_efficiency"], s.work(size)/s.run(size)/peak)
	}
	return map[string]result.Metric{
		"metg":      stats.Metric("s", samples["metg"], false),
		"peak_rate": stats.Metric(s.unit, samples["peak_rate"], false),
	}, samples, nil
}

// last are a size's last n batches.
func (s *search) last(size int64, n int) []float64 {
	all := s.sizes[size].all
	return all[len(all)-n:]
}

// interpolate gives the granularity at 50 % on the line through two sizes; where that has no sense (a larger task that was
// less efficient), the larger one's.
func interpolate(lowE, lowG, highE, highG float64) float64 {
	g := lowG + (threshold-lowE)/(highE-lowE)*(highG-lowG)
	if highE <= lowE || highG <= lowG || g <= 0 {
		return highG
	}
	return g
}

// peak is the median rate of the repeated top.
func (s *search) peak() float64 { return s.work(s.top) / stats.Median(s.last(s.top, s.reps)) }

// weight is how many times as long a run takes as one without work, by the last few of both, which are of the same time where
// the peak is settled.
func (s *search) weight(size int64) float64 {
	return slices.Min(s.last(size, few)) / slices.Min(s.last(0, few))
}

// better is the size of the best rate if that is better than the repeated peak's median by more than may be; else the top.
func (s *search) better() int64 {
	best := s.top
	for _, size := range s.ascending() {
		if s.rate(size) > s.rate(best) {
			best = size
		}
	}
	if s.rate(best) > unsettled*s.peak() {
		return best
	}
	return s.top
}

// contest has a size that seems better than the peak measured in turn with it: rates of few batches are their best. What is
// better still is the peak.
func (s *search) contest(size int64) bool {
	if s.contested == size {
		if ratio := s.rate(size) / s.peak(); ratio > suspicious || s.weight(size) < outweighed {
			s.failed = s.contradicted(size)
			return false
		}
		s.contested, s.top, s.repeated = 0, size, false
		return s.close()
	}
	s.contested = size
	s.contests++
	for range s.reps {
		s.measure(size, 1)
		s.measure(s.top, 1)
	}
	return true
}

// doubtful says why the figures that were repeated are none.
func (s *search) doubtful() error {
	best := s.better()
	switch ratio := s.rate(best) / s.peak(); {
	case best == s.top, ratio <= suspicious && len(s.sizes[best].all) < few+s.reps: // the best of few
	default:
		return s.contradicted(best)
	}
	for _, size := range []int64{s.lo, s.hi, s.top} {
		if ratio := stats.Median(s.last(size, s.reps)) / s.sizes[size].run; ratio > unsteady {
			return noMETG(fmt.Sprintf("runs at task size %d took %.3g times as long as the shortest: %s", size, ratio, disturbed))
		}
	}
	rate := func(size int64) float64 { return s.work(size) / stats.Median(s.last(size, s.reps)) / s.peak() }
	if low, high := rate(s.lo), rate(s.hi); low > threshold*unsettled || high < threshold/unsettled {
		return noMETG(fmt.Sprintf("task sizes %d and %d, found on either side of 50 %%, came to %.3g %% and %.3g %%: %s",
			s.lo, s.hi, 100*low, 100*high, disturbed))
	}
	return nil
}

// contradicted says that a size is better than the peak.
func (s *search) contradicted(size int64) error {
	return noMETG(fmt.Sprintf("the work rate at task size %d was %.3g times the peak's at %d: %s", size, s.rate(size)/s.peak(), s.top, disturbed))
}
