/* Virtual memory management: physical memory by handle, mapped where address space was reserved. Of one process only:
 * handles go to others as file descriptors. */
#include "emu.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static CUmemGenericAllocationHandle number(struct vmm_handle *h) { return (CUmemGenericAllocationHandle)(uintptr_t)h; }

static struct vmm_handle *of(struct driver *drv, CUmemGenericAllocationHandle handle)
{
	void *h = (void *)(uintptr_t)handle;
	return emu_pool_live(&drv->handles, h) ? h : NULL;
}

void emu_vmm_cleanup(void *object)
{
	struct vmm_handle *h = object;
	if (h->fd >= 0)
		close(h->fd);
	atomic_fetch_sub(&h->head.drv->dev[h->dev].used, h->size);
}

static struct vmm_handle *make(struct driver *drv, size_t size, int fd, int dev, bool shareable)
{
	struct vmm_handle *h = emu_pool_get(&drv->handles, drv, NULL);
	if (!h)
		return NULL;
	h->size = size;
	h->fd = fd;
	h->dev = dev;
	h->prop = (CUmemAllocationProp){ .type = CU_MEM_ALLOCATION_TYPE_PINNED,
		                         .requestedHandleTypes = shareable ? CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR : 0,
		                         .location = { CU_MEM_LOCATION_TYPE_DEVICE, dev } };
	emu_pool_publish(h);
	return h;
}

/* ---- physical memory -------------------------------------------------------------------------------------------- */
static CUresult check_prop(struct driver *drv, const CUmemAllocationProp *p)
{
	if (drv->open)
		return CUDA_ERROR_NOT_SUPPORTED;
	if (!p || p->type != CU_MEM_ALLOCATION_TYPE_PINNED || p->location.type != CU_MEM_LOCATION_TYPE_DEVICE)
		return CUDA_ERROR_INVALID_VALUE;
	if (p->location.id < 0 || p->location.id >= drv->ndev)
		return CUDA_ERROR_INVALID_DEVICE;
	return CUDA_SUCCESS;
}

API(cuMemGetAllocationGranularity)(size_t *granularity, const CUmemAllocationProp *prop, int option)
{
	ENTER(cuMemGetAllocationGranularity);
	CHECK(check_prop(drv, prop));
	if (!granularity || option < 0 || option > 1)
		return CUDA_ERROR_INVALID_VALUE;
	*granularity = EMU_GRANULE;
	return CUDA_SUCCESS;
}

HOOKED(cuMemCreate)(CUmemGenericAllocationHandle *out, size_t size, const CUmemAllocationProp *prop, unsigned long long flags)
{
	ENTER(cuMemCreate);
	CHECK(check_prop(drv, prop));
	if (!out || flags || !size || size % EMU_GRANULE)
		return CUDA_ERROR_INVALID_VALUE;
	if (prop->requestedHandleTypes & ~CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR)
		return CUDA_ERROR_NOT_SUPPORTED; /* no fabric handles: UCX looks whether they are there */
	CHECK(emu_fault_count(drv, FAULT_ALLOC, NULL, NULL));
	struct device *d = &drv->dev[prop->location.id];
	uint64_t inode;
	if (atomic_fetch_add(&d->used, size) + size > d->memory) {
		atomic_fetch_sub(&d->used, size);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	int fd = emu_memfd("gpubench-emulated-handle", size, &inode);
	struct vmm_handle *h = fd < 0 ? NULL : make(drv, size, fd, prop->location.id, prop->requestedHandleTypes != 0);
	if (!h) {
		if (fd >= 0)
			close(fd);
		atomic_fetch_sub(&d->used, size);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	*out = number(h);
	return CUDA_SUCCESS;
}

/* A handle lives until it is released as often as it was given out, and nothing maps it. The first reference makes it a
 * handle; the memory of a released handle that is still mapped is found again by cuMemRetainAllocationHandle. */
API(cuMemRelease)(CUmemGenericAllocationHandle handle)
{
	ENTER(cuMemRelease);
	pthread_mutex_lock(&drv->lock);
	struct vmm_handle *h = of(drv, handle);
	if (h)
		emu_unref(&drv->handles, h);
	pthread_mutex_unlock(&drv->lock);
	return h ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

API(cuMemGetAllocationPropertiesFromHandle)(CUmemAllocationProp *prop, CUmemGenericAllocationHandle handle)
{
	ENTER(cuMemGetAllocationPropertiesFromHandle);
	pthread_mutex_lock(&drv->lock);
	struct vmm_handle *h = of(drv, handle);
	if (h && prop)
		*prop = h->prop;
	pthread_mutex_unlock(&drv->lock);
	return h && prop ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

/* ---- address space ---------------------------------------------------------------------------------------------- */
API(cuMemAddressReserve)(CUdeviceptr *out, size_t size, size_t align, CUdeviceptr hint, unsigned long long flags)
{
	ENTER(cuMemAddressReserve);
	(void)hint; /* a wish */
	if (drv->open)
		return CUDA_ERROR_NOT_SUPPORTED;
	if (!out || !size || size % EMU_GRANULE || (align & (align - 1)) || flags)
		return CUDA_ERROR_INVALID_VALUE;
	pthread_mutex_lock(&drv->lock);
	uintptr_t va = emu_va_find(drv, size, align, VA_RESERVED);
	pthread_mutex_unlock(&drv->lock);
	if (!va)
		return CUDA_ERROR_OUT_OF_MEMORY;
	*out = va;
	return CUDA_SUCCESS;
}

/* p..p+n lies in granules that cuMemAddressReserve gave; whole: it is all of what one call gave. driver.lock held. */
static bool reserved(struct driver *drv, uintptr_t p, size_t n, bool whole)
{
	struct space *s = &drv->space;
	if (!n || p % EMU_GRANULE || n % EMU_GRANULE || !emu_in_space(drv, p) || n > s->base + s->size - p)
		return false;
	size_t i = (p - s->base) / EMU_GRANULE, k = n / EMU_GRANULE;
	for (size_t j = 0; j < k; j++)
		if (s->taken[i + j] != VA_RESERVED)
			return false;
	return !whole || (s->taken[i + k] == VA_GUARD && (!i || s->taken[i - 1] != VA_RESERVED));
}

static bool mapped(struct driver *drv, uintptr_t p, size_t n)
{
	for (size_t i = (p - drv->space.base) / EMU_GRANULE, end = i + n / EMU_GRANULE; i < end; i++)
		if (atomic_load(&drv->space.page[i]))
			return true;
	return false;
}

API(cuMemAddressFree)(CUdeviceptr p, size_t n)
{
	ENTER(cuMemAddressFree);
	pthread_mutex_lock(&drv->lock);
	bool ok = reserved(drv, p, n, true) && !mapped(drv, p, n);
	if (ok)
		emu_va_free(drv, p, n);
	pthread_mutex_unlock(&drv->lock);
	return ok ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

HOOKED(cuMemMap)(CUdeviceptr p, size_t n, size_t offset, CUmemGenericAllocationHandle handle, unsigned long long flags)
{
	ENTER(cuMemMap);
	CUresult e = CUDA_ERROR_INVALID_VALUE;
	pthread_mutex_lock(&drv->lock);
	struct vmm_handle *h = of(drv, handle);
	if (h && !flags && offset % EMU_GRANULE == 0 && offset <= h->size && n <= h->size - offset && reserved(drv, p, n, false)) {
		struct chunk *c = mapped(drv, p, n) ? NULL : emu_chunk_at(drv, p, n, h->dev, h->fd, offset);
		e = c ? CUDA_SUCCESS : mapped(drv, p, n) ? CUDA_ERROR_ALREADY_MAPPED : CUDA_ERROR_OUT_OF_MEMORY;
		if (c) {
			emu_ref(h);
			c->handle = h;
			struct slot *s = &c->slot[0];
			s->id = atomic_fetch_add(&emu_next_buffer, 1);
			s->ctx = NULL;
			s->kind = KIND_VMM;
			s->sync = 0;
			s->opens = 0;
			s->freeing = false;
			atomic_store(&s->access, 0); /* until cuMemSetAccess */
			atomic_store_explicit(&s->len, n, memory_order_release);
		}
	}
	pthread_mutex_unlock(&drv->lock);
	return e;
}

/* The mapping that begins at p, of KIND_VMM. driver.lock held. */
static struct chunk *mapping(struct driver *drv, uintptr_t p)
{
	size_t off;
	struct slot *s = emu_slot(drv, p, &off);
	if (!s || off >= atomic_load(&s->len) || s->kind != KIND_VMM)
		return NULL;
	return atomic_load(&drv->space.page[(p - drv->space.base) / EMU_GRANULE]);
}

/* p..p+n is filled by whole mappings. */
static bool filled(struct driver *drv, uintptr_t p, size_t n)
{
	for (struct chunk *c; n; p += c->span, n -= c->span) {
		c = mapping(drv, p);
		if (!c || c->va != p || c->span > n)
			return false;
	}
	return true;
}

HOOKED(cuMemUnmap)(CUdeviceptr p, size_t n)
{
	ENTER(cuMemUnmap);
	emu_drain(drv);
	pthread_mutex_lock(&drv->lock);
	bool ok = n && filled(drv, p, n);
	for (uintptr_t q = p; ok && q < p + n;) {
		struct chunk *c = mapping(drv, q);
		struct vmm_handle *h = c->handle;
		q += c->span;
		atomic_store(&c->slot[0].len, 0);
		emu_chunk_free(drv, c);
		emu_unref(&drv->handles, h);
	}
	pthread_mutex_unlock(&drv->lock);
	return ok ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

API(cuMemSetAccess)(CUdeviceptr p, size_t n, const CUmemAccessDesc *desc, size_t count)
{
	ENTER(cuMemSetAccess);
	if (!desc || !count)
		return CUDA_ERROR_INVALID_VALUE;
	for (size_t i = 0; i < count; i++) {
		if (desc[i].location.type != CU_MEM_LOCATION_TYPE_DEVICE || (desc[i].flags & ~3) || desc[i].flags == 2)
			return CUDA_ERROR_INVALID_VALUE;
		if (desc[i].location.id < 0 || desc[i].location.id >= drv->ndev)
			return CUDA_ERROR_INVALID_DEVICE;
	}
	pthread_mutex_lock(&drv->lock);
	bool ok = n && filled(drv, p, n);
	/* One right for all devices: the last one given. */
	for (uintptr_t q = p; ok && q < p + n; q += mapping(drv, q)->span)
		atomic_store(&mapping(drv, q)->slot[0].access, (unsigned)desc[count - 1].flags);
	pthread_mutex_unlock(&drv->lock);
	return ok ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

API(cuMemGetAccess)(unsigned long long *flags, const CUmemLocation *where, CUdeviceptr p)
{
	ENTER(cuMemGetAccess);
	if (!flags || !where || where->type != CU_MEM_LOCATION_TYPE_DEVICE)
		return CUDA_ERROR_INVALID_VALUE;
	pthread_mutex_lock(&drv->lock);
	struct chunk *c = mapping(drv, p);
	if (c)
		*flags = atomic_load(&c->slot[0].access);
	pthread_mutex_unlock(&drv->lock);
	return c ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

/* Fails for all memory that cuMemMap did not map: UCX tells the two apart by it. */
API(cuMemRetainAllocationHandle)(CUmemGenericAllocationHandle *out, void *addr)
{
	ENTER(cuMemRetainAllocationHandle);
	if (!out)
		return CUDA_ERROR_INVALID_VALUE;
	pthread_mutex_lock(&drv->lock);
	struct chunk *c = mapping(drv, (uintptr_t)addr);
	if (c) {
		emu_ref(c->handle);
		*out = number(c->handle);
	}
	pthread_mutex_unlock(&drv->lock);
	return c ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

/* ---- other processes -------------------------------------------------------------------------------------------- */
API(cuMemExportToShareableHandle)(void *out, CUmemGenericAllocationHandle handle, int type, unsigned long long flags)
{
	ENTER(cuMemExportToShareableHandle);
	if (!out || flags || type != CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR)
		return CUDA_ERROR_INVALID_VALUE;
	pthread_mutex_lock(&drv->lock);
	struct vmm_handle *h = of(drv, handle);
	int fd = h && h->prop.requestedHandleTypes ? fcntl(h->fd, F_DUPFD_CLOEXEC, 0) : -1;
	pthread_mutex_unlock(&drv->lock);
	if (!h || !h->prop.requestedHandleTypes)
		return CUDA_ERROR_INVALID_VALUE;
	if (fd < 0)
		return CUDA_ERROR_OPERATING_SYSTEM;
	*(int *)out = fd;
	return CUDA_SUCCESS;
}

API(cuMemImportFromShareableHandle)(CUmemGenericAllocationHandle *out, void *os, int type)
{
	ENTER_CTX(cuMemImportFromShareableHandle);
	struct stat st;
	if (!out || drv->open || type != CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR)
		return CUDA_ERROR_INVALID_VALUE;
	int fd = fcntl((int)(intptr_t)os, F_DUPFD_CLOEXEC, 0);
	if (fd < 0 || fstat(fd, &st) || st.st_size <= 0 || (size_t)st.st_size % EMU_GRANULE) {
		if (fd >= 0)
			close(fd);
		return CUDA_ERROR_INVALID_VALUE;
	}
	struct vmm_handle *h = make(drv, (size_t)st.st_size, fd, ctx->dev, true);
	if (!h) {
		close(fd);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	atomic_fetch_add(&drv->dev[ctx->dev].used, h->size);
	*out = number(h);
	return CUDA_SUCCESS;
}

API(cuMemGetHandleForAddressRange)(void *out, CUdeviceptr p, size_t size, int type, unsigned long long flags)
{
	ENTER_CTX(cuMemGetHandleForAddressRange);
	(void)out, (void)p, (void)size, (void)type, (void)flags;
	return CUDA_ERROR_NOT_SUPPORTED; /* DMA-BUF: needs a device file */
}
