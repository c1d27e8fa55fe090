// Checks: what is counted over cells or bytes, how partial results are joined, and what is expected of a field's cell.
#pragma once

#include "field.h"
#include "sum.h"

// The result of a check, eight values of 8 bytes. check.go declares the same. The work is cut into slots, contiguous in
// memory; slot s writes result s, and check_join makes one of them.
struct gb_check {
	int64_t checked, errors, first; // first: offset of the first that is wrong, -1 for none
	double found, expected;         // there
	double max_error, sum, lost;
};

// Slots of a check and threads of a GPU block that works on one.
#define GB_CHECK_THREADS 128

GB_HD gb_check gb_check_none(void) { return {0, 0, -1, 0, 0, 0, 0, 0}; }

// gb_check_larger keeps the larger error; an error that is no number is larger than all and stays.
GB_HD double gb_check_larger(double a, double b) { return a != a || a > b ? a : b; }

GB_HD void gb_check_wrong(gb_check &c, int64_t offset, double found, double expected) {
	c.errors++;
	if (c.first >= 0 && c.first < offset) return;
	c.first = offset;
	c.found = found;
	c.expected = expected;
}

// gb_check_cell takes one cell of a field; a NaN is never within the tolerance.
GB_HD void gb_check_cell(gb_check &c, int64_t offset, double found, double expected, double tolerance) {
	const double error = found > expected ? found - expected : expected - found;
	c.checked++;
	c.max_error = gb_check_larger(c.max_error, error);
	gb_sum_take(c.sum, c.lost, found);
	if (!(error <= tolerance)) gb_check_wrong(c, offset, found, expected);
}

GB_HD void gb_check_join(gb_check &c, const gb_check &d) {
	c.checked += d.checked;
	c.errors += d.errors;
	if (d.first >= 0 && (c.first < 0 || d.first < c.first)) {
		c.first = d.first;
		c.found = d.found;
		c.expected = d.expected;
	}
	c.max_error = gb_check_larger(c.max_error, d.max_error);
	gb_sum_join(c.sum, c.lost, d.sum, d.lost);
}
