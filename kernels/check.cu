// Field checks on the GPU: a block of threads for every slot, joined as a tree.
#include "join.h"

#define THREADS GB_CHECK_THREADS

// The slot's rows of the interior, counted through the planes; threads take neighbouring cells.
template <class Expected>
static __device__ __forceinline__ void check_rows(const double *__restrict__ field, gb_check *results, int64_t pitch,
                                                  int64_t plane, int64_t nx, int64_t ny, int64_t nz, double tolerance,
                                                  const Expected &expected) {
	gb_check c = gb_check_none();
	const int64_t first = gb_cut(ny * nz, blockIdx.x, gridDim.x), last = gb_cut(ny * nz, blockIdx.x + 1, gridDim.x);
	for (int64_t n = first * nx + threadIdx.x; n < last * nx; n += THREADS) {
		const int64_t x = 1 + n % nx, y = 1 + n / nx % ny, z = 1 + n / nx / ny;
		const int64_t i = gb_at(x, y, z, pitch, plane);
		gb_check_cell(c, i, field[i], expected(x, y, z), tolerance);
	}
	gb_join_checks<THREADS>(c, results);
}

extern "C" __global__ void __launch_bounds__(THREADS)
	check_modes(const double *__restrict__ field, const double *__restrict__ sines, gb_check *results, int64_t pitch,
                int64_t plane, int64_t nx, int64_t ny, int64_t nz, int64_t slots, double c0, double c1, double c2,
                double c3, double tolerance) {
	const gb_sines t = gb_tables(sines, nx, ny, nz);
	check_rows(field, results, pitch, plane, nx, ny, nz, tolerance, [&](int64_t x, int64_t y, int64_t z) {
		const gb_modes_row r = gb_modes_of_row({c0, c1, c2, c3}, t.y1[y - 1], t.y2[y - 1], t.z1[z - 1], t.z2[z - 1]);
		return gb_modes_cell(r, t.x1[x - 1], t.x2[x - 1]);
	});
}

extern "C" __global__ void __launch_bounds__(THREADS)
	check_reference(const double *__restrict__ field, const double *__restrict__ reference, gb_check *results,
                    int64_t pitch, int64_t plane, int64_t nx, int64_t ny, int64_t nz, int64_t slots, int64_t rpitch,
                    int64_t rplane, int64_t dx, int64_t dy, int64_t dz, double tolerance) {
	check_rows(field, results, pitch, plane, nx, ny, nz, tolerance, [&](int64_t x, int64_t y, int64_t z) {
		return reference[gb_at(x + dx, y + dy, z + dz, rpitch, rplane)];
	});
}

// One block: results 0 to slots - 1 become result 0.
extern "C" __global__ void __launch_bounds__(THREADS) check_join(gb_check *results, int64_t slots) {
	gb_check c = gb_check_none();
	for (int64_t s = threadIdx.x; s < slots; s += THREADS) gb_check_join(c, results[s]);
	__syncthreads(); // result 0 is written only after all have read
	gb_sum_close(c.sum, c.lost);
	gb_join_checks<THREADS>(c, results);
	if (threadIdx.x == 0) gb_sum_close(results->sum, results->lost);
}
