// Stencil2D on the GPU. A thread marches through the rows of one column and keeps the cells below, at and above it in
// registers, so that a cell is read from memory once and from the caches twice.
#include "stencil2d.h"

// Along x: whole 64-byte lines for every warp.
#define THREADS 128

static __device__ __forceinline__ double stencil_at(const double *__restrict__ in, int64_t i, double south,
                                                    double centre, double north) {
	double result;
	gb_stencil<double>(result, centre, __ldg(in + i - 1), __ldg(in + i + 1), south, north);
	return result;
}

// A grid's y extent divides the rows; threads begin at an aligned cell of a row, those below x0 have nothing to do.
// `streaming` concerns the CPU alone.
extern "C" __global__ void __launch_bounds__(THREADS)
	stencil2d(const double *__restrict__ in, double *__restrict__ out, int64_t pitch, int64_t x0, int64_t x1,
              int64_t y0, int64_t y1, int64_t streaming) {
	const int64_t x = ((x0 - 1) & ~7LL) + 1 + (int64_t)blockIdx.x * THREADS + threadIdx.x;
	if (x < x0 || x >= x1) return;
	const int64_t first = y0 + gb_cut(y1 - y0, blockIdx.y, gridDim.y);
	const int64_t last = y0 + gb_cut(y1 - y0, blockIdx.y + 1, gridDim.y);

	int64_t i = gb_at(x, first, 1, pitch, 0);
	double south = __ldg(in + i - pitch), centre = __ldg(in + i);
	for (int64_t y = first; y < last; y++, i += pitch) {
		const double north = __ldg(in + i + pitch);
		out[i] = stencil_at(in, i, south, centre, north);
		south = centre;
		centre = north;
	}
}

// The cells of all boxes of the shell, numbered through, one a thread.
extern "C" __global__ void __launch_bounds__(THREADS)
	stencil2d_shell(const double *__restrict__ in, double *__restrict__ out, int64_t pitch, int64_t nx, int64_t ny,
                    int64_t mask) {
	int64_t n = (int64_t)blockIdx.x * THREADS + threadIdx.x;
	gb_box rest = {1, nx + 1, 1, ny + 1, 1, 2};
	for (int k = 2; k < 6; k++) {
		const gb_box b = gb_shell_box(rest, gb_shell_order(k), mask);
		const int64_t cells = gb_box_cells(b);
		if (n < cells) {
			const int64_t w = b.x1 - b.x0;
			const int64_t i = gb_at(b.x0 + n % w, b.y0 + n / w, 1, pitch, 0);
			out[i] = stencil_at(in, i, __ldg(in + i - pitch), __ldg(in + i), __ldg(in + i + pitch));
			return;
		}
		n -= cells;
	}
}
