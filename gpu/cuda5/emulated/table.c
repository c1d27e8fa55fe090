/* The ways in: the tables that package cu calls through, and cuGetProcAddress. */
#include "emu.h"
#include <string.h>

#ifndef EMU_SHARED
#define CU_FN(name, symbol, need, args) .name = EMU(symbol),
static const cu_table tables[EMU_DRIVERS] = {
	{ .driver = "emulated", .self = &emu_drivers[0], .enter = emu_enter,
#include "../cu/table.def"
	},
	{ .driver = "cpu", .self = &emu_drivers[1], .enter = emu_enter,
#include "../cu/table.def"
	},
};
#undef CU_FN

const void *gpubench_emu_table(int driver) { return &tables[driver]; }
#endif

/* A function may have several symbols: which one is meant is told by the CUDA version that the caller was made for. */
static const struct {
	const char *name;
	void (*symbol)(void);
	int version;
} functions[] = {
#define EMU_NAME(name, symbol, version) { #name, (void (*)(void))EMU(symbol), version },
#include "names.def"
#undef EMU_NAME
};

static int find(const char *name, int version, void **out)
{
	int best = -1, status = CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND;
	for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
		if (strcmp(functions[i].name, name))
			continue;
		if (functions[i].version > version) {
			if (best < 0)
				status = CU_GET_PROC_ADDRESS_VERSION_NOT_SUFFICIENT;
		} else if (best < 0 || functions[i].version > functions[best].version) {
			best = (int)i;
			status = CU_GET_PROC_ADDRESS_SUCCESS;
		}
	}
	*out = NULL;
	if (best >= 0)
		memcpy(out, &functions[best].symbol, sizeof *out);
	return status;
}

/* Works before cuInit, as the real one does. flags chooses the default stream of functions that take one; here each
 * function serves both, and the handles 1 and 2 name the two streams. */
API(cuGetProcAddress_v2)(const char *symbol, void **out, int version, cuuint64_t flags, int *status)
{
	emu_count(FN_cuGetProcAddress_v2);
	if (!symbol || !*symbol || !out || flags > 2)
		return CUDA_ERROR_INVALID_VALUE;
	int s = find(symbol, version, out);
	if (status)
		*status = s;
	return s == CU_GET_PROC_ADDRESS_SUCCESS || status ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}

API(cuGetProcAddress)(const char *symbol, void **out, int version, cuuint64_t flags)
{
	emu_count(FN_cuGetProcAddress);
	if (!symbol || !*symbol || !out || flags > 2)
		return CUDA_ERROR_INVALID_VALUE;
	return find(symbol, version, out) == CU_GET_PROC_ADDRESS_SUCCESS ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}

/* The tables behind it are not documented; NVIDIA's runtime library needs some, so it does not run on this driver. */
API(cuGetExportTable)(const void **table, const CUuuid *id)
{
	emu_count(FN_cuGetExportTable);
	if (!table || !id)
		return CUDA_ERROR_INVALID_VALUE;
	*table = NULL;
	return CUDA_ERROR_NOT_FOUND;
}
