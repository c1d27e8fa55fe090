// Chief: PE 0's decisions. It sees reports and gives orders; no transport here.
package bench

import (
	"fmt"
	"math"

	"gpubench/internal/result"
)

// chief holds what PE 0 knows of a case.
type chief struct {
	s         *session
	doing     task
	n         int // iterations of the batch under way
	pace      *pace
	search    Search              // instead of pace, where the benchmark has one
	level     int64               // of the search
	checks    []result.Validation // by PE
	checked   bool                // the final check has run
	reports   []report            // of the last task, by PE
	over      bool
	devices   []string
	clocks    *result.Clocks
	traffic   traffic
	lanes     []laneOf
	seen      evidence
	staging   *result.Staging
	balancing *result.Balancing
	legs      []legReport // of the two PEs between which they lie
	status    result.Status
	reason    string
	broken    *blame
}

func newChief(s *session) *chief {
	return &chief{s: s, doing: doPath, status: result.OK, checks: make([]result.Validation, s.pe.Size)}
}

// decide takes the reports of the task under way and says what comes next.
func (c *chief) decide(reports []report) order {
	c.reports = reports
	done := c.doing
	c.note(done, reports)
	o := order{Do: c.after(done)}
	if o.Do == doBatch {
		o.N, o.Timed = c.n, c.pace == nil || !c.pace.warming
	}
	if c.search != nil && (o.Do == doBatch || o.Do == doCheck) {
		o.Level = &c.level
	}
	if o.Do == doOpen && c.staging != nil {
		o.Chunk = int(c.staging.ChunkBytes)
	}
	if o.Do == doEnd {
		o.Status, o.Broken = c.status, c.broken
	}
	c.doing = o.Do
	return o
}

// after is the order of tasks; a case that has failed goes straight to its end.
func (c *chief) after(done task) task {
	switch {
	case done == doClose:
		return doEnd
	case c.status != result.OK:
		return doClose
	case done == doPath && c.chunk():
		return doTune
	case done == doPath || done == doTune:
		return doOpen
	case done == doCheck:
		return c.afterCheck()
	case done == doLegs:
		return doClose
	}
	if c.n = c.next(); c.n > 0 {
		return doBatch
	}
	if c.s.c.Clocks != nil {
		c.clocks = c.s.c.Clocks()
	}
	if c.s.validating() {
		return doCheck
	}
	return c.afterCheck()
}

func (c *chief) afterCheck() task {
	if c.s.hasLegs() {
		return doLegs
	}
	return doClose
}

// note books the reports.
func (c *chief) note(done task, reports []report) {
	c.errors(done, reports)
	for pe := range reports {
		r := &reports[pe]
		c.over = c.over || r.Over
		if r.Check != nil {
			AddValidation(&c.checks[pe], *r.Check)
		}
		if r.Traffic != nil {
			c.traffic.add(*r.Traffic)
		}
		if r.Seen != nil {
			c.seen.Close.add(r.Seen.Close)
			c.seen.Afar.add(r.Seen.Afar)
		}
		c.balanced(r.Balancing)
		if r.Lane != nil {
			c.lanes = append(c.lanes, laneOf{pe, *r.Lane})
		}
		if done == doOpen {
			c.devices = append(c.devices, r.Device)
		}
	}
	if c.status != result.OK {
		return
	}
	switch done {
	case doTune:
		c.tuned(reports[0].Tuning)
	case doOpen:
		c.start()
	case doBatch:
		c.batch(reports)
	case doCheck:
		c.checked = true
	case doLegs:
		c.legs = c.s.takeLegs(reports)
	case doClose:
		c.finish()
	}
	c.answers()
}

// errors fails the case if a PE reports one, and blames the PE whose own it
// is. PEs that all failed alike before any batch can go on to the next case.
func (c *chief) errors(done task, reports []report) {
	worst, failed, unsupported := -1, 0, true
	for pe := range reports {
		r := &reports[pe]
		if r.Err == "" {
			continue
		}
		failed++
		unsupported = unsupported && r.Unsupported
		if worst < 0 || r.Derived < reports[worst].Derived {
			worst = pe
		}
	}
	if worst < 0 {
		return
	}
	alike := failed == len(reports) && (unsupported || done == doOpen)
	if done != doPath && !alike && c.broken == nil {
		c.broken = &blame{PE: worst, Text: reports[worst].Err}
	}
	if unsupported && done != doClose {
		c.end(result.Skipped, reports[worst].Err)
		return
	}
	c.end(result.Failed, reports[worst].Err)
}

// end settles the status; the first reason counts.
func (c *chief) end(s result.Status, reason string) {
	if c.status == result.OK {
		c.status, c.reason = s, reason
	}
}

// start reads the counts once the body is there.
func (c *chief) start() {
	p := c.s.c.Params
	count := func(name string) int {
		if p.Has(name) {
			return int(p.Int(name))
		}
		return 0
	}
	seconds := 0.0
	if p.Has("seconds") {
		seconds = p.Float("seconds")
	}
	if c.s.b.Search != nil {
		c.searching()
		return
	}
	var err error
	if c.pace, err = newPace(count("iterations"), seconds, count("warmup"), c.s.b.MinBatch); err != nil {
		c.end(result.Failed, err.Error())
		return
	}
	if f := c.s.b.Period; f != nil {
		c.pace.every(int(f(p)))
	}
	c.pace.settle = c.s.guard() != nil
}

// batch turns the PEs' clocks into a sample.
func (c *chief) batch(reports []report) {
	b := batch{n: c.n, seconds: math.Inf(-1), laps: make([][]float64, len(c.s.laps))}
	clocked := 0.0
	for pe, r := range reports {
		if r.Clocked {
			b.seconds = math.Max(b.seconds, r.Seconds)
			b.own = append(b.own, r.Seconds)
			b.mean += r.Seconds
			clocked++
		}
		for l := range b.laps {
			if b.laps[l] == nil {
				b.laps[l] = make([]float64, len(reports))
			}
			b.laps[l][pe] = r.Laps[l]
		}
	}
	if len(b.own) < len(reports) {
		b.own = nil
	}
	b.mean /= clocked
	missing := c.short(reports)
	switch {
	case missing != "":
		c.end(result.Failed, missing)
	case math.IsInf(b.seconds, -1):
		c.end(result.Failed, fmt.Sprintf("no PE started and stopped the clock in a batch of %d iterations", c.n))
	case b.seconds <= 0:
		c.end(result.Failed, fmt.Sprintf("a batch of %d iterations took %g s by its clock", c.n, b.seconds))
	default:
		c.took(b)
	}
}

// balanced adds what balancing came to on a PE.
func (c *chief) balanced(b *result.Balancing) {
	switch {
	case b == nil:
	case c.balancing == nil:
		c.balancing = b
	default:
		c.balancing.MovedBytes += b.MovedBytes
		c.balancing.DecideS = max(c.balancing.DecideS, b.DecideS)
	}
}

// answers fails the case for a wrong answer: the PEs are well, and can go on.
func (c *chief) answers() {
	v := c.validation()
	if v.Errors > 0 {
		c.end(result.Failed, "wrong answer: "+v.FirstError)
	}
	if c.checked && v.Errors == 0 && v.Checked == 0 && v.Sent > 0 {
		c.end(result.Failed, fmt.Sprintf("none of %d messages were checked", v.Sent))
	}
}

// validation adds up the PEs' shares.
func (c *chief) validation() result.Validation {
	var total result.Validation
	var sums, expected []float64
	for pe := range c.checks {
		v := c.checks[pe]
		if v.FirstError != "" {
			v.FirstError = named(pe, v.FirstError)
		}
		if a := v.Answer; a != nil {
			sums, expected = append(sums, a.Sum), append(expected, a.ExpectedSum)
		}
		AddValidation(&total, v)
	}
	if total.Errors > 0 && total.FirstError == "" {
		total.FirstError = fmt.Sprintf("%d errors, of which the body says nothing", total.Errors)
	}
	combine(total.Answer, sums, expected)
	return total
}
