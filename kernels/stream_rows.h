// Copy and triad of n float64s with the vectors of one instruction set: included by stream.cpp once for each. No
// include guard for that reason.

#include "row.h"

// lead is how many float64s come before the first that is aligned for a vector store.
static inline int64_t lead(const double *p, int64_t n) {
	const int64_t k = (int64_t)((0 - (uintptr_t)p) & (GB_LANES * 8 - 1)) / 8;
	return k < n ? k : n;
}

template <bool STREAM> static void copy(double *dst, const double *src, int64_t n) {
	int64_t i = 0;
	for (const int64_t k = lead(dst, n); i < k; i++) dst[i] = src[i];
	for (; i + GB_LANES <= n; i += GB_LANES)
		put<STREAM>(dst + i, load(src + i));
	for (; i < n; i++) dst[i] = src[i];
}

template <bool STREAM> static void triad(double *a, const double *b, const double *c, double scalar, int64_t n) {
	int64_t i = 0;
	for (const int64_t k = lead(a, n); i < k; i++) gb_triad(a[i], b[i], c[i], scalar);
	for (; i + GB_LANES <= n; i += GB_LANES) {
		vec sum;
		gb_triad(sum, load(b + i), load(c + i), scalar);
		put<STREAM>(a + i, sum);
	}
	for (; i < n; i++) gb_triad(a[i], b[i], c[i], scalar);
}
