// Copy and triad on the CPU: each part its share; arrays larger than the last cache are written past it.
#include "stream.h"

#define ISA_ROWS "stream_rows.h"
#include "isa_sets.h"

// dst, src, n, streaming
extern "C" void gb_stream_copy(const uint64_t *a, const gb_launch *l) {
	const gb_range r = gb_share(a[2], l);
	double *dst = gb_pointer<double>(a[0]) + r.lo;
	const double *src = gb_pointer<const double>(a[1]) + r.lo;
	if (a[3]) {
		GB_CALL(isa(), copy<true>, dst, src, r.hi - r.lo);
		baseline::fence();
	} else {
		GB_CALL(isa(), copy<false>, dst, src, r.hi - r.lo);
	}
}

// a, b, c, n, streaming, scalar
extern "C" void gb_stream_triad(const uint64_t *a, const gb_launch *l) {
	const gb_range r = gb_share(a[3], l);
	double *out = gb_pointer<double>(a[0]) + r.lo;
	const double *b = gb_pointer<const double>(a[1]) + r.lo, *c = gb_pointer<const double>(a[2]) + r.lo;
	const double scalar = gb_double(a[5]);
	if (a[4]) {
		GB_CALL(isa(), triad<true>, out, b, c, scalar, r.hi - r.lo);
		baseline::fence();
	} else {
		GB_CALL(isa(), triad<false>, out, b, c, scalar, r.hi - r.lo);
	}
}
