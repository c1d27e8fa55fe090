// Vectors of reductions on the GPU: one thread for every element.
#include "vector.h"

#include "join.h"

#define THREADS GB_CHECK_THREADS

extern "C" __global__ void __launch_bounds__(THREADS)
	vector_fill(double *v, int64_t n, int64_t first, int64_t step, int64_t sender) {
	const uint64_t seed = gb_pattern_seed(step, sender);
	const int64_t stride = (int64_t)gridDim.x * THREADS;
	for (int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x; i < n; i += stride) v[i] = gb_vector_value(seed, first + i);
}

// A block for every slot of elements.
extern "C" __global__ void __launch_bounds__(THREADS)
	vector_check(const double *v, gb_check *results, int64_t n, int64_t first, int64_t step, int64_t senders,
                 int64_t slots) {
	const int64_t last = gb_cut(n, blockIdx.x + 1, gridDim.x);
	gb_check c = gb_check_none();
	for (int64_t i = gb_cut(n, blockIdx.x, gridDim.x) + threadIdx.x; i < last; i += THREADS)
		gb_vector_compare(c, i, v[i], gb_vector_sum(step, senders, first + i));
	gb_join_checks<THREADS>(c, results);
}
