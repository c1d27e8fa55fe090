// Checks: every byte of every input, and that kernels did their work. All of it is in the untimed pass, but for what a
// timed batch leaves in the receive buffers.

package taskbench

import (
	"fmt"

	"gpubench/gpu"
	"gpubench/internal/result"
	"gpubench/kernels"
)

// checker is what the untimed pass finds.
type checker struct {
	v     result.Validation
	lanes map[int64][]float64 // by iterations: what a compute-bound task must leave
	spent int64               // iterations of references
	busy  int64               // what the last busy_wait came to
}

// Passes are the runs of the untimed pass: two, since what is left of the first must not pass for the second's.
const passes = 2

// mostReferences bounds the iterations of serial references; what needs more is not checked, nor counted.
const mostReferences = 1 << 22

// checked is the untimed pass: run is a batch of one run.
func (w *points) checked(run func() error) (result.Validation, error) {
	w.check = &checker{lanes: map[int64][]float64{}}
	defer func() { w.check, w.epoch = nil, 0 }()
	for _, own := range w.mine {
		for _, q := range own {
			if w.kernel == kernelMemory {
				if err := w.prepare(q); err != nil {
					return w.check.v, err
				}
			}
		}
	}
	if err := w.Poison(); err != nil {
		return w.check.v, err
	}
	for pass := range passes {
		w.epoch = int64(pass+1) << 32
		if err := run(); err != nil {
			return w.check.v, err
		}
	}
	for _, own := range w.mine {
		for _, q := range own {
			if w.kernel == kernelMemory {
				if err := w.checkScratch(q); err != nil {
					return w.check.v, err
				}
			}
		}
	}
	return w.check.v, w.Poison()
}

// count books one check; wrong is empty for a good one.
func (c *checker) count(wrong string) {
	c.v.Sent++
	c.v.Checked++
	if wrong == "" {
		return
	}
	c.v.Errors++
	if c.v.FirstError == "" {
		c.v.FirstError = wrong
	}
}

// checkInputs checks every byte that a task takes in, and overwrites what messages have brought.
func (w *points) checkInputs(q *point, t int) error {
	for _, s := range q.sets[q.g.SetAt(t)].from {
		if !q.g.Has(t-1, s.point) {
			continue
		}
		wrong, err := w.compare(q, s, t, w.epoch)
		if err != nil {
			return err
		}
		w.check.count(wrong)
		if s.here == nil {
			if err := w.fill(q.in[s.slot], poison); err != nil {
				return err
			}
		}
	}
	if !w.host {
		return w.stream.Sync()
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
	} else if r, err = w.set.TaskCheck(w.stream, m, step, word); err != nil {
		return "", err
	}
	if r.Errors == 0 {
		return "", nil
	}
	return fmt.Sprintf("PE %d: %s, offset %d: expected %#02x, found %#02x (%d of %d bytes differ)",
		w.pe.Rank, what, r.First, r.Expected, r.Found, r.Errors, m.Len), nil
}

// checkWork checks that a task's kernel did what it must; of an empty one that is its output.
func (w *points) checkWork(q *point, t int) error {
	switch w.kernel {
	case kernelEmpty:
		wrong, err := w.holds(q.out[t&1], w.epoch+int64(t), q.word(q.id), q.name(t)+": output")
		if err != nil {
			return err
		}
		w.check.count(wrong)
	case kernelCompute:
		return w.checkLanes(q, t)
	case kernelBusy:
		wrong := ""
		if want := busyReference(w.size); w.check.busy != want {
			wrong = fmt.Sprintf("PE %d: %s: busy_wait came to %d, expected %d", w.pe.Rank, q.name(t), w.check.busy, want)
		}
		w.check.count(wrong)
	}
	return nil
}

func (w *points) checkLanes(q *point, t int) error {
	n := w.iterations(q, t)
	want, known := w.check.lanes[n]
	if !known {
		if w.check.spent += n; w.check.spent > mostReferences {
			return nil
		}
		one := kernels.TaskLanes(n)
		want = one[:]
		w.check.lanes[n] = want
	}
	found, err := w.read(w.lanes)
	if err != nil {
		return err
	}
	wrong := ""
	for i, v := range gpu.Of[float64](found) {
		if lane := i % len(want); v != want[lane] {
			wrong = fmt.Sprintf("PE %d: %s: value %d after %d iterations: expected %.17g, found %.17g", w.pe.Rank, q.name(t), i, n, want[lane], v)
			break
		}
	}
	w.check.count(wrong)
	return nil
}

// read gives memory in a place where the host can look at it.
func (w *points) read(m gpu.Memory) (gpu.Memory, error) {
	if m.Space <= gpu.Pinned {
		return m, nil
	}
	there := w.look.Slice(0, m.Len)
	if err := w.stream.Copy(there, m); err != nil {
		return there, err
	}
	return there, w.stream.Sync()
}

// busyReference is 113·139^n modulo 2^31-1.
func busyReference(n int64) int64 {
	const m = 1<<31 - 1
	v, power := int64(113), int64(139)
	for ; n > 0; n /= 2 {
		if n%2 == 1 {
			v = v * power % m
		}
		power = power * power % m
	}
	return v
}

// prepare writes a point's scratch: words that differ, and poison in the second half of each piece.
func (w *points) prepare(q *point) error {
	image := q.scratch
	if image.Space > gpu.Pinned {
		image = w.look.Slice(0, q.scratch.Len)
	}
	words := gpu.Of[uint64](image)
	half := len(words) / int(w.pieces) / 2
	for i := range words {
		words[i] = scratchWord(q.id, i)
		if i/half%2 == 1 {
			words[i] = ^uint64(0)
		}
	}
	if image.Space == q.scratch.Space {
		return nil
	}
	if err := w.stream.Copy(q.scratch, image); err != nil {
		return err
	}
	return w.stream.Sync()
}

func scratchWord(point, i int) uint64 { return uint64(point)<<40 + uint64(i)*0x9e3779b9 }

// checkScratch looks at a point's scratch: the pieces that its tasks took have been copied, and no others.
func (w *points) checkScratch(q *point) error {
	taken := make([]bool, w.pieces)
	for t := range q.g.Steps {
		if q.g.Has(t, q.id) {
			for i := range min(w.size, w.pieces) {
				taken[(int64(t)*w.size+i)%w.pieces] = true
			}
		}
	}
	found, err := w.read(q.scratch)
	if err != nil {
		return err
	}
	words := gpu.Of[uint64](found)
	half := len(words) / int(w.pieces) / 2
	wrong := ""
	for i := range words {
		want := scratchWord(q.id, i)
		if i/half%2 == 1 {
			want = ^uint64(0)
			if taken[i/half/2] {
				want = scratchWord(q.id, i-half)
			}
		}
		if words[i] != want {
			wrong = fmt.Sprintf("PE %d: scratch of point %d, offset %d: expected %#x, found %#x", w.pe.Rank, q.id, 8*i, want, words[i])
			break
		}
	}
	w.check.count(wrong)
	return nil
}

// Poison overwrites the receive buffers.
func (w *points) Poison() error {
	for _, own := range w.mine {
		for _, q := range own {
			for _, m := range q.in {
				if err := w.fill(m, poison); err != nil {
					return err
				}
			}
		}
	}
	return w.stream.Sync()
}

// Inspect checks the last message that each receive buffer got in a timed batch.
func (w *points) Inspect() (result.Validation, error) {
	var c checker
	for _, own := range w.mine {
		for _, q := range own {
			seen := make([]bool, len(q.in))
			for t, left := q.g.Steps-1, len(q.in); t > 0 && left > 0; t-- {
				for _, s := range w.arrivals(q, t) {
					if seen[s.slot] {
						continue
					}
					seen[s.slot] = true
					left--
					wrong, err := w.compare(q, s, t, 0)
					if err != nil {
						return c.v, err
					}
					c.count(wrong)
				}
			}
		}
	}
	return c.v, nil
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
