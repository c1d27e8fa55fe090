// Checks: every cell against the closed form or a serial reference.

package jacobi3d

import (
	"encoding/binary"
	"fmt"
	"math"
	"sync"

	"gpubench/gpu"
	"gpubench/internal/result"
	"gpubench/kernels"
)

var nan = math.NaN()

// referenceCells is up to where `--field charm` is checked cell by cell.
const referenceCells = 256 * 256 * 256

// Check compares this PE's cells.
func (w *part3D) Check() (result.Validation, error) {
	var v result.Validation
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
			x, y, z := b.geom.Cell(int(r.First))
			v.FirstError = fmt.Sprintf("PE %d: cell (%d,%d,%d), offset %d of block (%d,%d,%d): expected %.17g, found %.17g after %d iterations (%d of %d cells are wrong)",
				w.pe.Rank, b.dom.Offset[0]+x, b.dom.Offset[1]+y, b.dom.Offset[2]+z, r.First, b.at[0], b.at[1], b.at[2],
				r.Expected, r.Found, w.applied, r.Errors, r.Checked)
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

// comparison returns how a block is compared, and what to call after.
func (w *part3D) comparison() (compare func(*block) (kernels.FieldResult, error), done func(), err error) {
	if w.field == "modes" {
		return func(b *block) (kernels.FieldResult, error) {
			return w.set.CheckModes(b.edge, b.field(), b.modes, w.applied, 0)
		}, func() {}, nil
	}
	if w.bySum() {
		// No cell is compared: each is within the tolerance of anything but NaN.
		return w.against(nil)
	}
	return w.against(reference(w.grid, w.applied))
}

// bySum reports that the grid is too large for a serial reference.
func (w *part3D) bySum() bool {
	return w.field == "charm" && w.grid[0]*w.grid[1]*w.grid[2] > referenceCells
}

// against compares with a reference on the device; nil makes each block its
// own reference, which leaves the sum and the NaNs to be checked.
func (w *part3D) against(ref []float64) (func(*block) (kernels.FieldResult, error), func(), error) {
	if ref == nil {
		return func(b *block) (kernels.FieldResult, error) {
			return w.set.CheckReference(b.edge, b.field(), b.geom, b.field(), b.geom, [3]int{}, 0)
		}, func() {}, nil
	}
	g := kernels.NewBlock3D(w.grid[0], w.grid[1], w.grid[2])
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
	tolerance := 1e-13 * math.Sqrt(float64(1+w.applied))
	return func(b *block) (kernels.FieldResult, error) {
		return w.set.CheckReference(b.edge, b.field(), b.geom, there.Memory(), g, b.dom.Offset, tolerance)
	}, free, nil
}

func (w *part3D) expectedSum() float64 {
	if w.field == "modes" {
		return kernels.ModesSum(w.grid, w.applied)
	}
	return charmSum(w.grid, w.applied)
}

// checkSum holds the whole grid's sum against the reference's, on PE 0. Where
// cells are known to be wrong, they say more than their sum.
func (w *part3D) checkSum(v *result.Validation, sum, expected float64) error {
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
	cells := float64(w.grid[0]) * float64(w.grid[1]) * float64(w.grid[2])
	tolerance := 1e-13*math.Sqrt(float64(1+w.applied))*cells + 1e-12*math.Abs(expected)
	if wrong > 0 || math.Abs(total-expected) <= tolerance {
		return nil
	}
	v.Errors++
	v.FirstError = fmt.Sprintf("PE 0: the sum over all cells, offset 0: expected %.17g, found %.17g after %d iterations", expected, total, w.applied)
	return nil
}

// neumaier is a compensated sum: what rounding lost is kept in rest.
type neumaier struct{ sum, rest float64 }

func (s *neumaier) add(x float64) {
	t := s.sum + x
	if math.Abs(s.sum) >= math.Abs(x) {
		s.rest += (s.sum - t) + x
	} else {
		s.rest += (x - t) + s.sum
	}
	s.sum = t
}

func (s *neumaier) value() float64 { return s.sum + s.rest }

// charmSum is the sum over the interior of `--field charm` after n iterations.
//
// With the faces at 1 and the interior at 0, 1 − u starts as 1 inside and has
// faces of 0, so it is the sine series of 1, whose coefficients for odd p are
// 2/(N+1)·cot(πp/(2(N+1))) and 0 for even ones; each mode is multiplied by
// (1 + 2cos + 2cos + 2cos)/7 per iteration, and sums to the product of the
// cotangents.
func charmSum(grid [3]int, n int) float64 {
	var weight, cosine [3][]float64
	for axis, N := range grid {
		for p := 1; p <= N; p += 2 {
			a := math.Pi * float64(p) / float64(N+1)
			cot := 1 / math.Tan(a/2)
			weight[axis] = append(weight[axis], 2/float64(N+1)*cot*cot)
			cosine[axis] = append(cosine[axis], 2*math.Cos(a))
		}
	}
	var sum neumaier
	for k, wz := range weight[2] {
		for j, wy := range weight[1] {
			for i, wx := range weight[0] {
				sum.add(wx * wy * wz * math.Pow((1+cosine[0][i]+cosine[1][j]+cosine[2][k])/7, float64(n)))
			}
		}
	}
	return float64(grid[0])*float64(grid[1])*float64(grid[2]) - sum.value()
}

// The last reference computed: all PEs of a process, and the cases that follow
// each other, want the same one.
var (
	refMu    sync.Mutex
	refGrid  [3]int
	refSteps int
	refNow   []float64
	refThen  []float64
)

// reference computes `--field charm` serially, in the layout of one block of
// the whole grid. The result may be read until the next call.
func reference(grid [3]int, n int) []float64 {
	refMu.Lock()
	defer refMu.Unlock()
	g := kernels.NewBlock3D(grid[0], grid[1], grid[2])
	if refGrid != grid || refSteps > n || refNow == nil {
		refGrid, refSteps = grid, 0
		refNow, refThen = make([]float64, g.Len()), make([]float64, g.Len())
		for z := 0; z <= g.NZ+1; z++ {
			for y := 0; y <= g.NY+1; y++ {
				for x := 0; x <= g.NX+1; x++ {
					if x == 0 || y == 0 || z == 0 || x > g.NX || y > g.NY || z > g.NZ {
						refNow[g.Offset(x, y, z)], refThen[g.Offset(x, y, z)] = 1, 1
					}
				}
			}
		}
	} else if refSteps < n {
		// Others may still read the last one.
		refNow, refThen = append([]float64{}, refNow...), append([]float64{}, refThen...)
	}
	for ; refSteps < n; refSteps++ {
		step(g, refNow, refThen)
		refNow, refThen = refThen, refNow
	}
	return refNow
}

// step is one iteration, as INTERFACE has it.
func step(g kernels.Block3D, in, out []float64) {
	pitch, plane := g.Pitch(), g.Plane()
	for z := 1; z <= g.NZ; z++ {
		for y := 1; y <= g.NY; y++ {
			o := g.Offset(1, y, z)
			for i := o; i < o+g.NX; i++ {
				out[i] = (in[i] + in[i-1] + in[i+1] + in[i-pitch] + in[i+pitch] + in[i-plane] + in[i+plane]) / 7
			}
		}
	}
}
