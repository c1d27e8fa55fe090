/* What tests see of the fake driver. */
#ifndef GPUBENCH_FAKE_H
#define GPUBENCH_FAKE_H

#include "../../table.h"

enum { FAKE_WORDS = 64 };

/* The last arguments that the calling thread gave. */
struct fake_seen {
	uint64_t function, stream;
	unsigned grid[3], block[3], shared;
	int words; /* set before a launch: how many parameters to read */
	uint64_t word[FAKE_WORDS];
	CUDA_MEMCPY2D copy2d;
	CUDA_MEMCPY3D copy3d;
	CUDA_MEMCPY3D_PEER peer;
};
extern _Thread_local struct fake_seen fake_seen;

/* A new table, without one function ("": with all). */
const cu_table *fake_table(const char *without);
long fake_entered(void);

int fake_known(const char *name);
long fake_calls(const char *name);
void fake_answer(const char *name, int result);
void fake_reset(void);

#endif
