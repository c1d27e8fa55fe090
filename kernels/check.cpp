// Field checks on the CPU: slots are shared by the parts. A row is compared with vectors; only a row that holds an
// error is gone over cell by cell.
#include "check.h"

// Running values of eight neighbouring cells, each a chain of its own.
struct lanes {
	gb_double8 sum, lost, max;
};

// row compares n cells and returns how many are wrong; sum and largest error go into s. A NaN counts as wrong.
GB_HD int64_t row(lanes &s, const double *found, const double *expected, int64_t n, double tolerance) {
	lanes r = s; // in registers
	gb_word8 right = {0};
	int64_t x = 0, wrong = 0;
	for (; x + GB_LANES8 <= n; x += GB_LANES8) {
		const gb_double8 f = gb_load8<gb_double8>(found + x), d = f - gb_load8<gb_double8>(expected + x);
		const gb_double8 error = d < 0 ? -d : d;
		gb_sum_take(r.sum, r.lost, f);
		r.max = error > r.max ? error : r.max;
		right -= (gb_word8)(error <= tolerance); // true is -1
	}
	wrong = x;
	for (int k = 0; k < GB_LANES8; k++) wrong -= (int64_t)right[k];
	for (; x < n; x++) {
		const double error = __builtin_fabs(found[x] - expected[x]);
		double sum = r.sum[0], lost = r.lost[0];
		gb_sum_take(sum, lost, found[x]);
		r.sum[0] = sum, r.lost[0] = lost;
		if (error > r.max[0]) r.max[0] = error;
		wrong += error <= tolerance ? 0 : 1;
	}
	s = r;
	return wrong;
}

// slots works on the part's slots: expected(y, z) gives the row of expected values.
template <class Expected>
GB_HD void slots(const double *field, gb_check *results, const gb_launch *l, int64_t pitch, int64_t plane, int64_t nx,
                 int64_t ny, int64_t nz, int64_t slots, double tolerance, const Expected &expected) {
	const gb_range mine = gb_share(slots, l);
	for (int64_t s = mine.lo; s < mine.hi; s++) {
		gb_check c = gb_check_none();
		lanes sums = {{0}, {0}, {0}};
		const int64_t last = gb_cut(ny * nz, s + 1, slots);
		for (int64_t r = gb_cut(ny * nz, s, slots); r < last; r++) {
			const int64_t y = 1 + r % ny, z = 1 + r / ny, at = gb_at(1, y, z, pitch, plane);
			const double *e = expected(y, z);
			c.checked += nx;
			if (row(sums, field + at, e, nx, tolerance) == 0) continue;
			for (int64_t x = 0; x < nx; x++) {
				const double error = __builtin_fabs(field[at + x] - e[x]);
				c.max_error = gb_check_larger(c.max_error, error); // a NaN has not reached the lanes' maximum
				if (!(error <= tolerance)) gb_check_wrong(c, at + x, field[at + x], e[x]);
			}
		}
		for (int k = 0; k < GB_LANES8; k++) {
			gb_sum_join(c.sum, c.lost, sums.sum[k], sums.lost[k]);
			c.max_error = gb_check_larger(c.max_error, sums.max[k]);
		}
		results[s] = c;
	}
}

// field, sines, results, pitch, plane, nx, ny, nz, slots, c0, c1, c2, c3, tolerance
extern "C" GB_CLONES void gb_check_modes(const uint64_t *a, const gb_launch *l) {
	const int64_t nx = a[5], ny = a[6], nz = a[7];
	const gb_sines t = gb_tables(gb_pointer<const double>(a[1]), nx, ny, nz);
	const gb_amplitudes c = {gb_double(a[9]), gb_double(a[10]), gb_double(a[11]), gb_double(a[12])};
	double *values = new double[nx];
	slots(gb_pointer<const double>(a[0]), gb_pointer<gb_check>(a[2]), l, a[3], a[4], nx, ny, nz, a[8], gb_double(a[13]),
	      [&](int64_t y, int64_t z) {
		      const gb_modes_row r = gb_modes_of_row(c, t.y1[y - 1], t.y2[y - 1], t.z1[z - 1], t.z2[z - 1]);
		      for (int64_t x = 0; x < nx; x++) values[x] = gb_modes_cell(r, t.x1[x], t.x2[x]);
		      return (const double *)values;
	      });
	delete[] values;
}

// field, reference, results, pitch, plane, nx, ny, nz, slots, its pitch, its plane, offset x, y, z, tolerance
extern "C" GB_CLONES void gb_check_reference(const uint64_t *a, const gb_launch *l) {
	const double *reference = gb_pointer<const double>(a[1]);
	slots(gb_pointer<const double>(a[0]), gb_pointer<gb_check>(a[2]), l, a[3], a[4], a[5], a[6], a[7], a[8],
	      gb_double(a[14]), [&](int64_t y, int64_t z) {
		      return reference + gb_at(1 + (int64_t)a[11], y + (int64_t)a[12], z + (int64_t)a[13], a[9], a[10]);
	      });
}

// results, slots
extern "C" void gb_check_join_slots(const uint64_t *a, const gb_launch *l) {
	if (l->part != 0) return;
	gb_check *results = gb_pointer<gb_check>(a[0]), c = gb_check_none();
	for (int64_t s = 0; s < (int64_t)a[1]; s++) gb_check_join(c, results[s]);
	gb_sum_close(c.sum, c.lost);
	results[0] = c;
}
