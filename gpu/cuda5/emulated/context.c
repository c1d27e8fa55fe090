/* Contexts: primary and made ones, the stack of each thread, peer access, and errors that stick. */
#include "emu.h"
#include <stdlib.h>

struct context *emu_context_of(struct driver *drv, CUcontext handle)
{
	struct context *c = (struct context *)handle;
	return emu_pool_live(&drv->contexts, c) && atomic_load(&c->id) ? c : NULL;
}

/* From now on every call on the context answers this error, until the context is destroyed. */
void emu_context_fail(struct context *c, int code)
{
	int none = 0;
	if (code)
		atomic_compare_exchange_strong(&c->sticky, &none, code);
}

/* CUDA_ERROR_UNKNOWN is what a GPU that fell off the bus (Xid 79) mostly answers on contexts that exist, and
 * CUDA_ERROR_DEVICE_UNAVAILABLE what it answers to a new one. */
void emu_device_lose(struct driver *drv, int dev)
{
	size_t cursor = 0;
	struct context *c;
	atomic_store(&drv->dev[dev].lost, true);
	while ((c = emu_pool_next(&drv->contexts, &cursor))) {
		if (c->dev == dev)
			emu_context_fail(c, CUDA_ERROR_UNKNOWN);
		emu_unref(&drv->contexts, c);
	}
}

/* ---- life ------------------------------------------------------------------------------------------------------- */
static struct context *make(struct driver *drv, CUdevice dev, unsigned flags, bool primary)
{
	struct context *c = emu_pool_get(&drv->contexts, drv, NULL);
	if (!c)
		return NULL;
	pthread_mutex_init(&c->order, NULL);
	c->dev = dev;
	c->primary = primary;
	atomic_store(&c->flags, flags);
	emu_pool_publish(c);
	return c;
}

static void begin(struct driver *drv, struct context *c)
{
	static const size_t limits[3] = { 1024, 1 << 20, 8 << 20 }; /* stack, printf buffer, heap: the real defaults */
	for (int i = 0; i < 3; i++)
		c->limits[i] = limits[i];
	c->cache = CU_FUNC_CACHE_PREFER_NONE;
	atomic_store(&c->sticky, 0);
	atomic_store(&c->dying, false);
	atomic_store(&c->id, atomic_fetch_add(&drv->next_context, 1) + 1);
}

/* Everything that the context owns goes; what other threads still have on their stacks answers
 * CUDA_ERROR_CONTEXT_IS_DESTROYED. */
static void end(struct driver *drv, struct context *c)
{
	atomic_store(&c->dying, true);
	emu_drain_context(c, false);
	atomic_store(&c->id, 0);
	emu_streams_end(c);
	emu_events_end(c);
	emu_graphs_end(c);
	emu_modules_end(c);
	emu_context_memory_end(drv, c);
	emu_host_end(drv, c);
	size_t cursor = 0;
	struct context *o;
	while ((o = emu_pool_next(&drv->contexts, &cursor))) {
		for (int i = 0; i < EMU_MAX_DEVICES; i++) {
			struct context *was = c;
			atomic_compare_exchange_strong(&o->peers[i], &was, NULL);
			if (o == c)
				atomic_store(&o->peers[i], NULL);
		}
		emu_unref(&drv->contexts, o);
	}
}

API(cuDevicePrimaryCtxRetain)(CUcontext *out, CUdevice dev)
{
	ENTER(cuDevicePrimaryCtxRetain);
	if (dev < 0 || dev >= drv->ndev)
		return CUDA_ERROR_INVALID_DEVICE;
	if (!out)
		return CUDA_ERROR_INVALID_VALUE;
	struct device *d = &drv->dev[dev];
	pthread_mutex_lock(&drv->init_lock);
	if (!d->primary)
		d->primary = make(drv, dev, 0, true);
	CUresult e = !d->primary ? CUDA_ERROR_OUT_OF_MEMORY : CUDA_SUCCESS;
	if (!e && !d->primary->retained) {
		if (atomic_load(&d->lost))
			e = CUDA_ERROR_DEVICE_UNAVAILABLE;
		else
			begin(drv, d->primary);
	}
	if (!e) {
		d->primary->retained++;
		*out = (CUcontext)d->primary;
	}
	pthread_mutex_unlock(&drv->init_lock);
	return e;
}

static CUresult release(struct driver *drv, CUdevice dev, bool all)
{
	if (dev < 0 || dev >= drv->ndev)
		return CUDA_ERROR_INVALID_DEVICE;
	struct device *d = &drv->dev[dev];
	pthread_mutex_lock(&drv->init_lock);
	struct context *c = d->primary;
	bool was = c && c->retained;
	if (was) {
		c->retained = all ? 0 : c->retained - 1;
		if (!c->retained)
			end(drv, c);
	}
	pthread_mutex_unlock(&drv->init_lock);
	return was || all ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CONTEXT;
}

API(cuDevicePrimaryCtxRelease_v2)(CUdevice dev)
{
	ENTER(cuDevicePrimaryCtxRelease_v2);
	return release(drv, dev, false);
}

API(cuDevicePrimaryCtxReset_v2)(CUdevice dev)
{
	ENTER(cuDevicePrimaryCtxReset_v2);
	return release(drv, dev, true);
}

static bool good_flags(unsigned f)
{
	const unsigned known = CU_CTX_SCHED_MASK | CU_CTX_MAP_HOST | CU_CTX_LMEM_RESIZE_TO_MAX | CU_CTX_SYNC_MEMOPS;
	return !(f & ~known) && (f & CU_CTX_SCHED_MASK) != 3 && (f & CU_CTX_SCHED_MASK) <= CU_CTX_SCHED_BLOCKING_SYNC;
}

/* UCX asks for it, by the context's flag or, in older versions, for each memory: its own streams wait for no other, and so
 * a fill or a copy that goes on after its call has returned would meet the message's bytes. */
bool emu_sync_memops(struct context *ctx, uintptr_t p)
{
	struct span s;
	return (atomic_load(&ctx->flags) & CU_CTX_SYNC_MEMOPS) || (emu_find(ctx->head.drv, p, &s) && s.sync);
}

API(cuDevicePrimaryCtxSetFlags_v2)(CUdevice dev, unsigned int flags)
{
	ENTER(cuDevicePrimaryCtxSetFlags_v2);
	if (dev < 0 || dev >= drv->ndev)
		return CUDA_ERROR_INVALID_DEVICE;
	if (!good_flags(flags))
		return CUDA_ERROR_INVALID_VALUE;
	struct device *d = &drv->dev[dev];
	pthread_mutex_lock(&drv->init_lock);
	if (!d->primary)
		d->primary = make(drv, dev, 0, true);
	if (d->primary)
		atomic_store(&d->primary->flags, flags);
	pthread_mutex_unlock(&drv->init_lock);
	return d->primary ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

API(cuDevicePrimaryCtxGetState)(CUdevice dev, unsigned int *flags, int *active)
{
	ENTER(cuDevicePrimaryCtxGetState);
	if (dev < 0 || dev >= drv->ndev)
		return CUDA_ERROR_INVALID_DEVICE;
	if (!flags || !active)
		return CUDA_ERROR_INVALID_VALUE;
	pthread_mutex_lock(&drv->init_lock);
	struct context *c = drv->dev[dev].primary;
	*flags = c ? atomic_load(&c->flags) : 0;
	*active = c && c->retained;
	pthread_mutex_unlock(&drv->init_lock);
	return CUDA_SUCCESS;
}

static CUresult push(struct thread *t, struct context *c)
{
	int i = t->drv->index;
	if (t->stack[i].depth == EMU_STACK)
		return CUDA_ERROR_OUT_OF_MEMORY;
	t->stack[i].at[t->stack[i].depth].ctx = c;
	t->stack[i].at[t->stack[i].depth++].id = c ? atomic_load(&c->id) : 0;
	return CUDA_SUCCESS;
}

static CUresult create(struct thread *t, CUcontext *out, unsigned flags, CUdevice dev)
{
	struct driver *drv = t->drv;
	if (dev < 0 || dev >= drv->ndev)
		return CUDA_ERROR_INVALID_DEVICE;
	if (!out || !good_flags(flags))
		return CUDA_ERROR_INVALID_VALUE;
	if (atomic_load(&drv->dev[dev].lost))
		return CUDA_ERROR_DEVICE_UNAVAILABLE;
	struct context *c = make(drv, dev, flags, false);
	if (!c)
		return CUDA_ERROR_OUT_OF_MEMORY;
	begin(drv, c);
	CUresult e = push(t, c);
	if (e) {
		emu_pool_kill(&drv->contexts, c);
		emu_unref(&drv->contexts, c);
		return e;
	}
	*out = (CUcontext)c;
	return CUDA_SUCCESS;
}

API(cuCtxCreate_v2)(CUcontext *out, unsigned int flags, CUdevice dev)
{
	ENTER(cuCtxCreate_v2);
	return create(t, out, flags, dev);
}

API(cuCtxCreate_v4)(CUcontext *out, CUctxCreateParams *params, unsigned int flags, CUdevice dev)
{
	ENTER(cuCtxCreate_v4);
	if (params && (params->numExecAffinityParams || params->cigParams))
		return CUDA_ERROR_NOT_SUPPORTED;
	return create(t, out, flags, dev);
}

API(cuCtxDestroy_v2)(CUcontext handle)
{
	ENTER(cuCtxDestroy_v2);
	struct context *c = emu_context_of(drv, handle);
	if (!c || c->primary || !emu_pool_kill(&drv->contexts, c))
		return CUDA_ERROR_INVALID_CONTEXT;
	int i = drv->index;
	if (t->stack[i].depth && t->stack[i].at[t->stack[i].depth - 1].ctx == c)
		t->stack[i].depth--;
	end(drv, c);
	emu_unref(&drv->contexts, c);
	return CUDA_SUCCESS;
}

/* ---- the thread's stack ----------------------------------------------------------------------------------------- */
API(cuCtxPushCurrent_v2)(CUcontext handle)
{
	ENTER(cuCtxPushCurrent_v2);
	struct context *c = emu_context_of(drv, handle);
	return c ? push(t, c) : CUDA_ERROR_INVALID_CONTEXT;
}

API(cuCtxPopCurrent_v2)(CUcontext *out)
{
	ENTER(cuCtxPopCurrent_v2);
	int i = drv->index;
	if (!t->stack[i].depth)
		return CUDA_ERROR_INVALID_CONTEXT;
	struct context *c = t->stack[i].at[--t->stack[i].depth].ctx;
	if (out)
		*out = (CUcontext)c;
	return CUDA_SUCCESS;
}

API(cuCtxSetCurrent)(CUcontext handle)
{
	ENTER(cuCtxSetCurrent);
	struct context *c = emu_context_of(drv, handle);
	if (handle && !c)
		return CUDA_ERROR_INVALID_CONTEXT;
	int i = drv->index;
	if (t->stack[i].depth)
		t->stack[i].depth--;
	return c ? push(t, c) : CUDA_SUCCESS;
}

API(cuCtxGetCurrent)(CUcontext *out)
{
	ENTER(cuCtxGetCurrent);
	if (!out)
		return CUDA_ERROR_INVALID_VALUE;
	int i = drv->index, d = t->stack[i].depth;
	*out = d ? (CUcontext)t->stack[i].at[d - 1].ctx : NULL;
	return CUDA_SUCCESS;
}

/* Queries answer on a failed context too. */
#define CURRENT_EVEN_FAILED                                                 \
	struct context *ctx = NULL;                                         \
	CUresult e = emu_current(t, &ctx);                                  \
	if (!ctx)                                                           \
	return e

API(cuCtxGetDevice)(CUdevice *dev)
{
	ENTER(cuCtxGetDevice);
	CURRENT_EVEN_FAILED;
	if (!dev)
		return CUDA_ERROR_INVALID_VALUE;
	*dev = ctx->dev;
	return CUDA_SUCCESS;
}

API(cuCtxGetFlags)(unsigned int *flags)
{
	ENTER(cuCtxGetFlags);
	CURRENT_EVEN_FAILED;
	if (!flags)
		return CUDA_ERROR_INVALID_VALUE;
	*flags = atomic_load(&ctx->flags);
	return CUDA_SUCCESS;
}

API(cuCtxSetFlags)(unsigned int flags)
{
	ENTER_CTX(cuCtxSetFlags);
	if (!good_flags(flags))
		return CUDA_ERROR_INVALID_VALUE;
	atomic_store(&ctx->flags, flags);
	return CUDA_SUCCESS;
}

API(cuCtxGetApiVersion)(CUcontext handle, unsigned int *version)
{
	ENTER(cuCtxGetApiVersion);
	struct context *ctx = emu_context_of(drv, handle);
	if (!handle)
		CHECK(emu_current(t, &ctx));
	if (!ctx)
		return CUDA_ERROR_INVALID_CONTEXT;
	if (!version)
		return CUDA_ERROR_INVALID_VALUE;
	*version = 3020;
	return CUDA_SUCCESS;
}

API(cuCtxGetId)(CUcontext handle, unsigned long long *id)
{
	ENTER(cuCtxGetId);
	struct context *ctx = emu_context_of(drv, handle);
	if (!handle)
		CHECK(emu_current(t, &ctx));
	if (!ctx)
		return CUDA_ERROR_INVALID_CONTEXT;
	if (!id)
		return CUDA_ERROR_INVALID_VALUE;
	*id = atomic_load(&ctx->id);
	return CUDA_SUCCESS;
}

API(cuCtxGetLimit)(size_t *value, CUlimit limit)
{
	ENTER_CTX(cuCtxGetLimit);
	if (!value)
		return CUDA_ERROR_INVALID_VALUE;
	if ((int)limit < 0 || limit > CU_LIMIT_MALLOC_HEAP_SIZE)
		return CUDA_ERROR_UNSUPPORTED_LIMIT;
	pthread_mutex_lock(&ctx->order);
	*value = ctx->limits[limit];
	pthread_mutex_unlock(&ctx->order);
	return CUDA_SUCCESS;
}

API(cuCtxSetLimit)(CUlimit limit, size_t value)
{
	ENTER_CTX(cuCtxSetLimit);
	if ((int)limit < 0 || limit > CU_LIMIT_MALLOC_HEAP_SIZE)
		return CUDA_ERROR_UNSUPPORTED_LIMIT;
	pthread_mutex_lock(&ctx->order);
	ctx->limits[limit] = value;
	pthread_mutex_unlock(&ctx->order);
	return CUDA_SUCCESS;
}

API(cuCtxGetCacheConfig)(CUfunc_cache *config)
{
	ENTER_CTX(cuCtxGetCacheConfig);
	if (!config)
		return CUDA_ERROR_INVALID_VALUE;
	pthread_mutex_lock(&ctx->order);
	*config = ctx->cache;
	pthread_mutex_unlock(&ctx->order);
	return CUDA_SUCCESS;
}

API(cuCtxSetCacheConfig)(CUfunc_cache config)
{
	ENTER_CTX(cuCtxSetCacheConfig);
	if ((int)config < 0 || config > CU_FUNC_CACHE_PREFER_EQUAL)
		return CUDA_ERROR_INVALID_VALUE;
	pthread_mutex_lock(&ctx->order);
	ctx->cache = config;
	pthread_mutex_unlock(&ctx->order);
	return CUDA_SUCCESS;
}

API(cuCtxGetStreamPriorityRange)(int *least, int *greatest)
{
	ENTER_CTX(cuCtxGetStreamPriorityRange);
	if (least)
		*least = 0;
	if (greatest)
		*greatest = drv->open ? 0 : -5;
	return CUDA_SUCCESS;
}

API(cuCtxSynchronize)(void)
{
	ENTER_CTX(cuCtxSynchronize);
	CHECK(emu_capture_unsafe(t));
	emu_drain_context(ctx, false);
	return (CUresult)atomic_load(&ctx->sticky);
}

/* ---- peer access ------------------------------------------------------------------------------------------------ */
bool emu_has_peer(struct context *c, struct context *peer)
{
	if (!peer || c == peer || c->dev == peer->dev)
		return true;
	for (int i = 0; i < EMU_MAX_DEVICES; i++)
		if (atomic_load_explicit(&c->peers[i], memory_order_relaxed) == peer)
			return true;
	return false;
}

API(cuCtxEnablePeerAccess)(CUcontext handle, unsigned int flags)
{
	ENTER_CTX(cuCtxEnablePeerAccess);
	struct context *peer = emu_context_of(drv, handle);
	if (flags)
		return CUDA_ERROR_INVALID_VALUE;
	if (!peer || peer == ctx)
		return CUDA_ERROR_INVALID_CONTEXT;
	if (peer->dev == ctx->dev || !drv->set.peer)
		return CUDA_ERROR_PEER_ACCESS_UNSUPPORTED;
	CUresult e = CUDA_ERROR_TOO_MANY_PEERS;
	pthread_mutex_lock(&ctx->order);
	for (int i = 0; i < EMU_MAX_DEVICES; i++)
		if (atomic_load(&ctx->peers[i]) == peer)
			e = CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED;
	for (int i = 0; i < EMU_MAX_DEVICES && e == CUDA_ERROR_TOO_MANY_PEERS; i++)
		if (!atomic_load(&ctx->peers[i])) {
			atomic_store(&ctx->peers[i], peer);
			e = CUDA_SUCCESS;
		}
	pthread_mutex_unlock(&ctx->order);
	return e;
}

API(cuCtxDisablePeerAccess)(CUcontext handle)
{
	ENTER_CTX(cuCtxDisablePeerAccess);
	struct context *peer = emu_context_of(drv, handle);
	if (!peer)
		return CUDA_ERROR_INVALID_CONTEXT;
	emu_drain_context(ctx, false);
	CUresult e = CUDA_ERROR_PEER_ACCESS_NOT_ENABLED;
	pthread_mutex_lock(&ctx->order);
	for (int i = 0; i < EMU_MAX_DEVICES; i++)
		if (atomic_load(&ctx->peers[i]) == peer) {
			atomic_store(&ctx->peers[i], NULL);
			e = CUDA_SUCCESS;
		}
	pthread_mutex_unlock(&ctx->order);
	return e;
}
