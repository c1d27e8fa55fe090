// Patterns on the GPU: one thread for every word of eight bytes. A message may begin at any byte.
#include "pattern.h"

#include "join.h"

#define THREADS GB_CHECK_THREADS

static __device__ __forceinline__ bool aligned(const uint8_t *p) { return ((uintptr_t)p & 7) == 0; }

extern "C" __global__ void __launch_bounds__(THREADS)
	pattern_fill(uint8_t *bytes, int64_t n, int64_t step, int64_t sender) {
	const uint64_t seed = gb_pattern_seed(step, sender);
	const int64_t stride = (int64_t)gridDim.x * THREADS;
	for (int64_t w = (int64_t)blockIdx.x * THREADS + threadIdx.x; 8 * w < n; w += stride) {
		const uint64_t word = gb_pattern_word(seed, (uint64_t)w);
		if (aligned(bytes) && 8 * w + 8 <= n)
			((uint64_t *)bytes)[w] = word;
		else
			for (int k = 0; k < 8 && 8 * w + k < n; k++) bytes[8 * w + k] = (uint8_t)(word >> 8 * k);
	}
}

// A block for every slot of words.
extern "C" __global__ void __launch_bounds__(THREADS)
	pattern_check(const uint8_t *bytes, gb_check *results, int64_t n, int64_t step, int64_t sender, int64_t slots) {
	const uint64_t seed = gb_pattern_seed(step, sender);
	const int64_t words = (n + 7) / 8, last = gb_cut(words, blockIdx.x + 1, gridDim.x);
	gb_check c = gb_check_none();
	for (int64_t w = gb_cut(words, blockIdx.x, gridDim.x) + threadIdx.x; w < last; w += THREADS) {
		const int valid = n - 8 * w < 8 ? (int)(n - 8 * w) : 8;
		uint64_t found = 0;
		if (aligned(bytes) && valid == 8)
			found = ((const uint64_t *)bytes)[w];
		else
			for (int k = 0; k < valid; k++) found |= (uint64_t)bytes[8 * w + k] << 8 * k;
		gb_pattern_compare(c, found, gb_pattern_word(seed, (uint64_t)w), w, valid);
	}
	gb_join_checks<THREADS>(c, results);
}
