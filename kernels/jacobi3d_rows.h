// Jacobi3D over a box of rows with the vectors of one instruction set: included by jacobi3d.cpp once for each, inside a
// namespace with GB_LANES, vec, load, store and stream. No include guard for that reason.

#include "row.h"

// A row's cells from x0 to x1. Whole vectors begin at x = 1 modulo GB_LANES, where rows are aligned. `ahead` is how
// far, in cells, to prefetch.
template <bool STREAM>
static inline void row(const double *in, double *out, int64_t x0, int64_t x1, int64_t pitch, int64_t plane,
                       int64_t ahead) {
	const double *c = in + x0, *end = in + x1;
	double *o = out + x0;
#define CELL(T, R, L)                                                                                                  \
	gb_jacobi<T>(R, L(c), L(c - 1), L(c + 1), L(c - pitch), L(c + pitch), L(c - plane), L(c + plane))
	GB_ROW(CELL, __builtin_prefetch(c + ahead));
#undef CELL
}

// Blocks of rows, each swept through all planes, so that three planes of a block stay in the core's own cache.
template <bool STREAM>
static void sweep(const double *in, double *out, const gb_box &b, int64_t pitch, int64_t plane, int64_t rows) {
	for (int64_t y0 = b.y0; y0 < b.y1; y0 += rows) {
		int64_t y1 = y0 + rows < b.y1 ? y0 + rows : b.y1;
		for (int64_t z = b.z0; z < b.z1; z++) {
			for (int64_t y = y0; y < y1; y++) {
				// The plane that is read for the first time, some rows ahead; past the block's last row, the
				// beginning of the plane after it.
				int64_t ahead = y + GB_PREFETCH_ROWS < y1 ? plane + GB_PREFETCH_ROWS * pitch
				                                          : 2 * plane + (GB_PREFETCH_ROWS - (y1 - y0)) * pitch;
				int64_t at = gb_at(0, y, z, pitch, plane);
				row<STREAM>(in + at, out + at, b.x0, b.x1, pitch, plane, ahead);
			}
		}
	}
}
