/* The emulated driver as a shared object, opened by the program that has a copy of it too. */
#ifndef EMU_OPEN_H
#define EMU_OPEN_H

#include "emu.h"

struct emu_shared {
	cu_table table;
	__typeof__(gpubench_emu_register) *add;
	__typeof__(gpubench_emu_calls) *calls;
	__typeof__(gpubench_emu_alive) *alive;
};

/* Opens the libcuda.so.1 at path and the libnvidia-ml.so.1 beside it, and fills *s. Returns 0 and one line of text where
 * that cannot be. */
int emu_open(const char *path, struct emu_shared *s, char *text, size_t size);

#endif
