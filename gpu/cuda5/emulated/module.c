/* Modules and functions. A module's image is only looked at: real fatbins, cubins and PTX are taken as well as images of
 * our own, so that one launcher serves all drivers. Functions are found by name among the registered kernels. */
#include "emu.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- kernels, known to all drivers of the process --------------------------------------------------------------- */
static pthread_mutex_t kernels_lock = PTHREAD_MUTEX_INITIALIZER;
static struct kernel *kernels;

const struct kernel *emu_kernel_find(const char *name)
{
	pthread_mutex_lock(&kernels_lock);
	struct kernel *k = kernels;
	while (k && strcmp(k->name, name))
		k = k->next;
	pthread_mutex_unlock(&kernels_lock);
	return k;
}

int gpubench_emu_register(const char *name, const char *kinds, int phases, gb_body body)
{
	size_t n = strlen(kinds);
	if (!*name || n > EMU_MAX_ARGS || strspn(kinds, "pid") != n || phases < 1 || !body)
		return -1;
	struct kernel *k = calloc(1, sizeof *k);
	char *a = strdup(name), *b = strdup(kinds);
	if (!k || !a || !b) {
		free(k);
		free(a);
		free(b);
		return -1;
	}
	*k = (struct kernel){ .name = a, .kinds = b, .nargs = (int)n, .phases = phases };
	atomic_store(&k->body, body);
	pthread_mutex_lock(&kernels_lock);
	k->next = kernels; /* in front of an older one of that name, which functions may still hold */
	kernels = k;
	pthread_mutex_unlock(&kernels_lock);
	return 0;
}

/* ---- modules ---------------------------------------------------------------------------------------------------- */
/* Whether an image, which has no length, is one that a driver would look at. */
static bool recognised(const char *p)
{
	static const unsigned char magics[][4] = {
		{ 0x50, 0xed, 0x55, 0xba }, /* fatbin */
		{ 0xb1, 0x43, 0x62, 0x46 }, /* the wrapper around one that nvcc puts into objects */
		{ 0x7f, 'E', 'L', 'F' },    /* cubin */
	};
	if (!strncmp(p, "GPUBENCH-EMULATED", 17))
		return true;
	for (size_t i = 0; i < sizeof magics / sizeof magics[0]; i++)
		if (!strncmp(p, (const char *)magics[i], 4)) /* no byte of them is 0 */
			return true;
	/* PTX: text whose first statement, after comments, is .version */
	for (size_t i = 0; i < 4096; i++) {
		if (!isprint((unsigned char)p[i]) && !isspace((unsigned char)p[i]))
			return false;
		if (p[i] == '/' && p[i + 1] == '/') {
			while (p[i] && p[i] != '\n')
				i++;
			if (!p[i])
				return false;
		} else if (!isspace((unsigned char)p[i])) {
			return !strncmp(p + i, ".version", 8);
		}
	}
	return false;
}

static CUresult load(struct thread *t, struct context *ctx, CUmodule *out, const void *image)
{
	struct driver *drv = t->drv;
	if (!out || !image)
		return CUDA_ERROR_INVALID_VALUE;
	CHECK(emu_capture_unsafe(t));
	if (!recognised(image))
		return CUDA_ERROR_INVALID_IMAGE;
	struct module *m = emu_pool_get(&drv->modules, drv, ctx);
	if (!m)
		return CUDA_ERROR_OUT_OF_MEMORY;
	emu_pool_publish(m);
	*out = (CUmodule)m;
	return CUDA_SUCCESS;
}

API(cuModuleLoadData)(CUmodule *out, const void *image)
{
	ENTER_CTX(cuModuleLoadData);
	return load(t, ctx, out, image);
}

API(cuModuleLoadDataEx)(CUmodule *out, const void *image, unsigned int n, CUjit_option *options, void **values)
{
	ENTER_CTX(cuModuleLoadDataEx);
	(void)options, (void)values, (void)n; /* nothing is compiled; log buffers stay as they are */
	return load(t, ctx, out, image);
}

API(cuModuleLoad)(CUmodule *out, const char *path)
{
	ENTER_CTX(cuModuleLoad);
	FILE *f = path ? fopen(path, "rb") : NULL;
	if (!f)
		return path ? CUDA_ERROR_FILE_NOT_FOUND : CUDA_ERROR_INVALID_VALUE;
	char head[4200] = { 0 }; /* as much as is looked at */
	size_t n = fread(head, 1, sizeof head - 1, f);
	fclose(f);
	return n ? load(t, ctx, out, head) : CUDA_ERROR_INVALID_IMAGE;
}

static struct module *module_of(struct driver *drv, CUmodule handle)
{
	return emu_pool_live(&drv->modules, handle) ? (struct module *)handle : NULL;
}

/* driver.lock held */
static void functions_end(struct driver *drv, struct module *m)
{
	for (struct function *f = m->functions, *next; f; f = next) {
		next = f->next;
		emu_pool_kill(&drv->functions, f);
		emu_unref(&drv->functions, f);
	}
	m->functions = NULL;
}

static bool unload(struct driver *drv, struct module *m)
{
	pthread_mutex_lock(&drv->lock);
	bool ok = emu_pool_kill(&drv->modules, m);
	if (ok) {
		functions_end(drv, m);
		emu_unref(&drv->modules, m);
	}
	pthread_mutex_unlock(&drv->lock);
	return ok;
}

API(cuModuleUnload)(CUmodule handle)
{
	ENTER_CTX(cuModuleUnload);
	CHECK(emu_capture_unsafe(t));
	struct module *m = module_of(drv, handle);
	if (!m)
		return CUDA_ERROR_INVALID_HANDLE;
	emu_drain_context(m->head.ctx, false);
	return unload(drv, m) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

void emu_modules_end(struct context *c)
{
	struct driver *drv = c->head.drv;
	size_t cursor = 0;
	struct module *m;
	while ((m = emu_pool_next(&drv->modules, &cursor))) {
		if (m->head.ctx == c)
			unload(drv, m);
		emu_unref(&drv->modules, m);
	}
}

API(cuModuleGetFunction)(CUfunction *out, CUmodule handle, const char *name)
{
	ENTER_CTX(cuModuleGetFunction);
	struct module *m = module_of(drv, handle);
	if (!out || !name)
		return CUDA_ERROR_INVALID_VALUE;
	if (!m)
		return CUDA_ERROR_INVALID_HANDLE;
	const struct kernel *k = emu_kernel_find(name);
	if (!k)
		return CUDA_ERROR_NOT_FOUND;
	pthread_mutex_lock(&drv->lock);
	struct function *f = m->functions;
	while (f && f->kernel != k)
		f = f->next;
	if (!f && (f = emu_pool_get(&drv->functions, drv, m->head.ctx))) {
		f->kernel = k;
		f->module = m;
		f->max_dynamic_shared = 49152;
		f->carveout = -1;
		f->next = m->functions;
		m->functions = f;
		emu_pool_publish(f);
	}
	pthread_mutex_unlock(&drv->lock);
	*out = (CUfunction)f;
	return f ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

HOOKED(cuModuleGetGlobal_v2)(CUdeviceptr *out, size_t *n, CUmodule handle, const char *name)
{
	ENTER_CTX(cuModuleGetGlobal_v2);
	(void)out, (void)n;
	if (!name)
		return CUDA_ERROR_INVALID_VALUE;
	return module_of(drv, handle) ? CUDA_ERROR_NOT_FOUND : CUDA_ERROR_INVALID_HANDLE; /* kernels have no globals */
}

/* ---- functions -------------------------------------------------------------------------------------------------- */
struct function *emu_function_of(struct driver *drv, CUfunction handle)
{
	return emu_pool_live(&drv->functions, handle) ? (struct function *)handle : NULL;
}

enum { REGISTERS = 32, SHARED_OPTIN = 232448 };

API(cuFuncGetAttribute)(int *out, CUfunction_attribute a, CUfunction handle)
{
	ENTER_CTX(cuFuncGetAttribute);
	struct function *f = emu_function_of(drv, handle);
	if (!out)
		return CUDA_ERROR_INVALID_VALUE;
	if (!f)
		return CUDA_ERROR_INVALID_HANDLE;
	switch (a) {
	case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK: *out = 1024; break;
	case CU_FUNC_ATTRIBUTE_NUM_REGS: *out = REGISTERS; break;
	case CU_FUNC_ATTRIBUTE_PTX_VERSION:
	case CU_FUNC_ATTRIBUTE_BINARY_VERSION: *out = 90; break;
	case CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES:
	case CU_FUNC_ATTRIBUTE_CONST_SIZE_BYTES:
	case CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES:
	case CU_FUNC_ATTRIBUTE_CACHE_MODE_CA: *out = 0; break;
	case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES: *out = f->max_dynamic_shared; break;
	case CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT: *out = f->carveout; break;
	default: return CUDA_ERROR_INVALID_VALUE;
	}
	return CUDA_SUCCESS;
}

API(cuFuncSetAttribute)(CUfunction handle, CUfunction_attribute a, int value)
{
	ENTER_CTX(cuFuncSetAttribute);
	struct function *f = emu_function_of(drv, handle);
	if (!f)
		return CUDA_ERROR_INVALID_HANDLE;
	if (a == CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES && value >= 0 && value <= SHARED_OPTIN)
		f->max_dynamic_shared = value;
	else if (a == CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT && value >= -1 && value <= 100)
		f->carveout = value;
	else
		return CUDA_ERROR_INVALID_VALUE;
	return CUDA_SUCCESS;
}

API(cuFuncSetCacheConfig)(CUfunction handle, CUfunc_cache config)
{
	ENTER_CTX(cuFuncSetCacheConfig);
	if (!emu_function_of(drv, handle))
		return CUDA_ERROR_INVALID_HANDLE;
	return (int)config < 0 || config > CU_FUNC_CACHE_PREFER_EQUAL ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}

API(cuFuncGetName)(const char **name, CUfunction handle)
{
	ENTER_CTX(cuFuncGetName);
	struct function *f = emu_function_of(drv, handle);
	if (!name || !f)
		return CUDA_ERROR_INVALID_VALUE;
	*name = f->kernel->name;
	return CUDA_SUCCESS;
}

/* ---- occupancy, by the rules of compute capability 9.0 ---------------------------------------------------------- */
static int blocks_per_sm(int block, size_t shared)
{
	int warps = (block + 31) / 32, n = 2048 / (warps * 32), by_regs = 65536 / (REGISTERS * 32 * warps);
	size_t by_shared = 233472 / (shared + 1024);
	n = n < 32 ? n : 32;
	n = n < by_regs ? n : by_regs;
	return (size_t)n < by_shared ? n : (int)by_shared;
}

API(cuOccupancyMaxActiveBlocksPerMultiprocessor)(int *n, CUfunction handle, int block, size_t shared)
{
	ENTER_CTX(cuOccupancyMaxActiveBlocksPerMultiprocessor);
	struct function *f = emu_function_of(drv, handle);
	if (!f)
		return CUDA_ERROR_INVALID_HANDLE;
	if (!n || block < 1)
		return CUDA_ERROR_INVALID_VALUE;
	*n = block > 1024 || shared > (size_t)f->max_dynamic_shared ? 0 : blocks_per_sm(block, shared);
	return CUDA_SUCCESS;
}

API(cuOccupancyMaxPotentialBlockSize)(int *grid, int *block, CUfunction handle, CUoccupancyB2DSize need, size_t shared, int limit)
{
	ENTER_CTX(cuOccupancyMaxPotentialBlockSize);
	struct function *f = emu_function_of(drv, handle);
	if (!f)
		return CUDA_ERROR_INVALID_HANDLE;
	if (!grid || !block || limit < 0)
		return CUDA_ERROR_INVALID_VALUE;
	int best = 0, most = limit && limit < 1024 ? limit : 1024;
	*grid = *block = 0;
	for (int b = (most + 31) / 32 * 32; b >= 32; b -= 32) {
		int size = b < most ? b : most;
		size_t s = need ? need(size) : shared;
		int n = s > (size_t)f->max_dynamic_shared ? 0 : blocks_per_sm(size, s);
		if (n * size > best) {
			best = n * size;
			*block = size;
			*grid = n;
		}
	}
	*grid *= drv->open ? 1 : 16; /* multiprocessors */
	return CUDA_SUCCESS;
}

API(cuOccupancyAvailableDynamicSMemPerBlock)(size_t *out, CUfunction handle, int blocks, int block)
{
	ENTER_CTX(cuOccupancyAvailableDynamicSMemPerBlock);
	struct function *f = emu_function_of(drv, handle);
	if (!f)
		return CUDA_ERROR_INVALID_HANDLE;
	if (!out || blocks < 1 || block < 1)
		return CUDA_ERROR_INVALID_VALUE;
	size_t each = 233472 / (size_t)blocks;
	each = each > 1024 ? each - 1024 : 0;
	*out = each < SHARED_OPTIN ? each : SHARED_OPTIN;
	return CUDA_SUCCESS;
}
