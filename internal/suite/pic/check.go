// Checks: every particle's place against where it has to be, that each is there once, and in the block that has its cell.

package pic

import (
	"errors"
	"fmt"
	"runtime"

	"gpubench/gpu"
	"gpubench/internal/result"
	"gpubench/internal/suite/slots"
	"gpubench/kernels"
)

// tolerance of a coordinate, in cells: `epsilon` of pic.c. Rounding is far below it: at rest in the middle of a cell, forces
// are the same to the last bit in every column.
const tolerance = 1e-6

// Check compares this PE's particles, and on PE 0 all PEs' lists of them.
func (w *part) Check() (result.Validation, error) {
	var v result.Validation
	c := w.crowd()
	a := &result.Answer{AppliedIterations: w.applied}
	here := make(census, (c.total+7)/8)
	again := make(census, len(here)) // once more
	for _, b := range w.blocks {
		if err := b.check(&v, a, c, here, again); err != nil {
			return v, err
		}
	}
	if err := w.countAll(&v, c, here, again); err != nil {
		return v, err
	}
	if w.pe.Rank == 0 {
		v.Sent = c.total
		a.ExpectedSum = float64(c.total) * float64(c.total+1) / 2
	}
	v.Answer = a
	return v, nil
}

// check compares positions on the device, and notes which particles are here, which are so more than once, and which should be
// in another block.
func (b *block) check(v *result.Validation, a *result.Answer, c *crowd, here, again census) error {
	w := b.w
	r, err := w.set.PICCheck(b.stream, &b.arrays, b.n, int(w.cells), modulo(w.applied*(2*w.k+1), w.cells),
		modulo(w.applied*w.m, w.cells), tolerance)
	if err != nil {
		return err
	}
	v.Checked += r.Checked
	v.Errors += r.Errors
	a.Sum += r.Sum
	if !(r.MaxError <= a.MaxError) {
		a.MaxError = r.MaxError
	}
	ids, err := b.field(kernels.PICID)
	if err != nil {
		return err
	}
	if r.Errors > 0 && v.FirstError == "" {
		v.FirstError = fmt.Sprintf("PE %d: particle %.17g in block (%d,%d), offset %d: expected %s %.17g, found %.17g after %d steps (%d of %d particles are wrong)",
			w.pe.Rank, ids[r.First], b.at[0], b.at[1], r.First, r.Axis, r.Expected, r.Found, w.applied, r.Errors, r.Checked)
	}
	for i, id := range ids {
		n := int64(id)
		switch {
		case float64(n) != id || n < 1 || n > c.total:
			slots.Wrong(v, "PE %d: particle in block (%d,%d), offset %d: expected a number from 1 to %d, found %.17g",
				w.pe.Rank, b.at[0], b.at[1], i, c.total, id)
		case here.has(n):
			again.add(n)
		default:
			here.add(n)
		}
	}
	if r.Errors > 0 {
		return nil // a particle that is not in its place lies in no block in particular
	}
	return b.strays(v, ids)
}

// field is one field of the block's particles.
func (b *block) field(f int) ([]float64, error) {
	values := make([]float64, b.n)
	if b.n == 0 {
		return values, nil
	}
	from := b.arrays.Particles.Slice(8*b.arrays.Capacity*f, 8*b.n)
	err := errors.Join(b.stream.Copy(gpu.HostMemory(gpu.Bytes(values)), from), b.stream.Sync())
	runtime.KeepAlive(values) // the copy may still write them where queueing it has ended with an error
	return values, err
}

// strays finds particles that are in their places, but that another block should have: one that is handed on too late, or to
// the wrong block, moves on where the charges happen to be the same there.
func (b *block) strays(v *result.Validation, ids []float64) error {
	x, err := b.field(kernels.PICX)
	if err != nil {
		return err
	}
	y, err := b.field(kernels.PICY)
	if err != nil {
		return err
	}
	for i, id := range ids {
		if at := b.w.blockOf(int64(x[i]), int64(y[i])); at != b.at {
			slots.Wrong(v, "PE %d: particle %.17g in block (%d,%d), offset %d: expected in block (%d,%d), where its cell (%d,%d) is, found here after %d steps",
				b.w.pe.Rank, id, b.at[0], b.at[1], i, at[0], at[1], int64(x[i]), int64(y[i]), b.w.applied)
		}
	}
	return nil
}

// census is a set of particles, a bit each.
type census []byte

func (c census) has(id int64) bool { return c[(id-1)/8]>>((id-1)%8)&1 == 1 }
func (c census) add(id int64)      { c[(id-1)/8] |= 1 << ((id - 1) % 8) }

// countAll finds on PE 0 who is nowhere and who is in more than one place.
func (w *part) countAll(v *result.Validation, c *crowd, here, again census) error {
	all, err := w.pe.Control.Gather(append(append([]byte{}, here...), again...))
	if err != nil || all == nil {
		return err
	}
	var lost, twice int64
	first := ""
	for id := int64(1); id <= c.total; id++ {
		var on []int
		for pe, b := range all {
			if census(b[:len(here)]).has(id) {
				on = append(on, pe)
			}
			if census(b[len(here):]).has(id) {
				on = append(on, pe)
			}
		}
		switch {
		case len(on) == 0:
			lost++
		case len(on) > 1:
			twice++
		default:
			continue
		}
		if first == "" {
			first = w.whereabouts(c, id, on)
		}
	}
	if lost+twice > 0 {
		v.Errors += lost + twice
		if v.FirstError == "" {
			v.FirstError = fmt.Sprintf("PE 0: %s after %d steps (%d lost, %d more than once, of %d)", first, w.applied, lost, twice, c.total)
		}
	}
	return nil
}

// whereabouts says what is wrong with a particle that is not in one place.
func (w *part) whereabouts(c *crowd, id int64, on []int) string {
	x, y := c.find(id)
	x, y = w.expected(x, y, w.applied)
	at := w.blockOf(x, y)
	text := fmt.Sprintf("particle %d: expected once, at (%d.5, %d.5) in block (%d,%d), found ", id, x, y, at[0], at[1])
	if len(on) == 0 {
		return text + "on no PE"
	}
	return text + fmt.Sprintf("on PE %d and PE %d", on[0], on[1])
}
