// Vectors of an instruction set chosen when the program runs, for loops whose stores must pass the cache: no compiler
// makes those of a plain loop. A file with such a loop is included by ISA_ROWS once for every set, inside a namespace
// that has GB_LANES, vec, load, store and stream; isa() says which one to call.
#pragma once

#include "launch.h"
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

// The instruction sets, worst first. GPUBENCH_ISA=baseline, avx2 or avx512 takes a lesser one (for tests).
enum gb_isa { GB_BASELINE, GB_AVX2, GB_AVX512 };

static inline int gb_best_isa(void) {
	int best = GB_BASELINE;
#if defined(__x86_64__)
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx2")) best = GB_AVX2;
	if (__builtin_cpu_supports("avx512f")) best = GB_AVX512;
#endif
	static const char *const names[] = {"baseline", "avx2", "avx512"};
	const char *want = getenv("GPUBENCH_ISA");
	for (int i = 0; want && i < best; i++)
		if (!strcmp(want, names[i])) best = i;
	return best;
}

// isa is the set in use, found out once.
static inline int isa(void) {
	static const int best = gb_best_isa();
	return best;
}

// The plane that is read for the first time is fetched that many rows ahead: a trial at 192³ over 0, 2, 4, 8, 12, 16
// took 2.3, 1.6, 1.3, 1.2, 1.2, 1.2 ms an iteration where memory was not the limit, and the same where it was.
#define GB_PREFETCH_ROWS 8
