/* Running one piece of work: the dispatch, and the kinds that need but a few lines. Copies are in copy.c, fills in
 * memset.c, launches in launch.c, graphs in graph.c. */
#include "emu.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

int emu_copy_run(struct context *c, const struct work *w);
int emu_set_run(struct context *c, const struct work *w);

static int call_host(struct driver *drv, const struct work *w)
{
	struct thread *t = emu_thread();
	struct driver *was = t->drv;
	t->drv = drv;
	t->in_callback = true; /* driver calls answer CUDA_ERROR_NOT_PERMITTED */
	if (w->kind == WORK_HOST)
		w->host.fn(w->host.data);
	else
		w->host.callback(w->host.stream, CUDA_SUCCESS, w->host.data);
	t->in_callback = false;
	t->drv = was;
	return 0;
}

/* A device address or shared host memory that must still be there. */
static void *word(struct driver *drv, const struct work *w)
{
	struct span s;
	size_t n = (size_t)w->value.size;
	if (emu_live(drv, w->value.addr, n, 3))
		return emu_host(drv, w->value.addr);
	bool shared = !emu_in_space(drv, w->value.addr) && emu_host_find(drv, w->value.addr, &s) &&
	              s.len - (w->value.addr - s.base) >= n;
	return shared ? (void *)w->value.addr : NULL;
}

static int write_value(struct driver *drv, const struct work *w)
{
	void *p = word(drv, w);
	if (!p)
		return CUDA_ERROR_ILLEGAL_ADDRESS;
	if (w->value.size == 4)
		atomic_store_explicit((_Atomic uint32_t *)p, (uint32_t)w->value.value, memory_order_release);
	else
		atomic_store_explicit((_Atomic uint64_t *)p, w->value.value, memory_order_release);
	return 0;
}

static bool reached(uint64_t have, uint64_t want, unsigned flags, int size)
{
	uint64_t all = size == 4 ? UINT32_MAX : UINT64_MAX;
	switch (flags & 3) {
	case CU_STREAM_WAIT_VALUE_GEQ: /* cyclic: have - want, signed, is not negative */
		return size == 4 ? (int32_t)((uint32_t)have - (uint32_t)want) >= 0 : (int64_t)(have - want) >= 0;
	case CU_STREAM_WAIT_VALUE_EQ: return have == want;
	case CU_STREAM_WAIT_VALUE_AND: return (have & want) != 0;
	default: return (~(have | want) & all) != 0;
	}
}

/* Polls, 20 us apart after a while; gives up when the context is destroyed or fails. */
static int wait_value(struct context *c, const struct work *w)
{
	for (int i = 0;; i++) {
		void *p = word(c->head.drv, w);
		if (!p)
			return CUDA_ERROR_ILLEGAL_ADDRESS;
		uint64_t have = w->value.size == 4
		                        ? atomic_load_explicit((_Atomic uint32_t *)p, memory_order_acquire)
		                        : atomic_load_explicit((_Atomic uint64_t *)p, memory_order_acquire);
		if (reached(have, w->value.value, w->value.flags, w->value.size) || atomic_load(&c->dying) ||
		    atomic_load(&c->sticky))
			return 0;
		struct timespec t = { .tv_nsec = i < 50 ? 1000 : 20000 };
		nanosleep(&t, NULL);
	}
}

static int free_slot(struct driver *drv, uintptr_t va)
{
	size_t off;
	pthread_mutex_lock(&drv->lock);
	struct slot *s = emu_slot(drv, va, &off);
	if (s && !off && atomic_load(&s->len) && s->freeing)
		emu_slot_free(drv, va);
	pthread_mutex_unlock(&drv->lock);
	return 0;
}

int emu_work_run(struct context *c, struct work *w)
{
	struct driver *drv = c->head.drv;
	switch (w->kind) {
	case WORK_NONE: return 0;
	case WORK_COPY: return emu_copy_run(c, w);
	case WORK_SET: return emu_set_run(c, w);
	case WORK_LAUNCH: return emu_launch_run(c, w->launch.kernel, &w->launch.at, w->launch.args);
	case WORK_HOST:
	case WORK_CALLBACK: return call_host(drv, w);
	case WORK_RECORD: emu_event_reached(w->event.event, w->event.generation, w->event.ticket); return 0;
	case WORK_WAIT_IPC: return emu_event_wait_shared(c, w->event.event, w->event.ticket);
	case WORK_FREE: return free_slot(drv, w->free.addr);
	case WORK_WRITE_VALUE: return write_value(drv, w);
	case WORK_WAIT_VALUE: return wait_value(c, w);
	case WORK_GRAPH: return emu_plan_run(c, w->graph.plan, w->graph.faults);
	}
	return CUDA_ERROR_UNKNOWN;
}

void emu_work_drop(struct driver *drv, struct work *w)
{
	if (w->kind == WORK_RECORD || w->kind == WORK_WAIT_IPC)
		emu_unref(&drv->events, w->event.event);
	if (w->kind == WORK_GRAPH) {
		emu_plan_unref(w->graph.plan);
		free(w->graph.faults);
	}
}
