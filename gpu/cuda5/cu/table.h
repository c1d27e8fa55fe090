/* The table of driver functions: what stands behind package cu.
 *
 * A driver is one cu_table: C memory that is never freed nor changed after cu.NewDriver saw it. The real driver's
 * table is filled by loader.c with dlsym, the emulated driver's by its own source. Which table serves a call is a
 * matter of the calling thread, as CUDA's context is: cu_current. */
#ifndef GPUBENCH_CU_TABLE_H
#define GPUBENCH_CU_TABLE_H

#include "cuda_types.h"

/* The third column of table.def. */
#define CU_REQUIRED 1 /* in every driver since CUDA 11.0 */
#define CU_OPTIONAL 0 /* newer: may be NULL, the call answers CUDA_ERROR_NOT_SUPPORTED */

typedef struct cu_table {
	const char *driver;        /* name for messages: "cuda", "emulated", "cpu" */
	void *self;                /* handed to enter, else not looked at */
	void (*enter)(void *self); /* called each time the table is made current on a thread; may be NULL */
#define CU_FN(name, symbol, need, args) CUresult(*name) args;
#include "table.def"
#undef CU_FN
} cu_table;

/* The calling thread's table; NULL: none. Set by cu.Driver.MakeCurrent. */
extern _Thread_local const cu_table *cu_current;

#endif
