/* The address space of a driver: one reservation, cut into granules, chunks of granules, and slots in chunks.
 *
 * emulated: device addresses are a range without access rights; the bytes of each chunk are one memfd, mapped at a
 * constant distance (the size of the range) above. So the host cannot touch a device pointer, translating one is an
 * addition, and another process can map the same bytes through /proc/<pid>/fd.
 * cpu: the distance is 0 and the bytes are private memory at the device address itself.
 *
 * Small allocations share chunks of equal slots, each size rounded up to a power of two; an allocation over 1 MiB has a
 * chunk of its own. Behind each chunk lies a granule that nothing is mapped to. */
#include "emu.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void *reserve(size_t n, int prot)
{
	void *p = mmap(NULL, n, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return p == MAP_FAILED ? NULL : p;
}

bool emu_space_init(struct driver *drv)
{
	struct space *s = &drv->space;
	size_t want = 0, least = (size_t)64 << 20;
	for (int i = 0; i < drv->ndev; i++)
		want += drv->dev[i].memory * 4; /* room for fragments and for what other processes export */
	if (want < (size_t)64 << 30)
		want = (size_t)64 << 30;
	if (want > (size_t)1 << 44)
		want = (size_t)1 << 44;
	want = (want + EMU_GRANULE - 1) / EMU_GRANULE * EMU_GRANULE;
	uintptr_t at = 0;
	/* Less where the process may not have that much address space (ulimit -v). */
	for (;; want = want / 2 / EMU_GRANULE * EMU_GRANULE) {
		if (want < least)
			return false;
		at = (uintptr_t)reserve((drv->open ? want : 2 * want) + EMU_GRANULE, PROT_NONE);
		if (at)
			break;
	}
	s->base = (at + EMU_GRANULE - 1) / EMU_GRANULE * EMU_GRANULE;
	s->size = want;
	s->distance = drv->open ? 0 : want;
	s->granules = want / EMU_GRANULE;
	s->page = reserve(s->granules * sizeof *s->page, PROT_READ | PROT_WRITE);
	s->taken = reserve(s->granules, PROT_READ | PROT_WRITE);
	return s->page && s->taken;
}

/* ---- address ranges: driver.lock held --------------------------------------------------------------------------- */
/* First fit, so that addresses are used again soon, as the real driver's are. Marks n bytes and one guard granule. */
uintptr_t emu_va_find(struct driver *drv, size_t n, size_t align, uint8_t mark)
{
	struct space *s = &drv->space;
	if (n > s->size)
		return 0;
	size_t k = (n + EMU_GRANULE - 1) / EMU_GRANULE, step = align > EMU_GRANULE ? align / EMU_GRANULE : 1;
	size_t first = s->base / EMU_GRANULE;
	while (s->lowest < s->granules && s->taken[s->lowest])
		s->lowest++;
	for (size_t i = s->lowest; i + k < s->granules;) {
		size_t off = (first + i) % step;
		if (off) {
			i += step - off;
			continue;
		}
		size_t run = 0;
		while (run <= k && !s->taken[i + run])
			run++;
		if (run > k) {
			memset(s->taken + i, mark, k);
			s->taken[i + k] = VA_GUARD;
			return s->base + i * EMU_GRANULE;
		}
		i += run + 1;
	}
	return 0;
}

void emu_va_free(struct driver *drv, uintptr_t va, size_t n)
{
	struct space *s = &drv->space;
	size_t i = (va - s->base) / EMU_GRANULE, k = (n + EMU_GRANULE - 1) / EMU_GRANULE;
	memset(s->taken + i, VA_FREE, k + 1);
	if (i < s->lowest)
		s->lowest = i;
}

/* ---- chunks: driver.lock held ----------------------------------------------------------------------------------- */
static struct chunk *chunk_get(struct driver *drv, unsigned class)
{
	struct chunk *c = drv->space.spare[class];
	int n = class == EMU_SINGLE ? 1 : (int)(EMU_GRANULE >> (EMU_CLASS_SHIFT + class));
	if (c) {
		drv->space.spare[class] = c->next;
	} else if (!(c = calloc(1, sizeof *c + (size_t)n * sizeof c->slot[0]))) {
		return NULL;
	}
	c->class = class;
	c->shift = class == EMU_SINGLE ? 63 : EMU_CLASS_SHIFT + class;
	c->nslots = n;
	c->live = c->hint = 0;
	c->delta = 0;
	c->fd = -1;
	c->inode = 0;
	c->handle = NULL;
	c->next = NULL;
	return c;
}

static void chunk_put(struct driver *drv, struct chunk *c)
{
	c->next = drv->space.spare[c->class];
	drv->space.spare[c->class] = c;
}

/* Maps the chunk's first c->mapped bytes and makes it known. */
static bool chunk_map(struct driver *drv, struct chunk *c, off_t offset)
{
	int flags = MAP_FIXED | (drv->open ? MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE : MAP_SHARED);
	void *p = mmap(emu_host(drv, c->va), c->mapped, PROT_READ | PROT_WRITE, flags, drv->open ? -1 : c->fd, offset);
	if (p == MAP_FAILED)
		return false;
	size_t i = (c->va - drv->space.base) / EMU_GRANULE;
	for (size_t k = 0; k < c->span / EMU_GRANULE; k++)
		atomic_store_explicit(&drv->space.page[i + k], c, memory_order_release);
	atomic_fetch_add(&drv->chunks, 1);
	return true;
}

static struct chunk *chunk_new(struct driver *drv, int dev, unsigned class, size_t n, int fd, size_t offset)
{
	struct chunk *c = chunk_get(drv, class);
	if (!c)
		return NULL;
	c->dev = dev;
	c->delta = offset % EMU_PAGE;
	c->mapped = class == EMU_SINGLE ? (n + c->delta + EMU_PAGE - 1) / EMU_PAGE * EMU_PAGE : EMU_GRANULE;
	c->span = (c->mapped + EMU_GRANULE - 1) / EMU_GRANULE * EMU_GRANULE;
	c->va = emu_va_find(drv, c->span, 0, VA_CHUNK);
	c->fd = fd;
	if (c->va) {
		if (fd < 0 && !drv->open)
			c->fd = emu_memfd("gpubench-emulated", c->mapped, &c->inode);
		if ((drv->open || c->fd >= 0) && chunk_map(drv, c, (off_t)(offset - c->delta)))
			return c;
		if (fd < 0 && c->fd >= 0)
			close(c->fd);
		emu_va_free(drv, c->va, c->span);
	}
	chunk_put(drv, c);
	return NULL;
}

/* A chunk of one slot at addresses that cuMemAddressReserve gave; the caller sets its descriptor and slot. */
struct chunk *emu_chunk_at(struct driver *drv, uintptr_t va, size_t n, int dev, int fd, size_t offset)
{
	struct chunk *c = chunk_get(drv, EMU_SINGLE);
	if (!c)
		return NULL;
	c->dev = dev;
	c->va = va;
	c->span = c->mapped = n;
	c->fd = fd;
	if (chunk_map(drv, c, (off_t)offset)) {
		c->live = 1;
		return c;
	}
	chunk_put(drv, c);
	return NULL;
}

void emu_chunk_free(struct driver *drv, struct chunk *c)
{
	size_t i = (c->va - drv->space.base) / EMU_GRANULE;
	bool reserved = drv->space.taken[i] == VA_RESERVED;
	for (size_t k = 0; k < c->span / EMU_GRANULE; k++)
		atomic_store_explicit(&drv->space.page[i + k], NULL, memory_order_release);
	/* Back to nothing, in one step: the range stays ours. */
	mmap(emu_host(drv, c->va), c->mapped, PROT_NONE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (!reserved) {
		if (c->fd >= 0)
			close(c->fd);
		emu_va_free(drv, c->va, c->span);
	}
	atomic_fetch_sub(&drv->chunks, 1);
	chunk_put(drv, c);
}

/* ---- slots: driver.lock held ------------------------------------------------------------------------------------ */
static unsigned class_of(size_t n)
{
	unsigned class = 0;
	while (class < EMU_SINGLE && n > (size_t)1 << (EMU_CLASS_SHIFT + class))
		class++;
	return class;
}

struct slot *emu_slot_new(struct driver *drv, int dev, struct context *ctx, enum kind kind, size_t n, int fd,
                          size_t fd_offset, uintptr_t *va)
{
	struct device *d = &drv->dev[dev];
	unsigned class = fd >= 0 ? EMU_SINGLE : class_of(n);
	struct chunk *c = class == EMU_SINGLE ? NULL : d->partial[class];
	if (n > drv->space.size) /* no sum below overflows */
		return NULL;
	if (!c) {
		c = chunk_new(drv, dev, class, n, fd, fd_offset);
		if (!c)
			return NULL;
		if (class != EMU_SINGLE)
			d->partial[class] = c;
	}
	int i = c->hint;
	while (atomic_load_explicit(&c->slot[i].len, memory_order_relaxed))
		i++;
	c->hint = i + 1;
	if (++c->live == c->nslots && class != EMU_SINGLE)
		d->partial[class] = c->next;
	struct slot *s = &c->slot[i];
	s->id = atomic_fetch_add(&emu_next_buffer, 1);
	s->ctx = ctx;
	s->kind = kind;
	s->sync = 0;
	s->opens = 0;
	s->freeing = false;
	atomic_store_explicit(&s->access, 3, memory_order_relaxed);
	atomic_store_explicit(&s->len, n, memory_order_release);
	*va = c->va + (class == EMU_SINGLE ? c->delta : (size_t)i << c->shift);
	atomic_fetch_add(&drv->allocations, 1);
	return s;
}

void emu_slot_free(struct driver *drv, uintptr_t va)
{
	size_t off;
	struct slot *s = emu_slot(drv, va, &off);
	struct chunk *c = atomic_load(&drv->space.page[(va - drv->space.base) / EMU_GRANULE]);
	struct device *d = &drv->dev[c->dev];
	if (s->kind == KIND_DEVICE || s->kind == KIND_ASYNC)
		atomic_fetch_sub(&d->used, atomic_load(&s->len));
	atomic_store_explicit(&s->len, 0, memory_order_release);
	atomic_fetch_sub(&drv->allocations, 1);
	if (c->shift < 63) {
		int i = (int)(s - c->slot);
		if (i < c->hint)
			c->hint = i;
		if (c->live == c->nslots) { /* it was full: it has room again */
			c->next = d->partial[c->class];
			d->partial[c->class] = c;
		}
	}
	if (--c->live)
		return;
	for (struct chunk **p = &d->partial[c->class]; *p; p = &(*p)->next)
		if (*p == c) {
			*p = c->next;
			break;
		}
	emu_chunk_free(drv, c);
}

/* ---- questions -------------------------------------------------------------------------------------------------- */
bool emu_live(struct driver *drv, uintptr_t p, size_t n, unsigned access)
{
	while (n) {
		size_t off;
		struct slot *s = emu_slot(drv, p, &off);
		if (!s)
			return false;
		size_t len = atomic_load_explicit(&s->len, memory_order_acquire);
		if (off >= len || (atomic_load_explicit(&s->access, memory_order_relaxed) & access) != access)
			return false;
		if (n <= len - off)
			return true;
		if (s->kind != KIND_VMM) /* mappings may stand side by side; allocations never run on */
			return false;
		p += len - off;
		n -= len - off;
	}
	return true;
}

bool emu_find(struct driver *drv, uintptr_t p, struct span *out)
{
	if (!emu_in_space(drv, p))
		return emu_host_find(drv, p, out);
	size_t off;
	pthread_mutex_lock(&drv->lock);
	struct slot *s = emu_slot(drv, p, &off);
	size_t len = s ? atomic_load(&s->len) : 0;
	bool known = s && off < len;
	if (known) {
		struct chunk *c = atomic_load(&drv->space.page[(p - drv->space.base) / EMU_GRANULE]);
		*out = (struct span){ .base = p - off, .len = len, .id = s->id, .ctx = s->ctx, .dev = c->dev, .kind = s->kind,
			              .sync = s->sync, .access = atomic_load(&s->access), .fd = c->fd, .inode = c->inode,
			              .fd_offset = c->shift < 63 ? (size_t)(s - c->slot) << c->shift : 0 };
	}
	pthread_mutex_unlock(&drv->lock);
	return known;
}

/* Frees what a context that ends leaves behind. */
void emu_context_memory_end(struct driver *drv, struct context *ctx)
{
	pthread_mutex_lock(&drv->lock);
	struct space *sp = &drv->space;
	for (size_t i = 0; i < sp->granules;) {
		if (sp->taken[i] != VA_CHUNK) {
			uint8_t *next = memchr(sp->taken + i, VA_CHUNK, sp->granules - i);
			if (!next)
				break;
			i = (size_t)(next - sp->taken);
		}
		struct chunk *c = atomic_load(&sp->page[i]);
		size_t k = c->span / EMU_GRANULE;
		for (int j = 0, left = c->live, n = c->nslots; j < n && left; j++) {
			if (!atomic_load(&c->slot[j].len))
				continue;
			left--;
			if (c->slot[j].ctx == ctx)
				emu_slot_free(drv, c->va + (c->shift < 63 ? (size_t)j << c->shift : c->delta));
		}
		i += k;
	}
	pthread_mutex_unlock(&drv->lock);
}
