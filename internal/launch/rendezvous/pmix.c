/* PMIx through a library that is loaded at run time. */
#define _GNU_SOURCE
#include "pmix.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* From pmix_common.h. */
enum { TYPE_BOOL = 1, TYPE_UINT32 = 14, TYPE_BYTES = 27 };
enum { SCOPE_GLOBAL = 3 };
#define RANK_ALL (UINT32_MAX - 1)
#define KEY_COLLECT "pmix.collect"
#define KEY_JOB_SIZE "pmix.job.size"
#define ERR_TYPE (-16) /* PMIX_ERR_UNKNOWN_DATA_TYPE */

static struct {
	int (*init)(gb_pmix_proc *, gb_pmix_info *, size_t);
	int (*put)(uint8_t, const char *, gb_pmix_value *);
	int (*commit)(void);
	int (*fence)(const gb_pmix_proc *, size_t, const gb_pmix_info *, size_t);
	int (*get)(const gb_pmix_proc *, const char *, const gb_pmix_info *, size_t, gb_pmix_value **);
	int (*finalize)(const gb_pmix_info *, size_t);
	const char *(*error_string)(int);
	const char *(*get_version)(void);
} pmix;

static gb_pmix_proc self;

int gb_pmix_load(const char *path, bool loaded, char *text, int n)
{
	/* RTLD_GLOBAL: PMIx opens components of its own that expect its symbols to be there. */
	void *h = dlopen(path, RTLD_NOW | RTLD_GLOBAL | (loaded ? RTLD_NOLOAD : 0));
	if (!h) {
		const char *why = dlerror();
		snprintf(text, (size_t)n, "%s", why ? why : "not loaded");
		return 1;
	}
	const struct { const char *name; void *at; } functions[] = {
		{"PMIx_Init", &pmix.init}, {"PMIx_Put", &pmix.put}, {"PMIx_Commit", &pmix.commit},
		{"PMIx_Fence", &pmix.fence}, {"PMIx_Get", &pmix.get}, {"PMIx_Finalize", &pmix.finalize},
		{"PMIx_Error_string", &pmix.error_string}, {"PMIx_Get_version", &pmix.get_version},
	};
	for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
		void *f = dlsym(h, functions[i].name);
		if (!f) {
			snprintf(text, (size_t)n, "%s", functions[i].name);
			dlclose(h);
			return 2;
		}
		memcpy(functions[i].at, &f, sizeof f);
	}
	return 0;
}

int gb_pmix_init(uint32_t *rank)
{
	int status = pmix.init(&self, NULL, 0);
	*rank = self.rank;
	return status;
}

static void release(gb_pmix_value *v)
{
	if (v->type == TYPE_BYTES) free(v->data.bo.bytes);
	free(v);
}

int gb_pmix_size(uint32_t *size)
{
	gb_pmix_proc all = self;
	all.rank = RANK_ALL;
	gb_pmix_value *v = NULL;
	int status = pmix.get(&all, KEY_JOB_SIZE, NULL, 0, &v);
	if (status || !v) return status ? status : ERR_TYPE;
	if (v->type != TYPE_UINT32) status = ERR_TYPE;
	*size = v->data.uint32;
	release(v);
	return status;
}

int gb_pmix_put(const char *key, const void *data, size_t n)
{
	/* PMIx copies the bytes, and writes to none. */
	gb_pmix_value v = {.type = TYPE_BYTES, .data.bo = {(char *)(uintptr_t)data, n}};
	return pmix.put(SCOPE_GLOBAL, key, &v);
}

int gb_pmix_commit(void) { return pmix.commit(); }

int gb_pmix_fence(void)
{
	gb_pmix_info collect = {.key = KEY_COLLECT, .value = {.type = TYPE_BOOL, .data.flag = true}};
	return pmix.fence(NULL, 0, &collect, 1);
}

int gb_pmix_get(uint32_t rank, const char *key, void **data, size_t *n)
{
	gb_pmix_proc from = self;
	from.rank = rank;
	gb_pmix_value *v = NULL;
	int status = pmix.get(&from, key, NULL, 0, &v);
	if (status || !v) return status ? status : ERR_TYPE;
	if (v->type == TYPE_BYTES) {
		*data = v->data.bo.bytes;
		*n = v->data.bo.size;
		v->data.bo.bytes = NULL;
	} else {
		status = ERR_TYPE;
	}
	release(v);
	return status;
}

int gb_pmix_finalize(void) { return pmix.finalize(NULL, 0); }
const char *gb_pmix_explain(int status) { return pmix.error_string(status); }
const char *gb_pmix_version(void) { return pmix.get_version(); }
