#define _GNU_SOURCE
#include "shims.h"

#include <dlfcn.h>
#include <stdio.h>

const void *gb_shim_open(const char *path, const char *entry, uint32_t abi, uint32_t size, int *result, char *text, int n)
{
	/* RTLD_GLOBAL: MPI libraries open components of their own that expect MPI's symbols to be there. */
	void *h = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
	*result = 1;
	if (!h) {
		snprintf(text, (size_t)n, "%s", dlerror());
		return NULL;
	}
	const uint32_t *(*table_of)(uint32_t) = (const uint32_t *(*)(uint32_t))dlsym(h, entry);
	*result = 2;
	if (!table_of) return NULL;
	const uint32_t *table = table_of(abi);
	*result = 3;
	if (!table || table[0] != abi || table[1] != size) return NULL;
	*result = 0;
	return table;
}
