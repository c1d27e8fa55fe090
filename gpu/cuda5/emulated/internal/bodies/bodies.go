//go:build cgo

// Package bodies has the kernels that the emulated driver's tests launch.
package bodies

/*
#include <stdint.h>
struct gb_launch {
	uint32_t grid[3], block[3], shared_bytes, phase, part, parts;
};
typedef void (*gb_body)(const uint64_t *args, const struct gb_launch *launch);

// add: x[i] += n for count elements.
static void add(const uint64_t *args, const struct gb_launch *l) {
	int64_t *x = (int64_t *)(uintptr_t)args[0], count = (int64_t)args[1], n = (int64_t)args[2];
	for (int64_t i = count * l->part / l->parts; i < count * (l->part + 1) / l->parts; i++)
		x[i] += n;
}

// phases: in phase k, slot[part] = 1 + the least slot of all parts, which is k only if all parts finished phase k-1.
// bad counts those that saw another value. slot has two rows that take turns; room is the length of one.
static void phases(const uint64_t *args, const struct gb_launch *l) {
	int64_t *slot = (int64_t *)(uintptr_t)args[0], *bad = (int64_t *)(uintptr_t)args[1], room = (int64_t)args[2];
	int64_t *from = slot + (l->phase + 1) % 2 * room, *to = slot + l->phase % 2 * room;
	for (uint32_t i = 0; l->phase && i < l->parts; i++)
		if (from[i] != l->phase)
			__atomic_fetch_add(bad, 1, __ATOMIC_RELAXED);
	to[l->part] = l->phase + 1;
	bad[1 + l->part] = l->parts;
}

// describe: writes what the body is told of its launch, and its double.
static void describe(const uint64_t *args, const struct gb_launch *l) {
	uint64_t *out = (uint64_t *)(uintptr_t)args[0];
	if (l->part)
		return;
	for (int i = 0; i < 3; i++) {
		out[i] = l->grid[i];
		out[3 + i] = l->block[i];
	}
	out[6] = l->shared_bytes;
	out[7] = args[1];
	out[8] = args[2];
}

static gb_body add_body(void) { return add; }
static gb_body phases_body(void) { return phases; }
static gb_body describe_body(void) { return describe; }
*/
import "C"

import "unsafe"

// Phases is the number of phases of the kernel "test_phases".
const Phases = 7

// Nothing is a body that no test launches.
func Nothing() unsafe.Pointer { return unsafe.Pointer(C.add_body()) }

// Kernels calls register for each kernel.
func Kernels(register func(name, kinds string, phases int, body unsafe.Pointer)) {
	register("test_add", "pii", 1, unsafe.Pointer(C.add_body()))
	register("test_phases", "ppi", Phases, unsafe.Pointer(C.phases_body()))
	register("test_describe", "pid", 1, unsafe.Pointer(C.describe_body()))
}
