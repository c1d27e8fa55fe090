/* How a Go call reaches the current driver: one crossing, no pointer to Go memory where it can be helped.
 *
 * Results with values come back in structures, by value, so that nothing escapes to Go's heap. */
#ifndef GPUBENCH_CU_CALL_H
#define GPUBENCH_CU_CALL_H

#include "table.h"

/* Not a result of any driver: the calling thread has no current table. Go panics with a message of its own. */
#define CU_NO_DRIVER ((CUresult)0x7fffffff)

/* CALL(field, arguments...): through the thread's table; a NULL field is a function that the driver lacks. */
#define CALL(fn, ...)                                                                                                  \
	(__builtin_expect(!cu_current, 0)         ? CU_NO_DRIVER                                                           \
	    : __builtin_expect(!cu_current->fn, 0) ? CUDA_ERROR_NOT_SUPPORTED                                              \
	                                           : cu_current->fn(__VA_ARGS__))

/* HAS(field): the current driver has it. */
#define HAS(fn) (cu_current && cu_current->fn)

/* A result and up to two values: sizes, addresses, handles, numbers. */
typedef struct cu_out {
	CUresult r;
	uint64_t a, b;
} cu_out;

/* Fills *t with the symbols of the library at path. On failure returns 0, with text (dlopen's reason) or with the names
 * of missing required symbols, separated by blanks, in missing. */
int cu_load(const char *path, cu_table *t, char *text, size_t text_len, char *missing, size_t missing_len);

/* The i-th function of the table: its field's name, symbol, need and pointer in t; 0 past the end. */
typedef struct cu_entry {
	const char *name, *symbol;
	int need;
	void *pointer;
} cu_entry;
int cu_entry_at(const cu_table *t, int i, cu_entry *e);

void cu_make_current(const cu_table *t);
static inline const cu_table *cu_get_current(void) { return cu_current; }
CUresult cu_launch_host_func(uintptr_t stream, uintptr_t handle); /* hostfunc.c */

#endif
