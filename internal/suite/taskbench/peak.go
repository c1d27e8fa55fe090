// METG: whether the peak is one, and the figures that were repeated stand. Pure.

package taskbench

import (
	"fmt"
	"slices"

	"gpubench/internal/stats"
)

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
