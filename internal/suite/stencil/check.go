// Checks: every cell against the closed form or a serial reference.

package stencil

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"gpubench/gpu"
	"gpubench/internal/bench"
	"gpubench/internal/result"
	"gpubench/kernels"
)

// referenceCells is up to where a constant start is checked cell by cell.
const referenceCells = 256 * 256 * 256

// check compares this PE's cells. Where faces alone were exchanged it first
// makes the field tell of them; again is one more iteration of the body.
func (w *share) check(again func() error) (result.Validation, error) {
	var v result.Validation
	if w.part == partComm {
		if err := w.useFaces(again); err != nil {
			return v, err
		}
	}
	a := &result.Answer{AppliedIterations: int64(w.applied)}
	var sum neumaier
	compare, done, err := w.comparison()
	if err != nil {
		return v, err
	}
	defer done()
	for _, b := range w.blocks {
		r, err := compare(b)
		if err != nil {
			return v, err
		}
		v.Checked += r.Checked
		v.Errors += r.Errors
		if r.Errors > 0 && v.FirstError == "" {
			v.FirstError = b.wrong(r)
		}
		if !(r.MaxError <= a.MaxError) {
			a.MaxError = r.MaxError
		}
		sum.add(r.Sum)
		sum.rest += r.Compensation
	}
	v.Sent = v.Checked
	a.Sum = sum.value()
	expected := w.expectedSum()
	if err := w.checkSum(&v, a.Sum, expected); err != nil {
		return v, err
	}
	if w.pe.Rank == 0 {
		a.ExpectedSum = expected // sums are added up over the PEs
	}
	v.Answer = a
	return v, nil
}

// useFaces spoils all that has been received, exchanges once more, and updates
// the field once with the faces that came: each of their cells is read by a
// cell that is compared after.
func (w *share) useFaces(again func() error) error {
	for _, b := range w.blocks {
		for f := range kernels.Face(kernels.Faces) {
			if b.travel.Has(f) {
				if err := b.edge.Fill(b.in[f], 0xff); err != nil { // NaN
					return err
				}
			}
		}
		if b.travel == 0 {
			continue
		}
		if err := w.set.UnpackFaces(b.edge, b.field(), b.geom, b.travel, &b.in); err != nil {
			return err
		}
		if err := b.edge.Sync(); err != nil {
			return err
		}
	}
	if err := again(); err != nil {
		return err
	}
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

// wrong is what a check found, as text.
func (b *block) wrong(r kernels.FieldResult) string {
	x, y, z := b.geom.Cell(int(r.First))
	cell := [3]int{b.first[0] + x, b.first[1] + y, b.first[2] + z}
	return fmt.Sprintf("PE %d: cell %s, offset %d of block %s: expected %.17g, found %.17g after %d iterations (%d of %d cells are wrong)",
		b.w.pe.Rank, b.w.place(cell), r.First, b.w.place(b.at), r.Expected, r.Found, b.w.applied, r.Errors, r.Checked)
}

// place writes coordinates, as many as there are axes.
func (l layout) place(at [3]int) string {
	return "(" + strings.ReplaceAll(strings.Trim(fmt.Sprint(at[:l.Axes]), "[]"), " ", ",") + ")"
}

// comparison returns how a block is compared, and what to call after.
func (w *share) comparison() (compare func(*block) (kernels.FieldResult, error), done func(), err error) {
	if w.field == fieldModes {
		return func(b *block) (kernels.FieldResult, error) {
			return w.set.CheckModes(b.edge, b.field(), b.modes, w.applied, 0)
		}, func() {}, nil
	}
	if w.cells() > referenceCells {
		// By the sum. No cell is compared: each is its own reference, so that NaNs
		// are found.
		return func(b *block) (kernels.FieldResult, error) {
			return w.set.CheckReference(b.edge, b.field(), b.geom, b.field(), b.geom, [3]int{}, 0)
		}, func() {}, nil
	}
	return w.against(reference(w.flat(), w.grid, w.Constant, w.applied))
}

// against compares with a reference on the device.
func (w *share) against(ref []float64) (func(*block) (kernels.FieldResult, error), func(), error) {
	g := newBlock(w.flat(), w.grid)
	dev := w.pe.Device
	host, err := dev.Alloc(gpu.Pageable, g.Bytes(), gpu.DefaultPages)
	if err != nil {
		return nil, nil, err
	}
	there := host
	free := func() { _ = host.Free() }
	bytes := host.Memory().Bytes()
	for i, x := range ref {
		binary.NativeEndian.PutUint64(bytes[8*i:], math.Float64bits(x))
	}
	if w.space == gpu.OnDevice || w.space == gpu.Managed {
		if there, err = dev.Alloc(w.space, g.Bytes(), gpu.DefaultPages); err != nil {
			free()
			return nil, nil, err
		}
		free = func() { _, _ = host.Free(), there.Free() }
		if err = w.blocks[0].edge.Copy(there.Memory(), host.Memory()); err == nil {
			err = w.blocks[0].edge.Sync()
		}
		if err != nil {
			free()
			return nil, nil, err
		}
	}
	return func(b *block) (kernels.FieldResult, error) {
		return w.set.CheckReference(b.edge, b.field(), b.geom, there.Memory(), g, b.dom.Offset, w.tolerance())
	}, free, nil
}

// tolerance is the absolute error allowed in a cell: as that of the modes.
func (w *share) tolerance() float64 {
	largest := 1.0
	if c := w.Constant; w.field != fieldModes {
		largest = max(math.Abs(c.Interior), math.Abs(c.Low), math.Abs(c.High))
	}
	return 1e-13 * largest * math.Sqrt(float64(1+w.applied))
}

// expectedSum is the sum over the whole grid: of all blocks, where each is a
// grid of its own.
func (w *share) expectedSum() float64 {
	switch {
	case w.field != fieldModes:
		return constantSum(w.grid[:w.Axes], w.Constant, w.applied)
	case w.part != partCompute:
		return kernels.ModesSum(w.global(w.grid), w.applied)
	}
	var sum neumaier
	known := map[[3]int]float64{} // extents differ by one cell at most
	for i := range w.Count() {
		_, d := w.domain(w.At(i))
		if _, ok := known[d.Global]; !ok {
			known[d.Global] = kernels.ModesSum(d.Global, w.applied)
		}
		sum.add(known[d.Global])
	}
	return sum.value()
}

// checkSum holds the whole grid's sum against the reference's, on PE 0. Where
// cells are known to be wrong, they say more than their sum.
func (w *share) checkSum(v *result.Validation, sum, expected float64) error {
	mine := binary.LittleEndian.AppendUint64(nil, math.Float64bits(sum))
	all, err := w.pe.Control.Gather(binary.LittleEndian.AppendUint64(mine, uint64(v.Errors)))
	if err != nil || w.pe.Rank != 0 {
		return err
	}
	total, wrong := 0.0, uint64(0)
	for _, b := range all {
		total += math.Float64frombits(binary.LittleEndian.Uint64(b))
		wrong += binary.LittleEndian.Uint64(b[8:])
	}
	// Each cell may be off by the tolerance of a cell; the sum's own rounding
	// is of the order of its size.
	tolerance := w.tolerance()*float64(w.cells()) + 1e-12*math.Abs(expected)
	if wrong > 0 || math.Abs(total-expected) <= tolerance {
		return nil
	}
	v.Errors++
	v.FirstError = fmt.Sprintf("PE 0: the sum over all cells, offset 0: expected %.17g, found %.17g after %d iterations", expected, total, w.applied)
	return nil
}
