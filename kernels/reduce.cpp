// Reductions on the CPU: slots are shared by the parts; inside a slot eight chains run side by side.
#include "reduce.h"

template <class Op> GB_HD void slots(const uint64_t *a, const gb_launch *l) {
	const double *in = gb_pointer<const double>(a[0]);
	gb_reduced *partial = gb_pointer<gb_reduced>(a[1]);
	const int64_t n = a[2], slots = a[3];
	const gb_range mine = gb_share(slots, l);
	for (int64_t s = mine.lo; s < mine.hi; s++) {
		gb_reduced r = Op::none();
		gb_result<gb_double8> lanes = {r.value + gb_double8{0}, gb_double8{0}};
		int64_t i = gb_cut(n, s, slots);
		const int64_t last = gb_cut(n, s + 1, slots);
		for (; i + GB_LANES8 <= last; i += GB_LANES8) Op::take(lanes, gb_load8<gb_double8>(in + i));
		for (; i < last; i++) Op::take(r, in[i]);
		for (int k = 0; k < GB_LANES8; k++) Op::join(r, {lanes.value[k], lanes.lost[k]});
		Op::close(r);
		partial[s] = r;
	}
}

template <class Op> static void join_slots(const uint64_t *a, const gb_launch *l) {
	if (l->part != 0) return;
	const gb_reduced *partial = gb_pointer<const gb_reduced>(a[0]);
	gb_reduced r = Op::none();
	for (int64_t s = 0; s < (int64_t)a[2]; s++) Op::join(r, partial[s]);
	Op::close(r);
	*gb_pointer<gb_reduced>(a[1]) = r;
}

template <class Op> GB_HD void combine(const uint64_t *a, const gb_launch *l) {
	double *acc = gb_pointer<double>(a[0]);
	const double *in = gb_pointer<const double>(a[1]);
	const gb_range r = gb_share(a[2], l);
	for (int64_t i = r.lo; i < r.hi; i++) acc[i] = Op::combine(acc[i], in[i]);
}

// in, partial, n, slots
extern "C" GB_CLONES void gb_reduce_sum(const uint64_t *a, const gb_launch *l) { slots<gb_op_sum>(a, l); }
extern "C" GB_CLONES void gb_reduce_max(const uint64_t *a, const gb_launch *l) { slots<gb_op_max>(a, l); }
// partial, out, slots
extern "C" void gb_reduce_sum_join(const uint64_t *a, const gb_launch *l) { join_slots<gb_op_sum>(a, l); }
extern "C" void gb_reduce_max_join(const uint64_t *a, const gb_launch *l) { join_slots<gb_op_max>(a, l); }
// acc, in, n
extern "C" GB_CLONES void gb_combine_sum(const uint64_t *a, const gb_launch *l) { combine<gb_op_sum>(a, l); }
extern "C" GB_CLONES void gb_combine_max(const uint64_t *a, const gb_launch *l) { combine<gb_op_max>(a, l); }
