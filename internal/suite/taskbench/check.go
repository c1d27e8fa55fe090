// Checks: every byte of every input and output, that kernels did their work, and that no task is left out. All of it is in
// the untimed pass, but for what a timed batch leaves behind.

package taskbench

import (
	"errors"
	"fmt"

	"gpubench/gpu"
	"gpubench/internal/result"
	"gpubench/internal/suite/slots"
	"gpubench/kernels"
)

// checker is what a check finds.
type checker struct {
	v      result.Validation
	stream *gpu.Stream // on which inputs are looked at
	late   bool        // the run is as those of a timed batch: nothing waits for a task but the model
	slowed int         // the last timestep with a slow kernel in front
}

// Passes are the runs of the untimed pass: two, since what is left of the first must not pass for the second's. In them the
// host waits for each task on a device. So a third one there does not: each message is looked at on a stream of its own when
// it arrives, and slow kernels stand before tasks, so that an output that leaves too early is not written yet.
const passes = 2

const (
	// slowKernel is the iterations of such a kernel: longer than a message's way.
	slowKernel = 1 << 20
	// mostSlow bounds the timesteps that have one.
	mostSlow = 32
)

// checked is the untimed pass: run is a batch of one run.
func (w *points) checked(run func() error) (result.Validation, error) {
	w.check = &checker{stream: w.stream}
	defer func() { w.check, w.epoch = nil, 0 }()
	if err := errors.Join(w.eachScratch(w.prepare), w.Poison()); err != nil {
		return w.check.v, err
	}
	w.refer(w.allSizes())
	for pass := range passes {
		if err := w.pass(pass+1, run); err != nil {
			return w.check.v, err
		}
	}
	if err := w.eachScratch(w.checkScratch); err != nil {
		return w.check.v, err
	}
	if !w.host {
		if err := w.latePass(run); err != nil {
			return w.check.v, err
		}
	}
	w.check.complete(w.pe.Rank)
	return w.check.v, w.Poison()
}

// pass is one run, in which all that is due must be looked at.
func (w *points) pass(number int, run func() error) error {
	w.epoch = int64(number) << 32
	for _, own := range w.mine {
		for _, q := range own {
			q.due = q.next(0)
			w.check.v.Sent += w.dues(q)
		}
	}
	if err := run(); err != nil {
		return err
	}
	for _, own := range w.mine {
		for _, q := range own {
			if q.due < q.g.Steps {
				w.check.wrong(fmt.Sprintf("PE %d: %s: expected one run, found none", w.pe.Rank, q.name(q.due)))
			}
		}
	}
	return nil
}

// latePass is the run whose tasks nobody waits for but the model.
func (w *points) latePass(run func() error) (err error) {
	w.check.late, w.check.slowed = true, -1
	if err := w.Poison(); err != nil {
		return err
	}
	if w.check.stream, err = w.pe.Device.NewStream(); err != nil {
		return err
	}
	err = w.pass(passes+1, run)
	err = errors.Join(err, w.check.stream.Close())
	w.check.stream = w.stream
	if err != nil {
		return err
	}
	return w.remains()
}

// dues is how many inputs, outputs and kernels of a point are to be looked at in a run; in the late one, messages.
func (w *points) dues(q *point) (n int64) {
	sets := make([][]int, q.g.Sets())
	for set := range sets {
		sets[set] = q.g.Dependencies(set, q.id)
	}
	for t := range q.g.Steps {
		switch {
		case !q.g.Has(t, q.id):
			continue
		case w.check.late:
			n += int64(len(w.arrivals(q, t)))
			continue
		}
		n++ // its output
		if w.kernel == kernelCompute || w.kernel == kernelBusy {
			n++
		}
		for _, d := range sets[q.g.SetAt(t)] {
			if q.g.Has(t-1, d) {
				n++
			}
		}
	}
	return n
}

// next is the first timestep from t on that has the point; the number of timesteps if there is none.
func (q *point) next(t int) int {
	for t < q.g.Steps && !q.g.Has(t, q.id) {
		t++
	}
	return t
}

// last is the last timestep that has the point, -1 if there is none.
func (q *point) last() int {
	t := q.g.Steps - 1
	for t >= 0 && !q.g.Has(t, q.id) {
		t--
	}
	return t
}

// count books one check; wrong is empty for a good one.
func (c *checker) count(wrong string) {
	c.v.Checked++
	if wrong != "" {
		c.wrong(wrong)
	}
}

// wrong books an error.
func (c *checker) wrong(what string) {
	slots.Wrong(&c.v, "%s", what)
}

// complete makes it an error that something due was not looked at.
func (c *checker) complete(pe int) {
	if c.v.Errors == 0 && c.v.Checked != c.v.Sent {
		c.wrong(fmt.Sprintf("PE %d: inputs, outputs and kernels of its tasks: expected %d checks, found %d", pe, c.v.Sent, c.v.Checked))
	}
}

// before is what a check does before a task.
func (w *points) before(q *point, t int) error {
	if t != q.due {
		what := fmt.Sprintf("PE %d: %s: expected one run, found a second one", w.pe.Rank, q.name(t))
		if t > q.due {
			what = fmt.Sprintf("PE %d: %s: expected before %s, found after it or not at all", w.pe.Rank, q.name(q.due), q.name(t))
		}
		w.check.wrong(what)
	}
	q.due = q.next(max(q.due, t+1))
	if err := w.checkInputs(q, t); err != nil || !w.check.late {
		return err
	}
	if every := 1 + q.g.Steps/mostSlow; t%every != 0 || t <= w.check.slowed {
		return nil
	}
	w.check.slowed = t
	return w.set.TaskCompute(w.stream, q.out[t&1], w.lanes, -1, q.word(q.id), slowKernel, 1)
}

// after is what a check does after a task.
func (w *points) after(q *point, t int) error {
	if w.check.late {
		return nil
	}
	wrong, err := w.holds(q.out[t&1], w.epoch+int64(t), q.word(q.id), q.name(t)+": output")
	if err != nil {
		return err
	}
	w.check.count(wrong)
	switch w.kernel {
	case kernelCompute:
		if err := w.checkLanes(q.name(t), w.iterations(q, t)); err != nil {
			return err
		}
		return w.fill(w.stream, w.lanes, poison)
	case kernelBusy:
		w.checkBusy(q.name(t))
		w.busy = 0
	}
	return nil
}

// checkInputs checks every byte that a task takes in, and overwrites what messages have brought. In the late run what lies
// where a task put it may not be written yet.
func (w *points) checkInputs(q *point, t int) error {
	for _, s := range q.sets[q.g.SetAt(t)].from {
		if !q.g.Has(t-1, s.point) || w.check.late && s.here != nil {
			continue
		}
		wrong, err := w.compare(q, s, t, w.epoch)
		if err != nil {
			return err
		}
		w.check.count(wrong)
		if s.here == nil {
			if err := w.fill(w.check.stream, q.in[s.slot], poison); err != nil {
				return err
			}
		}
	}
	if !w.host {
		return w.check.stream.Sync()
	}
	return nil
}

// compare holds an input against what its task must have put out, and says what is wrong.
func (w *points) compare(q *point, s source, t int, epoch int64) (wrong string, err error) {
	return w.holds(q.input(s, t), epoch+int64(t-1), q.word(s.point), fmt.Sprintf("%s: input from point %d", q.name(t), s.point))
}

// holds says what is wrong with memory that must hold what the task of a point put out at a step.
func (w *points) holds(m gpu.Memory, step, word int64, what string) (wrong string, err error) {
	var r kernels.PatternResult
	if w.host {
		r = kernels.CheckTaskBytes(m.Bytes(), step, word)
	} else if r, err = w.set.TaskCheck(w.check.stream, m, step, word); err != nil {
		return "", err
	}
	if r.Errors == 0 {
		return "", nil
	}
	return fmt.Sprintf("PE %d: %s, offset %d: expected %#02x, found %#02x (%d of %d bytes differ)",
		w.pe.Rank, what, r.First, r.Expected, r.Found, r.Errors, m.Len), nil
}

// arrivals are the messages that a point receives for its task of timestep t.
func (w *points) arrivals(q *point, t int) []source {
	var out []source
	if !q.g.Has(t, q.id) {
		return nil
	}
	for _, s := range q.sets[q.g.SetAt(t)].from {
		if s.here == nil && q.g.Has(t-1, s.point) {
			out = append(out, s)
		}
	}
	return out
}
