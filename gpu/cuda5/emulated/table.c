/* How the driver's functions are reached: the two tables of package cu; in the shared object cuGetProcAddress. */
#include "emu.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- by name ---------------------------------------------------------------------------------------------------- */
static const struct {
	const char *name, *symbol;
	int version;
	void *function;
} functions[] = {
#define EMU_NAME(name, symbol, version) { #name, #symbol, version, (void *)EMU(symbol) },
#include "names.def"
#undef EMU_NAME
};

/* The newest variant of a function that an application made for this CUDA version may use, or one by its full symbol. */
static void *look(const char *name, int version, int *status)
{
	int best = -1;
	*status = CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND;
	for (int i = 0; i < FN_COUNT; i++) {
		if (strcmp(functions[i].name, name) && strcmp(functions[i].symbol, name))
			continue;
		if (functions[i].version > version) {
			if (best < 0)
				*status = CU_GET_PROC_ADDRESS_VERSION_NOT_SUFFICIENT;
		} else if (best < 0 || functions[i].version >= functions[best].version) {
			best = i;
			*status = CU_GET_PROC_ADDRESS_SUCCESS;
		}
	}
	return best < 0 ? NULL : functions[best].function;
}

static CUresult address(const char *symbol, void **out, int version, int *status)
{
	int s;
	if (!symbol || !out)
		return CUDA_ERROR_INVALID_VALUE;
	*out = look(symbol, version, &s);
	/* Its own two variants differ in signature: the caller's version says which one is meant. */
	if (!strcmp(symbol, "cuGetProcAddress"))
		*out = version < 12000 ? (void *)EMU(cuGetProcAddress) : (void *)EMU(cuGetProcAddress_v2);
	if (status)
		*status = s;
	return *out || status ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}

API(cuGetProcAddress)(const char *symbol, void **out, int version, cuuint64_t flags)
{
	emu_count(FN_cuGetProcAddress);
	(void)flags; /* per-thread default stream variants are not kept apart */
	return address(symbol, out, version, NULL);
}

API(cuGetProcAddress_v2)(const char *symbol, void **out, int version, cuuint64_t flags, int *status)
{
	emu_count(FN_cuGetProcAddress_v2);
	(void)flags;
	return address(symbol, out, version, status);
}

/* The undocumented tables that the CUDA runtime asks for: it does not run on this driver. */
API(cuGetExportTable)(const void **table, const CUuuid *id)
{
	emu_count(FN_cuGetExportTable);
	(void)id;
	if (table)
		*table = NULL;
	return CUDA_ERROR_NOT_FOUND;
}

/* ---- by table --------------------------------------------------------------------------------------------------- */
#ifndef EMU_SHARED
/* A function that table.def gained and that is not emulated yet is NULL here and found by a test, not by the linker. */
#define CU_FN(name, symbol, need, args) extern __typeof__(EMU(symbol)) EMU(symbol) __attribute__((weak));
#include "../cu/table.def"
#undef CU_FN

static const cu_table tables[EMU_DRIVERS] = {
	{ .driver = "emulated", .self = &emu_drivers[0], .enter = emu_enter,
#define CU_FN(name, symbol, need, args) .name = EMU(symbol),
#include "../cu/table.def"
	},
	{ .driver = "cpu", .self = &emu_drivers[1], .enter = emu_enter,
#include "../cu/table.def"
#undef CU_FN
	},
};

const cu_table *emu_table(int driver) { return &tables[driver]; }

/* The i-th function of cu's table that is not here, or NULL past the last. */
const char *emu_missing(int i)
{
	static const struct {
		const char *symbol;
		void *function;
	} want[] = {
#define CU_FN(name, symbol, need, args) { #symbol, (void *)EMU(symbol) },
#include "../cu/table.def"
#undef CU_FN
	};
	for (size_t k = 0; k < sizeof want / sizeof *want; k++)
		if (!want[k].function && !i--)
			return want[k].symbol;
	return NULL;
}
#endif
