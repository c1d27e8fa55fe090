// Checks of a field: every interior cell against the closed form or a reference field, on the device.
package kernels

/*
#include <stdint.h>
struct gb_launch;
void gb_check_modes(const uint64_t *args, const struct gb_launch *l);
void gb_check_reference(const uint64_t *args, const struct gb_launch *l);
void gb_check_join_slots(const uint64_t *args, const struct gb_launch *l);
*/
import "C"

import (
	"fmt"
	"math"
	"unsafe"

	"gpubench/gpu"
)

var (
	checkModes     = define("check", "check_modes", "pppiiiiiiddddd", unsafe.Pointer(C.gb_check_modes))
	checkReference = define("check", "check_reference", "pppiiiiiiiiiiid", unsafe.Pointer(C.gb_check_reference))
	checkJoin      = define("check", "check_join", "pi", unsafe.Pointer(C.gb_check_join_slots))
)

// As in check.h.
const (
	checkBytes   = 64  // struct gb_check
	checkSlots   = 256 // results that the device keeps before they are joined
	checkThreads = 128
)

// FieldResult is what a field check found over the interior of one block.
type FieldResult struct {
	Checked      int64   // cells
	Errors       int64   // cells off by more than the tolerance, or NaN
	First        int64   // offset (cells, Block3D.Offset) of the first wrong cell in memory order, -1 for none
	Found        float64 // its value
	Expected     float64
	MaxError     float64 // largest absolute deviation; NaN where a cell is NaN
	Sum          float64 // over the interior, to the nearest float64; NaN where a cell is NaN
	Compensation float64 // what Sum still lacks
}

// Merge adds the result of another block. First, Found and Expected stay those of the first block with an error.
func (r FieldResult) Merge(o FieldResult) FieldResult {
	m := r
	m.Checked += o.Checked
	m.Errors += o.Errors
	if r.Errors == 0 && o.Errors != 0 {
		m.First, m.Found, m.Expected = o.First, o.Found, o.Expected
	}
	m.MaxError = max(r.MaxError, o.MaxError) // NaN if either is
	t := sum{r.Sum, r.Compensation}
	t.add(o.Sum)
	t.c += o.Compensation
	m.Sum = t.value()
	m.Compensation = t.c - (m.Sum - t.s)
	return m
}

// CheckModes compares every interior cell with the closed form after that many iterations. Tolerance is absolute; 0
// means ModesTolerance's. It waits for the stream.
func (k *Set) CheckModes(s *gpu.Stream, field gpu.Memory, m *Modes, iterations int, tolerance float64) (FieldResult, error) {
	g := m.block
	mustBeField("field", field, g)
	if tolerance == 0 {
		tolerance = ModesTolerance(m.domain.Global, iterations)
	}
	a := m.amplitudes(iterations)
	n := slotsFor(g.NY * g.NZ)
	err := k.launch(s, checkModes, gpu.Dim3{X: n, Y: 1, Z: 1}, gpu.Dim3{X: checkThreads, Y: 1, Z: 1},
		uint64(field.Addr), uint64(m.sines.Memory().Addr), uint64(k.results.Memory().Addr), uint64(g.Pitch()),
		uint64(g.Plane()), uint64(g.NX), uint64(g.NY), uint64(g.NZ), uint64(n),
		math.Float64bits(a[0]), math.Float64bits(a[1]), math.Float64bits(a[2]), math.Float64bits(a[3]),
		math.Float64bits(tolerance))
	if err != nil {
		return FieldResult{}, err
	}
	return k.fieldResult(s, n)
}

// CheckReference compares every interior cell (x, y, z) of field with cell (x, y, z) + offset of a reference field of
// geometry rg, which may be a larger grid's. Tolerance is absolute; 0 allows no difference. It waits for the stream.
func (k *Set) CheckReference(s *gpu.Stream, field gpu.Memory, g Block3D, reference gpu.Memory, rg Block3D, offset [3]int,
	tolerance float64) (FieldResult, error) {
	mustBeField("field", field, g)
	mustBeField("reference", reference, rg)
	for axis, o := range offset {
		if o < 0 || o+g.N(axis) > rg.N(axis) {
			panic(fmt.Sprintf("kernels: block %v at %v lies outside the reference %v", g, offset, rg))
		}
	}
	n := slotsFor(g.NY * g.NZ)
	err := k.launch(s, checkReference, gpu.Dim3{X: n, Y: 1, Z: 1}, gpu.Dim3{X: checkThreads, Y: 1, Z: 1},
		uint64(field.Addr), uint64(reference.Addr), uint64(k.results.Memory().Addr), uint64(g.Pitch()),
		uint64(g.Plane()), uint64(g.NX), uint64(g.NY), uint64(g.NZ), uint64(n), uint64(rg.Pitch()), uint64(rg.Plane()),
		uint64(offset[0]), uint64(offset[1]), uint64(offset[2]), math.Float64bits(tolerance))
	if err != nil {
		return FieldResult{}, err
	}
	return k.fieldResult(s, n)
}

// slotsFor is into how many slots a check of n rows or lines is cut.
func slotsFor(n int) int { return max(1, min(checkSlots, n/16)) }

// joinSlots makes one result of n on the device, waits, and gives its eight values, as struct gb_check has them.
func (k *Set) joinSlots(s *gpu.Stream, n int) ([]int64, error) {
	grid, block := line(1, checkThreads)
	if err := k.launch(s, checkJoin, grid, block, uint64(k.results.Memory().Addr), uint64(n)); err != nil {
		return nil, err
	}
	if err := s.Copy(k.readback.Memory().Slice(0, checkBytes), k.results.Slice(0, checkBytes)); err != nil {
		return nil, err
	}
	if err := s.Sync(); err != nil {
		return nil, err
	}
	return gpu.Of[int64](k.readback.Memory().Slice(0, checkBytes)), nil
}

func (k *Set) fieldResult(s *gpu.Stream, n int) (FieldResult, error) {
	v, err := k.joinSlots(s, n)
	if err != nil {
		return FieldResult{}, err
	}
	f := func(i int) float64 { return math.Float64frombits(uint64(v[i])) }
	return FieldResult{Checked: v[0], Errors: v[1], First: v[2], Found: f(3), Expected: f(4), MaxError: f(5), Sum: f(6),
		Compensation: f(7)}, nil
}
