// Numbers drawn by hashing, so that every PE draws the same: Task Bench's random_uniform.

package graph

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// Uniform is a number in [0, 1] that depends on the seeds alone: their SipHash-2-4 (Aumasson and Bernstein, INDOCRYPT 2012)
// under the key 01 02 … 0f 00, as 64-bit words lowest byte first, divided by 2^64 (Task Bench, core/core_random.c). It
// does not allocate.
func Uniform(seeds ...int) float64 {
	key := [16]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	h := newSip(binary.LittleEndian.Uint64(key[:8]), binary.LittleEndian.Uint64(key[8:]))
	for _, s := range seeds {
		h.word(uint64(s))
	}
	return float64(h.sum(8*len(seeds))) * 0x1p-64
}

// Imbalanced is how many kernel iterations a task has under load imbalance: spread evenly over a share of imbalance
// (0 to 2) around size, by the draw of its graph, timestep and point (select_imbalance_iterations in core/core_kernel.cc).
func Imbalanced(size int64, imbalance, draw float64) int64 {
	return int64(math.Round((1 + (draw-0.5)*imbalance) * float64(size)))
}

type sip struct{ v0, v1, v2, v3 uint64 }

func newSip(k0, k1 uint64) sip {
	return sip{k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573}
}

func (h *sip) word(m uint64) {
	h.v3 ^= m
	h.round()
	h.round()
	h.v0 ^= m
}

// sum ends a message of whole words, n bytes in all.
func (h *sip) sum(n int) uint64 {
	h.word(uint64(n) << 56)
	h.v2 ^= 0xff
	for range 4 {
		h.round()
	}
	return h.v0 ^ h.v1 ^ h.v2 ^ h.v3
}

func (h *sip) round() {
	h.v0 += h.v1
	h.v1 = bits.RotateLeft64(h.v1, 13) ^ h.v0
	h.v0 = bits.RotateLeft64(h.v0, 32)
	h.v2 += h.v3
	h.v3 = bits.RotateLeft64(h.v3, 16) ^ h.v2
	h.v0 += h.v3
	h.v3 = bits.RotateLeft64(h.v3, 21) ^ h.v0
	h.v2 += h.v1
	h.v1 = bits.RotateLeft64(h.v1, 17) ^ h.v2
	h.v2 = bits.RotateLeft64(h.v2, 32)
}
