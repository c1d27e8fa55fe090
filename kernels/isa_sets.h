// Includes the file ISA_ROWS once for every instruction set, each in a namespace of its own: baseline, avx2, avx512.
// On processors other than x86 the baseline alone, with plain stores.
#include "isa.h"

#define GB_LANES 2
namespace baseline {
typedef double vec __attribute__((vector_size(16)));
typedef double loose __attribute__((vector_size(16), aligned(8)));
GB_HD vec load(const double *p) { return *(const loose *)p; }
GB_HD void store(double *p, const vec &v) { *(vec *)p = v; }
#if defined(__x86_64__)
GB_HD void stream(double *p, const vec &v) { _mm_stream_pd(p, (__m128d)v); }
GB_HD void fence(void) { _mm_sfence(); }
#else
GB_HD void stream(double *p, const vec &v) { *(vec *)p = v; }
GB_HD void fence(void) {}
#endif
#include ISA_ROWS
} // namespace baseline
#undef GB_LANES

#if defined(__x86_64__)

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2")
#endif
#define GB_LANES 4
namespace avx2 {
typedef double vec __attribute__((vector_size(32)));
typedef double loose __attribute__((vector_size(32), aligned(8)));
GB_HD vec load(const double *p) { return *(const loose *)p; }
GB_HD void store(double *p, const vec &v) { *(vec *)p = v; }
GB_HD void stream(double *p, const vec &v) { _mm256_stream_pd(p, (__m256d)v); }
GB_HD void fence(void) { _mm_sfence(); }
#include ISA_ROWS
} // namespace avx2
#undef GB_LANES
#if defined(__clang__)
#pragma clang attribute pop
#pragma clang attribute push(__attribute__((target("avx512f"))), apply_to = function)
#else
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx512f")
#endif
#define GB_LANES 8
namespace avx512 {
typedef double vec __attribute__((vector_size(64)));
typedef double loose __attribute__((vector_size(64), aligned(8)));
GB_HD vec load(const double *p) { return *(const loose *)p; }
GB_HD void store(double *p, const vec &v) { *(vec *)p = v; }
GB_HD void stream(double *p, const vec &v) { _mm512_stream_pd(p, (__m512d)v); }
GB_HD void fence(void) { _mm_sfence(); }
#include ISA_ROWS
} // namespace avx512
#undef GB_LANES
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

// Calls NAME(…) of a set, isa() or a lesser one.
#define GB_CALL(SET, NAME, ...)                                                                                        \
	do {                                                                                                               \
		switch (SET) {                                                                                                 \
		case GB_AVX512: avx512::NAME(__VA_ARGS__); break;                                                              \
		case GB_AVX2: avx2::NAME(__VA_ARGS__); break;                                                                  \
		default: baseline::NAME(__VA_ARGS__);                                                                          \
		}                                                                                                              \
	} while (0)

#else
#define GB_CALL(SET, NAME, ...) baseline::NAME(__VA_ARGS__)
#endif
