// Tasks on the CPU. One is a matter of one core: `cpu` calls gb_task directly, and a launch on the emulated device gives
// all of it to the first part.
#include "task.h"

#include <string.h>

static void output(uint8_t *out, int64_t n, int64_t step, int64_t point) {
	const int64_t pair[2] = {step, point};
	int64_t at = 0;
	for (; at + 16 <= n; at += 16) memcpy(out + at, pair, 16);
	memcpy(out + at, pair, n - at);
}

// Eight chains of a vector each: as many as keep a core's multipliers busy.
#define CHAINS (GB_TASK_LANES / GB_LANES8)

// The values that a task starts with, made by the compiler: 64 divisions would take as long as a short task.
struct starts {
	alignas(64) double v[GB_TASK_LANES];
	constexpr starts() : v() {
		for (int i = 0; i < GB_TASK_LANES; i++) v[i] = gb_task_start(i);
	}
};
static constexpr starts first_values;

static GB_CLONES void compute(double *lanes, int64_t iterations) {
	gb_double8 x[CHAINS];
	memcpy(x, first_values.v, sizeof x);
	for (int64_t i = 0; i < iterations; i++) {
#pragma GCC unroll 8
		for (int c = 0; c < CHAINS; c++) gb_task_next(x[c]);
	}
	memcpy(lanes, x, sizeof x);
}

// out, lanes, n, step, point, iterations, blocks
extern "C" void gb_task_compute(const uint64_t *a, const gb_launch *l) {
	if (l->part != 0) return;
	output(gb_pointer<uint8_t>(a[0]), a[2], a[3], a[4]);
	double *lanes = gb_pointer<double>(a[1]);
	for (int64_t b = 0; b < (int64_t)a[6]; b++) compute(lanes + GB_TASK_LANES * b, a[5]);
}

// out, scratch, n, step, point, first, iterations, pieces, words
extern "C" void gb_task_memory(const uint64_t *a, const gb_launch *l) {
	if (l->part != 0) return;
	output(gb_pointer<uint8_t>(a[0]), a[2], a[3], a[4]);
	uint64_t *scratch = gb_pointer<uint64_t>(a[1]);
	const int64_t first = a[5], iterations = a[6], pieces = a[7], half = a[8] / 2;
	for (int64_t i = 0; i < iterations; i++) {
		uint64_t *piece = scratch + 2 * half * gb_task_piece(first, i, pieces);
		memcpy(piece + half, piece, 8 * half);
	}
}

// Task Bench's busy_wait: 64-bit remainders, one after the other. Its last value is the proof that it ran.
extern "C" int64_t gb_task_busy(int64_t iterations) {
	int64_t x = 113;
	for (int64_t i = 0; i < iterations; i++) x = x * 139 % 2147483647;
	return x;
}

// bytes, results, n, step, point, slots
extern "C" void gb_task_check(const uint64_t *a, const gb_launch *l) {
	const uint8_t *bytes = gb_pointer<const uint8_t>(a[0]);
	gb_check *results = gb_pointer<gb_check>(a[1]);
	const int64_t n = a[2], step = a[3], point = a[4], slots = a[5], words = (n + 7) / 8;
	const gb_range mine = gb_share(slots, l);
	for (int64_t s = mine.lo; s < mine.hi; s++) {
		gb_check c = gb_check_none();
		for (int64_t w = gb_cut(words, s, slots); w < gb_cut(words, s + 1, slots); w++) {
			const int valid = n - 8 * w < 8 ? (int)(n - 8 * w) : 8;
			uint64_t found = 0;
			memcpy(&found, bytes + 8 * w, valid);
			gb_pattern_compare(c, found, gb_task_word(step, point, w), w, valid);
		}
		results[s] = c;
	}
}
