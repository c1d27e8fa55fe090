/* Pools of driver objects. Memory of a pool is never given back to the system and keeps its type, so a handle can be
 * checked without following it: is it an element of a slab, and alive? Stale and made-up handles end as
 * CUDA_ERROR_INVALID_HANDLE instead of a crash. */
#include "emu.h"
#include <stdlib.h>
#include <string.h>

void emu_pool_init(struct pool *p, size_t size, void (*cleanup)(void *object))
{
	p->cleanup = cleanup;
	p->size = (size + 63) / 64 * 64; /* a cache line of its own */
	pthread_mutex_init(&p->lock, NULL);
}

static bool grow(struct pool *p)
{
	int i = atomic_load(&p->slabs);
	if (i == (int)(sizeof p->slab / sizeof *p->slab))
		return false;
	size_t n = (size_t)16 << i;
	char *base = aligned_alloc(64, n * p->size);
	if (!base)
		return false;
	memset(base, 0, n * p->size);
	for (size_t k = n; k-- > 0;) {
		struct object *o = (struct object *)(base + k * p->size);
		o->next = p->free;
		p->free = o;
	}
	p->slab[i].base = base;
	p->slab[i].n = n;
	atomic_store(&p->slabs, i + 1);
	return true;
}

void *emu_pool_get(struct pool *p, struct driver *drv, struct context *ctx)
{
	pthread_mutex_lock(&p->lock);
	struct object *o = p->free || grow(p) ? p->free : NULL;
	if (o) {
		p->free = o->next;
		atomic_fetch_add(&p->alive, 1);
	}
	pthread_mutex_unlock(&p->lock);
	if (!o)
		return NULL;
	memset(o + 1, 0, p->size - sizeof *o);
	o->next = NULL;
	o->drv = drv;
	o->ctx = ctx;
	atomic_store(&o->live, OBJECT_NEW);
	atomic_store(&o->refs, 1);
	return o;
}

void emu_pool_publish(void *object)
{
	atomic_store_explicit(&((struct object *)object)->live, OBJECT_LIVE, memory_order_release);
}

bool emu_pool_live(struct pool *p, const void *handle)
{
	int n = atomic_load_explicit(&p->slabs, memory_order_acquire);
	for (int i = n - 1; i >= 0; i--) {
		uintptr_t off = (uintptr_t)handle - (uintptr_t)p->slab[i].base;
		if (off < p->slab[i].n * p->size)
			return off % p->size == 0 &&
			       atomic_load_explicit(&((struct object *)handle)->live, memory_order_acquire) == OBJECT_LIVE;
	}
	return false;
}

bool emu_pool_kill(struct pool *p, void *handle)
{
	uint32_t live = OBJECT_LIVE;
	return emu_pool_live(p, handle) &&
	       atomic_compare_exchange_strong(&((struct object *)handle)->live, &live, OBJECT_DEAD);
}

void emu_ref(void *handle) { atomic_fetch_add(&((struct object *)handle)->refs, 1); }

void emu_unref(struct pool *p, void *handle)
{
	struct object *o = handle;
	if (atomic_fetch_sub(&o->refs, 1) != 1)
		return;
	if (p->cleanup)
		p->cleanup(o);
	pthread_mutex_lock(&p->lock);
	o->next = p->free;
	p->free = o;
	atomic_fetch_sub(&p->alive, 1);
	pthread_mutex_unlock(&p->lock);
}

void *emu_pool_next(struct pool *p, size_t *cursor)
{
	int n = atomic_load_explicit(&p->slabs, memory_order_acquire);
	size_t begin = 0;
	for (int i = 0; i < n; begin += p->slab[i].n, i++) {
		for (; *cursor < begin + p->slab[i].n; ++*cursor) {
			struct object *o = (struct object *)(p->slab[i].base + (*cursor - begin) * p->size);
			uint32_t r = atomic_load(&o->refs);
			while (r && !atomic_compare_exchange_weak(&o->refs, &r, r + 1))
				;
			if (!r)
				continue;
			if (atomic_load_explicit(&o->live, memory_order_acquire) == OBJECT_NEW) {
				emu_unref(p, o);
				continue;
			}
			++*cursor;
			return o;
		}
	}
	return NULL;
}
