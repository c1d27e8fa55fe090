/* Streams: handles, the two kinds of default stream, queries, host functions, memory operations. */
#include "emu.h"
#include <stdlib.h>
#include <time.h>

/* ---- life ------------------------------------------------------------------------------------------------------- */
static struct stream *make(struct context *c, unsigned flags, int priority)
{
	struct driver *drv = c->head.drv;
	struct stream *s = emu_pool_get(&drv->streams, drv, c);
	if (!s)
		return NULL;
	pthread_mutex_init(&s->m, NULL);
	pthread_cond_init(&s->work, NULL);
	pthread_cond_init(&s->done, NULL);
	s->flags = flags;
	s->priority = priority;
	s->id = atomic_fetch_add(&drv->next_stream, 1) + 1;
	return s;
}

/* order held */
static void list(struct context *c, struct stream *s)
{
	s->next = c->streams;
	s->prev = &c->streams;
	if (s->next)
		s->next->prev = &s->next;
	c->streams = s;
	emu_pool_publish(s);
}

void emu_stream_cleanup(void *object)
{
	struct stream *s = object;
	while (s->spare) {
		struct op *o = s->spare;
		s->spare = o->next;
		free(o);
	}
	pthread_mutex_destroy(&s->m);
	pthread_cond_destroy(&s->work);
	pthread_cond_destroy(&s->done);
	free(s->tips.at);
}

/* A stream that is no handle any more: work that it was given is done, then it goes. */
void emu_stream_close(struct stream *s)
{
	struct driver *drv = s->head.drv;
	struct context *c = s->head.ctx;
	emu_capture_forget(s);
	pthread_mutex_lock(&c->order);
	if (s->prev) {
		*s->prev = s->next;
		if (s->next)
			s->next->prev = s->prev;
		s->prev = NULL;
	}
	pthread_mutex_unlock(&c->order);
	pthread_mutex_lock(&s->m);
	s->closing = true;
	pthread_cond_signal(&s->work);
	pthread_mutex_unlock(&s->m);
	emu_unref(&drv->streams, s);
}

/* The context ends and its work is done: its streams go, and their workers with them. */
void emu_streams_end(struct context *c)
{
	struct driver *drv = c->head.drv;
	size_t cursor = 0;
	struct stream *s;
	atomic_store(&c->legacy, NULL);
	while ((s = emu_pool_next(&drv->streams, &cursor))) {
		if (s->head.ctx == c && emu_pool_kill(&drv->streams, s))
			emu_stream_close(s);
		emu_unref(&drv->streams, s);
	}
}

static CUresult create(struct context *c, CUstream *out, unsigned flags, int priority)
{
	if (!out || flags & ~(unsigned)CU_STREAM_NON_BLOCKING)
		return CUDA_ERROR_INVALID_VALUE;
	/* Out of the range is clamped, as the real driver does. */
	int greatest = c->head.drv->open ? 0 : -5;
	struct stream *s = make(c, flags, priority > 0 ? 0 : priority < greatest ? greatest : priority);
	if (!s)
		return CUDA_ERROR_OUT_OF_MEMORY;
	pthread_mutex_lock(&c->order);
	list(c, s);
	pthread_mutex_unlock(&c->order);
	*out = (CUstream)s;
	return CUDA_SUCCESS;
}

static CUresult legacy(struct context *c, struct stream **out)
{
	struct stream *s = atomic_load(&c->legacy);
	if (!s) {
		pthread_mutex_lock(&c->order);
		s = atomic_load(&c->legacy);
		if (!s && (s = make(c, 0, 0))) {
			s->is_legacy = true;
			list(c, s);
			atomic_store(&c->legacy, s);
		}
		pthread_mutex_unlock(&c->order);
	}
	*out = s;
	return s ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

/* CU_STREAM_PER_THREAD: one for each thread and context. */
static CUresult own(struct thread *t, struct context *c, struct stream **out)
{
	uint64_t id = atomic_load(&c->id);
	for (struct own_stream *o = t->own; o; o = o->next)
		if (o->ctx == c && o->id == id) {
			*out = o->stream;
			return CUDA_SUCCESS;
		}
	struct own_stream *o = malloc(sizeof *o);
	struct stream *s = o ? make(c, 0, 0) : NULL;
	if (!s) {
		free(o);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	s->is_own = true;
	emu_ref(s);
	*o = (struct own_stream){ c, id, s, t->own };
	t->own = o;
	pthread_mutex_lock(&c->order);
	list(c, s);
	pthread_mutex_unlock(&c->order);
	*out = s;
	return CUDA_SUCCESS;
}

void emu_own_streams_end(struct thread *t)
{
	while (t->own) {
		struct own_stream *o = t->own;
		struct driver *drv = o->stream->head.drv;
		t->own = o->next;
		if (!atomic_load(&emu_forked) && emu_pool_kill(&drv->streams, o->stream))
			emu_stream_close(o->stream);
		emu_unref(&drv->streams, o->stream);
		free(o);
	}
}

/* The stream that a handle means in the context; NULL for the default stream of an open driver, which needs none. */
CUresult emu_stream_of(struct thread *t, struct context *ctx, CUstream handle, struct stream **out)
{
	if (!handle || handle == CU_STREAM_LEGACY) {
		*out = NULL;
		return t->drv->open ? CUDA_SUCCESS : legacy(ctx, out);
	}
	if (handle == CU_STREAM_PER_THREAD)
		return own(t, ctx, out);
	*out = (struct stream *)handle;
	return emu_pool_live(&t->drv->streams, handle) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

API(cuStreamCreate)(CUstream *out, unsigned int flags)
{
	ENTER_CTX(cuStreamCreate);
	return create(ctx, out, flags, 0);
}

API(cuStreamCreateWithPriority)(CUstream *out, unsigned int flags, int priority)
{
	ENTER_CTX(cuStreamCreateWithPriority);
	return create(ctx, out, flags, priority);
}

API(cuStreamDestroy_v2)(CUstream handle)
{
	ENTER(cuStreamDestroy_v2);
	if (!emu_pool_live(&drv->streams, handle) || ((struct stream *)handle)->is_legacy ||
	    ((struct stream *)handle)->is_own || !emu_pool_kill(&drv->streams, handle))
		return CUDA_ERROR_INVALID_HANDLE;
	emu_stream_close((struct stream *)handle);
	return CUDA_SUCCESS;
}

/* ---- waiting and asking ----------------------------------------------------------------------------------------- */
API(cuStreamSynchronize)(CUstream handle)
{
	ENTER_CTX(cuStreamSynchronize);
	struct stream *s;
	CHECK(emu_stream_of(t, ctx, handle, &s));
	struct context *c = s ? s->head.ctx : ctx;
	if (atomic_load(&drv->ncaptures))
		CHECK(s && !s->is_legacy ? emu_capture_sync(s) : emu_capture_legacy(ctx));
	if (s && s->is_legacy) {
		emu_drain_context(c, true);
	} else if (s && !drv->open) {
		pthread_mutex_lock(&s->m);
		uint64_t seq = s->enq;
		pthread_mutex_unlock(&s->m);
		emu_ref(s); /* another thread may destroy it meanwhile */
		emu_stream_wait(s, seq, NULL);
		emu_unref(&drv->streams, s);
	}
	return (CUresult)atomic_load(&c->sticky);
}

static bool idle(struct stream *s)
{
	pthread_mutex_lock(&s->m);
	bool done = emu_stream_done(s, s->enq);
	pthread_mutex_unlock(&s->m);
	return done;
}

API(cuStreamQuery)(CUstream handle)
{
	ENTER_CTX(cuStreamQuery);
	struct stream *s;
	CHECK(emu_stream_of(t, ctx, handle, &s));
	struct context *c = s ? s->head.ctx : ctx;
	if (atomic_load(&drv->ncaptures))
		CHECK(s && !s->is_legacy ? emu_capture_sync(s) : emu_capture_legacy(ctx));
	bool done = true;
	if (s && s->is_legacy) {
		pthread_mutex_lock(&c->order);
		for (struct stream *b = c->streams; b; b = b->next)
			done &= (b->flags & CU_STREAM_NON_BLOCKING) || idle(b);
		pthread_mutex_unlock(&c->order);
	} else if (s && !drv->open) {
		done = idle(s);
	}
	CUresult e = (CUresult)atomic_load(&c->sticky);
	return e ? e : done ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY;
}

#define STREAM(symbol, out)                                      \
	ENTER_CTX(symbol);                                       \
	struct stream *s;                                        \
	if (!(out))                                              \
		return CUDA_ERROR_INVALID_VALUE;                 \
	CHECK(emu_stream_of(t, ctx, handle, &s))

API(cuStreamGetCtx)(CUstream handle, CUcontext *out)
{
	STREAM(cuStreamGetCtx, out);
	*out = (CUcontext)(s ? s->head.ctx : ctx);
	return CUDA_SUCCESS;
}

API(cuStreamGetFlags)(CUstream handle, unsigned int *out)
{
	STREAM(cuStreamGetFlags, out);
	*out = s ? s->flags : 0;
	return CUDA_SUCCESS;
}

API(cuStreamGetPriority)(CUstream handle, int *out)
{
	STREAM(cuStreamGetPriority, out);
	*out = s ? s->priority : 0;
	return CUDA_SUCCESS;
}

API(cuStreamGetId)(CUstream handle, unsigned long long *out)
{
	STREAM(cuStreamGetId, out);
	*out = s ? s->id : 0;
	return CUDA_SUCCESS;
}

/* ---- host functions --------------------------------------------------------------------------------------------- */
API(cuLaunchHostFunc)(CUstream stream, CUhostFn fn, void *data)
{
	ENTER_CTX(cuLaunchHostFunc);
	if (!fn)
		return CUDA_ERROR_INVALID_VALUE;
	struct work w = { .kind = WORK_HOST, .host = { .fn = fn, .data = data } };
	return emu_submit(t, ctx, stream, &w, false);
}

API(cuStreamAddCallback)(CUstream stream, CUstreamCallback callback, void *data, unsigned int flags)
{
	ENTER_CTX(cuStreamAddCallback);
	struct stream *s;
	if (!callback || flags)
		return CUDA_ERROR_INVALID_VALUE;
	CHECK(emu_stream_of(t, ctx, stream, &s));
	if (s && atomic_load(&s->capture))
		return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
	struct work w = { .kind = WORK_CALLBACK, .host = { .callback = callback, .stream = stream, .data = data } };
	return emu_submit(t, ctx, stream, &w, false);
}

/* ---- writing and waiting for values ----------------------------------------------------------------------------- */
/* Not on cpu: work runs on the calling thread there, which would wait for itself. */
static CUresult value(struct thread *t, struct context *ctx, CUstream stream, enum work_kind kind, CUdeviceptr p,
                      uint64_t v, unsigned flags, int size)
{
	struct driver *drv = t->drv;
	struct span span;
	if (drv->open)
		return CUDA_ERROR_NOT_SUPPORTED;
	if (p % (unsigned)size || (kind == WORK_WRITE_VALUE ? flags & ~1u : (flags & ~(1u << 30)) > 3))
		return CUDA_ERROR_INVALID_VALUE;
	if (!emu_live(drv, p, (size_t)size, 3) && !(emu_host_find(drv, p, &span) && span.len - (p - span.base) >= (size_t)size))
		return CUDA_ERROR_INVALID_VALUE;
	struct work w = { .kind = kind, .value = { .addr = p, .value = v, .flags = flags, .size = size } };
	return emu_submit(t, ctx, stream, &w, false);
}
#define VALUE(symbol, kind, type, size)                                                         \
	API(symbol)(CUstream stream, CUdeviceptr p, type v, unsigned int flags)                 \
	{                                                                                       \
		ENTER_CTX(symbol);                                                              \
		return value(t, ctx, stream, kind, p, v, flags, size);                          \
	}
VALUE(cuStreamWriteValue32, WORK_WRITE_VALUE, cuuint32_t, 4)
VALUE(cuStreamWriteValue32_v2, WORK_WRITE_VALUE, cuuint32_t, 4)
VALUE(cuStreamWriteValue64, WORK_WRITE_VALUE, cuuint64_t, 8)
VALUE(cuStreamWriteValue64_v2, WORK_WRITE_VALUE, cuuint64_t, 8)
VALUE(cuStreamWaitValue32, WORK_WAIT_VALUE, cuuint32_t, 4)
VALUE(cuStreamWaitValue32_v2, WORK_WAIT_VALUE, cuuint32_t, 4)
VALUE(cuStreamWaitValue64, WORK_WAIT_VALUE, cuuint64_t, 8)
VALUE(cuStreamWaitValue64_v2, WORK_WAIT_VALUE, cuuint64_t, 8)
