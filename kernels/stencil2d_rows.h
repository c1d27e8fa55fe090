// Stencil2D over rows with the vectors of one instruction set: included by stencil2d.cpp once for each, inside a
// namespace with GB_LANES, vec, load, store and stream. No include guard for that reason.

#include "row.h"

// A row's cells from x0 to x1. Whole vectors begin at x = 1 modulo GB_LANES, where rows are aligned.
template <bool STREAM> static inline void row(const double *in, double *out, int64_t x0, int64_t x1, int64_t pitch) {
	const double *c = in + x0, *end = in + x1;
	double *o = out + x0;
#define CELL(T, R, L) gb_stencil<T>(R, L(c), L(c - 1), L(c + 1), L(c - pitch), L(c + pitch))
	GB_ROW(CELL, (void)0);
#undef CELL
}

template <bool STREAM>
static void sweep(const double *in, double *out, const gb_box &b, int64_t pitch) {
	for (int64_t y = b.y0; y < b.y1; y++) {
		const int64_t at = gb_at(0, y, 1, pitch, 0);
		row<STREAM>(in + at, out + at, b.x0, b.x1, pitch);
	}
}
