/* The real driver: a table filled from a shared library; and the thread's current table. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "call.h"

_Thread_local const cu_table *cu_current;

void cu_make_current(const cu_table *t) {
	cu_current = t;
	if (t && t->enter)
		t->enter(t->self);
}

static const struct {
	const char *name, *symbol;
	int need;
	size_t offset;
} entries[] = {
#define CU_FN(name, symbol, need, args) {#name, #symbol, need, offsetof(cu_table, name)},
#include "table.def"
#undef CU_FN
};
enum { ENTRIES = sizeof entries / sizeof entries[0] };

/* A field is read and written as a data pointer: POSIX wants the two sizes equal, and dlsym rests on it. */
_Static_assert(sizeof(void *) == sizeof(void (*)(void)), "function pointers are of another size");

int cu_entry_at(const cu_table *t, int i, cu_entry *e) {
	if (i < 0 || i >= ENTRIES)
		return 0;
	e->name = entries[i].name;
	e->symbol = entries[i].symbol;
	e->need = entries[i].need;
	e->pointer = NULL;
	if (t)
		memcpy(&e->pointer, (const char *)t + entries[i].offset, sizeof e->pointer);
	return 1;
}

int cu_load(const char *path, cu_table *t, char *text, size_t text_len, char *missing, size_t missing_len) {
	text[0] = missing[0] = 0;
	void *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!lib) {
		const char *why = dlerror();
		snprintf(text, text_len, "%s", why ? why : "dlopen failed");
		return 0;
	}
	size_t used = 0;
	for (int i = 0; i < ENTRIES; i++) {
		void *p = dlsym(lib, entries[i].symbol);
		memcpy((char *)t + entries[i].offset, &p, sizeof p);
		if (!p && entries[i].need == CU_REQUIRED && used < missing_len)
			used += (size_t)snprintf(missing + used, missing_len - used, "%s%s", used ? " " : "", entries[i].symbol);
	}
	if (missing[0]) {
		dlclose(lib);
		return 0;
	}
	/* Never closed: threads, contexts and other libraries may hold it. */
	t->driver = "cuda";
	return 1;
}
