/* The few functions of PMIx that an exchange needs. PMIx has no headers here: these structures are the same in PMIx 3
 * to 6 (pmix_common.h), whose library is libpmix.so.2 in all of them. */
#ifndef GB_PMIX_H
#define GB_PMIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
	char nspace[256];
	uint32_t rank;
} gb_pmix_proc;

typedef struct {
	uint16_t type;
	union {
		bool flag;
		uint32_t uint32;
		struct { char *bytes; size_t size; } bo;
		struct { char *envar, *value; char separator; } envar; /* the largest member */
	} data;
} gb_pmix_value;

typedef struct {
	char key[512];
	uint32_t flags;
	gb_pmix_value value;
} gb_pmix_info;

_Static_assert(sizeof(gb_pmix_proc) == 260 && offsetof(gb_pmix_proc, rank) == 256, "pmix_proc_t");
_Static_assert(sizeof(void *) != 8 || (sizeof(gb_pmix_value) == 32 && offsetof(gb_pmix_value, data) == 8), "pmix_value_t");
_Static_assert(sizeof(void *) != 8 || (sizeof(gb_pmix_info) == 552 && offsetof(gb_pmix_info, value) == 520), "pmix_info_t");

/* Opens a library by path or name; loaded: only if this process has it already. 0: it is in use from now on; 1: text is
 * the loader's reason; 2: text is the function that it lacks. */
int gb_pmix_load(const char *path, bool loaded, char *text, int n);

/* These return PMIx's status, 0 for success. */
int gb_pmix_init(uint32_t *rank);
int gb_pmix_size(uint32_t *size);
int gb_pmix_put(const char *key, const void *data, size_t n);
int gb_pmix_commit(void);
int gb_pmix_fence(void);
int gb_pmix_get(uint32_t rank, const char *key, void **data, size_t *n); /* free(*data) */
int gb_pmix_finalize(void);

const char *gb_pmix_explain(int status);
const char *gb_pmix_version(void);

#endif
