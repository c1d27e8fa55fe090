// A PE's share: its blocks, of which both models make a body.

package stencil

import (
	"errors"

	"gpubench/gpu"
	"gpubench/internal/bench"
	"gpubench/internal/result"
	"gpubench/internal/suite/phases"
	"gpubench/kernels"
)

// share is one PE's share of the problem.
type share struct {
	layout
	pe      *bench.PE
	set     *kernels.Set
	space   gpu.Space // where fields and packed faces lie
	blocks  []*block
	applied int // iterations since the start field
	found   *result.Launch
}

// share makes the blocks of a PE.
func (q *Problem) share(pe *bench.PE, p result.Params) (*share, error) {
	l, err := q.layout(p)
	if err != nil {
		return nil, err
	}
	set, err := kernels.Load(pe.Device)
	if err != nil {
		return nil, err
	}
	space, err := gpu.ParseSpace(p.String("space"))
	if err != nil {
		return nil, err
	}
	w := &share{layout: l, pe: pe, set: set, space: space}
	pe.Endpoint.TimeCopies(l.phases)
	total := 0
	for i := range l.Count() {
		g, _ := l.geometry(l.At(i))
		total += 2 * g.Bytes()
	}
	set.WorkingSet(total)
	for i := pe.Rank * l.PerPE(); i < (pe.Rank+1)*l.PerPE(); i++ {
		b, err := w.newBlock(i)
		w.blocks = append(w.blocks, b)
		if err != nil {
			return nil, errors.Join(err, w.Close())
		}
	}
	if l.launch == launchAuto {
		if err := w.choose(); err != nil {
			return nil, errors.Join(err, w.Close())
		}
	}
	return w, nil
}

// Close frees the PE's blocks.
func (w *share) Close() error {
	var errs []error
	for _, b := range w.blocks {
		errs = append(errs, b.close())
	}
	w.blocks = nil
	w.pe.Endpoint.TimeCopies(false)
	return errors.Join(errs...)
}

// Probe names a message that carries data, and the PE it goes to: a face
// towards another PE if there is one.
func (w *share) Probe() (gpu.Memory, int) {
	for _, b := range w.blocks {
		for f := range kernels.Face(kernels.Faces) {
			if !b.travel.Has(f) {
				continue
			}
			if n, _ := w.neighbour(b.at, f); w.Owner(w.Index(n)) != w.pe.Rank {
				return b.out[f], w.Owner(w.Index(n))
			}
		}
	}
	return gpu.Memory{}, -1
}

// batch runs n iterations and books what they did: the staging copies' time,
// and the iterations that have updated the field.
func (w *share) batch(n int, clk *bench.Clock, run func() error) error {
	before := w.pe.Endpoint.CopySeconds()
	if err := run(); err != nil {
		return err
	}
	if w.phases {
		clk.Lap(phases.Copy, phases.Duration(w.pe.Endpoint.CopySeconds()-before))
	}
	if w.part != partComm {
		w.applied += n
	}
	return nil
}
