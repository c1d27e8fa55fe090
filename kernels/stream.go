// Copy and triad of STREAM: limits of memory.
package kernels

/*
#include <stdint.h>
struct gb_launch;
void gb_stream_copy(const uint64_t *args, const struct gb_launch *l);
void gb_stream_triad(const uint64_t *args, const struct gb_launch *l);
*/
import "C"

import (
	"fmt"
	"math"
	"unsafe"

	"gpubench/gpu"
)

var (
	streamCopy  = define("stream", "stream_copy", "ppii", unsafe.Pointer(C.gb_stream_copy))
	streamTriad = define("stream", "stream_triad", "pppiid", unsafe.Pointer(C.gb_stream_triad))
)

const streamThreads = 256

// Copy copies src to dst by a kernel, float64 by float64; they must not overlap.
func (k *Set) Copy(s *gpu.Stream, dst, src gpu.Memory) error {
	n := sameFloats(dst, src)
	if n == 0 {
		return nil
	}
	grid, block := k.strided(ceil(n, 2), streamThreads)
	return k.launch(s, streamCopy, grid, block, uint64(dst.Addr), uint64(src.Addr), uint64(n), k.streaming(2*dst.Len))
}

// Triad is a = b + scalar·c, float64 by float64; a overlaps neither.
func (k *Set) Triad(s *gpu.Stream, a, b, c gpu.Memory, scalar float64) error {
	n := sameFloats(a, b, c)
	if n == 0 {
		return nil
	}
	grid, block := k.strided(ceil(n, 2), streamThreads)
	return k.launch(s, streamTriad, grid, block, uint64(a.Addr), uint64(b.Addr), uint64(c.Addr), uint64(n),
		k.streaming(3*a.Len), math.Float64bits(scalar))
}

// sameFloats panics unless all arrays have as many float64s as the first; it returns how many.
func sameFloats(first gpu.Memory, others ...gpu.Memory) int {
	n := mustBeFloats("array", first)
	for _, o := range others {
		if m := mustBeFloats("array", o); m != n {
			panic(fmt.Sprintf("kernels: arrays of %d and %d float64s", n, m))
		}
	}
	return n
}
