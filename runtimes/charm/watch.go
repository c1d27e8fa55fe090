// The watch over progress: when nothing has happened on PE 0 for the deadline, it asks all PEs what they wait for. If
// nothing has happened anywhere for so long, the run ends with an error that says who waits for what; a PE that does
// not answer in that time is named instead.
package charm

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// watch is its state.
type watch struct {
	seen  int64 // core.progress when it was last looked at
	since int64 // when it last changed

	probe   uint32 // on PE 0: number of the question
	asked   bool   // it is under way
	askedAt int64
	next    int64   // not to be asked again before
	answers []int32 // who has answered
	least   int64   // the shortest time that a PE has been without progress
	texts   []string
}

func (w *watch) restart(c *core) {
	*w = watch{seen: c.progress, since: c.now, probe: w.probe}
}

// look is called at each tick.
func (c *core) look() {
	w := &c.watch
	if c.progress != w.seen {
		w.seen, w.since, w.asked, w.next = c.progress, c.now, false, 0
		return
	}
	if c.deadline <= 0 || c.now-w.since < c.deadline {
		return
	}
	switch {
	case c.start.phase == coming || c.start.phase == leaving:
		c.lookForMissing()
	case c.rank != 0: // PE 0 looks
	case w.asked && c.now-w.askedAt >= c.deadline:
		var silent []string
		for pe := range c.size {
			if !slices.Contains(w.answers, int32(pe)) {
				silent = append(silent, fmt.Sprint(pe))
			}
		}
		c.fail(&DeadlockError{After: seconds(c.deadline), Waits: append(w.texts,
			fmt.Sprintf("PE %s has not answered for %v: it is in a long method, or hangs", strings.Join(silent, ", "), seconds(c.deadline)))})
	case !w.asked && c.now >= w.next:
		c.ask()
	}
}

// lookForMissing ends a run that some PE does not come to, or does not leave.
func (c *core) lookForMissing() {
	s, what := &c.start, "come to"
	if s.phase == leaving {
		what = "left"
	}
	var missing []string
	for _, k := range s.kids {
		if !slices.Contains(s.here, k) {
			missing = append(missing, fmt.Sprint(k))
		}
	}
	// Those nearer to the missing one know more: they speak first.
	if len(missing) > 0 || c.now-c.watch.since >= 2*c.deadline {
		text := fmt.Sprintf("PE %d waits for others to have %s run %d", c.rank, what, s.run)
		if len(missing) > 0 {
			text += ": PE " + strings.Join(missing, ", ") + ", or one below it in the tree, has not"
		}
		c.fail(&DeadlockError{After: seconds(c.deadline), Waits: []string{text}})
	}
}

func (c *core) ask() {
	w := &c.watch
	w.probe++
	w.asked, w.askedAt, w.answers = true, c.now, append(w.answers[:0], 0)
	w.least, w.texts = c.now-w.since, c.waits(c.now)
	b := c.scratch[:headerLen]
	putHeader(b, kindProbe, 0, w.probe, 0)
	for pe := 1; pe < c.size; pe++ {
		c.post(pe, b)
	}
	c.judge()
}

func (c *core) watchMessage(src int, k kind, b []byte) {
	w := &c.watch
	if k == kindProbe {
		c.report(word(b, 4))
		return
	}
	if !w.asked || word(b, 4) != w.probe {
		return
	}
	w.answers = append(w.answers, int32(src))
	w.least = min(w.least, int64(le.Uint64(b[8:])))
	if len(b) > headerLen {
		w.texts = append(w.texts, strings.Split(string(b[headerLen:]), "\n")...)
	}
	c.judge()
}

// judge ends the run when all have answered and none has seen progress.
func (c *core) judge() {
	w := &c.watch
	if len(w.answers) < c.size {
		return
	}
	if w.least < c.deadline {
		w.asked, w.next = false, c.now+max(c.deadline-w.least, c.deadline/8)
		return
	}
	c.fail(&DeadlockError{After: seconds(c.deadline), Waits: w.texts})
}

// report answers a probe, with as many lines as fit a header.
func (c *core) report(probe uint32) {
	c.now = c.port.Now()
	var idle int64
	if c.progress == c.watch.seen {
		idle = c.now - c.watch.since
	}
	lines := c.waits(c.now)
	text := strings.Join(lines, "\n")
	for room := c.maxHeader - headerLen; len(text) > room; {
		lines = lines[:len(lines)-1]
		text = strings.Join(append(slices.Clone(lines), "…"), "\n")
	}
	b := c.scratch[:headerLen+len(text)]
	putHeader(b, kindReport, 0, probe, 0)
	le.PutUint64(b[8:], uint64(idle))
	copy(b[headerLen:], text)
	c.post(0, b)
}

// waits says who waits here for what.
func (c *core) waits(now int64) (out []string) {
	for _, t := range c.threads {
		if !t.active || t.why.what == "" {
			continue
		}
		who, in := t.current.m.name, ""
		if t.current.el != nil {
			who, in = "chare "+t.current.el.name(), ", in method "+who
		}
		out = append(out, fmt.Sprintf("%s %s since %v%s", who, t.why.text(), seconds(now-t.why.since), in))
	}
	for _, coll := range c.colls {
		if coll == nil {
			continue
		}
		out = append(out, c.reductionWaits(coll.all)...)
		for _, r := range coll.rosters {
			out = append(out, c.reductionWaits(r)...)
		}
		if coll.mob != nil {
			for _, r := range coll.mob.retired {
				out = append(out, c.reductionWaits(r)...)
			}
			out = append(out, c.syncWaits(coll)...)
		}
	}
	for e, held := range c.waiting {
		what := fmt.Sprintf("array %d, which it has not made", e.coll)
		if coll := c.known(e.coll); coll != nil && e.until != untilKnown {
			what = fmt.Sprintf("array %s, whose chares move", coll.name)
		}
		out = append(out, fmt.Sprintf("PE %d holds %d messages for %s", c.rank, len(held), what))
	}
	if n := len(c.quiet.targets); n > 0 {
		out = append(out, fmt.Sprintf("%d wait for quiescence", n))
	}
	return out
}

func (c *core) reductionWaits(r *roster) (out []string) {
	for i, red := range r.under {
		if red.op != nil && !red.done {
			out = append(out, fmt.Sprintf("reduction %d (%s) over %s has %d of %d contributions on PE %d",
				r.first+uint32(i), red.op.name, r.name(), red.have, len(red.in), c.rank))
		}
	}
	return out
}

func seconds(ns int64) time.Duration {
	d := time.Duration(ns)
	if d >= time.Second {
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Millisecond)
}
