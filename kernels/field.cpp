// Start fields on the CPU: each part writes its share of the rows, which the same part will compute later, so that
// memory lies near the core that uses it.
#include "field.h"

// rows writes every cell of the part's rows, ghosts and padding included: inside(x, y, z) in the interior.
template <class Inside>
GB_HD void rows(double *field, const gb_launch *l, int64_t pitch, int64_t plane, int64_t nx, int64_t ny, int64_t nz,
                int64_t outer, double low, double high, const Inside &inside) {
	const gb_range r = gb_share(gb_rows(plane, ny, nz), l);
	for (int64_t i = r.lo; i < r.hi; i++) {
		const int64_t y = i % (ny + 2), z = plane ? i / (ny + 2) : 1;
		double *cell = field + gb_at(0, y, z, pitch, plane);
		const bool whole = y >= 1 && y <= ny && z >= 1 && z <= nz;
		if (whole) inside(cell + 1, y, z);
		for (int64_t x = 0; x < pitch; x++) {
			if (whole && x == 1) x = nx + 1;
			if (x >= pitch) break;
			cell[x] = gb_cell_place(x, y, z, nx, ny, nz, outer) == GB_BOUNDARY ? gb_boundary(x, y, z, low, high)
			                                                                    : gb_nan();
		}
	}
	if (l->part == 0) { // what comes before the first row and after the last
		for (int64_t i = 0; i < 7; i++) field[i] = gb_nan();
		field[7 + pitch * gb_rows(plane, ny, nz)] = gb_nan();
	}
}

// field, sines, pitch, plane, nx, ny, nz, outer, c0, c1, c2, c3
extern "C" GB_CLONES void gb_field_modes(const uint64_t *a, const gb_launch *l) {
	const int64_t nx = a[4], ny = a[5], nz = a[6];
	const gb_sines t = gb_tables(gb_pointer<const double>(a[1]), nx, ny, nz);
	const gb_amplitudes c = {gb_double(a[8]), gb_double(a[9]), gb_double(a[10]), gb_double(a[11])};
	rows(gb_pointer<double>(a[0]), l, a[2], a[3], nx, ny, nz, a[7], 0.0, 0.0, [&](double *row, int64_t y, int64_t z) {
		const gb_modes_row r = gb_modes_of_row(c, t.y1[y - 1], t.y2[y - 1], t.z1[z - 1], t.z2[z - 1]);
		for (int64_t x = 0; x < nx; x++) row[x] = gb_modes_cell(r, t.x1[x], t.x2[x]);
	});
}

// field, pitch, plane, nx, ny, nz, outer, interior, low, high
extern "C" GB_CLONES void gb_field_constant(const uint64_t *a, const gb_launch *l) {
	const int64_t nx = a[3];
	const double interior = gb_double(a[7]);
	rows(gb_pointer<double>(a[0]), l, a[1], a[2], nx, a[4], a[5], a[6], gb_double(a[8]), gb_double(a[9]),
	     [&](double *row, int64_t, int64_t) {
		     for (int64_t x = 0; x < nx; x++) row[x] = interior;
	     });
}
