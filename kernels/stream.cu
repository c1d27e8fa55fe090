// Copy and triad on the GPU: two float64s a thread and step where the arrays allow it (16-byte accesses).
#include "stream.h"

#define THREADS 256

static __device__ __forceinline__ bool aligned16(const void *p) { return ((uintptr_t)p & 15) == 0; }

// `streaming` concerns the CPU alone.
extern "C" __global__ void __launch_bounds__(THREADS)
	stream_copy(double *__restrict__ dst, const double *__restrict__ src, int64_t n, int64_t streaming) {
	const int64_t first = (int64_t)blockIdx.x * THREADS + threadIdx.x, stride = (int64_t)gridDim.x * THREADS;
	int64_t done = 0;
	if (aligned16(dst) && aligned16(src)) {
		done = n & ~1LL;
		for (int64_t i = first; i < n / 2; i += stride) ((double2 *)dst)[i] = ((const double2 *)src)[i];
	}
	for (int64_t i = done + first; i < n; i += stride) dst[i] = src[i];
}

extern "C" __global__ void __launch_bounds__(THREADS)
	stream_triad(double *__restrict__ a, const double *__restrict__ b, const double *__restrict__ c, int64_t n,
                 int64_t streaming, double scalar) {
	const int64_t first = (int64_t)blockIdx.x * THREADS + threadIdx.x, stride = (int64_t)gridDim.x * THREADS;
	int64_t done = 0;
	if (aligned16(a) && aligned16(b) && aligned16(c)) {
		done = n & ~1LL;
		for (int64_t i = first; i < n / 2; i += stride) {
			const double2 v = ((const double2 *)b)[i], w = ((const double2 *)c)[i];
			double2 sum;
			gb_triad(sum.x, v.x, w.x, scalar);
			gb_triad(sum.y, v.y, w.y, scalar);
			((double2 *)a)[i] = sum;
		}
	}
	for (int64_t i = done + first; i < n; i += stride) gb_triad(a[i], b[i], c[i], scalar);
}
