/* Stream capture: work given to a capturing stream becomes a node of a graph, and waiting for an event that was recorded
 * in the capture takes another stream into it. Rules and errors as the real driver's: what would break a capture there
 * breaks it here. Everything is under captures_lock; driver.ncaptures says without it that there is something to look
 * at. */
#include "emu.h"
#include <stdlib.h>
#include <string.h>

/* ---- sets of nodes ---------------------------------------------------------------------------------------------- */
void emu_nodes_clear(struct nodes *n) { n->n = 0; }

static bool add(struct nodes *n, struct node *x)
{
	for (int i = 0; i < n->n; i++)
		if (n->at[i] == x)
			return true;
	if (n->n == n->cap) {
		int cap = n->cap ? 2 * n->cap : 4;
		void *more = realloc(n->at, (size_t)cap * sizeof n->at[0]);
		if (!more)
			return false;
		n->at = more;
		n->cap = cap;
	}
	n->at[n->n++] = x;
	return true;
}

static bool join(struct nodes *to, const struct nodes *from)
{
	for (int i = 0; i < from->n; i++)
		if (!add(to, from->at[i]))
			return false;
	return true;
}

/* ---- life ------------------------------------------------------------------------------------------------------- */
void emu_capture_unref(struct driver *drv, struct capture *cap)
{
	if (--cap->refs)
		return;
	if (cap->graph)
		emu_unref(&drv->graphs, cap->graph);
	free(cap);
}

/* The capture is over: its streams are ordinary ones again. */
static void finish(struct driver *drv, struct capture *cap)
{
	for (struct stream *s = cap->streams, *next; s; s = next) {
		next = s->capture_next;
		emu_nodes_clear(&s->tips);
		atomic_store(&s->capture, NULL);
	}
	cap->streams = NULL;
	cap->state = CAPTURE_ENDED;
	for (struct capture **p = &drv->captures; *p; p = &(*p)->next)
		if (*p == cap) {
			*p = cap->next;
			break;
		}
	atomic_fetch_sub(&drv->ncaptures, 1);
	emu_capture_unref(drv, cap);
}

static void enlist(struct capture *cap, struct stream *s)
{
	s->capture_next = cap->streams;
	cap->streams = s;
	atomic_store(&s->capture, cap);
}

void emu_capture_forget(struct stream *s)
{
	struct driver *drv = s->head.drv;
	if (!atomic_load(&s->capture))
		return;
	pthread_mutex_lock(&drv->captures_lock);
	struct capture *cap = atomic_load(&s->capture);
	if (cap && cap->origin == s) {
		finish(drv, cap);
	} else if (cap) {
		cap->state = CAPTURE_INVALID;
		for (struct stream **p = &cap->streams; *p; p = &(*p)->capture_next)
			if (*p == s) {
				*p = s->capture_next;
				break;
			}
		emu_nodes_clear(&s->tips);
		atomic_store(&s->capture, NULL);
	}
	pthread_mutex_unlock(&drv->captures_lock);
}

void emu_event_uncapture(struct event *e)
{
	struct driver *drv = e->head.drv;
	if (!atomic_load(&e->capture))
		return;
	pthread_mutex_lock(&drv->captures_lock);
	struct capture *cap = atomic_exchange(&e->capture, NULL);
	if (cap)
		emu_capture_unref(drv, cap);
	free(e->tips.at);
	e->tips = (struct nodes){ 0 };
	pthread_mutex_unlock(&drv->captures_lock);
}

/* ---- what streams and events do in a capture -------------------------------------------------------------------- */
CUresult emu_capture_work(struct stream *s, struct work *w, bool *taken)
{
	struct driver *drv = s->head.drv;
	CUresult e = CUDA_SUCCESS;
	pthread_mutex_lock(&drv->captures_lock);
	struct capture *cap = atomic_load(&s->capture);
	*taken = cap != NULL;
	if (cap && cap->state != CAPTURE_ACTIVE) {
		e = CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
	} else if (cap) {
		struct node *n = emu_graph_add(cap->graph, s->head.ctx, w, s->tips.at, s->tips.n);
		emu_nodes_clear(&s->tips);
		if (!n || !add(&s->tips, n)) {
			cap->state = CAPTURE_INVALID;
			e = CUDA_ERROR_OUT_OF_MEMORY;
		}
		if (n)
			w = NULL; /* the node has it */
	}
	pthread_mutex_unlock(&drv->captures_lock);
	if (*taken && e && w)
		emu_work_drop(drv, w);
	return e;
}

CUresult emu_capture_record(struct event *e, struct stream *s, unsigned flags, bool *taken)
{
	struct driver *drv = s->head.drv;
	if (!atomic_load(&s->capture))
		return CUDA_SUCCESS;
	*taken = true;
	if (flags & CU_EVENT_RECORD_EXTERNAL)
		return CUDA_ERROR_NOT_SUPPORTED; /* graphs with event nodes are not emulated */
	emu_event_uncapture(e);
	CUresult r = CUDA_SUCCESS;
	pthread_mutex_lock(&drv->captures_lock);
	struct capture *cap = atomic_load(&s->capture);
	if (!cap || cap->state != CAPTURE_ACTIVE) {
		r = CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
	} else if (!join(&e->tips, &s->tips)) {
		r = CUDA_ERROR_OUT_OF_MEMORY;
	} else {
		cap->refs++;
		atomic_store(&e->capture, cap);
	}
	pthread_mutex_unlock(&drv->captures_lock);
	return r;
}

CUresult emu_capture_wait(struct stream *s, struct event *e, bool *taken)
{
	struct driver *drv = e->head.drv;
	CUresult r = CUDA_SUCCESS;
	pthread_mutex_lock(&drv->captures_lock);
	struct capture *from = atomic_load(&e->capture), *in = s ? atomic_load(&s->capture) : NULL;
	if (from && from->state == CAPTURE_ENDED)
		from = NULL;
	*taken = from || in;
	if (!*taken) {
		/* neither has to do with a capture */
	} else if ((from && from->state != CAPTURE_ACTIVE) || (in && in->state != CAPTURE_ACTIVE)) {
		r = CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
	} else if (!from) {
		in->state = CAPTURE_INVALID;
		r = CUDA_ERROR_STREAM_CAPTURE_ISOLATION;
	} else if (!s || s->is_legacy) {
		from->state = CAPTURE_INVALID;
		r = CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
	} else if (in && in != from) {
		in->state = from->state = CAPTURE_INVALID;
		r = CUDA_ERROR_STREAM_CAPTURE_MERGE;
	} else {
		if (!in)
			enlist(from, s);
		if (!join(&s->tips, &e->tips)) {
			from->state = CAPTURE_INVALID;
			r = CUDA_ERROR_OUT_OF_MEMORY;
		}
	}
	pthread_mutex_unlock(&drv->captures_lock);
	return r;
}

/* ---- what others may not do meanwhile --------------------------------------------------------------------------- */
CUresult emu_capture_unsafe(struct thread *t)
{
	struct driver *drv = t->drv;
	CUresult e = CUDA_SUCCESS;
	if (__builtin_expect(!atomic_load_explicit(&drv->ncaptures, memory_order_relaxed), 1))
		return CUDA_SUCCESS;
	pthread_mutex_lock(&drv->captures_lock);
	for (struct capture *cap = drv->captures; cap; cap = cap->next) {
		bool mine = cap->thread == t && cap->mode != CU_STREAM_CAPTURE_MODE_RELAXED &&
		            t->mode != CU_STREAM_CAPTURE_MODE_RELAXED;
		bool all = cap->mode == CU_STREAM_CAPTURE_MODE_GLOBAL && t->mode == CU_STREAM_CAPTURE_MODE_GLOBAL;
		if (mine || all) {
			cap->state = CAPTURE_INVALID;
			e = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
		}
	}
	pthread_mutex_unlock(&drv->captures_lock);
	return e;
}

CUresult emu_capture_sync(struct stream *s)
{
	struct driver *drv = s->head.drv;
	pthread_mutex_lock(&drv->captures_lock);
	struct capture *cap = atomic_load(&s->capture);
	if (cap)
		cap->state = CAPTURE_INVALID;
	pthread_mutex_unlock(&drv->captures_lock);
	return cap ? CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED : CUDA_SUCCESS;
}

/* A blocking stream of the context captures: the default stream would have to wait for it. */
static CUresult beside(struct context *c, bool invalidate)
{
	struct driver *drv = c->head.drv;
	CUresult e = CUDA_SUCCESS;
	pthread_mutex_lock(&drv->captures_lock);
	for (struct capture *cap = drv->captures; cap; cap = cap->next)
		for (struct stream *s = cap->streams; s; s = s->capture_next)
			if (s->head.ctx == c && !(s->flags & CU_STREAM_NON_BLOCKING)) {
				if (invalidate)
					cap->state = CAPTURE_INVALID;
				e = CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
			}
	pthread_mutex_unlock(&drv->captures_lock);
	return e;
}

CUresult emu_capture_legacy(struct context *c) { return beside(c, true); }

/* ---- calls ------------------------------------------------------------------------------------------------------ */
API(cuStreamBeginCapture_v2)(CUstream handle, CUstreamCaptureMode mode)
{
	ENTER_CTX(cuStreamBeginCapture_v2);
	struct stream *s;
	if ((int)mode < 0 || mode > CU_STREAM_CAPTURE_MODE_RELAXED)
		return CUDA_ERROR_INVALID_VALUE;
	CHECK(emu_stream_of(t, ctx, handle, &s));
	if (!s || s->is_legacy)
		return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
	struct capture *cap = calloc(1, sizeof *cap);
	struct graph *g = cap ? emu_graph_new(drv, s->head.ctx) : NULL;
	if (!g) {
		free(cap);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	*cap = (struct capture){ .refs = 1, .mode = mode, .thread = t, .graph = g, .origin = s };
	pthread_mutex_lock(&drv->captures_lock);
	bool busy = atomic_load(&s->capture) != NULL;
	if (!busy) {
		cap->next = drv->captures;
		drv->captures = cap;
		atomic_fetch_add(&drv->ncaptures, 1);
		enlist(cap, s);
	} else {
		emu_capture_unref(drv, cap);
	}
	pthread_mutex_unlock(&drv->captures_lock);
	return busy ? CUDA_ERROR_ILLEGAL_STATE : CUDA_SUCCESS;
}

/* Whether all that other streams did in the capture comes before what the origin did last. */
static bool joined(struct capture *cap)
{
	struct graph *g = cap->graph;
	bool *seen = calloc((size_t)g->n + 1, 1), all = true;
	if (!seen)
		return false;
	for (int i = 0; i < cap->origin->tips.n; i++)
		seen[cap->origin->tips.at[i]->index] = true;
	for (int i = g->n - 1; i >= 0; i--) /* dependencies have smaller indices */
		for (int k = 0; seen[i] && k < g->node[i]->ndeps; k++)
			seen[g->node[i]->deps[k]->index] = true;
	for (int i = 0; i < g->n; i++)
		all &= seen[i];
	free(seen);
	return all;
}

API(cuStreamEndCapture)(CUstream handle, CUgraph *out)
{
	ENTER_CTX(cuStreamEndCapture);
	struct stream *s;
	if (!out)
		return CUDA_ERROR_INVALID_VALUE;
	*out = NULL;
	CHECK(emu_stream_of(t, ctx, handle, &s));
	if (!s)
		return CUDA_ERROR_ILLEGAL_STATE;
	CUresult e = CUDA_SUCCESS;
	pthread_mutex_lock(&drv->captures_lock);
	struct capture *cap = atomic_load(&s->capture);
	if (!cap) {
		e = CUDA_ERROR_ILLEGAL_STATE;
	} else if (cap->mode != CU_STREAM_CAPTURE_MODE_RELAXED && cap->thread != t) {
		e = CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD;
	} else if (cap->origin != s) {
		cap->state = CAPTURE_INVALID;
		e = CUDA_ERROR_STREAM_CAPTURE_UNMATCHED;
	} else {
		if (cap->state != CAPTURE_ACTIVE)
			e = CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
		else if (!joined(cap))
			e = CUDA_ERROR_STREAM_CAPTURE_UNJOINED;
		if (!e) {
			emu_pool_publish(cap->graph);
			*out = (CUgraph)cap->graph;
			cap->graph = NULL;
		}
		finish(drv, cap);
	}
	pthread_mutex_unlock(&drv->captures_lock);
	return e;
}

API(cuStreamIsCapturing)(CUstream handle, CUstreamCaptureStatus *out)
{
	ENTER_CTX(cuStreamIsCapturing);
	struct stream *s;
	if (!out)
		return CUDA_ERROR_INVALID_VALUE;
	CHECK(emu_stream_of(t, ctx, handle, &s));
	*out = CU_STREAM_CAPTURE_STATUS_NONE;
	if (!s || s->is_legacy)
		return beside(ctx, false);
	pthread_mutex_lock(&drv->captures_lock);
	struct capture *cap = atomic_load(&s->capture);
	if (cap)
		*out = cap->state == CAPTURE_ACTIVE ? CU_STREAM_CAPTURE_STATUS_ACTIVE : CU_STREAM_CAPTURE_STATUS_INVALIDATED;
	pthread_mutex_unlock(&drv->captures_lock);
	return CUDA_SUCCESS;
}

API(cuThreadExchangeStreamCaptureMode)(CUstreamCaptureMode *mode)
{
	ENTER(cuThreadExchangeStreamCaptureMode);
	if (!mode || (int)*mode < 0 || *mode > CU_STREAM_CAPTURE_MODE_RELAXED)
		return CUDA_ERROR_INVALID_VALUE;
	CUstreamCaptureMode was = t->mode;
	t->mode = *mode;
	*mode = was;
	return CUDA_SUCCESS;
}
