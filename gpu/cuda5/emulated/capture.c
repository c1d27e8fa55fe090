/* Stream capture: calls on a stream become nodes of a graph instead of work. Streams join a capture by waiting for an
 * event that was recorded in it, and the stream where it began ends it. */
#include "emu.h"
#include <stdlib.h>
#include <string.h>

/* ---- sets of nodes ---------------------------------------------------------------------------------------------- */
void emu_nodes_clear(struct nodes *n)
{
	free(n->at);
	*n = (struct nodes){ 0 };
}

static bool add(struct nodes *n, struct node *node)
{
	for (int i = 0; i < n->n; i++)
		if (n->at[i] == node)
			return true;
	if (n->n == n->cap) {
		int cap = n->cap ? 2 * n->cap : 4;
		void *more = realloc(n->at, (size_t)cap * sizeof *n->at);
		if (!more)
			return false;
		n->at = more;
		n->cap = cap;
	}
	n->at[n->n++] = node;
	return true;
}

static bool add_all(struct nodes *to, const struct nodes *from)
{
	for (int i = 0; i < from->n; i++)
		if (!add(to, from->at[i]))
			return false;
	return true;
}

/* ---- captures: captures_lock held ------------------------------------------------------------------------------- */
void emu_capture_unref(struct driver *drv, struct capture *cap)
{
	(void)drv;
	if (--cap->refs)
		return;
	if (cap->graph)
		emu_graph_free(cap->graph);
	free(cap);
}

static void leave(struct driver *drv, struct capture *cap, struct stream *s)
{
	for (struct stream **p = &cap->streams; *p; p = &(*p)->capture_next)
		if (*p == s) {
			*p = s->capture_next;
			break;
		}
	s->capture_next = NULL;
	atomic_store(&s->capture, NULL);
	emu_nodes_clear(&s->tips);
	emu_capture_unref(drv, cap);
}

static void join(struct capture *cap, struct stream *s)
{
	s->capture_next = cap->streams;
	cap->streams = s;
	cap->refs++;
	atomic_store(&s->capture, cap);
}

/* All its streams are free again. */
static void finish(struct driver *drv, struct capture *cap, enum capture_state state)
{
	cap->state = state;
	for (struct capture **p = &drv->captures; *p; p = &(*p)->next)
		if (*p == cap) {
			*p = cap->next;
			atomic_fetch_sub(&drv->ncaptures, 1);
			break;
		}
	cap->refs++;
	while (cap->streams)
		leave(drv, cap, cap->streams);
	emu_capture_unref(drv, cap);
}

/* The capture cannot become a graph any more; the reason is the call's answer. */
static CUresult spoil(struct capture *cap, CUresult why)
{
	if (cap->state == CAPTURE_ACTIVE)
		cap->state = CAPTURE_INVALID;
	return why;
}

/* ---- calls beside a capture ------------------------------------------------------------------------------------- */
/* By the modes of cuThreadExchangeStreamCaptureMode: does this capture forbid an unsafe call of this thread? */
static bool forbids(const struct capture *cap, const struct thread *t)
{
	if (cap->state != CAPTURE_ACTIVE || t->mode == CU_STREAM_CAPTURE_MODE_RELAXED)
		return false;
	if (cap->thread == t)
		return cap->mode != CU_STREAM_CAPTURE_MODE_RELAXED;
	return cap->mode == CU_STREAM_CAPTURE_MODE_GLOBAL && t->mode == CU_STREAM_CAPTURE_MODE_GLOBAL;
}

CUresult emu_capture_unsafe(struct thread *t)
{
	struct driver *drv = t->drv;
	if (__builtin_expect(!atomic_load_explicit(&drv->ncaptures, memory_order_relaxed), 1))
		return CUDA_SUCCESS;
	CUresult e = CUDA_SUCCESS;
	pthread_mutex_lock(&drv->captures_lock);
	for (struct capture *cap = drv->captures; cap; cap = cap->next)
		if (forbids(cap, t))
			e = spoil(cap, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
	pthread_mutex_unlock(&drv->captures_lock);
	return e;
}

CUresult emu_capture_sync(struct stream *s)
{
	struct driver *drv = s->head.drv;
	CUresult e = CUDA_SUCCESS;
	pthread_mutex_lock(&drv->captures_lock);
	struct capture *cap = atomic_load(&s->capture);
	if (cap)
		e = cap->state == CAPTURE_INVALID ? CUDA_ERROR_STREAM_CAPTURE_INVALIDATED
		                                  : spoil(cap, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
	pthread_mutex_unlock(&drv->captures_lock);
	return e;
}

/* The default stream would wait for the capturing one, which cannot be. */
CUresult emu_capture_legacy(struct context *c)
{
	struct driver *drv = c->head.drv;
	CUresult e = CUDA_SUCCESS;
	pthread_mutex_lock(&drv->captures_lock);
	for (struct capture *cap = drv->captures; cap; cap = cap->next)
		for (struct stream *s = cap->streams; s; s = s->capture_next)
			if (s->head.ctx == c && !(s->flags & CU_STREAM_NON_BLOCKING) && cap->state == CAPTURE_ACTIVE)
				e = spoil(cap, CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
	pthread_mutex_unlock(&drv->captures_lock);
	return e;
}

/* ---- calls in a capture ----------------------------------------------------------------------------------------- */
/* Where *taken is set the call is over: the graph owns what w holds, or it was given back with the error. */
CUresult emu_capture_work(struct stream *s, struct work *w, bool wait, bool *taken)
{
	struct driver *drv = s->head.drv;
	CUresult e = CUDA_SUCCESS;
	*taken = false;
	pthread_mutex_lock(&drv->captures_lock);
	struct capture *cap = atomic_load(&s->capture);
	if (cap) {
		struct node *n = NULL;
		if (cap->state == CAPTURE_INVALID)
			e = CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
		else if (wait)
			e = spoil(cap, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
		else if (!(n = emu_graph_add(cap->graph, w, s->tips.at, s->tips.n)))
			e = spoil(cap, CUDA_ERROR_OUT_OF_MEMORY);
		s->tips.n = 0;
		if (n && !add(&s->tips, n))
			e = spoil(cap, CUDA_ERROR_OUT_OF_MEMORY);
		if (!n)
			emu_work_drop(drv, w);
		*taken = true;
	}
	pthread_mutex_unlock(&drv->captures_lock);
	return e;
}

void emu_event_uncapture(struct event *e)
{
	struct driver *drv = e->head.drv;
	if (!e->capture)
		return;
	pthread_mutex_lock(&drv->captures_lock);
	if (e->capture) {
		emu_capture_unref(drv, e->capture);
		e->capture = NULL;
		emu_nodes_clear(&e->tips);
	}
	pthread_mutex_unlock(&drv->captures_lock);
}

CUresult emu_capture_record(struct event *e, struct stream *s, unsigned flags, bool *taken)
{
	struct driver *drv = s->head.drv;
	CUresult r = CUDA_SUCCESS;
	*taken = false;
	if (!atomic_load(&s->capture))
		return CUDA_SUCCESS;
	if (flags & CU_EVENT_RECORD_EXTERNAL)
		return CUDA_ERROR_NOT_SUPPORTED; /* graphs with event nodes are not emulated */
	emu_event_uncapture(e);
	pthread_mutex_lock(&drv->captures_lock);
	struct capture *cap = atomic_load(&s->capture);
	if (cap) {
		*taken = true;
		if (cap->state == CAPTURE_INVALID)
			r = CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
		else if (!add_all(&e->tips, &s->tips))
			r = spoil(cap, CUDA_ERROR_OUT_OF_MEMORY);
		else {
			e->capture = cap;
			cap->refs++;
		}
	}
	pthread_mutex_unlock(&drv->captures_lock);
	return r;
}

CUresult emu_capture_wait(struct stream *s, struct event *e, bool *taken)
{
	struct driver *drv = s->head.drv;
	CUresult r = CUDA_SUCCESS;
	*taken = false;
	pthread_mutex_lock(&drv->captures_lock);
	struct capture *of = e->capture, *mine = atomic_load(&s->capture);
	if (!of && !mine) {
		pthread_mutex_unlock(&drv->captures_lock);
		return CUDA_SUCCESS;
	}
	*taken = true;
	if ((of && of->state == CAPTURE_INVALID) || (mine && mine->state == CAPTURE_INVALID))
		r = CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
	else if (of && of->state == CAPTURE_ENDED)
		r = mine ? spoil(mine, CUDA_ERROR_CAPTURED_EVENT) : CUDA_ERROR_CAPTURED_EVENT;
	else if (!of)
		r = spoil(mine, CUDA_ERROR_STREAM_CAPTURE_ISOLATION);
	else if (s->is_legacy)
		r = spoil(of, CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
	else if (mine && mine != of) {
		spoil(of, CUDA_SUCCESS);
		r = spoil(mine, CUDA_ERROR_STREAM_CAPTURE_MERGE);
	} else {
		if (!mine)
			join(of, s);
		if (!add_all(&s->tips, &e->tips))
			r = spoil(of, CUDA_ERROR_OUT_OF_MEMORY);
	}
	pthread_mutex_unlock(&drv->captures_lock);
	return r;
}

/* A stream that goes takes its capture with it: what it began can no longer be ended, what it joined not be complete. */
void emu_capture_forget(struct stream *s)
{
	struct driver *drv = s->head.drv;
	pthread_mutex_lock(&drv->captures_lock);
	struct capture *cap = atomic_load(&s->capture);
	if (cap && cap->origin == s) {
		finish(drv, cap, CAPTURE_INVALID);
	} else if (cap) {
		spoil(cap, CUDA_SUCCESS);
		leave(drv, cap, s);
	}
	pthread_mutex_unlock(&drv->captures_lock);
}

/* ---- begin and end ---------------------------------------------------------------------------------------------- */
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
	if (!cap || !(cap->graph = emu_graph_new(drv, s->head.ctx))) {
		free(cap);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	cap->mode = mode;
	cap->thread = t;
	cap->origin = s;
	CUresult e = CUDA_SUCCESS;
	pthread_mutex_lock(&drv->captures_lock);
	if (atomic_load(&s->capture)) {
		e = CUDA_ERROR_ILLEGAL_STATE;
		cap->refs = 1;
		emu_capture_unref(drv, cap);
	} else {
		cap->next = drv->captures;
		drv->captures = cap;
		atomic_fetch_add(&drv->ncaptures, 1);
		join(cap, s);
	}
	pthread_mutex_unlock(&drv->captures_lock);
	return e;
}

/* Every node that no other depends on is something that the ending stream waits for. */
static bool joined(const struct graph *g, const struct nodes *tips)
{
	bool *followed = calloc((size_t)(g->n ? g->n : 1), sizeof *followed), all = followed != NULL;
	for (int i = 0; all && i < g->n; i++)
		for (int k = 0; k < g->node[i]->ndeps; k++)
			followed[g->node[i]->deps[k]->index] = true;
	for (int i = 0; all && i < tips->n; i++)
		followed[tips->at[i]->index] = true;
	for (int i = 0; all && i < g->n; i++)
		all = followed[i];
	free(followed);
	return all;
}

API(cuStreamEndCapture)(CUstream handle, CUgraph *out)
{
	ENTER_CTX(cuStreamEndCapture);
	struct stream *s;
	if (!out)
		return CUDA_ERROR_INVALID_VALUE;
	CHECK(emu_stream_of(t, ctx, handle, &s));
	*out = NULL;
	CUresult e = CUDA_SUCCESS;
	pthread_mutex_lock(&drv->captures_lock);
	struct capture *cap = s ? atomic_load(&s->capture) : NULL;
	if (!cap) {
		e = CUDA_ERROR_ILLEGAL_STATE;
	} else if (cap->origin != s) {
		e = spoil(cap, CUDA_ERROR_STREAM_CAPTURE_UNMATCHED);
	} else if (cap->thread != t && cap->mode != CU_STREAM_CAPTURE_MODE_RELAXED) {
		e = CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD;
	} else if (cap->state == CAPTURE_INVALID) {
		e = CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
		finish(drv, cap, CAPTURE_INVALID);
	} else if (!joined(cap->graph, &s->tips)) {
		e = CUDA_ERROR_STREAM_CAPTURE_UNJOINED;
		finish(drv, cap, CAPTURE_INVALID);
	} else {
		struct graph *g = cap->graph;
		cap->graph = NULL; /* the caller's from now on */
		emu_pool_publish(g);
		finish(drv, cap, CAPTURE_ENDED);
		*out = (CUgraph)g;
	}
	pthread_mutex_unlock(&drv->captures_lock);
	return e;
}

API(cuStreamIsCapturing)(CUstream handle, CUstreamCaptureStatus *status)
{
	ENTER_CTX(cuStreamIsCapturing);
	struct stream *s;
	if (!status)
		return CUDA_ERROR_INVALID_VALUE;
	*status = CU_STREAM_CAPTURE_STATUS_NONE;
	if (!atomic_load(&drv->ncaptures))
		return CUDA_SUCCESS;
	CHECK(emu_stream_of(t, ctx, handle, &s));
	if (!s || s->is_legacy)
		return emu_capture_legacy(ctx);
	pthread_mutex_lock(&drv->captures_lock);
	struct capture *cap = atomic_load(&s->capture);
	if (cap)
		*status = cap->state == CAPTURE_ACTIVE ? CU_STREAM_CAPTURE_STATUS_ACTIVE : CU_STREAM_CAPTURE_STATUS_INVALIDATED;
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
