// Patterns: the byte of a message is a function of step, sender and offset, so that a message that is stale, from
// another sender, shifted or damaged shows. pattern.go has the same function for bytes on the host.
#pragma once

#include "check.h"

// gb_pattern_seed keeps neighbouring steps and senders apart.
GB_HD uint64_t gb_pattern_seed(int64_t step, int64_t sender) {
	return (uint64_t)step * 0xbf58476d1ce4e5b9u ^ ((uint64_t)sender + 1) * 0x94d049bb133111ebu;
}

// gb_pattern_word is bytes 8w to 8w + 7, the lowest first: one round of splitmix64 (Steele, Lea, Flood, OOPSLA 2014).
// T is uint64_t or a vector of them.
template <class T> GB_HD T gb_pattern_word(uint64_t seed, const T &w) {
	T z = seed + (w + 1) * 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

// gb_pattern_compare counts the bytes of a word that differ; n of them count.
GB_HD void gb_pattern_compare(gb_check &c, uint64_t found, uint64_t expected, int64_t w, int n) {
	c.checked += n;
	for (int k = 0; k < n && found != expected; k++) {
		const uint64_t f = found >> 8 * k & 255, e = expected >> 8 * k & 255;
		if (f != e) gb_check_wrong(c, 8 * w + k, (double)f, (double)e);
	}
}
