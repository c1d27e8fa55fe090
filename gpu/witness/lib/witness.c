/* libgpubench_witness.so: counts the copies that libraries (UCX, MPI) ask the CUDA driver for.
 *
 * It has the driver's copying functions under their own names. Opened with RTLD_GLOBAL before those libraries, it stands
 * before libcuda.so.1 where the linker looks for their names; it forwards every call to the libcuda.so.1 of this process,
 * real or emulated, and counts those that succeed. Callers that take addresses from cuGetProcAddress get its functions
 * too. Callers with a pointer of their own from dlsym, as gpubench's table of driver functions, are not counted. */
#define _GNU_SOURCE
#include "witness.h"

#include "../../cuda5/cu/cuda_types.h"
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

/* ---- the driver behind it --------------------------------------------------------------------------------------- */
enum {
#define COPY(name, symbol, variant, version, params, args, counted) FN_##symbol, FN_##symbol##_##variant,
#include "copies.def"
#undef COPY
	FN_cuGetProcAddress,
	FN_cuGetProcAddress_v2,
	FN_cuPointerGetAttribute,
	FN_COUNT
};

static const char *const symbols[FN_COUNT] = {
#define COPY(name, symbol, variant, version, params, args, counted) #symbol, #symbol "_" #variant,
#include "copies.def"
#undef COPY
	"cuGetProcAddress",
	"cuGetProcAddress_v2",
	"cuPointerGetAttribute",
};

/* Looked up when first needed, since the functions are of many versions; NULL: this driver has it not. */
static void *real(int i)
{
	static _Atomic(void *) found[FN_COUNT];
	void *f = atomic_load_explicit(&found[i], memory_order_relaxed);
	if (f)
		return f;
	void *driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_NOLOAD);
	if (driver)
		f = dlsym(driver, symbols[i]);
	atomic_store_explicit(&found[i], f, memory_order_relaxed);
	return f;
}

/* ---- counting --------------------------------------------------------------------------------------------------- */
static struct {
	_Alignas(64) _Atomic uint64_t copies, bytes;
} counts[WITNESS_KINDS];
static _Atomic int armed;

static void count(enum gpubench_witness_kind kind, size_t n)
{
	atomic_fetch_add_explicit(&counts[kind].copies, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&counts[kind].bytes, n, memory_order_relaxed);
}

static enum gpubench_witness_kind between(bool from_device, bool to_device)
{
	if (from_device)
		return to_device ? WITNESS_DEVICE_TO_DEVICE : WITNESS_TO_HOST;
	return to_device ? WITNESS_TO_DEVICE : WITNESS_HOST_TO_HOST;
}

/* Managed memory counts as the device's; memory that the driver does not know is the host's. */
static bool on_device(CUdeviceptr p)
{
	CUresult (*attribute)(void *, CUpointer_attribute, CUdeviceptr) = real(FN_cuPointerGetAttribute);
	unsigned type = 0;
	return !attribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, p) && type == CU_MEMORYTYPE_DEVICE;
}

static void unified(CUdeviceptr dst, CUdeviceptr src, size_t n)
{
	if (!atomic_load_explicit(&armed, memory_order_relaxed) || !real(FN_cuPointerGetAttribute))
		count(WITNESS_UNDECIDED, n);
	else
		count(between(on_device(src), on_device(dst)), n);
}

static void batch(const CUdeviceptr *dst, const CUdeviceptr *src, const size_t *n, size_t copies)
{
	for (size_t i = 0; i < copies; i++)
		unified(dst[i], src[i], n[i]);
}

static void box(CUmemorytype to, CUdeviceptr dst, CUmemorytype from, CUdeviceptr src, size_t n)
{
	if (to == CU_MEMORYTYPE_ARRAY || from == CU_MEMORYTYPE_ARRAY)
		count(WITNESS_UNDECIDED, n);
	else if (to == CU_MEMORYTYPE_UNIFIED || from == CU_MEMORYTYPE_UNIFIED)
		unified(dst, src, n);
	else
		count(between(from == CU_MEMORYTYPE_DEVICE, to == CU_MEMORYTYPE_DEVICE), n);
}
/* Of a host's address one field is used, of all others another. */
#define END(c, end) ((c)->end##MemoryType == CU_MEMORYTYPE_HOST ? (CUdeviceptr)(uintptr_t)(c)->end##Host : (c)->end##Device)
#define BOX(c, n) box((c)->dstMemoryType, END(c, dst), (c)->srcMemoryType, END(c, src), n)

/* ---- the driver's functions ------------------------------------------------------------------------------------- */
#define FORWARD(symbol, params, args, counted)                      \
	EXPORT CUresult symbol params;                               \
	CUresult symbol params                                       \
	{                                                            \
		CUresult(*f) params = real(FN_##symbol);             \
		CUresult r = f ? f args : CUDA_ERROR_NOT_FOUND;      \
		if (r == CUDA_SUCCESS)                               \
			counted;                                     \
		return r;                                            \
	}
#define COPY(name, symbol, variant, version, params, args, counted) \
	FORWARD(symbol, params, args, counted)                       \
	FORWARD(symbol##_##variant, params, args, counted)
#include "copies.def"
#undef COPY

EXPORT CUresult cuGetProcAddress(const char *symbol, void **pfn, int version, cuuint64_t flags);
EXPORT CUresult cuGetProcAddress_v2(const char *symbol, void **pfn, int version, cuuint64_t flags, int *status);

static const struct {
	const char *name;
	int version, plain, per_thread; /* numbers of functions */
	void *function[2];
} copies[] = {
#define COPY(name, symbol, variant, version, params, args, counted) \
	{ #name, version, FN_##symbol, FN_##symbol##_##variant, { (void *)symbol, (void *)symbol##_##variant } },
#include "copies.def"
#undef COPY
};

enum { PER_THREAD_DEFAULT_STREAM = 2 }; /* CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM */

/* Ours in place of the driver's own: the newest variant that both the caller's version and this driver know, as the
 * driver chooses. Anything else stays what the driver gave. */
static void *ours(const char *symbol, int version, cuuint64_t flags, void *theirs)
{
	int best = -1, per_thread = (flags & PER_THREAD_DEFAULT_STREAM) != 0;
	if (!strcmp(symbol, "cuGetProcAddress"))
		return version < 12000 ? (void *)cuGetProcAddress : (void *)cuGetProcAddress_v2;
	for (int i = 0; i < (int)(sizeof copies / sizeof *copies); i++)
		if (!strcmp(copies[i].name, symbol) && copies[i].version <= version &&
		    (best < 0 || copies[i].version > copies[best].version) &&
		    real(per_thread ? copies[i].per_thread : copies[i].plain))
			best = i;
	return best < 0 ? theirs : copies[best].function[per_thread];
}

CUresult cuGetProcAddress(const char *symbol, void **pfn, int version, cuuint64_t flags)
{
	CUresult (*f)(const char *, void **, int, cuuint64_t) = real(FN_cuGetProcAddress);
	CUresult r = f ? f(symbol, pfn, version, flags) : CUDA_ERROR_NOT_FOUND;
	if (r == CUDA_SUCCESS && *pfn)
		*pfn = ours(symbol, version, flags, *pfn);
	return r;
}

CUresult cuGetProcAddress_v2(const char *symbol, void **pfn, int version, cuuint64_t flags, int *status)
{
	CUresult (*f)(const char *, void **, int, cuuint64_t, int *) = real(FN_cuGetProcAddress_v2);
	CUresult r = f ? f(symbol, pfn, version, flags, status) : CUDA_ERROR_NOT_FOUND;
	if (r == CUDA_SUCCESS && *pfn)
		*pfn = ours(symbol, version, flags, *pfn);
	return r;
}

/* ---- for gpubench ----------------------------------------------------------------------------------------------- */
EXPORT int gpubench_witness_abi(void) { return GPUBENCH_WITNESS_ABI; }

EXPORT void gpubench_witness_arm(int on) { atomic_store_explicit(&armed, on, memory_order_relaxed); }

EXPORT void gpubench_witness_read(uint64_t *out, int n)
{
	for (int i = 0; i < n && i < 2 * WITNESS_KINDS; i++)
		out[i] = atomic_load_explicit(i % 2 ? &counts[i / 2].bytes : &counts[i / 2].copies, memory_order_relaxed);
}
