// Start fields on the GPU: one thread for every cell of the allocation, padding included.
#include "field.h"

#define THREADS 256

// The cell of thread i of the allocation; offset 0 to 6 come before the first row, as cells of plane -1.
struct place {
	int64_t x, y, z;
};
static __device__ __forceinline__ place locate(int64_t i, int64_t pitch, int64_t plane) {
	const int64_t o = i - 7;
	if (o < 0) return {-1, -1, -1};
	if (plane == 0) return {o % pitch, o / pitch, 1};
	return {o % plane % pitch, o % plane / pitch, o / plane};
}

extern "C" __global__ void __launch_bounds__(THREADS)
	field_modes(double *__restrict__ field, const double *__restrict__ sines, int64_t pitch, int64_t plane, int64_t nx,
                int64_t ny, int64_t nz, int64_t outer, double c0, double c1, double c2, double c3) {
	const int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
	if (i >= 8 + pitch * gb_rows(plane, ny, nz)) return;
	const place p = locate(i, pitch, plane);
	double v = gb_nan();
	switch (gb_cell_place(p.x, p.y, p.z, nx, ny, nz, outer)) {
	case GB_INSIDE: {
		const gb_sines t = gb_tables(sines, nx, ny, nz);
		const gb_modes_row r =
			gb_modes_of_row({c0, c1, c2, c3}, t.y1[p.y - 1], t.y2[p.y - 1], t.z1[p.z - 1], t.z2[p.z - 1]);
		v = gb_modes_cell(r, t.x1[p.x - 1], t.x2[p.x - 1]);
		break;
	}
	case GB_BOUNDARY: v = 0; break;
	case GB_ELSEWHERE: break;
	}
	field[i] = v;
}

extern "C" __global__ void __launch_bounds__(THREADS)
	field_constant(double *__restrict__ field, int64_t pitch, int64_t plane, int64_t nx, int64_t ny, int64_t nz,
                   int64_t outer, double interior, double low, double high) {
	const int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
	if (i >= 8 + pitch * gb_rows(plane, ny, nz)) return;
	const place p = locate(i, pitch, plane);
	const gb_place where = gb_cell_place(p.x, p.y, p.z, nx, ny, nz, outer);
	field[i] = where == GB_INSIDE ? interior : where == GB_BOUNDARY ? gb_boundary(p.x, p.y, p.z, low, high) : gb_nan();
}
