/* Virtual memory management: reserved addresses, memory with a handle, and mapping one to the other. UCX asks for it; it
 * must fail for fabric handles and for memory that was not mapped this way. */
#include "emu.h"
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

void emu_vmm_cleanup(void *object)
{
	struct vmm_handle *h = object;
	if (h->fd >= 0)
		close(h->fd);
}

static struct vmm_handle *handle_of(struct driver *drv, CUmemGenericAllocationHandle h)
{
	void *p = (void *)(uintptr_t)h;
	return emu_pool_live(&drv->handles, p) ? p : NULL;
}

static CUresult make(struct driver *drv, CUmemGenericAllocationHandle *out, int fd, size_t n, const CUmemAllocationProp *prop)
{
	struct vmm_handle *h = fd < 0 ? NULL : emu_pool_get(&drv->handles, drv, NULL);
	if (!h) {
		if (fd >= 0)
			close(fd);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	h->fd = fd;
	h->dev = prop->location.id;
	h->size = n;
	h->prop = *prop;
	h->uses = 1;
	emu_pool_publish(h);
	*out = (CUmemGenericAllocationHandle)(uintptr_t)h;
	return CUDA_SUCCESS;
}

#define SUPPORTED                              \
	if (drv->open)                         \
	return CUDA_ERROR_NOT_SUPPORTED

API(cuMemGetAllocationGranularity)(size_t *out, const CUmemAllocationProp *prop, int option)
{
	ENTER(cuMemGetAllocationGranularity);
	(void)option;
	SUPPORTED;
	if (!out || !prop)
		return CUDA_ERROR_INVALID_VALUE;
	*out = EMU_GRANULE;
	return CUDA_SUCCESS;
}

API(cuMemCreate)(CUmemGenericAllocationHandle *out, size_t n, const CUmemAllocationProp *prop, unsigned long long flags)
{
	ENTER(cuMemCreate);
	SUPPORTED;
	if (!out || !prop || flags || !n || n % EMU_GRANULE || prop->type != CU_MEM_ALLOCATION_TYPE_PINNED ||
	    prop->location.type != CU_MEM_LOCATION_TYPE_DEVICE)
		return CUDA_ERROR_INVALID_VALUE;
	if (prop->location.id < 0 || prop->location.id >= drv->ndev)
		return CUDA_ERROR_INVALID_DEVICE;
	if (prop->requestedHandleTypes & ~CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR)
		return CUDA_ERROR_NOT_SUPPORTED; /* fabric handles */
	CHECK(emu_fault_count(drv, FAULT_ALLOC, NULL, NULL));
	if (n > drv->dev[prop->location.id].memory)
		return CUDA_ERROR_OUT_OF_MEMORY;
	uint64_t inode;
	return make(drv, out, emu_memfd("gpubench-emulated", n, &inode), n, prop);
}

/* Each cuMemCreate, import and retain counts as one use; mappings keep the memory, not the handle. */
API(cuMemRelease)(CUmemGenericAllocationHandle handle)
{
	ENTER(cuMemRelease);
	pthread_mutex_lock(&drv->lock);
	struct vmm_handle *h = handle_of(drv, handle);
	if (h) {
		if (!--h->uses)
			emu_pool_kill(&drv->handles, h);
		emu_unref(&drv->handles, h);
	}
	pthread_mutex_unlock(&drv->lock);
	return h ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

API(cuMemAddressReserve)(CUdeviceptr *out, size_t n, size_t align, CUdeviceptr hint, unsigned long long flags)
{
	ENTER(cuMemAddressReserve);
	(void)hint;
	SUPPORTED;
	if (!out || !n || n % EMU_GRANULE || flags || (align & (align - 1)))
		return CUDA_ERROR_INVALID_VALUE;
	pthread_mutex_lock(&drv->lock);
	uintptr_t va = emu_va_find(drv, n, align, VA_RESERVED);
	pthread_mutex_unlock(&drv->lock);
	if (!va)
		return CUDA_ERROR_OUT_OF_MEMORY;
	*out = va;
	return CUDA_SUCCESS;
}

/* p..p+n are whole granules of reserved addresses. driver.lock held. */
static bool reserved(struct driver *drv, CUdeviceptr p, size_t n)
{
	if (!n || p % EMU_GRANULE || n % EMU_GRANULE || !emu_in_space(drv, p) || n > drv->space.size - (p - drv->space.base))
		return false;
	size_t i = (p - drv->space.base) / EMU_GRANULE;
	for (size_t k = 0; k < n / EMU_GRANULE; k++)
		if (drv->space.taken[i + k] != VA_RESERVED)
			return false;
	return true;
}

static struct chunk *chunk_at(struct driver *drv, CUdeviceptr p)
{
	return atomic_load(&drv->space.page[(p - drv->space.base) / EMU_GRANULE]);
}

API(cuMemAddressFree)(CUdeviceptr p, size_t n)
{
	ENTER(cuMemAddressFree);
	SUPPORTED;
	pthread_mutex_lock(&drv->lock);
	size_t i = (p - drv->space.base) / EMU_GRANULE, k = n / EMU_GRANULE;
	/* The whole of one reservation: a guard stands behind it. */
	bool ok = reserved(drv, p, n) && drv->space.taken[i + k] == VA_GUARD && (!i || drv->space.taken[i - 1] != VA_RESERVED);
	for (size_t g = 0; ok && g < k; g++)
		ok = !atomic_load(&drv->space.page[i + g]); /* nothing mapped any more */
	if (ok)
		emu_va_free(drv, p, n);
	pthread_mutex_unlock(&drv->lock);
	return ok ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

HOOKED(cuMemMap)(CUdeviceptr p, size_t n, size_t offset, CUmemGenericAllocationHandle handle, unsigned long long flags)
{
	ENTER(cuMemMap);
	SUPPORTED;
	CUresult e = CUDA_SUCCESS;
	pthread_mutex_lock(&drv->lock);
	struct vmm_handle *h = handle_of(drv, handle);
	if (flags || !h || offset % EMU_GRANULE || offset > h->size || n > h->size - offset || !reserved(drv, p, n))
		e = CUDA_ERROR_INVALID_VALUE;
	for (size_t k = 0; !e && k < n; k += EMU_GRANULE)
		if (chunk_at(drv, p + k))
			e = CUDA_ERROR_ALREADY_MAPPED;
	struct chunk *c = e ? NULL : emu_chunk_at(drv, p, n, h->dev, h->fd, offset);
	if (!e && !c)
		e = CUDA_ERROR_OUT_OF_MEMORY;
	if (c) {
		c->handle = h;
		emu_ref(h);
		c->slot[0].id = atomic_fetch_add(&emu_next_buffer, 1);
		c->slot[0].ctx = NULL;
		c->slot[0].kind = KIND_VMM;
		c->slot[0].sync = 0;
		c->slot[0].freeing = false;
		atomic_store(&c->slot[0].access, 0); /* until cuMemSetAccess */
		atomic_store_explicit(&c->slot[0].len, n, memory_order_release);
		atomic_fetch_add(&drv->allocations, 1);
	}
	pthread_mutex_unlock(&drv->lock);
	return e;
}

/* Calls what for each mapping in p..p+n, which must consist of whole ones. driver.lock held. */
static bool each(struct driver *drv, CUdeviceptr p, size_t n, void (*what)(struct driver *, struct chunk *, unsigned), unsigned arg)
{
	if (!reserved(drv, p, n))
		return false;
	for (size_t k = 0; k < n;) {
		struct chunk *c = chunk_at(drv, p + k);
		if (!c || c->va != p + k || c->mapped > n - k)
			return false;
		k += c->mapped;
	}
	for (size_t k = 0; k < n;) {
		struct chunk *c = chunk_at(drv, p + k);
		k += c->mapped;
		what(drv, c, arg);
	}
	return true;
}

static void unmap(struct driver *drv, struct chunk *c, unsigned unused)
{
	(void)unused;
	struct vmm_handle *h = c->handle;
	atomic_store_explicit(&c->slot[0].len, 0, memory_order_release);
	atomic_fetch_sub(&drv->allocations, 1);
	emu_chunk_free(drv, c);
	emu_unref(&drv->handles, h);
}

HOOKED(cuMemUnmap)(CUdeviceptr p, size_t n)
{
	ENTER(cuMemUnmap);
	SUPPORTED;
	emu_drain(drv);
	pthread_mutex_lock(&drv->lock);
	bool ok = each(drv, p, n, unmap, 0);
	pthread_mutex_unlock(&drv->lock);
	return ok ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

static void allow(struct driver *drv, struct chunk *c, unsigned access)
{
	(void)drv;
	atomic_store(&c->slot[0].access, access);
}

/* One access for all devices: who may peer is not kept apart. */
API(cuMemSetAccess)(CUdeviceptr p, size_t n, const CUmemAccessDesc *desc, size_t count)
{
	ENTER(cuMemSetAccess);
	SUPPORTED;
	if (!desc || !count || (desc[0].flags != 0 && desc[0].flags != 1 && desc[0].flags != 3))
		return CUDA_ERROR_INVALID_VALUE;
	pthread_mutex_lock(&drv->lock);
	bool ok = each(drv, p, n, allow, (unsigned)desc[0].flags);
	pthread_mutex_unlock(&drv->lock);
	return ok ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

API(cuMemGetAccess)(unsigned long long *flags, const CUmemLocation *where, CUdeviceptr p)
{
	ENTER(cuMemGetAccess);
	SUPPORTED;
	struct span s;
	if (!flags || !where || !emu_find(drv, p, &s) || s.kind != KIND_VMM)
		return CUDA_ERROR_INVALID_VALUE;
	*flags = s.access;
	return CUDA_SUCCESS;
}

API(cuMemRetainAllocationHandle)(CUmemGenericAllocationHandle *out, void *addr)
{
	ENTER(cuMemRetainAllocationHandle);
	CUdeviceptr p = (CUdeviceptr)(uintptr_t)addr;
	if (!out)
		return CUDA_ERROR_INVALID_VALUE;
	pthread_mutex_lock(&drv->lock);
	struct chunk *c = emu_in_space(drv, p) ? chunk_at(drv, p) : NULL;
	struct vmm_handle *h = c ? c->handle : NULL;
	if (h) {
		emu_ref(h);
		if (!h->uses++)
			emu_pool_publish(h);
		*out = (CUmemGenericAllocationHandle)(uintptr_t)h;
	}
	pthread_mutex_unlock(&drv->lock);
	return h ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

API(cuMemGetAllocationPropertiesFromHandle)(CUmemAllocationProp *out, CUmemGenericAllocationHandle handle)
{
	ENTER(cuMemGetAllocationPropertiesFromHandle);
	struct vmm_handle *h = handle_of(drv, handle);
	if (!out || !h)
		return CUDA_ERROR_INVALID_VALUE;
	*out = h->prop;
	return CUDA_SUCCESS;
}

API(cuMemExportToShareableHandle)(void *out, CUmemGenericAllocationHandle handle, int type, unsigned long long flags)
{
	ENTER(cuMemExportToShareableHandle);
	struct vmm_handle *h = handle_of(drv, handle);
	if (!out || !h || flags || type != CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR || !(h->prop.requestedHandleTypes & type))
		return CUDA_ERROR_INVALID_VALUE;
	int fd = fcntl(h->fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return CUDA_ERROR_UNKNOWN;
	*(int *)out = fd;
	return CUDA_SUCCESS;
}

API(cuMemImportFromShareableHandle)(CUmemGenericAllocationHandle *out, void *os, int type)
{
	ENTER_CTX(cuMemImportFromShareableHandle);
	SUPPORTED;
	if (!out || type != CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR)
		return CUDA_ERROR_INVALID_VALUE;
	int fd = fcntl((int)(intptr_t)os, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return CUDA_ERROR_INVALID_VALUE;
	CUmemAllocationProp prop = { .type = CU_MEM_ALLOCATION_TYPE_PINNED,
		                     .requestedHandleTypes = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR,
		                     .location = { .type = CU_MEM_LOCATION_TYPE_DEVICE, .id = ctx->dev } };
	return make(drv, out, fd, emu_file_size(fd), &prop);
}

API(cuMemGetHandleForAddressRange)(void *out, CUdeviceptr p, size_t n, int type, unsigned long long flags)
{
	ENTER(cuMemGetHandleForAddressRange);
	(void)out, (void)p, (void)n, (void)type, (void)flags;
	return CUDA_ERROR_NOT_SUPPORTED; /* DMA-BUF */
}
