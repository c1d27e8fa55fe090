// What a run leaves behind: overwritten before it, and looked at when it is over, after timed batches too.

package taskbench

import (
	"errors"
	"slices"

	"gpubench/internal/result"
)

// Poison overwrites the buffers that a run writes: where messages arrive, outputs, and what kernels leave.
func (w *points) Poison() error {
	for _, m := range append(w.written[:len(w.written):len(w.written)], w.lanes) {
		if err := w.fill(w.stream, m, poison); err != nil {
			return err
		}
	}
	w.busy = 0
	err := w.eachScratch(func(q *point) error {
		if _, piece, ok := w.lastPiece(q); ok {
			return w.fill(w.stream, piece.Slice(piece.Len/2, piece.Len/2), poison)
		}
		return nil
	})
	return errors.Join(err, w.stream.Sync())
}

// Inspect checks what a timed batch has left: the last message in each receive buffer, and what the last tasks wrote.
func (w *points) Inspect() (result.Validation, error) {
	c := &checker{stream: w.stream}
	w.check = c
	defer func() { w.check = nil }()
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
					c.v.Sent++
					wrong, err := w.compare(q, s, t, 0)
					if err != nil {
						return c.v, err
					}
					c.count(wrong)
				}
			}
		}
	}
	err := w.remains()
	return c.v, err
}

// remains checks what a run's last tasks have left: each point's output, and the last kernel's work. A rank's tasks have an
// order; of chares any may have been the last one.
func (w *points) remains() error {
	var sizes []int64
	name, latest := "", -1
	for _, own := range w.mine {
		for _, q := range own {
			t := q.last()
			if t < 0 {
				continue
			}
			if w.byPoint {
				sizes, name = append(sizes, w.iterations(q, t)), "the last of the tasks like "+q.name(t)
			} else if t >= latest {
				sizes, name, latest = []int64{w.iterations(q, t)}, q.name(t), t
			}
			w.check.v.Sent++
			wrong, err := w.holds(q.out[t&1], w.epoch+int64(t), q.word(q.id), q.name(t)+": output")
			if err != nil {
				return err
			}
			w.check.count(wrong)
			if err := w.checkPiece(q); err != nil {
				return err
			}
		}
	}
	if len(sizes) == 0 {
		return nil
	}
	switch w.kernel {
	case kernelCompute:
		w.check.v.Sent++
		slices.Sort(sizes)
		sizes = slices.Compact(sizes)
		w.refer(slices.Clone(sizes))
		return w.checkLanes(name, sizes...)
	case kernelBusy:
		w.check.v.Sent++
		w.checkBusy(name)
	}
	return nil
}
