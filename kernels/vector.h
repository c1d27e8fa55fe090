// Vectors of float64s for reductions: what each PE contributes is a whole number that depends on step, sender and place,
// so that sums over any number of PEs are exact in every order, and a contribution that is missing, doubled, stale or
// shifted shows.
#pragma once

#include "pattern.h"

// gb_vector_value is a contribution: 40 bits of the pattern's word. 2^13 of them still add up exactly; in float32, with
// its 24 bits, nearly none does.
GB_HD double gb_vector_value(uint64_t seed, int64_t i) { return (double)(int64_t)(gb_pattern_word(seed, (uint64_t)i) >> 24); }

// gb_vector_sum is the sum of what `senders` PEs contribute, from PE 0 on.
GB_HD double gb_vector_sum(int64_t step, int64_t senders, int64_t i) {
	double sum = 0;
	for (int64_t s = 0; s < senders; s++) sum += gb_vector_value(gb_pattern_seed(step, s), i);
	return sum;
}

// gb_vector_compare takes one element; a NaN is wrong.
GB_HD void gb_vector_compare(gb_check &c, int64_t i, double found, double expected) {
	c.checked++;
	if (found != expected) gb_check_wrong(c, i, found, expected);
}
