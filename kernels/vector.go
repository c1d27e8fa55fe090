// Vectors of reductions: what each PE contributes, and the check of their sum, on the device.
package kernels

/*
#include <stdint.h>
struct gb_launch;
void gb_vector_fill(const uint64_t *args, const struct gb_launch *l);
void gb_vector_check(const uint64_t *args, const struct gb_launch *l);
*/
import "C"

import (
	"math"
	"unsafe"

	"gpubench/gpu"
)

var (
	vectorFill  = define("vector", "vector_fill", "piiii", unsafe.Pointer(C.gb_vector_fill))
	vectorCheck = define("vector", "vector_check", "ppiiiii", unsafe.Pointer(C.gb_vector_check))
)

// VectorFill writes what sender contributes to the reduction of a step: whole numbers below 2^40, element by element, so
// that sums of 8192 PEs are exact, and sums made in float32 are not. m holds elements first, first+1, … of the vector.
func (k *Set) VectorFill(s *gpu.Stream, m gpu.Memory, first, step, sender int) error {
	n := mustBeFloats("vector", m)
	if n == 0 {
		return nil
	}
	grid, block := k.strided(n, checkThreads)
	return k.launch(s, vectorFill, grid, block, uint64(m.Addr), uint64(n), uint64(first), uint64(step), uint64(sender))
}

// VectorResult is what a vector's check found.
type VectorResult struct {
	Checked         int64   // elements
	Errors          int64   // elements that differ, or are NaN
	First           int64   // place in m of the first, -1 for none
	Found, Expected float64 // there
}

// VectorCheck compares m, elements first, first+1, … of a reduced vector, with the sum of what PEs 0 to senders-1
// contributed in a step: exactly, for the sum of such numbers is exact in any order. It waits for the stream.
func (k *Set) VectorCheck(s *gpu.Stream, m gpu.Memory, first, step, senders int) (VectorResult, error) {
	n := mustBeFloats("vector", m)
	if n == 0 {
		return VectorResult{First: -1}, s.Sync()
	}
	slots := slotsFor(n)
	err := k.launch(s, vectorCheck, gpu.Dim3{X: slots, Y: 1, Z: 1}, gpu.Dim3{X: checkThreads, Y: 1, Z: 1},
		uint64(m.Addr), uint64(k.results.Memory().Addr), uint64(n), uint64(first), uint64(step), uint64(senders), uint64(slots))
	if err != nil {
		return VectorResult{}, err
	}
	v, err := k.joinSlots(s, slots)
	if err != nil {
		return VectorResult{}, err
	}
	return VectorResult{Checked: v[0], Errors: v[1], First: v[2], Found: math.Float64frombits(uint64(v[3])),
		Expected: math.Float64frombits(uint64(v[4]))}, nil
}
