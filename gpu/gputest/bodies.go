// The suite's kernels for the drivers that run on the CPU, in C: the same as in ptx.go.

package gputest

/*
#include <stdint.h>

// As gpu/cuda5/emulated declares it.
struct gb_launch { uint32_t grid[3], block[3], shared_bytes, phase, part, parts; };

// out[i] += a * in[i] for i < n, one thread an element.
static void axpy(const uint64_t *args, const struct gb_launch *l) {
	double *out = (double *)args[0];
	const double *in = (const double *)args[1];
	union { uint64_t bits; double value; } a = { args[3] };
	uint64_t n = args[2], threads = (uint64_t)l->grid[0] * l->block[0];
	if (n > threads)
		n = threads;
	for (uint64_t i = n * l->part / l->parts; i < n * (l->part + 1) / l->parts; i++)
		out[i] += a.value * in[i];
}

// Stores the five parameters behind the first to where it points.
static void store(const uint64_t *args, const struct gb_launch *l) {
	if (l->part == 0)
		for (int i = 0; i < 5; i++)
			((uint64_t *)args[0])[i] = args[1 + i];
}

static void *axpy_body(void) { return (void *)axpy; }
static void *store_body(void) { return (void *)store; }
*/
import "C"

import "gpubench/gpu"

func init() {
	gpu.RegisterKernel("gputest_axpy", "ppid", 1, C.axpy_body())
	gpu.RegisterKernel("gputest_store", "piiidd", 1, C.store_body())
}
