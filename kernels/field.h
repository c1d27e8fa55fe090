// Field: what every cell of a field starts as, ghosts and padding included, and the closed form of `--field modes`.
#pragma once

#include "launch.h"

// A cell's place: inside; on the ghost layer of one face of the mask (the whole grid's boundary); anywhere else (other
// ghosts, edges, corners, padding), where nothing may read before it was written: NaN.
enum gb_place { GB_INSIDE, GB_BOUNDARY, GB_ELSEWHERE };

GB_HD gb_place gb_cell_place(int64_t x, int64_t y, int64_t z, int64_t nx, int64_t ny, int64_t nz, int64_t outer) {
	const bool ix = x >= 1 && x <= nx, iy = y >= 1 && y <= ny, iz = z >= 1 && z <= nz;
	if (ix && iy && iz) return GB_INSIDE;
	if (iy && iz && (x == 0 || x == nx + 1)) return outer >> (0 + (x != 0)) & 1 ? GB_BOUNDARY : GB_ELSEWHERE;
	if (ix && iz && (y == 0 || y == ny + 1)) return outer >> (2 + (y != 0)) & 1 ? GB_BOUNDARY : GB_ELSEWHERE;
	if (ix && iy && (z == 0 || z == nz + 1)) return outer >> (4 + (z != 0)) & 1 ? GB_BOUNDARY : GB_ELSEWHERE;
	return GB_ELSEWHERE;
}

// A cell of the boundary has one of two values: those of the low and of the high side of an axis.
GB_HD double gb_boundary(int64_t x, int64_t y, int64_t z, double low, double high) {
	return x == 0 || y == 0 || z == 0 ? low : high;
}

// The rows of an allocation, ghosts included: planes lie 0 apart where the field is two-dimensional, and z is 1.
GB_HD int64_t gb_rows(int64_t plane, int64_t ny, int64_t nz) { return plane ? (ny + 2) * (nz + 2) : ny + 2; }

GB_HD double gb_nan(void) { return __builtin_nan(""); }

// The sines of a block, made by the host (modes.go): for each axis of n cells n values of the first mode, then n of
// the second. Pointers to cell 1's values, as gb_tables finds them.
struct gb_sines {
	const double *x1, *x2, *y1, *y2, *z1, *z2;
};
GB_HD gb_sines gb_tables(const double *t, int64_t nx, int64_t ny, int64_t nz) {
	return {t, t + nx, t + 2 * nx, t + 2 * nx + ny, t + 2 * nx + 2 * ny, t + 2 * nx + 2 * ny + nz};
}

// The amplitudes of the modes (1,1,1), (2,1,1), (1,2,1), (1,1,2) after some iterations.
struct gb_amplitudes {
	double c0, c1, c2, c3;
};

// The part of the closed form that is the same along a row: value = a·x1 + b·x2.
struct gb_modes_row {
	double a, b;
};
GB_HD gb_modes_row gb_modes_of_row(const gb_amplitudes &c, double y1, double y2, double z1, double z2) {
	return {c.c0 * (y1 * z1) + c.c2 * (y2 * z1) + c.c3 * (y1 * z2), c.c1 * (y1 * z1)};
}
GB_HD double gb_modes_cell(const gb_modes_row &r, double x1, double x2) { return r.a * x1 + r.b * x2; }
