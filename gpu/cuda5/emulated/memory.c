/* Device memory: allocation, stream-ordered allocation and its pool, sizes and ranges. */
#include "emu.h"
#include <stdlib.h>

CUresult emu_device_alloc(struct thread *t, struct context *ctx, enum kind kind, size_t n, CUdeviceptr *out)
{
	struct driver *drv = t->drv;
	struct device *d = &drv->dev[ctx->dev];
	if (!n || !out)
		return CUDA_ERROR_INVALID_VALUE;
	CHECK(emu_fault_count(drv, FAULT_ALLOC, NULL, NULL));
	uintptr_t va = 0;
	pthread_mutex_lock(&drv->lock);
	size_t used = atomic_load(&d->used);
	bool ok = n <= d->memory && used <= d->memory - n && emu_slot_new(drv, ctx->dev, ctx, kind, n, -1, 0, &va);
	if (ok)
		atomic_fetch_add(&d->used, n);
	pthread_mutex_unlock(&drv->lock);
	if (!ok)
		return CUDA_ERROR_OUT_OF_MEMORY;
	*out = va;
	return CUDA_SUCCESS;
}

HOOKED(cuMemAlloc_v2)(CUdeviceptr *out, size_t n)
{
	ENTER_CTX(cuMemAlloc_v2);
	CHECK(emu_capture_unsafe(t));
	return emu_device_alloc(t, ctx, KIND_DEVICE, n, out);
}

HOOKED(cuMemAllocPitch_v2)(CUdeviceptr *out, size_t *pitch, size_t width, size_t height, unsigned int element)
{
	ENTER_CTX(cuMemAllocPitch_v2);
	size_t row = (width + 511) / 512 * 512;
	if (!out || !pitch || !width || !height || (element != 4 && element != 8 && element != 16))
		return CUDA_ERROR_INVALID_VALUE;
	if (row < width || row > SIZE_MAX / height)
		return CUDA_ERROR_OUT_OF_MEMORY;
	CHECK(emu_capture_unsafe(t));
	CHECK(emu_device_alloc(t, ctx, KIND_DEVICE, row * height, out));
	*pitch = row;
	return CUDA_SUCCESS;
}

HOOKED(cuMemFree_v2)(CUdeviceptr p)
{
	ENTER_CTX(cuMemFree_v2);
	if (!p)
		return CUDA_SUCCESS;
	CHECK(emu_capture_unsafe(t));
	emu_drain(drv); /* as the real one: nothing uses the memory afterwards */
	if (!emu_in_space(drv, p))
		return emu_host_free(drv, p, KIND_MANAGED);
	pthread_mutex_lock(&drv->lock);
	size_t off;
	struct slot *slot = emu_slot(drv, p, &off);
	bool ok = slot && !off && atomic_load(&slot->len) && !slot->freeing &&
	          (slot->kind == KIND_DEVICE || slot->kind == KIND_ASYNC);
	if (ok)
		emu_slot_free(drv, p);
	pthread_mutex_unlock(&drv->lock);
	return ok ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

API(cuMemGetInfo_v2)(size_t *free, size_t *total)
{
	ENTER_CTX(cuMemGetInfo_v2);
	struct device *d = &drv->dev[ctx->dev];
	if (!free || !total)
		return CUDA_ERROR_INVALID_VALUE;
	size_t used = atomic_load(&d->used);
	*total = d->memory;
	*free = used < d->memory ? d->memory - used : 0;
	return CUDA_SUCCESS;
}

API(cuMemGetAddressRange_v2)(CUdeviceptr *base, size_t *n, CUdeviceptr p)
{
	ENTER_CTX(cuMemGetAddressRange_v2);
	struct span s;
	if (!emu_find(drv, p, &s))
		return CUDA_ERROR_NOT_FOUND;
	if (base)
		*base = s.base;
	if (n)
		*n = s.len;
	return CUDA_SUCCESS;
}

/* ---- stream-ordered --------------------------------------------------------------------------------------------- */
static CUresult alloc_async(struct thread *t, struct context *ctx, CUdeviceptr *out, size_t n, CUstream handle)
{
	struct stream *s;
	CHECK(emu_stream_of(t, ctx, handle, &s));
	if (s && atomic_load(&s->capture))
		return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED; /* graphs with memory nodes are not emulated */
	return emu_device_alloc(t, ctx, KIND_ASYNC, n, out);
}

HOOKED(cuMemAllocAsync)(CUdeviceptr *out, size_t n, CUstream stream)
{
	ENTER_CTX(cuMemAllocAsync);
	return alloc_async(t, ctx, out, n, stream);
}

HOOKED(cuMemFreeAsync)(CUdeviceptr p, CUstream handle)
{
	ENTER_CTX(cuMemFreeAsync);
	struct stream *s;
	if (!p)
		return CUDA_SUCCESS;
	CHECK(emu_stream_of(t, ctx, handle, &s));
	if (s && atomic_load(&s->capture))
		return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
	pthread_mutex_lock(&drv->lock);
	size_t off;
	struct slot *slot = emu_slot(drv, p, &off);
	bool ok = slot && !off && atomic_load(&slot->len) && !slot->freeing &&
	          (slot->kind == KIND_DEVICE || slot->kind == KIND_ASYNC);
	if (ok)
		slot->freeing = true;
	pthread_mutex_unlock(&drv->lock);
	if (!ok)
		return CUDA_ERROR_INVALID_VALUE;
	struct work w = { .kind = WORK_FREE, .free = { .addr = p } };
	return emu_submit(t, ctx, handle, &w, false);
}

/* ---- pools: one a device, with attributes that are kept and have no effect -------------------------------------- */
static struct mempool *mempool(struct driver *drv, CUdevice dev)
{
	pthread_mutex_lock(&drv->lock);
	struct device *d = &drv->dev[dev];
	if (!d->mempool && (d->mempool = emu_pool_get(&drv->mempools, drv, NULL))) {
		d->mempool->dev = dev;
		for (int i = CU_MEMPOOL_ATTR_REUSE_FOLLOW_EVENT_DEPENDENCIES; i <= CU_MEMPOOL_ATTR_REUSE_ALLOW_INTERNAL_DEPENDENCIES; i++)
			d->mempool->attr[i] = 1;
		emu_pool_publish(d->mempool);
	}
	struct mempool *p = d->mempool;
	pthread_mutex_unlock(&drv->lock);
	return p;
}

static CUresult default_pool(struct driver *drv, CUmemoryPool *out, CUdevice dev)
{
	if (dev < 0 || dev >= drv->ndev)
		return CUDA_ERROR_INVALID_DEVICE;
	if (!out)
		return CUDA_ERROR_INVALID_VALUE;
	*out = (CUmemoryPool)mempool(drv, dev);
	return *out ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

API(cuDeviceGetDefaultMemPool)(CUmemoryPool *out, CUdevice dev)
{
	ENTER(cuDeviceGetDefaultMemPool);
	return default_pool(drv, out, dev);
}

API(cuDeviceGetMemPool)(CUmemoryPool *out, CUdevice dev)
{
	ENTER(cuDeviceGetMemPool);
	return default_pool(drv, out, dev);
}

static struct mempool *pool_of(struct driver *drv, CUmemoryPool handle)
{
	return emu_pool_live(&drv->mempools, handle) ? (struct mempool *)handle : NULL;
}

API(cuDeviceSetMemPool)(CUdevice dev, CUmemoryPool pool)
{
	ENTER(cuDeviceSetMemPool);
	struct mempool *p = pool_of(drv, pool);
	return p && p->dev == dev ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE; /* there is but the default one */
}

API(cuMemPoolTrimTo)(CUmemoryPool pool, size_t keep)
{
	ENTER(cuMemPoolTrimTo);
	(void)keep;
	return pool_of(drv, pool) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

/* The first three attributes are int, the others 64 bits. */
static bool is_int(CUmemPool_attribute a) { return a <= CU_MEMPOOL_ATTR_REUSE_ALLOW_INTERNAL_DEPENDENCIES; }

API(cuMemPoolSetAttribute)(CUmemoryPool pool, CUmemPool_attribute a, void *value)
{
	ENTER(cuMemPoolSetAttribute);
	struct mempool *p = pool_of(drv, pool);
	if (!p || !value || (int)a < 1 || a > CU_MEMPOOL_ATTR_RELEASE_THRESHOLD)
		return CUDA_ERROR_INVALID_VALUE;
	pthread_mutex_lock(&drv->lock);
	p->attr[a] = is_int(a) ? (uint64_t)*(int *)value : *(uint64_t *)value;
	pthread_mutex_unlock(&drv->lock);
	return CUDA_SUCCESS;
}

API(cuMemPoolGetAttribute)(CUmemoryPool pool, CUmemPool_attribute a, void *value)
{
	ENTER(cuMemPoolGetAttribute);
	struct mempool *p = pool_of(drv, pool);
	if (!p || !value || (int)a < 1 || a > CU_MEMPOOL_ATTR_USED_MEM_HIGH)
		return CUDA_ERROR_INVALID_VALUE;
	pthread_mutex_lock(&drv->lock);
	uint64_t v = p->attr[a];
	pthread_mutex_unlock(&drv->lock);
	if ((int)a > CU_MEMPOOL_ATTR_RELEASE_THRESHOLD)
		v = atomic_load(&drv->dev[p->dev].used);
	if (is_int(a))
		*(int *)value = (int)v;
	else
		*(uint64_t *)value = v;
	return CUDA_SUCCESS;
}

HOOKED(cuMemAllocFromPoolAsync)(CUdeviceptr *out, size_t n, CUmemoryPool pool, CUstream stream)
{
	ENTER_CTX(cuMemAllocFromPoolAsync);
	struct mempool *p = pool_of(drv, pool);
	if (!p || p->dev != ctx->dev)
		return CUDA_ERROR_INVALID_VALUE;
	return alloc_async(t, ctx, out, n, stream);
}

/* Named because UCX links against them; pools of one's own are not emulated. */
#define NOT_EMULATED(symbol, args)                    \
	API(symbol) args                              \
	{                                             \
		ENTER(symbol);                        \
		return CUDA_ERROR_NOT_SUPPORTED;      \
	}
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
NOT_EMULATED(cuMemPoolCreate, (CUmemoryPool * pool, const CUmemPoolProps *props))
NOT_EMULATED(cuMemPoolDestroy, (CUmemoryPool pool))
NOT_EMULATED(cuMemPoolSetAccess, (CUmemoryPool pool, const CUmemAccessDesc *map, size_t count))
NOT_EMULATED(cuMemPoolExportToShareableHandle, (void *out, CUmemoryPool pool, int type, unsigned long long flags))
NOT_EMULATED(cuMemPoolImportFromShareableHandle, (CUmemoryPool * out, void *handle, int type, unsigned long long flags))
NOT_EMULATED(cuMemPoolExportPointer, (CUmemPoolPtrExportData * out, CUdeviceptr ptr))
NOT_EMULATED(cuMemPoolImportPointer, (CUdeviceptr * out, CUmemoryPool pool, CUmemPoolPtrExportData *data))
#pragma GCC diagnostic pop
