// What every kernel body and CPU loop shares: how a launch is described, how its work is divided, and the macro that
// makes one inline function serve the GPU and the CPU.
#pragma once

#include <stdint.h>

#ifdef __CUDACC__
#define GB_HD_MEMBER __host__ __device__ __forceinline__
#else
#define GB_HD_MEMBER inline __attribute__((always_inline))
#endif
#define GB_HD static GB_HD_MEMBER

// No multiply-add is fused, here or by nvcc (-fmad=false): the same answer, bit by bit, on every device.
#if defined(__GNUC__) && !defined(__clang__) && !defined(__CUDACC__)
#pragma GCC optimize("fp-contract=off")
#elif defined(__clang__)
#pragma clang fp contract(off)
#endif

// Where cell (x, y, z) lies, in cells from the start of the field; Block3D.Offset in Go.
GB_HD int64_t gb_at(int64_t x, int64_t y, int64_t z, int64_t pitch, int64_t plane) {
	return 7 + x + y * pitch + z * plane;
}

// gb_cut is where share i of n shares of `total` begins: contiguous, as equal as can be.
GB_HD int64_t gb_cut(int64_t total, int64_t i, int64_t n) {
	return total / n * i + (total % n < i ? total % n : i);
}

#ifndef __CUDACC__

// The drivers `emulated` and `cpu` call a body once for every part of every phase of a launch; all parts of a phase are
// done before the next begins. The same struct is declared by the driver: a change is a change of both.
struct gb_launch {
	uint32_t grid[3], block[3], shared_bytes, phase, part, parts;
};
typedef void (*gb_body)(const uint64_t *args, const struct gb_launch *l);

// Every parameter has 8 bytes: a device pointer, an int64 or a double.
template <class T> GB_HD T *gb_pointer(uint64_t arg) { return (T *)(uintptr_t)arg; }
GB_HD double gb_double(uint64_t arg) {
	double d;
	__builtin_memcpy(&d, &arg, sizeof d);
	return d;
}

// The part's share of `total` rows, elements or slots.
struct gb_range {
	int64_t lo, hi;
};
GB_HD gb_range gb_share(int64_t total, const gb_launch *l) {
	return {gb_cut(total, l->part, l->parts), gb_cut(total, l->part + 1, l->parts)};
}

// Eight float64s or words side by side: the compiler makes of them what the instruction set has.
#define GB_LANES8 8
typedef double gb_double8 __attribute__((vector_size(64)));
typedef uint64_t gb_word8 __attribute__((vector_size(64)));
template <class V> GB_HD V gb_load8(const void *p) {
	V v;
	__builtin_memcpy(&v, p, sizeof v);
	return v;
}

// Loops that the compiler vectorises, compiled for several instruction sets; the one that fits is chosen when the
// program starts. (Needs ifunc: glibc. Elsewhere the baseline serves.)
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#define GB_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define GB_CLONES
#endif

#endif // __CUDACC__
