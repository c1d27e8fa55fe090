/* What libgpubench_witness.so answers beside the driver's names. */
#ifndef GPUBENCH_WITNESS_H
#define GPUBENCH_WITNESS_H

#include <stdint.h>

/* A program refuses a library that answers another number. It goes up with every change of this file. */
enum { GPUBENCH_WITNESS_ABI = 1 };

/* Where a copy went. Undecided: unified addresses while not armed, arrays. */
enum gpubench_witness_kind {
	WITNESS_DEVICE_TO_DEVICE,
	WITNESS_TO_HOST,
	WITNESS_TO_DEVICE,
	WITNESS_HOST_TO_HOST,
	WITNESS_UNDECIDED,
	WITNESS_KINDS
};

int gpubench_witness_abi(void);

/* Whether copies between unified addresses are looked into: two questions to the driver for each. Off at first. */
void gpubench_witness_arm(int on);

/* Copies and bytes of each kind since the library was loaded: counts[2 * kind] and counts[2 * kind + 1], as far as n
 * reaches. */
void gpubench_witness_read(uint64_t *counts, int n);

#endif
