// Pace: how many iterations the next batch has, and when to stop. Pure: PE 0
// asks it, and tells the others.
package bench

import (
	"fmt"
	"math"
	"time"
)

const (
	// floor is the least time of a sample: the clock's own cost stays under 1 %.
	floor = 10 * time.Microsecond
	// maxSamples bounds the batches of a case: each has its own poisoning and
	// checking.
	maxSamples = 1000
	// settle and settleTime are how many iterations a batch has at least, and
	// how long it lasts, where poisoning and checking come before it: its first
	// iterations find cold caches and a peer that is late by a microsecond. Both
	// give way to having fewSamples batches.
	settle     = 100
	settleTime = 20 * time.Millisecond
	fewSamples = 10
)

// pace plans warm-up and timed batches.
type pace struct {
	iterations int     // timed iterations in all; 0: by time
	seconds    float64 // timed seconds in all
	warmup     int     // warm-up iterations
	minBatch   int
	period     int  // batches are of whole ones; 0: 1
	settle     bool // see the constant

	warmed  int
	warmedS float64
	last    int // iterations of the last warm-up batch
	done    int // timed iterations
	doneS   float64
	est     float64 // seconds per iteration, 0: not known
	warming bool
	pending batch // a sample that has not reached the floor
	samples []batch
}

// batch is iterations and what they took.
type batch struct {
	n       int
	seconds float64     // the largest over the PEs that ran the clock
	mean    float64     // and the mean over them
	own     []float64   // by PE, where every PE has a clock
	laps    [][]float64 // by lap, by PE
	parts   int         // batches merged into it
}

func newPace(iterations int, seconds float64, warmup, minBatch int) (*pace, error) {
	switch {
	case iterations < 0 || warmup < 0 || seconds < 0:
		return nil, fmt.Errorf("%d iterations, %g s, %d warm-up iterations", iterations, seconds, warmup)
	case iterations == 0 && seconds == 0:
		return nil, fmt.Errorf("neither a number of iterations nor a time is given")
	case seconds > 0:
		iterations = 0
	}
	return &pace{iterations: iterations, seconds: seconds, warmup: warmup, minBatch: max(1, minBatch)}, nil
}

// every has batches of whole periods, and iterations of as many as they take.
func (p *pace) every(period int) {
	p.period = max(1, period)
	p.iterations = int(p.whole(float64(p.iterations)))
}

// next returns the size of the next batch; 0 is the end.
func (p *pace) next() int {
	if p.warming = p.warmed < p.warmup || p.warmedS < p.warmupSeconds(); p.warming {
		return p.nextWarmup()
	}
	n := float64(p.minBatch)
	if p.est > 0 {
		n = math.Max(n, math.Ceil(floor.Seconds()/p.est))
	}
	if p.seconds > 0 {
		if p.doneS >= p.seconds && p.done > 0 {
			return 0
		}
		if p.est > 0 {
			n = math.Max(n, p.share(p.seconds/p.est))
		}
		return int(p.whole(math.Min(n, 1<<30)))
	}
	rest := p.iterations - p.done
	if rest <= 0 {
		return 0
	}
	if p.est == 0 { // nothing is known yet: a hundredth shows little harm
		n = math.Max(n, math.Ceil(float64(p.iterations)/100))
	}
	n = p.whole(math.Max(n, p.share(float64(p.iterations))))
	// As many batches of at least n as there are, the rest spread over them.
	size := rest / max(1, int(float64(rest)/n))
	return size - size%max(1, p.period)
}

// whole is n, rounded up to whole periods.
func (p *pace) whole(n float64) float64 {
	period := float64(max(1, p.period))
	return math.Ceil(n/period) * period
}

// share is the least a batch may have of all iterations.
func (p *pace) share(all float64) float64 {
	n := math.Ceil(all / maxSamples)
	if p.settle {
		long := float64(settle)
		if p.est > 0 {
			long = math.Max(long, math.Ceil(settleTime.Seconds()/p.est))
		}
		n = math.Max(n, math.Min(long, math.Floor(all/fewSamples)))
	}
	return n
}

// warmupSeconds is how long the warm-up lasts at least when time is fixed.
func (p *pace) warmupSeconds() float64 { return math.Min(p.seconds/10, 1) }

// nextWarmup doubles: the first iteration alone pays for first touches, and a
// late batch is long enough to estimate from. By count the sum is exact, since
// an application's warm-up iterations show in its answer.
func (p *pace) nextWarmup() int {
	n := max(1, 2*p.last)
	if p.seconds == 0 || p.warmed < p.warmup {
		n = min(n, max(1, p.warmup-p.warmed))
	}
	if p.est > 0 && p.seconds > 0 {
		n = min(n, max(1, int(p.warmupSeconds()/4/p.est)))
	}
	return n
}

// note takes the result of the batch that next asked for.
func (p *pace) note(b batch) {
	each := b.seconds / float64(b.n)
	if p.warming {
		p.warmed += b.n
		p.warmedS += math.Max(b.seconds, 1e-9) // ends even with a clock that stands
		p.last = b.n
		p.est = each // a later one is truer: the first was slow
		return
	}
	if each > 0 && (p.est == 0 || each < p.est) {
		p.est = each
	}
	p.done += b.n
	p.doneS += math.Max(b.seconds, 1e-9)
	p.pending = p.pending.plus(b)
	if p.pending.seconds >= floor.Seconds() {
		p.samples = append(p.samples, p.pending)
		p.pending = batch{}
	}
}

// finish returns the samples. What has not reached the floor joins the last.
func (p *pace) finish() []batch {
	if p.pending.n > 0 {
		if k := len(p.samples) - 1; k >= 0 {
			p.samples[k] = p.samples[k].plus(p.pending)
		} else {
			p.samples = append(p.samples, p.pending)
		}
		p.pending = batch{}
	}
	return p.samples
}

func (b batch) plus(c batch) batch {
	if b.n == 0 {
		c.parts = max(c.parts, 1)
		return c
	}
	b.n += c.n
	b.seconds += c.seconds
	b.mean += c.mean
	if len(b.own) == len(c.own) {
		for pe := range b.own {
			b.own[pe] += c.own[pe]
		}
	} else {
		b.own = nil
	}
	b.parts += max(c.parts, 1)
	for l := range b.laps {
		for pe := range b.laps[l] {
			b.laps[l][pe] += c.laps[l][pe]
		}
	}
	return b
}
