// Tasks on the GPU: a block of as many threads as there are values; more blocks do the same side by side.
#include "task.h"

#include "join.h"

static __device__ __forceinline__ void output(uint8_t *out, int64_t n, int64_t step, int64_t point) {
	const int64_t stride = (int64_t)gridDim.x * GB_TASK_LANES;
	for (int64_t w = (int64_t)blockIdx.x * GB_TASK_LANES + threadIdx.x; 8 * w < n; w += stride) {
		const uint64_t word = gb_task_word(step, point, w);
		if (8 * w + 8 <= n)
			((uint64_t *)out)[w] = word;
		else
			for (int k = 0; 8 * w + k < n; k++) out[8 * w + k] = (uint8_t)(word >> 8 * k);
	}
}

extern "C" __global__ void __launch_bounds__(GB_TASK_LANES)
	task_compute(uint8_t *out, double *lanes, int64_t n, int64_t step, int64_t point, int64_t iterations, int64_t blocks) {
	output(out, n, step, point);
	double x = gb_task_start(threadIdx.x);
	for (int64_t i = 0; i < iterations; i++) gb_task_next(x);
	lanes[(int64_t)blockIdx.x * GB_TASK_LANES + threadIdx.x] = x;
}

// All threads of the grid share each piece.
extern "C" __global__ void __launch_bounds__(GB_TASK_LANES)
	task_memory(uint8_t *out, uint64_t *scratch, int64_t n, int64_t step, int64_t point, int64_t first, int64_t iterations,
                int64_t pieces, int64_t words) {
	output(out, n, step, point);
	const int64_t half = words / 2, stride = (int64_t)gridDim.x * GB_TASK_LANES;
	for (int64_t i = 0; i < iterations; i++) {
		uint64_t *piece = scratch + words * gb_task_piece(first, i, pieces);
		for (int64_t w = (int64_t)blockIdx.x * GB_TASK_LANES + threadIdx.x; w < half; w += stride) piece[half + w] = piece[w];
	}
}

// A block for every slot of words, as pattern_check.
extern "C" __global__ void __launch_bounds__(GB_CHECK_THREADS)
	task_check(const uint8_t *bytes, gb_check *results, int64_t n, int64_t step, int64_t point, int64_t slots) {
	const int64_t words = (n + 7) / 8, last = gb_cut(words, blockIdx.x + 1, gridDim.x);
	gb_check c = gb_check_none();
	for (int64_t w = gb_cut(words, blockIdx.x, gridDim.x) + threadIdx.x; w < last; w += GB_CHECK_THREADS) {
		const int valid = n - 8 * w < 8 ? (int)(n - 8 * w) : 8;
		uint64_t found = 0;
		if (valid == 8)
			found = ((const uint64_t *)bytes)[w];
		else
			for (int k = 0; k < valid; k++) found |= (uint64_t)bytes[8 * w + k] << 8 * k;
		gb_pattern_compare(c, found, gb_task_word(step, point, w), w, valid);
	}
	gb_join_checks<GB_CHECK_THREADS>(c, results);
}
