// Patterns on the CPU. A message may begin at any byte; words are moved as eight bytes.
#include "pattern.h"

#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "patterns are written lowest byte first"
#endif

GB_HD bool any(const gb_word8 &v) { return (v[0] | v[1] | v[2] | v[3] | v[4] | v[5] | v[6] | v[7]) != 0; }

// bytes, n, step, sender
extern "C" GB_CLONES void gb_pattern_fill(const uint64_t *a, const gb_launch *l) {
	uint8_t *bytes = gb_pointer<uint8_t>(a[0]);
	const int64_t n = a[1];
	const uint64_t seed = gb_pattern_seed(a[2], a[3]);
	const gb_range words = gb_share(n / 8, l);
	for (int64_t w = words.lo; w < words.hi; w++) {
		const uint64_t word = gb_pattern_word(seed, (uint64_t)w);
		memcpy(bytes + 8 * w, &word, 8);
	}
	if (l->part == l->parts - 1) {
		const uint64_t word = gb_pattern_word(seed, (uint64_t)n / 8);
		memcpy(bytes + n / 8 * 8, &word, n % 8);
	}
}

// bytes, results, n, step, sender, slots
extern "C" GB_CLONES void gb_pattern_check(const uint64_t *a, const gb_launch *l) {
	const uint8_t *bytes = gb_pointer<const uint8_t>(a[0]);
	gb_check *results = gb_pointer<gb_check>(a[1]);
	const int64_t n = a[2], words = (n + 7) / 8, slots = a[5];
	const uint64_t seed = gb_pattern_seed(a[3], a[4]);
	const gb_range mine = gb_share(slots, l);
	for (int64_t s = mine.lo; s < mine.hi; s++) {
		gb_check c = gb_check_none();
		const int64_t last = gb_cut(words, s + 1, slots);
		int64_t w = gb_cut(words, s, slots);
		for (; w < last; w++) {
			// Eight words at a time as long as they are right.
			while (w + 8 <= last && 8 * w + 64 <= n) {
				const gb_word8 at = (uint64_t)w + gb_word8{0, 1, 2, 3, 4, 5, 6, 7};
				const gb_word8 differ = gb_load8<gb_word8>(bytes + 8 * w) ^ gb_pattern_word(seed, at);
				if (any(differ)) break;
				c.checked += 64;
				w += 8;
			}
			if (w >= last) break;
			const int valid = n - 8 * w < 8 ? (int)(n - 8 * w) : 8;
			uint64_t found = 0;
			memcpy(&found, bytes + 8 * w, valid);
			gb_pattern_compare(c, found, gb_pattern_word(seed, (uint64_t)w), w, valid);
		}
		results[s] = c;
	}
}
