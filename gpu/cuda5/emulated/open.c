/* Opening the shared object, by absolute path. Libraries that are loaded later and need a libcuda.so.1 or a
 * libnvidia-ml.so.1 get these, since the system's linker compares the names that libraries give themselves: so no
 * LD_LIBRARY_PATH is needed. And for the same reason no other library of these names may be there before. */
#ifndef EMU_SHARED
#include "open.h"
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

/* Opens the library at path; text says what is wrong otherwise. Not RTLD_GLOBAL: names would be found here before a
 * library that is to stand before the driver (gpu/witness). */
static void *take(const char *path, const char *soname, char *text, size_t size)
{
	void *first = dlopen(soname, RTLD_LAZY | RTLD_NOLOAD), *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	struct link_map *map;
	if (!lib) {
		const char *why = dlerror();
		size_t n = strlen(path); /* dlerror begins with it, mostly */
		if (why && !strncmp(why, path, n) && !strncmp(why + n, ": ", 2))
			why += n + 2;
		snprintf(text, size, "%s: %s", path, why ? why : "dlopen failed");
	} else if (first && first != lib) {
		snprintf(text, size, "%s: this process has loaded another %s already: %s", path, soname,
		         dlinfo(first, RTLD_DI_LINKMAP, &map) ? "?" : map->l_name);
		dlclose(lib);
		lib = NULL;
	}
	if (first)
		dlclose(first);
	return lib;
}

static bool fill(void *lib, const char *path, struct emu_shared *s, char *text, size_t size)
{
	const char *missing = NULL;
	void *abi = dlsym(lib, "gpubench_emu_abi");
	if (!abi) {
		snprintf(text, size, "%s is not gpubench's emulated driver", path);
		return false;
	}
	int build = ((int (*)(void))abi)();
	if (build != GPUBENCH_EMU_ABI) {
		snprintf(text, size, "%s is of another build (number %d, this program needs %d): build both with scripts/build.sh", path,
		         build, GPUBENCH_EMU_ABI);
		return false;
	}
	*s = (struct emu_shared){ .table = { .driver = "emulated" } };
#define TAKE(field, symbol)                              \
	if (!(*(void **)&(field) = dlsym(lib, #symbol))) \
		missing = #symbol;
#define CU_FN(name, symbol, need, args) TAKE(s->table.name, symbol)
#include "../cu/table.def"
#undef CU_FN
	TAKE(s->add, gpubench_emu_register)
	TAKE(s->calls, gpubench_emu_calls)
	TAKE(s->alive, gpubench_emu_alive)
#undef TAKE
	if (missing)
		snprintf(text, size, "%s lacks %s: build it anew with scripts/build.sh", path, missing);
	return !missing;
}

int emu_open(const char *path, struct emu_shared *s, char *text, size_t size)
{
	char nvml[4096];
	const char *slash = strrchr(path, '/');
	snprintf(nvml, sizeof nvml, "%.*slibnvidia-ml.so.1", slash ? (int)(slash + 1 - path) : 0, path);
	void *lib = take(path, "libcuda.so.1", text, size);
	if (!lib)
		return 0;
	if (fill(lib, path, s, text, size) && take(nvml, "libnvidia-ml.so.1", text, size))
		return 1; /* both stay for good */
	dlclose(lib);
	return 0;
}
#endif
