/* A driver that does nothing but remember: every function of table.def counts its calls and answers what it is told.
 * Those whose arguments a test looks at are written out below. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "fake.h"

#pragma GCC diagnostic ignored "-Wunused-parameter"

enum {
#define CU_FN(name, symbol, need, args) INDEX_##name,
#include "../../table.def"
#undef CU_FN
	FUNCTIONS
};

static const char *const names[] = {
#define CU_FN(name, symbol, need, args) #name,
#include "../../table.def"
#undef CU_FN
};

static _Atomic long calls[FUNCTIONS];
static _Atomic int answers[FUNCTIONS];
_Thread_local struct fake_seen fake_seen;

static CUresult seen(int i) {
	atomic_fetch_add_explicit(&calls[i], 1, memory_order_relaxed);
	return (CUresult)atomic_load_explicit(&answers[i], memory_order_relaxed);
}

static int find(const char *name) {
	for (int i = 0; i < FUNCTIONS; i++)
		if (!strcmp(names[i], name))
			return i;
	return -1;
}

long fake_calls(const char *name) { return calls[find(name)]; }
int fake_known(const char *name) { return find(name) >= 0; }
void fake_answer(const char *name, int result) { answers[find(name)] = result; }
void fake_reset(void) {
	for (int i = 0; i < FUNCTIONS; i++)
		calls[i] = answers[i] = 0;
}

#define CU_FN(name, symbol, need, args) \
	static CUresult plain_##name args { return seen(INDEX_##name); }
#include "../../table.def"
#undef CU_FN

/* Functions that say something. */
#define ENTER(name)                                                                                                    \
	do {                                                                                                               \
		CUresult r = seen(INDEX_##name);                                                                               \
		if (r)                                                                                                         \
			return r;                                                                                                  \
	} while (0)

static CUresult launch(CUfunction f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                       unsigned shared, CUstream s, void **params) {
	struct fake_seen *n = &fake_seen;
	n->function = (uintptr_t)f;
	n->stream = (uintptr_t)s;
	n->grid[0] = gx, n->grid[1] = gy, n->grid[2] = gz;
	n->block[0] = bx, n->block[1] = by, n->block[2] = bz;
	n->shared = shared;
	for (int i = 0; i < n->words && i < FAKE_WORDS; i++)
		n->word[i] = *(uint64_t *)params[i];
	return CUDA_SUCCESS;
}
static CUresult say_cuLaunchKernel(CUfunction f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                                       unsigned bz, unsigned shared, CUstream s, void **params, void **extra) {
	ENTER(cuLaunchKernel);
	return extra ? CUDA_ERROR_INVALID_VALUE : launch(f, gx, gy, gz, bx, by, bz, shared, s, params);
}
static CUresult say_cuLaunchCooperativeKernel(CUfunction f, unsigned gx, unsigned gy, unsigned gz, unsigned bx,
                                                  unsigned by, unsigned bz, unsigned shared, CUstream s,
                                                  void **params) {
	ENTER(cuLaunchCooperativeKernel);
	return launch(f, gx, gy, gz, bx, by, bz, shared, s, params);
}
static CUresult say_cuMemcpy2DAsync(const CUDA_MEMCPY2D *c, CUstream s) {
	ENTER(cuMemcpy2DAsync);
	fake_seen.copy2d = *c;
	return CUDA_SUCCESS;
}
static CUresult say_cuMemcpy3DAsync(const CUDA_MEMCPY3D *c, CUstream s) {
	ENTER(cuMemcpy3DAsync);
	fake_seen.copy3d = *c;
	return CUDA_SUCCESS;
}
static CUresult say_cuMemcpy3DPeerAsync(const CUDA_MEMCPY3D_PEER *c, CUstream s) {
	ENTER(cuMemcpy3DPeerAsync);
	fake_seen.peer = *c;
	return CUDA_SUCCESS;
}
/* Called on the caller's thread, as a synchronous driver may. */
static CUresult say_cuLaunchHostFunc(CUstream s, CUhostFn f, void *data) {
	ENTER(cuLaunchHostFunc);
	f(data);
	return CUDA_SUCCESS;
}
static _Thread_local uintptr_t current_context;
static CUresult say_cuCtxGetCurrent(CUcontext *c) {
	ENTER(cuCtxGetCurrent);
	*c = (CUcontext)current_context;
	return CUDA_SUCCESS;
}
static CUresult say_cuCtxSetCurrent(CUcontext c) {
	ENTER(cuCtxSetCurrent);
	current_context = (uintptr_t)c;
	return CUDA_SUCCESS;
}
static CUresult say_cuCtxGetDevice(CUdevice *d) {
	ENTER(cuCtxGetDevice);
	*d = (CUdevice)current_context - 1000;
	return current_context ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CONTEXT;
}
static CUresult say_cuDevicePrimaryCtxRetain(CUcontext *c, CUdevice d) {
	ENTER(cuDevicePrimaryCtxRetain);
	*c = (CUcontext)(uintptr_t)(1000 + d);
	return CUDA_SUCCESS;
}
static CUresult say_cuMemAlloc(CUdeviceptr *p, size_t n) {
	ENTER(cuMemAlloc);
	*p = 0x7000000000 + n;
	return CUDA_SUCCESS;
}
static CUresult say_cuEventElapsedTime(float *ms, CUevent a, CUevent b) {
	ENTER(cuEventElapsedTime);
	*ms = 1.5f;
	return CUDA_SUCCESS;
}
static CUresult say_cuDeviceGetName(char *name, int len, CUdevice d) {
	ENTER(cuDeviceGetName);
	strncpy(name, "Fake device", (size_t)len);
	return CUDA_SUCCESS;
}
static CUresult say_cuDeviceGetUuid(CUuuid *u, CUdevice d) {
	ENTER(cuDeviceGetUuid);
	for (int i = 0; i < 16; i++)
		u->bytes[i] = (char)(i * 17);
	return CUDA_SUCCESS;
}
static CUresult say_cuDeviceGetAttribute(int *v, CUdevice_attribute a, CUdevice d) {
	ENTER(cuDeviceGetAttribute);
	*v = -(int)a;
	return CUDA_SUCCESS;
}
static CUresult say_cuMemGetAddressRange(CUdeviceptr *base, size_t *n, CUdeviceptr p) {
	ENTER(cuMemGetAddressRange);
	*base = p & ~(CUdeviceptr)0xfff;
	*n = 0x1000;
	return CUDA_SUCCESS;
}
static CUresult say_cuIpcGetMemHandle(CUipcMemHandle *h, CUdeviceptr p) {
	ENTER(cuIpcGetMemHandle);
	memset(h, 0, sizeof *h);
	memcpy(h, &p, sizeof p);
	h->reserved[63] = 7;
	return CUDA_SUCCESS;
}
static CUresult say_cuIpcOpenMemHandle(CUdeviceptr *p, CUipcMemHandle h, unsigned flags) {
	ENTER(cuIpcOpenMemHandle);
	memcpy(p, &h, sizeof *p);
	return h.reserved[63] == 7 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}
static CUresult say_cuPointerGetAttributes(unsigned n, CUpointer_attribute *a, void **v, CUdeviceptr p) {
	ENTER(cuPointerGetAttributes);
	for (unsigned i = 0; i < n; i++)
		switch (a[i]) {
		case CU_POINTER_ATTRIBUTE_MEMORY_TYPE: *(unsigned *)v[i] = CU_MEMORYTYPE_DEVICE; break;
		case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL: *(int *)v[i] = 3; break;
		case CU_POINTER_ATTRIBUTE_IS_MANAGED: *(char *)v[i] = 1; break;
		case CU_POINTER_ATTRIBUTE_RANGE_SIZE: *(size_t *)v[i] = 4096; break;
		case CU_POINTER_ATTRIBUTE_BUFFER_ID: *(unsigned long long *)v[i] = 42; break;
		default: break;
		}
	return CUDA_SUCCESS;
}
static CUresult say_cuGetErrorString(CUresult e, const char **s) {
	ENTER(cuGetErrorString);
	*s = "a fake error";
	return CUDA_SUCCESS;
}
static CUresult say_cuModuleLoadDataEx(CUmodule *m, const void *image, unsigned n, CUjit_option *o, void **v) {
	ENTER(cuModuleLoadDataEx);
	for (unsigned i = 0; i < n; i++)
		if (o[i] == CU_JIT_ERROR_LOG_BUFFER)
			strcpy(v[i], "ptxas fatal: fake");
	return CUDA_ERROR_INVALID_PTX;
}

static void enter(void *self) { ++*(long *)self; }
static _Atomic long entered;
long fake_entered(void) { return entered; }

const cu_table *fake_table(const char *without) {
	cu_table *t = calloc(1, sizeof *t);
	t->driver = "fake";
	t->self = (void *)&entered;
	t->enter = enter;
#define CU_FN(name, symbol, need, args) t->name = strcmp(without, #name) ? plain_##name : NULL;
#include "../../table.def"
#undef CU_FN
#define SAYS(name) t->name = strcmp(without, #name) ? say_##name : NULL
	SAYS(cuLaunchKernel);
	SAYS(cuLaunchCooperativeKernel);
	SAYS(cuMemcpy2DAsync);
	SAYS(cuMemcpy3DAsync);
	SAYS(cuMemcpy3DPeerAsync);
	SAYS(cuLaunchHostFunc);
	SAYS(cuCtxGetCurrent);
	SAYS(cuCtxSetCurrent);
	SAYS(cuCtxGetDevice);
	SAYS(cuDevicePrimaryCtxRetain);
	SAYS(cuMemAlloc);
	SAYS(cuEventElapsedTime);
	SAYS(cuDeviceGetName);
	SAYS(cuDeviceGetUuid);
	SAYS(cuDeviceGetAttribute);
	SAYS(cuMemGetAddressRange);
	SAYS(cuIpcGetMemHandle);
	SAYS(cuIpcOpenMemHandle);
	SAYS(cuPointerGetAttributes);
	SAYS(cuGetErrorString);
	SAYS(cuModuleLoadDataEx);
	return t;
}
