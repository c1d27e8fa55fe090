// Compensated sums: what a float64 loses when it is added is kept in a second one, so that the result does not depend
// on how the work was divided: the error is about 2^-105 times the sum of magnitudes. Knuth, The Art of Computer Programming 2,
// 4.2.2, theorem B: `error` below is exact. Needs IEEE arithmetic as written: no fused or reordered operations.
#pragma once

#include "launch.h"

template <class T> GB_HD void gb_sum_take(T &sum, T &lost, const T &value) {
	const T total = sum + value;
	const T part = total - sum;
	const T error = (sum - (total - part)) + (value - part);
	sum = total;
	lost = lost + error;
}

// gb_sum_join adds one such sum to another.
GB_HD void gb_sum_join(double &sum, double &lost, double sum2, double lost2) {
	gb_sum_take(sum, lost, sum2);
	lost = lost + lost2;
}

// gb_sum_close rounds the pair: afterwards `sum` is the float64 nearest to the whole, and `lost` what is left. After an
// infinity or a NaN `lost` is NaN, and the plain sum is what there is.
GB_HD void gb_sum_close(double &sum, double &lost) {
	if (lost != lost) lost = 0;
	if (sum - sum != 0) return;
	const double total = sum + lost;
	lost = lost - (total - sum);
	sum = total;
}
