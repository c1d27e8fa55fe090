// Jacobi3D on the GPU. A thread marches through planes of one column and keeps the cells below, at and above it in
// registers, so that a cell is read from memory once and from the caches four times.
#include "jacobi3d.h"

// 128 threads, 32 along x: whole 64-byte lines for every row of a warp.
#define THREADS_X 32
#define THREADS_Y 4

static __device__ __forceinline__ double jacobi_at(const double *__restrict__ in, int64_t i, int64_t pitch,
                                                   double below, double centre, double above) {
	double result;
	gb_jacobi<double>(result, centre, __ldg(in + i - 1), __ldg(in + i + 1), __ldg(in + i - pitch), __ldg(in + i + pitch),
	                  below, above);
	return result;
}

// A grid's z extent divides the planes; threads begin at an aligned cell of a row, those below x0 have nothing to do.
// `streaming` concerns the CPU alone.
extern "C" __global__ void __launch_bounds__(THREADS_X *THREADS_Y)
	jacobi3d(const double *__restrict__ in, double *__restrict__ out, int64_t pitch, int64_t plane, int64_t x0,
             int64_t x1, int64_t y0, int64_t y1, int64_t z0, int64_t z1, int64_t streaming) {
	const int64_t x = ((x0 - 1) & ~7LL) + 1 + blockIdx.x * THREADS_X + threadIdx.x;
	const int64_t y = y0 + blockIdx.y * THREADS_Y + threadIdx.y;
	if (x < x0 || x >= x1 || y >= y1) return;
	const int64_t first = z0 + gb_cut(z1 - z0, blockIdx.z, gridDim.z);
	const int64_t last = z0 + gb_cut(z1 - z0, blockIdx.z + 1, gridDim.z);

	int64_t i = gb_at(x, y, first, pitch, plane);
	double below = __ldg(in + i - plane), centre = __ldg(in + i);
	for (int64_t z = first; z < last; z++, i += plane) {
		const double above = __ldg(in + i + plane);
		out[i] = jacobi_at(in, i, pitch, below, centre, above);
		below = centre;
		centre = above;
	}
}

// The cells of all boxes of the shell, numbered through, one a thread.
extern "C" __global__ void __launch_bounds__(THREADS_X *THREADS_Y)
	jacobi3d_shell(const double *__restrict__ in, double *__restrict__ out, int64_t pitch, int64_t plane, int64_t nx,
                   int64_t ny, int64_t nz, int64_t mask) {
	int64_t n = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
	gb_box rest = {1, nx + 1, 1, ny + 1, 1, nz + 1};
	for (int k = 0; k < 6; k++) {
		const gb_box b = gb_shell_box(rest, gb_shell_order(k), mask);
		const int64_t cells = gb_box_cells(b);
		if (n < cells) {
			const int64_t w = b.x1 - b.x0, h = b.y1 - b.y0;
			const int64_t i = gb_at(b.x0 + n % w, b.y0 + n / w % h, b.z0 + n / (w * h), pitch, plane);
			out[i] = jacobi_at(in, i, pitch, __ldg(in + i - plane), __ldg(in + i), __ldg(in + i + plane));
			return;
		}
		n -= cells;
	}
}
