// Guard: what the exchanges of a batch have left, where faces alone are exchanged. The field is the same all the time
// there, so an exchange that is left out shows only where what it should have written was spoiled before.

package stencil

import (
	"gpubench/internal/bench"
	"gpubench/internal/result"
	"gpubench/kernels"
)

// guard looks after every batch at the faces that came last. Other cases need none: what a batch does wrong stays in
// the field until it is compared.
type guard struct{ w *share }

type (
	guardedRanks struct {
		*ranks
		guard
	}
	guardedChares struct {
		*chares
		guard
	}
)

var _, _ bench.Guard = guardedRanks{}, guardedChares{}

// Poison spoils the faces received and the ghost cells.
func (g guard) Poison() error { return g.w.spoil() }

// Inspect compares the field as one update with those ghost cells would make it. The field itself stays.
func (g guard) Inspect() (v result.Validation, err error) {
	if err = g.w.useFaces(); err != nil {
		return v, err
	}
	var a result.Answer
	if _, err = g.w.compare(&v, &a, g.w.closedForm); err != nil {
		return v, err
	}
	v.Sent = v.Checked
	for _, b := range g.w.blocks {
		b.now = 1 - b.now
	}
	g.w.applied--
	return v, nil
}

// spoil overwrites all that has been received, also where it was unpacked.
func (w *share) spoil() error {
	for _, b := range w.blocks {
		if b.travel == 0 {
			continue
		}
		for f := range kernels.Face(kernels.Faces) {
			if b.travel.Has(f) {
				if err := b.edge.Fill(b.in[f], 0xff); err != nil { // NaN
					return err
				}
			}
		}
		if err := w.set.UnpackFaces(b.edge, b.field(), b.geom, b.travel, &b.in); err != nil {
			return err
		}
		if err := b.edge.Sync(); err != nil {
			return err
		}
	}
	return nil
}

// useFaces updates the field once with the faces that came: each of their cells is read by a cell that is compared after.
func (w *share) useFaces() error {
	for _, b := range w.blocks {
		if err := b.edge.Record(b.ready); err != nil {
			return err
		}
		if err := b.innermost(); err != nil {
			return err
		}
		if err := b.outermost(); err != nil {
			return err
		}
		if err := b.finish(new(bench.Clock)); err != nil {
			return err
		}
	}
	w.applied++
	return nil
}
