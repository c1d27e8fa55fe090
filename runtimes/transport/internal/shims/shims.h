/* Opening a shim. */
#ifndef GB_SHIMS_H
#define GB_SHIMS_H

#include <stdint.h>

/* Opens a shim and gives its table, whose first words are its ABI number and its size. *result is 0 on success; 1: text
 * is the loader's reason; 2: no such entry; 3: another ABI. */
const void *gb_shim_open(const char *path, const char *entry, uint32_t abi, uint32_t size, int *result, char *text, int n);

#endif
