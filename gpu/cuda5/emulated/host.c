/* Host memory that the driver knows: pinned allocations, registered ranges, managed memory. It lies outside the address
 * space of space.c, at addresses that host and device share. */
#include "emu.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Index of the first range that ends behind p. hosts_lock held. */
static int after(struct driver *drv, uintptr_t p)
{
	int lo = 0, hi = drv->nhosts;
	while (lo < hi) {
		int m = lo + (hi - lo) / 2;
		if (drv->hosts[m]->addr + drv->hosts[m]->len <= p)
			lo = m + 1;
		else
			hi = m;
	}
	return lo;
}

static struct hostmem *at(struct driver *drv, uintptr_t p)
{
	int i = after(drv, p);
	return i < drv->nhosts && drv->hosts[i]->addr <= p ? drv->hosts[i] : NULL;
}

static CUresult insert(struct driver *drv, const struct hostmem *range)
{
	struct hostmem *h = malloc(sizeof *h);
	if (!h)
		return CUDA_ERROR_OUT_OF_MEMORY;
	*h = *range;
	h->id = atomic_fetch_add(&emu_next_buffer, 1);
	CUresult e = CUDA_SUCCESS;
	pthread_rwlock_wrlock(&drv->hosts_lock);
	int i = after(drv, h->addr);
	if (i < drv->nhosts && drv->hosts[i]->addr < h->addr + h->len)
		e = CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED;
	if (!e && drv->nhosts == drv->caphosts) {
		int cap = drv->caphosts ? 2 * drv->caphosts : 64;
		void *more = realloc(drv->hosts, (size_t)cap * sizeof *drv->hosts);
		if (more) {
			drv->hosts = more;
			drv->caphosts = cap;
		} else {
			e = CUDA_ERROR_OUT_OF_MEMORY;
		}
	}
	if (!e) {
		memmove(drv->hosts + i + 1, drv->hosts + i, (size_t)(drv->nhosts++ - i) * sizeof *drv->hosts);
		drv->hosts[i] = h;
	}
	pthread_rwlock_unlock(&drv->hosts_lock);
	if (e)
		free(h);
	return e;
}

/* hosts_lock held for writing */
static void drop(struct driver *drv, int i)
{
	struct hostmem *h = drv->hosts[i];
	memmove(drv->hosts + i, drv->hosts + i + 1, (size_t)(--drv->nhosts - i) * sizeof *drv->hosts);
	if (h->mapped)
		munmap((void *)h->addr, h->mapped);
	if (h->kind == KIND_MANAGED)
		atomic_fetch_sub(&drv->dev[h->dev].used, h->len);
	free(h);
}

bool emu_host_find(struct driver *drv, uintptr_t p, struct span *out)
{
	pthread_rwlock_rdlock(&drv->hosts_lock);
	struct hostmem *h = at(drv, p);
	if (h)
		*out = (struct span){ .base = h->addr, .len = h->len, .id = h->id, .ctx = h->ctx, .dev = h->dev, .kind = h->kind,
			              .flags = h->flags, .sync = h->sync, .access = 3, .fd = -1 };
	pthread_rwlock_unlock(&drv->hosts_lock);
	return h != NULL;
}

/* New host memory of n bytes: KIND_HOST or KIND_MANAGED. */
CUresult emu_host_new(struct driver *drv, struct context *ctx, enum kind kind, size_t n, unsigned flags, uintptr_t *out)
{
	if (!n || !out)
		return CUDA_ERROR_INVALID_VALUE;
	CHECK(emu_fault_count(drv, FAULT_ALLOC, NULL, NULL));
	size_t mapped = (n + EMU_PAGE - 1) / EMU_PAGE * EMU_PAGE;
	if (mapped < n)
		return CUDA_ERROR_OUT_OF_MEMORY;
	struct device *d = &drv->dev[ctx->dev];
	if (kind == KIND_MANAGED && atomic_fetch_add(&d->used, n) + n > d->memory) {
		atomic_fetch_sub(&d->used, n);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	void *p = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CUresult e = CUDA_ERROR_OUT_OF_MEMORY;
	if (p != MAP_FAILED) {
		e = insert(drv, &(struct hostmem){ .addr = (uintptr_t)p, .len = n, .mapped = mapped, .ctx = ctx, .dev = ctx->dev,
			                           .kind = kind, .flags = flags });
		if (e)
			munmap(p, mapped);
	}
	if (e) {
		if (kind == KIND_MANAGED)
			atomic_fetch_sub(&d->used, n);
		return e;
	}
	*out = (uintptr_t)p;
	return CUDA_SUCCESS;
}

/* Frees the range of this kind that begins at p. */
CUresult emu_host_free(struct driver *drv, uintptr_t p, enum kind kind)
{
	pthread_rwlock_wrlock(&drv->hosts_lock);
	int i = after(drv, p);
	bool ok = i < drv->nhosts && drv->hosts[i]->addr == p && drv->hosts[i]->kind == kind;
	if (ok)
		drop(drv, i);
	pthread_rwlock_unlock(&drv->hosts_lock);
	return ok ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

void emu_host_end(struct driver *drv, struct context *c)
{
	pthread_rwlock_wrlock(&drv->hosts_lock);
	for (int i = drv->nhosts - 1; i >= 0; i--)
		if (drv->hosts[i]->ctx == c)
			drop(drv, i);
	pthread_rwlock_unlock(&drv->hosts_lock);
}

/* ---- pinned ----------------------------------------------------------------------------------------------------- */
static CUresult pinned(struct thread *t, struct context *ctx, void **out, size_t n, unsigned flags)
{
	uintptr_t p;
	if (!out || flags & ~7u)
		return CUDA_ERROR_INVALID_VALUE;
	CHECK(emu_capture_unsafe(t));
	CHECK(emu_host_new(t->drv, ctx, KIND_HOST, n, flags, &p));
	*out = (void *)p;
	return CUDA_SUCCESS;
}

HOOKED(cuMemHostAlloc)(void **p, size_t n, unsigned int flags)
{
	ENTER_CTX(cuMemHostAlloc);
	return pinned(t, ctx, p, n, flags);
}

HOOKED(cuMemAllocHost_v2)(void **p, size_t n)
{
	ENTER_CTX(cuMemAllocHost_v2);
	return pinned(t, ctx, p, n, 0);
}

HOOKED(cuMemFreeHost)(void *p)
{
	ENTER_CTX(cuMemFreeHost);
	CHECK(emu_capture_unsafe(t));
	emu_drain(drv);
	return emu_host_free(drv, (uintptr_t)p, KIND_HOST);
}

HOOKED(cuMemHostRegister_v2)(void *p, size_t n, unsigned int flags)
{
	ENTER_CTX(cuMemHostRegister_v2);
	uintptr_t a = (uintptr_t)p, first = a / EMU_PAGE * EMU_PAGE;
	if (!p || !n || flags & ~0xfu || a + n < a || emu_in_space(drv, a) || emu_in_space(drv, a + n - 1))
		return CUDA_ERROR_INVALID_VALUE;
	if (flags & CU_MEMHOSTREGISTER_IOMEMORY)
		return CUDA_ERROR_NOT_SUPPORTED;
	CHECK(emu_capture_unsafe(t));
	CHECK(emu_fault_count(drv, FAULT_ALLOC, NULL, NULL));
	/* Only memory that is there can be pinned. */
	if (msync((void *)first, a + n - first, MS_ASYNC) && errno == ENOMEM)
		return CUDA_ERROR_INVALID_VALUE;
	return insert(drv, &(struct hostmem){ .addr = a, .len = n, .ctx = ctx, .dev = ctx->dev, .kind = KIND_REGISTERED,
		                              .flags = flags });
}

HOOKED(cuMemHostUnregister)(void *p)
{
	ENTER_CTX(cuMemHostUnregister);
	CHECK(emu_capture_unsafe(t));
	emu_drain(drv);
	CUresult e = emu_host_free(drv, (uintptr_t)p, KIND_REGISTERED);
	return e ? CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED : CUDA_SUCCESS;
}

API(cuMemHostGetDevicePointer_v2)(CUdeviceptr *dev, void *p, unsigned int flags)
{
	ENTER_CTX(cuMemHostGetDevicePointer_v2);
	struct span s;
	if (!dev || flags || !emu_host_find(drv, (uintptr_t)p, &s) || s.kind == KIND_MANAGED)
		return CUDA_ERROR_INVALID_VALUE;
	*dev = (CUdeviceptr)(uintptr_t)p;
	return CUDA_SUCCESS;
}

API(cuMemHostGetFlags)(unsigned int *flags, void *p)
{
	ENTER_CTX(cuMemHostGetFlags);
	struct span s;
	if (!flags || !emu_host_find(drv, (uintptr_t)p, &s) || s.kind != KIND_HOST)
		return CUDA_ERROR_INVALID_VALUE;
	*flags = s.flags | CU_MEMHOSTALLOC_DEVICEMAP; /* with unified addressing all is mapped */
	return CUDA_SUCCESS;
}

/* ---- managed ---------------------------------------------------------------------------------------------------- */
HOOKED(cuMemAllocManaged)(CUdeviceptr *out, size_t n, unsigned int flags)
{
	ENTER_CTX(cuMemAllocManaged);
	uintptr_t p;
	if (!out || (flags != CU_MEM_ATTACH_GLOBAL && flags != CU_MEM_ATTACH_HOST))
		return CUDA_ERROR_INVALID_VALUE;
	CHECK(emu_capture_unsafe(t));
	CHECK(emu_host_new(drv, ctx, KIND_MANAGED, n, flags, &p));
	*out = p;
	return CUDA_SUCCESS;
}

/* The whole of p..p+n is one managed range. */
static bool managed(struct driver *drv, uintptr_t p, size_t n)
{
	struct span s;
	return n && emu_find(drv, p, &s) && s.kind == KIND_MANAGED && n <= s.len - (p - s.base);
}

static CUresult prefetch(struct thread *t, struct context *ctx, CUdeviceptr p, size_t n, CUdevice to, CUstream stream)
{
	if (to != CU_DEVICE_CPU && (to < 0 || to >= t->drv->ndev))
		return CUDA_ERROR_INVALID_DEVICE;
	if (!managed(t->drv, p, n))
		return CUDA_ERROR_INVALID_VALUE;
	struct work w = { .kind = WORK_NONE }; /* pages do not move: a place in the stream */
	return emu_submit(t, ctx, stream, &w, false);
}

API(cuMemPrefetchAsync)(CUdeviceptr p, size_t n, CUdevice to, CUstream stream)
{
	ENTER_CTX(cuMemPrefetchAsync);
	return prefetch(t, ctx, p, n, to, stream);
}

API(cuMemPrefetchAsync_v2)(CUdeviceptr p, size_t n, CUmemLocation to, unsigned int flags, CUstream stream)
{
	ENTER_CTX(cuMemPrefetchAsync_v2);
	if (flags)
		return CUDA_ERROR_INVALID_VALUE;
	return prefetch(t, ctx, p, n, to.type == CU_MEM_LOCATION_TYPE_DEVICE ? to.id : CU_DEVICE_CPU, stream);
}

static CUresult advise(struct driver *drv, CUdeviceptr p, size_t n, CUmem_advise advice, CUdevice dev)
{
	if (dev != CU_DEVICE_CPU && (dev < 0 || dev >= drv->ndev) && (int)advice > CU_MEM_ADVISE_UNSET_READ_MOSTLY)
		return CUDA_ERROR_INVALID_DEVICE;
	if ((int)advice < 1 || advice > CU_MEM_ADVISE_UNSET_ACCESSED_BY || !managed(drv, p, n))
		return CUDA_ERROR_INVALID_VALUE;
	pthread_rwlock_wrlock(&drv->hosts_lock);
	struct hostmem *h = at(drv, p);
	if (h) {
		if ((int)advice <= CU_MEM_ADVISE_UNSET_READ_MOSTLY)
			h->read_mostly = advice == CU_MEM_ADVISE_SET_READ_MOSTLY;
		if (advice == CU_MEM_ADVISE_SET_PREFERRED_LOCATION)
			h->preferred = dev + 2;
		if (advice == CU_MEM_ADVISE_UNSET_PREFERRED_LOCATION)
			h->preferred = 0;
	}
	pthread_rwlock_unlock(&drv->hosts_lock);
	return CUDA_SUCCESS;
}

API(cuMemAdvise)(CUdeviceptr p, size_t n, CUmem_advise advice, CUdevice dev)
{
	ENTER_CTX(cuMemAdvise);
	return advise(drv, p, n, advice, dev);
}

API(cuMemAdvise_v2)(CUdeviceptr p, size_t n, CUmem_advise advice, CUmemLocation where)
{
	ENTER_CTX(cuMemAdvise_v2);
	return advise(drv, p, n, advice, where.type == CU_MEM_LOCATION_TYPE_DEVICE ? where.id : CU_DEVICE_CPU);
}

static CUresult range_attribute(struct driver *drv, void *data, size_t size, CUmem_range_attribute a, CUdeviceptr p, size_t n)
{
	enum { NOWHERE = -2 }; /* CU_DEVICE_INVALID */
	if (!data || size < 4 || size % 4 || !managed(drv, p, n))
		return CUDA_ERROR_INVALID_VALUE;
	int32_t *v = data;
	CUresult e = CUDA_SUCCESS;
	pthread_rwlock_rdlock(&drv->hosts_lock);
	struct hostmem *h = at(drv, p);
	switch (a) {
	case CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY: *v = h && h->read_mostly; break;
	case CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION: *v = h && h->preferred ? h->preferred - 2 : NOWHERE; break;
	case CU_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION: *v = NOWHERE; break;
	case CU_MEM_RANGE_ATTRIBUTE_ACCESSED_BY:
		for (size_t i = 0; i < size / 4; i++)
			v[i] = NOWHERE;
		break;
	default: e = CUDA_ERROR_INVALID_VALUE;
	}
	pthread_rwlock_unlock(&drv->hosts_lock);
	return e;
}

API(cuMemRangeGetAttribute)(void *data, size_t size, CUmem_range_attribute a, CUdeviceptr p, size_t n)
{
	ENTER_CTX(cuMemRangeGetAttribute);
	return range_attribute(drv, data, size, a, p, n);
}

API(cuMemRangeGetAttributes)(void **data, size_t *sizes, CUmem_range_attribute *a, size_t count, CUdeviceptr p, size_t n)
{
	ENTER_CTX(cuMemRangeGetAttributes);
	if (!data || !sizes || !a || !count)
		return CUDA_ERROR_INVALID_VALUE;
	for (size_t i = 0; i < count; i++)
		CHECK(range_attribute(drv, data[i], sizes[i], a[i], p, n));
	return CUDA_SUCCESS;
}

API(cuStreamAttachMemAsync)(CUstream stream, CUdeviceptr p, size_t n, unsigned int flags)
{
	ENTER_CTX(cuStreamAttachMemAsync);
	struct span s;
	if ((flags != CU_MEM_ATTACH_GLOBAL && flags != CU_MEM_ATTACH_HOST && flags != CU_MEM_ATTACH_SINGLE) ||
	    !emu_find(drv, p, &s) || s.kind != KIND_MANAGED || s.base != p || (n && n != s.len))
		return CUDA_ERROR_INVALID_VALUE;
	struct work w = { .kind = WORK_NONE };
	return emu_submit(t, ctx, stream, &w, false);
}
