// Reductions of float64s on the device: over an array, and of one array into another.
package kernels

/*
#include <stdint.h>
struct gb_launch;
void gb_reduce_sum(const uint64_t *args, const struct gb_launch *l);
void gb_reduce_max(const uint64_t *args, const struct gb_launch *l);
void gb_reduce_sum_join(const uint64_t *args, const struct gb_launch *l);
void gb_reduce_max_join(const uint64_t *args, const struct gb_launch *l);
void gb_combine_sum(const uint64_t *args, const struct gb_launch *l);
void gb_combine_max(const uint64_t *args, const struct gb_launch *l);
*/
import "C"

import (
	"fmt"
	"unsafe"

	"gpubench/gpu"
)

var (
	reduceSum     = define("reduce", "reduce_sum", "ppii", unsafe.Pointer(C.gb_reduce_sum))
	reduceMax     = define("reduce", "reduce_max", "ppii", unsafe.Pointer(C.gb_reduce_max))
	reduceSumJoin = define("reduce", "reduce_sum_join", "ppi", unsafe.Pointer(C.gb_reduce_sum_join))
	reduceMaxJoin = define("reduce", "reduce_max_join", "ppi", unsafe.Pointer(C.gb_reduce_max_join))
	combineSum    = define("reduce", "combine_sum", "ppi", unsafe.Pointer(C.gb_combine_sum))
	combineMax    = define("reduce", "combine_max", "ppi", unsafe.Pointer(C.gb_combine_max))
)

const (
	reduceThreads = 256 // as in reduce.h
	reduceBytes   = 16  // struct gb_reduced
	reduceSlots   = 1024
)

// ReduceScratch is the size in bytes of the scratch of SumReduce and MaxReduce. Two reductions in flight at the same
// time need one each.
const ReduceScratch = reduceSlots * reduceBytes

// ReduceResult is the size in bytes of their result.
const ReduceResult = reduceBytes

// SumReduce writes the sum of the float64s of in to out: two float64s, the sum (to the nearest, unless terms cancel to
// less than 1e-15 of their size) and what it lacks. In stream order, without waiting; all in device memory.
func (k *Set) SumReduce(s *gpu.Stream, in, out, scratch gpu.Memory) error {
	return k.reduce(s, reduceSum, reduceSumJoin, in, out, scratch)
}

// MaxReduce writes the largest of the float64s of in to out: NaN if there is one, -Inf if there are none at all; the
// second float64 is 0.
func (k *Set) MaxReduce(s *gpu.Stream, in, out, scratch gpu.Memory) error {
	return k.reduce(s, reduceMax, reduceMaxJoin, in, out, scratch)
}

func (k *Set) reduce(s *gpu.Stream, kernel, join id, in, out, scratch gpu.Memory) error {
	n := mustBeFloats("in", in)
	mustHold("out", out, reduceBytes)
	mustHold("scratch", scratch, ReduceScratch)
	slots := max(1, min(reduceSlots, n/reduceThreads))
	block := gpu.Dim3{X: reduceThreads, Y: 1, Z: 1}
	if n == 0 {
		in.Addr = scratch.Addr // any valid pointer: it is not followed
	}
	err := k.launch(s, kernel, gpu.Dim3{X: slots, Y: 1, Z: 1}, block,
		uint64(in.Addr), uint64(scratch.Addr), uint64(n), uint64(slots))
	if err != nil {
		return err
	}
	return k.launch(s, join, gpu.Dim3{X: 1, Y: 1, Z: 1}, block, uint64(scratch.Addr), uint64(out.Addr), uint64(slots))
}

// SumInto adds in to acc, float64 by float64: the combining function of a sum of device data over PEs.
func (k *Set) SumInto(s *gpu.Stream, acc, in gpu.Memory) error {
	return k.combine(s, combineSum, acc, in)
}

// MaxInto keeps the larger of acc and in in acc, float64 by float64; a NaN in either wins.
func (k *Set) MaxInto(s *gpu.Stream, acc, in gpu.Memory) error {
	return k.combine(s, combineMax, acc, in)
}

func (k *Set) combine(s *gpu.Stream, kernel id, acc, in gpu.Memory) error {
	n := mustBeFloats("acc", acc)
	if m := mustBeFloats("in", in); m != n {
		panic(fmt.Sprintf("kernels: %d float64s into %d", m, n))
	}
	if n == 0 {
		return nil
	}
	grid, block := k.strided(n, reduceThreads)
	return k.launch(s, kernel, grid, block, uint64(acc.Addr), uint64(in.Addr), uint64(n))
}
