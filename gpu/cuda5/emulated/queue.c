/* Queues: how work reaches a stream, in which order streams run it, and the worker thread of each.
 *
 * On an open driver work runs at once on the calling thread, so everything before it is done. Else each stream that was
 * given work has a worker, which blocks while there is none. Work may depend on others: (stream, number) pairs that the
 * worker waits for. All pairs point to work given earlier, so waiting never goes round in a circle. */
#include "emu.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- running ---------------------------------------------------------------------------------------------------- */
static bool is_operation(const struct work *w)
{
	return w->kind != WORK_NONE && w->kind != WORK_RECORD && w->kind != WORK_WAIT_IPC && w->kind != WORK_FREE &&
	       w->kind != WORK_GRAPH; /* a graph's nodes count, each for itself */
}

/* Counts the work and decides which faults it meets. An error is the answer of the call that gives it. */
CUresult emu_plan(struct driver *drv, struct stream *s, struct work *w)
{
	struct faults *f = &drv->set.faults;
	struct planned *p = &w->plan;
	if (!f->on || !is_operation(w))
		return CUDA_SUCCESS;
	if (w->kind == WORK_COPY)
		CHECK(emu_fault_count(drv, FAULT_COPY, &p->fail, &p->flip));
	if (w->kind == WORK_LAUNCH)
		CHECK(emu_fault_count(drv, FAULT_LAUNCH, &p->fail, NULL));
	uint64_t n = atomic_fetch_add(&f->operations, 1) + 1, first = 0;
	if (s) {
		pthread_mutex_lock(&s->m);
		if (!s->ordinal)
			first = s->ordinal = atomic_fetch_add(&f->streams, 1) + 1;
		pthread_mutex_unlock(&s->m);
	}
	for (int i = 0; i < f->nstalls; i++)
		if (f->stall[i].n == (f->stall[i].stream ? first : n))
			p->stall_ms += f->stall[i].ms;
	p->lose = n == f->lose;
	return CUDA_SUCCESS;
}

void emu_stall(struct context *c, const struct planned *p)
{
	uint64_t ns = (uint64_t)p->stall_ms * 1000000u + (uint64_t)c->head.drv->set.faults.delay_us * 1000u;
	if (ns)
		emu_sleep_ns(ns, c);
}

void emu_perform(struct context *c, struct work *w)
{
	if (c->head.drv->set.faults.on && is_operation(w))
		emu_stall(c, &w->plan);
	/* Nothing runs on a context that has failed; marks pass, so that waiting ends. */
	bool failed = atomic_load_explicit(&c->sticky, memory_order_relaxed) != 0;
	if (!failed || w->kind == WORK_RECORD || w->kind == WORK_FREE)
		emu_context_fail(c, w->plan.fail ? w->plan.fail : emu_work_run(c, w));
	emu_work_drop(c->head.drv, w);
	if (w->plan.lose)
		emu_device_lose(c->head.drv, c->dev);
}

/* ---- workers ---------------------------------------------------------------------------------------------------- */
void emu_stream_wait(struct stream *s, uint64_t seq, struct context *c)
{
	if (emu_stream_done(s, seq))
		return;
	pthread_mutex_lock(&s->m);
	s->waiting++;
	while (!emu_stream_done(s, seq) && !(c && atomic_load(&c->dying))) {
		struct timespec t;
		clock_gettime(CLOCK_REALTIME, &t);
		t.tv_nsec += 20000000;
		if (t.tv_nsec >= 1000000000) {
			t.tv_sec++;
			t.tv_nsec -= 1000000000;
		}
		if (c)
			pthread_cond_timedwait(&s->done, &s->m, &t);
		else
			pthread_cond_wait(&s->done, &s->m);
	}
	s->waiting--;
	pthread_mutex_unlock(&s->m);
}

static void *worker(void *arg)
{
	struct stream *s = arg;
	struct driver *drv = s->head.drv;
	emu_thread()->drv = drv;
	pthread_mutex_lock(&s->m);
	for (;;) {
		while (!s->first && !s->closing)
			pthread_cond_wait(&s->work, &s->m);
		struct op *o = s->first;
		if (!o)
			break;
		s->first = o->next;
		if (!s->first)
			s->last = NULL;
		pthread_mutex_unlock(&s->m);

		for (int i = 0; i < o->ndeps; i++) {
			/* Another context's work may never end; this one's does once its gates give up. */
			struct stream *d = o->deps[i].stream;
			emu_stream_wait(d, o->deps[i].seq, d->head.ctx == s->head.ctx ? NULL : s->head.ctx);
			emu_unref(&drv->streams, d);
		}
		if (o->deps != o->one)
			free(o->deps);
		emu_perform(s->head.ctx, &o->work);

		pthread_mutex_lock(&s->m);
		o->next = s->spare;
		s->spare = o;
		atomic_fetch_add_explicit(&s->fin, 1, memory_order_release);
		if (s->waiting)
			pthread_cond_broadcast(&s->done);
	}
	pthread_mutex_unlock(&s->m);
	atomic_fetch_sub(&drv->workers, 1);
	emu_unref(&drv->streams, s);
	return NULL;
}

/* ---- giving work ------------------------------------------------------------------------------------------------ */
static bool add_dep(struct driver *drv, struct op *o, struct stream *s, uint64_t seq)
{
	(void)drv;
	if (emu_stream_done(s, seq))
		return true;
	if (o->ndeps >= 2 && !(o->ndeps & (o->ndeps - 1))) {
		struct dep *more = malloc((size_t)o->ndeps * 2 * sizeof *more);
		if (!more)
			return false;
		memcpy(more, o->deps, (size_t)o->ndeps * sizeof *more);
		if (o->deps != o->one)
			free(o->deps);
		o->deps = more;
	}
	emu_ref(s);
	o->deps[o->ndeps++] = (struct dep){ s, seq };
	return true;
}

static uint64_t given(struct stream *s)
{
	pthread_mutex_lock(&s->m);
	uint64_t n = s->enq;
	pthread_mutex_unlock(&s->m);
	return n;
}

static struct op *op_new(struct stream *s, const struct work *w)
{
	pthread_mutex_lock(&s->m);
	struct op *o = s->spare;
	if (o)
		s->spare = o->next;
	pthread_mutex_unlock(&s->m);
	if (!o && !(o = malloc(sizeof *o)))
		return NULL;
	o->next = NULL;
	o->ndeps = 0;
	o->deps = o->one;
	o->work = *w;
	if (w->kind == WORK_LAUNCH) {
		memcpy(o->args, w->launch.args, (size_t)w->launch.kernel->nargs * sizeof o->args[0]);
		o->work.launch.args = o->args;
	}
	return o;
}

static void op_free(struct driver *drv, struct op *o)
{
	for (int i = 0; i < o->ndeps; i++)
		emu_unref(&drv->streams, o->deps[i].stream);
	if (o->deps != o->one)
		free(o->deps);
	free(o);
}

/* The legacy default stream waits for all blocking streams of its context, and they for it. order held. */
static bool implicit_deps(struct context *c, struct stream *s, struct op *o)
{
	struct driver *drv = c->head.drv;
	if (s->is_legacy) {
		for (struct stream *b = c->streams; b; b = b->next)
			if (b != s && !(b->flags & CU_STREAM_NON_BLOCKING) && !add_dep(drv, o, b, given(b)))
				return false;
		return true;
	}
	struct stream *legacy = atomic_load(&c->legacy);
	return !legacy || (s->flags & CU_STREAM_NON_BLOCKING) || add_dep(drv, o, legacy, given(legacy));
}

static CUresult push(struct stream *s, struct work *w, const struct dep *dep, uint64_t *seq)
{
	struct context *c = s->head.ctx;
	struct driver *drv = c->head.drv;
	struct op *o = op_new(s, w);
	if (!o)
		return CUDA_ERROR_OUT_OF_MEMORY;
	pthread_mutex_lock(&c->order);
	bool ok = (!dep || add_dep(drv, o, dep->stream, dep->seq)) && implicit_deps(c, s, o);
	pthread_mutex_lock(&s->m);
	if (ok && !s->started) {
		emu_ref(s);
		atomic_fetch_add(&drv->workers, 1);
		ok = s->started = emu_spawn(NULL, worker, s);
		if (!ok) {
			atomic_fetch_sub(&drv->workers, 1);
			emu_unref(&drv->streams, s);
		}
	}
	if (ok) {
		if (s->last)
			s->last->next = o;
		else
			s->first = o;
		s->last = o;
		*seq = ++s->enq;
		pthread_cond_signal(&s->work);
	}
	pthread_mutex_unlock(&s->m);
	pthread_mutex_unlock(&c->order);
	if (ok)
		return CUDA_SUCCESS;
	op_free(drv, o);
	return CUDA_ERROR_OUT_OF_MEMORY;
}

/* Gives work to a stream that is not capturing. c: its context; s is NULL for an open driver's default stream. dep: what
 * it waits for besides; mark: filled with what completes it, the stream referenced. Consumes w. */
CUresult emu_submit_to(struct context *c, struct stream *s, struct work *w, const struct dep *dep, bool wait, struct dep *mark)
{
	struct driver *drv = c->head.drv;
	CUresult e = (CUresult)atomic_load_explicit(&c->sticky, memory_order_relaxed);
	if (!e && drv->set.faults.on)
		e = emu_plan(drv, s, w);
	if (!e && drv->open) {
		emu_perform(c, w);
		return (CUresult)atomic_load_explicit(&c->sticky, memory_order_relaxed);
	}
	uint64_t seq = 0;
	if (!e)
		e = push(s, w, dep, &seq);
	if (e) {
		emu_work_drop(drv, w);
		return e;
	}
	if (mark) {
		emu_ref(s);
		*mark = (struct dep){ s, seq };
	}
	if (!wait)
		return CUDA_SUCCESS;
	emu_stream_wait(s, seq, NULL);
	return (CUresult)atomic_load(&c->sticky);
}

CUresult emu_submit(struct thread *t, struct context *ctx, CUstream handle, struct work *w, bool wait)
{
	struct stream *s;
	CUresult e = emu_stream_of(t, ctx, handle, &s);
	if (!e && __builtin_expect(atomic_load_explicit(&t->drv->ncaptures, memory_order_relaxed) != 0, 0)) {
		bool taken = false;
		e = s && !s->is_legacy ? emu_capture_work(s, w, &taken) : emu_capture_legacy(ctx);
		if (taken)
			return e;
	}
	if (e) {
		emu_work_drop(t->drv, w);
		return e;
	}
	return emu_submit_to(s ? s->head.ctx : ctx, s, w, NULL, wait, NULL);
}

/* ---- draining --------------------------------------------------------------------------------------------------- */
static void drain(struct driver *drv, struct context *c, bool blocking_only)
{
	size_t cursor = 0;
	struct stream *s;
	if (drv->open)
		return;
	while ((s = emu_pool_next(&drv->streams, &cursor))) {
		if ((!c || s->head.ctx == c) && !(blocking_only && (s->flags & CU_STREAM_NON_BLOCKING)))
			emu_stream_wait(s, given(s), NULL);
		emu_unref(&drv->streams, s);
	}
}

/* Waits for the work given so far to the context's streams; blocking_only: to those that the default stream knows. */
void emu_drain_context(struct context *c, bool blocking_only) { drain(c->head.drv, c, blocking_only); }

/* ... to all streams of the driver. */
void emu_drain(struct driver *drv) { drain(drv, NULL, false); }
