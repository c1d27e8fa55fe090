/* Modules and functions: any image that a CUDA driver would look at is taken, and functions are found by name among the
 * bodies that were registered; so a program loads the same fatbins on every driver. */
#include "emu.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- registered kernels ----------------------------------------------------------------------------------------- */
static pthread_mutex_t kernels_lock = PTHREAD_MUTEX_INITIALIZER;
static struct kernel *_Atomic kernels; /* never freed: launches in flight refer to them */

const struct kernel *emu_kernel_find(const char *name)
{
	struct kernel *k = atomic_load_explicit(&kernels, memory_order_acquire);
	while (k && strcmp(k->name, name))
		k = k->next;
	return k;
}

int gpubench_emu_register(const char *name, const char *kinds, int phases, gb_body body)
{
	size_t n = strlen(kinds);
	if (!*name || !body || phases < 1 || n > EMU_MAX_ARGS || strspn(kinds, "pid") != n)
		return -1;
	pthread_mutex_lock(&kernels_lock);
	struct kernel *k = (struct kernel *)emu_kernel_find(name);
	if (k && k->phases == phases && !strcmp(k->kinds, kinds)) {
		atomic_store_explicit(&k->body, body, memory_order_release);
	} else if ((k = calloc(1, sizeof *k))) { /* stands before one of the same name with other parameters */
		k->name = strdup(name);
		k->kinds = strdup(kinds);
		k->nargs = (int)n;
		k->phases = phases;
		atomic_store(&k->body, body);
		k->next = atomic_load(&kernels);
		if (!k->name || !k->kinds)
			k = NULL;
		else
			atomic_store_explicit(&kernels, k, memory_order_release);
	}
	pthread_mutex_unlock(&kernels_lock);
	return k ? 0 : -1;
}

/* ---- modules ---------------------------------------------------------------------------------------------------- */
/* What the beginning of an image says that it is. PTX is text; the others have a magic number. */
static bool is_image(const char *p)
{
	static const struct {
		const char *bytes;
		size_t n;
	} magic[] = {
		{ "GPUBENCH-EMULATED", 17 },
		{ "\x50\xed\x55\xba", 4 }, /* fatbin */
		{ "\xb1\x43\x62\x46", 4 }, /* fatbin in a program's wrapper */
		{ "\x7f" "ELF", 4 },      /* cubin */
	};
	for (size_t i = 0; i < sizeof magic / sizeof *magic; i++)
		if (!strncmp(p, magic[i].bytes, magic[i].n))
			return true;
	for (;;) {
		p += strspn(p, " \t\r\n");
		if (strncmp(p, "//", 2))
			return !strncmp(p, ".version", 8);
		p += strcspn(p, "\n");
	}
}

static CUresult load(struct thread *t, struct context *ctx, CUmodule *out, const char *image)
{
	CHECK(emu_capture_unsafe(t));
	if (!is_image(image))
		return CUDA_ERROR_INVALID_IMAGE;
	struct module *m = emu_pool_get(&t->drv->modules, t->drv, ctx);
	if (!m)
		return CUDA_ERROR_OUT_OF_MEMORY;
	emu_pool_publish(m);
	*out = (CUmodule)m;
	return CUDA_SUCCESS;
}

API(cuModuleLoad)(CUmodule *module, const char *file)
{
	ENTER_CTX(cuModuleLoad);
	if (!module || !file)
		return CUDA_ERROR_INVALID_VALUE;
	FILE *f = fopen(file, "rb");
	char begin[4097];
	if (!f)
		return CUDA_ERROR_FILE_NOT_FOUND;
	begin[fread(begin, 1, sizeof begin - 1, f)] = 0;
	fclose(f);
	return load(t, ctx, module, begin);
}

API(cuModuleLoadData)(CUmodule *module, const void *image)
{
	ENTER_CTX(cuModuleLoadData);
	return module && image ? load(t, ctx, module, image) : CUDA_ERROR_INVALID_VALUE;
}

API(cuModuleLoadDataEx)(CUmodule *module, const void *image, unsigned int n, CUjit_option *options, void **values)
{
	ENTER_CTX(cuModuleLoadDataEx);
	if (n && (!options || !values))
		return CUDA_ERROR_INVALID_VALUE;
	return module && image ? load(t, ctx, module, image) : CUDA_ERROR_INVALID_VALUE;
}

static void functions_end(struct driver *drv, struct module *m)
{
	size_t cursor = 0;
	struct function *f;
	while ((f = emu_pool_next(&drv->functions, &cursor))) {
		if (f->module == m && emu_pool_kill(&drv->functions, f))
			emu_unref(&drv->functions, f);
		emu_unref(&drv->functions, f);
	}
}

API(cuModuleUnload)(CUmodule handle)
{
	ENTER_CTX(cuModuleUnload);
	struct module *m = (struct module *)handle;
	if (!emu_pool_kill(&drv->modules, m))
		return CUDA_ERROR_INVALID_HANDLE;
	functions_end(drv, m);
	emu_unref(&drv->modules, m);
	return CUDA_SUCCESS;
}

void emu_modules_end(struct context *c)
{
	struct driver *drv = c->head.drv;
	size_t cursor = 0;
	struct module *m;
	while ((m = emu_pool_next(&drv->modules, &cursor))) {
		if (m->head.ctx == c && emu_pool_kill(&drv->modules, m)) {
			functions_end(drv, m);
			emu_unref(&drv->modules, m);
		}
		emu_unref(&drv->modules, m);
	}
}

/* ---- functions -------------------------------------------------------------------------------------------------- */
struct function *emu_function_of(struct driver *drv, CUfunction handle)
{
	return emu_pool_live(&drv->functions, handle) ? (struct function *)handle : NULL;
}

API(cuModuleGetFunction)(CUfunction *out, CUmodule handle, const char *name)
{
	ENTER_CTX(cuModuleGetFunction);
	struct module *m = (struct module *)handle;
	if (!out || !name)
		return CUDA_ERROR_INVALID_VALUE;
	if (!emu_pool_live(&drv->modules, m) || m->head.ctx != ctx)
		return CUDA_ERROR_INVALID_HANDLE;
	const struct kernel *k = emu_kernel_find(name);
	if (!k)
		return CUDA_ERROR_NOT_FOUND;
	size_t cursor = 0;
	struct function *f;
	while ((f = emu_pool_next(&drv->functions, &cursor))) { /* a function has one handle */
		bool same = f->module == m && f->kernel == k && emu_pool_live(&drv->functions, f);
		emu_unref(&drv->functions, f);
		if (same) {
			*out = (CUfunction)f;
			return CUDA_SUCCESS;
		}
	}
	if (!(f = emu_pool_get(&drv->functions, drv, ctx)))
		return CUDA_ERROR_OUT_OF_MEMORY;
	f->module = m;
	f->kernel = k;
	f->max_dynamic_shared = 49152;
	f->carveout = -1;
	emu_pool_publish(f);
	*out = (CUfunction)f;
	return CUDA_SUCCESS;
}

API(cuModuleGetGlobal_v2)(CUdeviceptr *ptr, size_t *bytes, CUmodule handle, const char *name)
{
	ENTER_CTX(cuModuleGetGlobal_v2);
	(void)ptr, (void)bytes;
	if (!name)
		return CUDA_ERROR_INVALID_VALUE;
	return emu_pool_live(&drv->modules, handle) ? CUDA_ERROR_NOT_FOUND : CUDA_ERROR_INVALID_HANDLE; /* bodies have none */
}

API(cuFuncGetName)(const char **name, CUfunction handle)
{
	ENTER(cuFuncGetName);
	struct function *f = emu_function_of(drv, handle);
	if (!name)
		return CUDA_ERROR_INVALID_VALUE;
	if (!f)
		return CUDA_ERROR_INVALID_HANDLE;
	*name = f->kernel->name;
	return CUDA_SUCCESS;
}

/* Registers: a number that a kernel of a GPU might have; a body has none. */
API(cuFuncGetAttribute)(int *value, CUfunction_attribute a, CUfunction handle)
{
	ENTER(cuFuncGetAttribute);
	struct function *f = emu_function_of(drv, handle);
	if (!value)
		return CUDA_ERROR_INVALID_VALUE;
	if (!f)
		return CUDA_ERROR_INVALID_HANDLE;
	switch (a) {
	case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK: *value = 1024; return CUDA_SUCCESS;
	case CU_FUNC_ATTRIBUTE_NUM_REGS: *value = 32; return CUDA_SUCCESS;
	case CU_FUNC_ATTRIBUTE_PTX_VERSION:
	case CU_FUNC_ATTRIBUTE_BINARY_VERSION: *value = 90; return CUDA_SUCCESS;
	case CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES:
	case CU_FUNC_ATTRIBUTE_CONST_SIZE_BYTES:
	case CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES:
	case CU_FUNC_ATTRIBUTE_CACHE_MODE_CA: *value = 0; return CUDA_SUCCESS;
	case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES: *value = f->max_dynamic_shared; return CUDA_SUCCESS;
	case CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT: *value = f->carveout; return CUDA_SUCCESS;
	}
	return CUDA_ERROR_INVALID_VALUE;
}

API(cuFuncSetAttribute)(CUfunction handle, CUfunction_attribute a, int value)
{
	ENTER(cuFuncSetAttribute);
	struct function *f = emu_function_of(drv, handle);
	if (!f)
		return CUDA_ERROR_INVALID_HANDLE;
	if (a == CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES && value >= 0 && value <= 232448)
		f->max_dynamic_shared = value;
	else if (a == CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT && value >= -1 && value <= 100)
		f->carveout = value;
	else
		return CUDA_ERROR_INVALID_VALUE;
	return CUDA_SUCCESS;
}

API(cuFuncSetCacheConfig)(CUfunction handle, CUfunc_cache config)
{
	ENTER(cuFuncSetCacheConfig);
	if (!emu_function_of(drv, handle))
		return CUDA_ERROR_INVALID_HANDLE;
	return (int)config < 0 || config > CU_FUNC_CACHE_PREFER_EQUAL ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}

/* ---- occupancy: by the limits that device.c states, and 32 registers a thread ------------------------------------ */
int emu_occupancy(int threads, size_t shared)
{
	if (threads < 1 || threads > 1024 || shared > 232448)
		return 0;
	int n = 2048 / ((threads + 31) / 32 * 32);
	if (n > 32)
		n = 32;
	if (shared && n > (int)(233472 / (shared + 1024))) /* a block takes 1 KiB for itself */
		n = (int)(233472 / (shared + 1024));
	return n;
}

API(cuOccupancyMaxActiveBlocksPerMultiprocessor)(int *blocks, CUfunction handle, int threads, size_t shared)
{
	ENTER(cuOccupancyMaxActiveBlocksPerMultiprocessor);
	if (!blocks || threads < 1)
		return CUDA_ERROR_INVALID_VALUE;
	if (!emu_function_of(drv, handle))
		return CUDA_ERROR_INVALID_HANDLE;
	*blocks = emu_occupancy(threads, shared);
	return CUDA_SUCCESS;
}

API(cuOccupancyMaxPotentialBlockSize)(int *grid, int *block, CUfunction handle, CUoccupancyB2DSize shared_of,
                                      size_t shared, int limit)
{
	ENTER(cuOccupancyMaxPotentialBlockSize);
	if (!grid || !block || limit < 0)
		return CUDA_ERROR_INVALID_VALUE;
	if (!emu_function_of(drv, handle))
		return CUDA_ERROR_INVALID_HANDLE;
	int best = 0, most = limit && limit < 1024 ? limit : 1024;
	*grid = *block = 0;
	for (int n = most; n > 0; n = n % 32 ? n / 32 * 32 : n - 32) {
		int blocks = emu_occupancy(n, shared_of ? shared_of(n) : shared);
		if (blocks * n > best) {
			best = blocks * n;
			*block = n;
			*grid = blocks * (drv->open ? 1 : 16);
		}
	}
	return CUDA_SUCCESS;
}

API(cuOccupancyAvailableDynamicSMemPerBlock)(size_t *bytes, CUfunction handle, int blocks, int threads)
{
	ENTER(cuOccupancyAvailableDynamicSMemPerBlock);
	if (!bytes || blocks < 1 || threads < 1)
		return CUDA_ERROR_INVALID_VALUE;
	if (!emu_function_of(drv, handle))
		return CUDA_ERROR_INVALID_HANDLE;
	*bytes = 0;
	if (blocks <= emu_occupancy(threads, 0)) {
		size_t each = 233472 / (size_t)blocks;
		*bytes = each < 1024 ? 0 : each - 1024 > 232448 ? 232448 : each - 1024;
	}
	return CUDA_SUCCESS;
}
