// Checks: every cell against the closed form or a serial reference.

package stencil

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"

	"gpubench/gpu"
	"gpubench/internal/result"
	"gpubench/kernels"
)

// check compares this PE's cells, and their sum on PE 0. Where faces alone were
// exchanged it first makes the field tell of them; again runs more iterations of
// the body.
func (w *share) check(again func(n int) error) (result.Validation, error) {
	var v result.Validation
	if w.part == partComm {
		for _, f := range []func() error{w.spoil, func() error { return again(1) }, w.useFaces} {
			if err := f(); err != nil {
				return v, err
			}
		}
	}
	a := &result.Answer{AppliedIterations: int64(w.applied)}
	expected, tolerance := w.expectedSum(), w.tolerance()
	sum, err := w.compareAll(&v, a, again)
	if err != nil {
		return v, err
	}
	v.Sent = v.Checked
	a.Sum = sum
	// Each cell may be off by the tolerance of a cell; the sum's own rounding is
	// of the order of its size.
	if err := w.checkSum(&v, a, expected, tolerance*float64(w.cells())+1e-12*math.Abs(expected)); err != nil {
		return v, err
	}
	if w.pe.Rank == 0 {
		a.ExpectedSum = expected // sums are added up over the PEs
	}
	v.Answer = a
	return v, nil
}

// compareAll compares this PE's cells and returns their sum. Where no reference
// can be had in a short time, the field tells by its sum, and then a fresh start
// with few iterations cell by cell: again runs them.
func (w *share) compareAll(v *result.Validation, a *result.Answer, again func(n int) error) (float64, error) {
	switch {
	case w.field == fieldModes:
		return w.compare(v, a, w.closedForm)
	case affordable(w.grid, w.applied):
		return w.compare(v, a, w.serial)
	}
	sum, err := w.compare(v, a, w.itself)
	if err != nil {
		return 0, err
	}
	v.Checked = 0
	for _, b := range w.blocks {
		if err := b.start(); err != nil {
			return 0, err
		}
	}
	w.applied = 0
	if err := again(fewIterations); err != nil {
		return 0, err
	}
	_, err = w.compare(v, a, w.serial)
	return sum, err
}

// compare compares each block of this PE, and returns the sum of its cells.
func (w *share) compare(v *result.Validation, a *result.Answer, how func(*block) (kernels.FieldResult, error)) (float64, error) {
	var sum neumaier
	for _, b := range w.blocks {
		r, err := how(b)
		if err != nil {
			return 0, err
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
	return sum.value(), nil
}

// closedForm compares with that of the modes.
func (w *share) closedForm(b *block) (kernels.FieldResult, error) {
	return w.set.CheckModes(b.edge, b.field(), b.modes, w.applied, 0)
}

// itself compares each cell with itself: a NaN is found, and the sum is had.
func (w *share) itself(b *block) (kernels.FieldResult, error) {
	return w.set.CheckReference(b.edge, b.field(), b.geom, b.field(), b.geom, [3]int{}, 0)
}

// serial compares with the serial reference of a constant start, which it writes
// where the iteration before the last one was.
func (w *share) serial(b *block) (kernels.FieldResult, error) {
	if err := w.writeReference(b, b.next()); err != nil {
		return kernels.FieldResult{}, err
	}
	return w.set.CheckReference(b.edge, b.field(), b.geom, b.next(), b.geom, [3]int{}, w.tolerance())
}

// writeRows is how many bytes of a reference are copied to a block at a time,
// about.
const writeRows = 4 << 20

// writeReference writes the reference into the interior of a field of a block.
func (w *share) writeReference(b *block, field gpu.Memory) error {
	g, n := b.geom, w.applied
	small := nearCells(w.grid, n)
	ref, rg := reference(w.flat(), small, w.Constant, n), newBlock(w.flat(), small)
	columns := make([]int, g.NX) // of the reference, for each of the block's
	for x := range columns {
		columns[x] = near(b.first[0]+1+x, w.grid[0], n)
	}
	pitch := g.Pitch()
	rows := max(1, writeRows/(8*pitch))
	some := make([]float64, rows*pitch)
	for z := 1; z <= g.NZ; z++ {
		for y := 1; y <= g.NY; y += rows {
			k := min(rows, g.NY+1-y)
			for i := range k {
				from := ref[rg.Offset(0, near(b.first[1]+y+i, w.grid[1], n), near(b.first[2]+z, w.grid[2], n)):]
				to := some[i*pitch:]
				for x, column := range columns {
					to[x] = from[column]
				}
			}
			cells := some[:(k-1)*pitch+g.NX]
			to := field.Slice(8*g.Offset(1, y, z), 8*len(cells))
			err := errors.Join(b.edge.Copy(to, gpu.HostMemory(gpu.Bytes(cells))), b.edge.Sync())
			runtime.KeepAlive(some) // the copy may read it until the stream is done
			if err != nil {
				return err
			}
		}
	}
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
func (w *share) checkSum(v *result.Validation, a *result.Answer, expected, tolerance float64) error {
	mine := binary.LittleEndian.AppendUint64(nil, math.Float64bits(a.Sum))
	all, err := w.pe.Control.Gather(binary.LittleEndian.AppendUint64(mine, uint64(v.Errors)))
	if err != nil || w.pe.Rank != 0 {
		return err
	}
	total, wrong := 0.0, uint64(0)
	for _, b := range all {
		total += math.Float64frombits(binary.LittleEndian.Uint64(b))
		wrong += binary.LittleEndian.Uint64(b[8:])
	}
	if wrong > 0 || math.Abs(total-expected) <= tolerance {
		return nil
	}
	v.Errors++
	v.FirstError = fmt.Sprintf("PE 0: the sum over all cells, offset 0: expected %.17g, found %.17g after %d iterations",
		expected, total, a.AppliedIterations)
	return nil
}
