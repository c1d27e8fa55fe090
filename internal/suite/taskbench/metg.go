// METG: the search for the smallest granularity at which half of the peak work rate is left. Pure.
//
// Definitions (Task Bench's paper, section IV, and scripts/chart_metg.py): the granularity of a run is its time times the
// PEs over its tasks; its efficiency is its work rate over the peak; METG(50 %) is the smallest granularity of an efficiency
// of 0.5 or more, linear between it and the next smaller size. Their peak is a machine's, measured once, else that of the
// largest size's own run; here it is the median rate at the largest size in the same case, on the same PEs, or at a smaller
// one that turns out to be better.

package taskbench

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gpubench/internal/bench"
	"gpubench/internal/result"
	"gpubench/internal/stats"
)

const (
	threshold = 0.5
	firstSize = 1 // iterations of a task in the first batch
	growth    = 4 // from one size to the next on the way to the peak
	// few is how often a size is measured that only leads the way.
	few = 3
	// saturated is by how much the work rate may still grow with the size at the peak: then 1 % is lost to all but work.
	saturated = 1.03
	// unsettled is by how much it may not, where a run has become too long to go on; nor may any size be better than the peak
	// by more, however it was measured.
	unsettled = 1.1
	// outweighed is how many times as long as a run without work one at the peak is at least: a work rate that does not grow
	// before says that the machine is disturbed. Where 3 % are still to gain from a size four times smaller it is 100 times.
	outweighed = 20
	// settledBy is how many times as long it need not become: no more than 0.5 % are left to gain.
	settledBy = 200
	longRun   = 4.0  // seconds
	longest   = 1e9  // iterations
	mostTime  = 30.0 // seconds: then the size grows no more, and nothing is looked for again
	// suspicious is by how much no size is better than the peak: Task Bench's analysis stops at the same.
	suspicious = 1.5
	// unsteady is by how much longer than its shortest run a size's median of the repetitions may be.
	unsteady = 2.0
	// batchTime is the least time of a batch, in seconds.
	batchTime = 2e-3
	// near is how far apart the two sizes may be that METG is interpolated between.
	near = 1.5
	// attempts bounds how often the sizes on either side of 50 % are looked for again, when repeating them has moved it.
	attempts = 8
)

// disturbed is why rates contradict each other.
const disturbed = "other programs use these CPUs, run it again when they do not"

// noMETG says why there is none, on this machine as it is: no wrong answer, so that the case is skipped.
type noMETG string

func (e noMETG) Error() string { return "no METG: " + string(e) }

// Is makes it an errors.ErrUnsupported.
func (e noMETG) Is(target error) bool { return target == errors.ErrUnsupported }

// search implements bench.Search: it grows the size until the work rate does not, closes in on 50 %, and repeats the sizes
// on either side and the peak in turn, so that all three see the same drift of the machine.
type search struct {
	pes, tasks float64
	work       func(size int64) float64 // of a run
	unit       string                   // of work per second
	reps       int

	sizes    map[int64]*sized
	todo     []int64 // sizes of the batches to come
	n        int     // runs of the batch under way
	spent    float64 // seconds in batches
	top      int64   // the size of the peak: the largest, unless a smaller one is better
	again    bool    // the two largest, and no work, have been measured once more
	grown    bool
	lo, hi   int64 // efficiency is below 50 % at lo, and not at hi
	tries    int
	repeated bool
	// contested is the size that was repeated last since it seemed better than the peak; 0: none.
	contested int64
	contests  int
	failed    error
}

// sized is what is known of a size.
type sized struct {
	run float64   // seconds of a run, the least so far; 0: not known
	all []float64 // seconds of a run, a batch each
}

var _ bench.Search = (*search)(nil)

func newSearch(p result.Params) (bench.Search, error) {
	unit := "op/s"
	if inBytes(p) {
		unit = "B/s"
	}
	return &search{pes: float64(p.Int("pes")), tasks: tasks(p), work: func(size int64) float64 { return work(p, size) }, unit: unit,
		reps: int(p.Int("repetitions")), sizes: map[int64]*sized{}}, nil
}

// Next gives the next size and how many runs its batch has. The first batch of a size warms up.
func (s *search) Next() (size int64, n int) {
	for len(s.todo) == 0 {
		if !s.decide() {
			return s.hi, 0
		}
	}
	size = s.todo[0]
	if s.sizes[size] == nil {
		s.sizes[size] = &sized{}
	}
	s.n = 1
	if run := s.sizes[size].run; run > 0 {
		s.n = int(math.Ceil(math.Min(batchTime/run, 1e6)))
	}
	return size, s.n
}

// Note takes a batch's time.
func (s *search) Note(seconds float64) {
	at := s.sizes[s.todo[0]]
	run := seconds / float64(s.n)
	s.spent += seconds
	if at.run == 0 {
		at.run = run
		return
	}
	at.run = math.Min(at.run, run)
	at.all = append(at.all, run)
	s.todo = s.todo[1:]
}

// measure asks for batches of a size.
func (s *search) measure(size int64, times int) {
	s.todo = append(s.todo, slices.Repeat([]int64{size}, times)...)
}

// decide asks for what is to be measured next; false: nothing more.
func (s *search) decide() bool {
	switch {
	case s.failed != nil:
		return false
	case !s.grown:
		return s.grow()
	case s.repeated:
		lo, hi := s.lo, s.hi
		if better := s.better(); better != s.top && s.contests < attempts && s.spent < mostTime {
			return s.contest(better)
		}
		s.tries++
		if s.bracket() && (lo == s.lo && hi == s.hi || s.over()) {
			s.lo, s.hi = lo, hi // those that were repeated
			s.failed = s.doubtful()
			return false
		}
		s.repeated = false
		s.forget(lo, hi)
	}
	return s.close()
}

// forget leaves of the sizes that led to lo and hi nothing, and of those two and the peak the last batches: when
// repeating them has moved the 50 %, the machine is not what it was. (The way of a cache line between two cores of a virtual
// machine can change from one second to the next.)
func (s *search) forget(lo, hi int64) {
	for size, at := range s.sizes {
		switch size {
		case 0:
		case lo, hi, s.top:
			at.all = slices.Clone(at.all[max(0, len(at.all)-few-s.reps):])
			at.run = slices.Min(at.all)
		default:
			delete(s.sizes, size)
		}
	}
}

// over tells that nothing is looked for again.
func (s *search) over() bool { return s.tries >= attempts || s.spent >= mostTime }

// grow goes to larger tasks until their work rate is the peak.
func (s *search) grow() bool {
	if s.top == 0 {
		s.top = firstSize
		s.measure(0, few) // no work: what all other sizes cost besides
		s.measure(s.top, few)
		return true
	}
	gain := math.Inf(1)
	if before := s.top / growth; before > 0 {
		gain = s.rate(s.top) / s.rate(before)
	}
	run, settled := s.sizes[s.top].run, gain < saturated || s.weight(s.top) >= settledBy
	switch {
	case settled && !s.again: // all batches of one may have been disturbed
		s.again = true
		for range few {
			s.measure(0, 1)
			s.measure(s.top/growth, 1)
			s.measure(s.top, 1)
		}
		return true
	case settled && s.weight(s.top) >= outweighed:
		s.grown = true
		return s.close()
	case s.room(run):
		s.top *= growth
		s.again = false
		s.measure(s.top, few)
		return true
	case gain < unsettled && s.weight(s.top) >= outweighed:
		s.grown = true
		return s.close()
	}
	s.failed = noMETG(fmt.Sprintf("the work rate still grows, by %.3g times from task size %d to %d, where a run lasts %.2g s: give fewer --steps",
		gain, s.top/growth, s.top, run))
	return false
}

// room tells that there is time for the next size, after one whose run takes so long.
func (s *search) room(run float64) bool {
	return run*growth < longRun && s.top*growth <= longest && s.spent+(few+1)*run*growth < mostTime
}

// close brings the sizes on either side of 50 % near each other, then repeats them.
func (s *search) close() bool {
	if !s.bracket() {
		s.measure(s.hi/growth, few) // down to 0, which does no work
		return true
	}
	if s.hi-s.lo > 1 && float64(s.hi) > near*float64(s.lo) {
		middle := int64(math.Round(math.Sqrt(float64(max(s.lo, 1)) * float64(s.hi))))
		s.measure(min(max(middle, s.lo+1), s.hi-1), few)
		return true
	}
	s.repeated = true
	for range s.reps {
		s.measure(s.lo, 1)
		s.measure(s.hi, 1)
		s.measure(s.top, 1)
	}
	return true
}

// bracket finds the smallest size whose efficiency is enough, and the next smaller one that was measured; false: there is
// none.
func (s *search) bracket() bool {
	below := int64(-1)
	for _, size := range s.ascending() {
		if s.efficiency(size) >= threshold {
			s.lo, s.hi = below, size
			return below >= 0
		}
		below = size
	}
	s.lo, s.hi = below, s.top // the top itself is the peak: this is for rates that are no numbers
	return true
}

func (s *search) ascending() []int64 {
	var sizes []int64
	for size := range s.sizes {
		sizes = append(sizes, size)
	}
	slices.Sort(sizes)
	return sizes
}

// run is a size's time of a run: the median once it has been repeated; before, the least, since two of few batches may well
// have been disturbed.
func (s *search) run(size int64) float64 {
	all := s.sizes[size].all
	if len(all) < few+s.reps {
		return slices.Min(all)
	}
	return stats.Median(all)
}

func (s *search) rate(size int64) float64       { return s.work(size) / s.run(size) }
func (s *search) efficiency(size int64) float64 { return s.rate(size) / s.rate(s.top) }
func (s *search) granularity(run float64) float64 {
	return run * s.pes / s.tasks
}
