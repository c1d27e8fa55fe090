// Reductions on the GPU: a block of threads for every slot of the array, joined as a tree; then one block joins slots.
#include "reduce.h"

#include "join.h"

#define THREADS GB_REDUCE_THREADS

template <class Op> static __device__ __forceinline__ void join_block(const gb_reduced &mine, gb_reduced *result) {
	gb_reduced all = gb_join_block<THREADS, gb_reduced, Op::join>(mine);
	if (threadIdx.x != 0) return;
	Op::close(all);
	*result = all;
}

template <class Op> static __device__ __forceinline__ void slot(const double *in, int64_t n, gb_reduced *partial) {
	gb_reduced r = Op::none();
	const int64_t last = gb_cut(n, blockIdx.x + 1, gridDim.x);
	for (int64_t i = gb_cut(n, blockIdx.x, gridDim.x) + threadIdx.x; i < last; i += THREADS) Op::take(r, in[i]);
	join_block<Op>(r, partial + blockIdx.x);
}

template <class Op>
static __device__ __forceinline__ void join_slots(const gb_reduced *partial, int64_t slots, gb_reduced *out) {
	gb_reduced r = Op::none();
	for (int64_t s = threadIdx.x; s < slots; s += THREADS) Op::join(r, partial[s]);
	join_block<Op>(r, out);
}

template <class Op> static __device__ __forceinline__ void combine(double *acc, const double *in, int64_t n) {
	const int64_t stride = (int64_t)gridDim.x * THREADS;
	for (int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x; i < n; i += stride) acc[i] = Op::combine(acc[i], in[i]);
}

#define KERNEL extern "C" __global__ void __launch_bounds__(THREADS)

KERNEL reduce_sum(const double *in, gb_reduced *partial, int64_t n, int64_t slots) { slot<gb_op_sum>(in, n, partial); }
KERNEL reduce_max(const double *in, gb_reduced *partial, int64_t n, int64_t slots) { slot<gb_op_max>(in, n, partial); }
KERNEL reduce_sum_join(const gb_reduced *partial, gb_reduced *out, int64_t slots) {
	join_slots<gb_op_sum>(partial, slots, out);
}
KERNEL reduce_max_join(const gb_reduced *partial, gb_reduced *out, int64_t slots) {
	join_slots<gb_op_max>(partial, slots, out);
}
KERNEL combine_sum(double *acc, const double *in, int64_t n) { combine<gb_op_sum>(acc, in, n); }
KERNEL combine_max(double *acc, const double *in, int64_t n) { combine<gb_op_max>(acc, in, n); }
