/* What the emulated driver offers beside CUDA's own functions: kernels as C bodies, the cpu driver's team of threads,
 * and questions that tests and lane counting ask. The shared object exports these names too. */
#ifndef GPUBENCH_EMULATED_H
#define GPUBENCH_EMULATED_H

#include <stddef.h>
#include <stdint.h>

/* One launch as a body sees it. A body runs `phases` times, a join of all parts between two phases; each time it
 * computes part `part` of `parts` of phase `phase`. The grid is what the caller asked for; how it is divided over the
 * parts is the body's affair. */
struct gb_launch {
	uint32_t grid[3], block[3], shared_bytes, phase, part, parts;
};

/* args[i] is the i-th parameter, 8 bytes each: a host address where the parameter was declared 'p', else the bits that
 * the caller gave (int64 'i', double 'd'). */
typedef void (*gb_body)(const uint64_t *args, const struct gb_launch *launch);

/* The build of this file: a program refuses a shared object that answers another number. It goes up with every change of
 * what is declared here or of the driver functions that a cu_table needs. */
enum { GPUBENCH_EMU_ABI = 1 };
int gpubench_emu_abi(void);

/* Makes a kernel known by name to every driver of this process; a second registration of a name replaces the body.
 * 0, or -1 where kinds has a letter other than p, i and d, is longer than EMU_MAX_ARGS, or phases < 1. */
int gpubench_emu_register(const char *name, const char *kinds, int phases, gb_body body);

/* Threads that a launch on the calling thread uses on the cpu driver (1 at first). Returns the number in force, which
 * is smaller than n where threads could not be had. */
int gpubench_emu_set_team(int n);

/* Calls of the driver function number i since the process began, on the emulated (0) or the cpu driver (1); its name in
 * *name. *name is NULL where there is no function i. */
uint64_t gpubench_emu_calls(int driver, int i, const char **name);

/* Writes to text what is wrong with the GPUBENCH_EMU_ variables, in one line, and returns 1; or returns 0. */
int gpubench_emu_check(char *text, size_t size);

/* The i-th variable: its name, the form of its value, what it does. 0 past the last one. */
int gpubench_emu_variable(int i, const char **name, const char **form, const char **what);

/* Bytes and objects alive on a driver, for leak tests. */
struct gpubench_emu_alive {
	uint64_t device_bytes, allocations, chunks, host_ranges, streams, events, graphs, execs, modules, contexts, workers, handles;
};
void gpubench_emu_alive(int driver, struct gpubench_emu_alive *alive);

#endif
