// Vectors of reductions on the CPU.
#include "vector.h"

// v, n, first, step, sender
extern "C" GB_CLONES void gb_vector_fill(const uint64_t *a, const gb_launch *l) {
	double *v = gb_pointer<double>(a[0]);
	const int64_t first = a[2];
	const uint64_t seed = gb_pattern_seed(a[3], a[4]);
	const gb_range r = gb_share(a[1], l);
	for (int64_t i = r.lo; i < r.hi; i++) v[i] = gb_vector_value(seed, first + i);
}

// v, results, n, first, step, senders, slots
extern "C" GB_CLONES void gb_vector_check(const uint64_t *a, const gb_launch *l) {
	const double *v = gb_pointer<const double>(a[0]);
	gb_check *results = gb_pointer<gb_check>(a[1]);
	const int64_t n = a[2], first = a[3], step = a[4], senders = a[5], slots = a[6];
	const gb_range mine = gb_share(slots, l);
	for (int64_t s = mine.lo; s < mine.hi; s++) {
		gb_check c = gb_check_none();
		for (int64_t i = gb_cut(n, s, slots), last = gb_cut(n, s + 1, slots); i < last; i++)
			gb_vector_compare(c, i, v[i], gb_vector_sum(step, senders, first + i));
		results[s] = c;
	}
}
