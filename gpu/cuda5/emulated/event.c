/* Events: record, query, wait, time; and those that processes share. */
#include "emu.h"
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* One page of a memfd that all processes map which opened the event. A record takes the next ticket; the event is
 * complete when the last ticket given is reached. */
struct shared_event {
	_Atomic uint32_t given, reached;
	_Atomic int pid; /* of the last one who recorded */
};

struct event *emu_event_of(struct driver *drv, CUevent handle)
{
	return emu_pool_live(&drv->events, handle) ? (struct event *)handle : NULL;
}

void emu_event_cleanup(void *object)
{
	struct event *e = object;
	emu_event_uncapture(e);
	if (e->at.stream)
		emu_unref(&e->head.drv->streams, e->at.stream);
	if (e->shared) {
		munmap(e->shared, EMU_PAGE);
		close(e->shared_fd);
	}
	pthread_mutex_destroy(&e->m);
}

void emu_events_end(struct context *c)
{
	struct driver *drv = c->head.drv;
	size_t cursor = 0;
	struct event *e;
	while ((e = emu_pool_next(&drv->events, &cursor))) {
		if (e->head.ctx == c && emu_pool_kill(&drv->events, e))
			emu_unref(&drv->events, e);
		emu_unref(&drv->events, e);
	}
}

static struct event *make(struct context *ctx, unsigned flags)
{
	struct event *e = emu_pool_get(&ctx->head.drv->events, ctx->head.drv, ctx);
	if (!e)
		return NULL;
	pthread_mutex_init(&e->m, NULL);
	e->flags = flags;
	e->shared_fd = -1;
	return e;
}

static bool share(struct event *e, int fd)
{
	void *p = fd < 0 ? MAP_FAILED : mmap(NULL, EMU_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	e->shared = p;
	e->shared_fd = fd;
	return true;
}

API(cuEventCreate)(CUevent *out, unsigned int flags)
{
	ENTER_CTX(cuEventCreate);
	if (!out || flags & ~7u || ((flags & CU_EVENT_INTERPROCESS) && !(flags & CU_EVENT_DISABLE_TIMING)))
		return CUDA_ERROR_INVALID_VALUE;
	struct event *e = make(ctx, flags);
	if (!e)
		return CUDA_ERROR_OUT_OF_MEMORY;
	uint64_t inode;
	if ((flags & CU_EVENT_INTERPROCESS) && !drv->open && !share(e, emu_memfd("gpubench-event", EMU_PAGE, &inode))) {
		emu_unref(&drv->events, e);
		return CUDA_ERROR_OUT_OF_MEMORY;
	}
	emu_pool_publish(e);
	*out = (CUevent)e;
	return CUDA_SUCCESS;
}

API(cuEventDestroy_v2)(CUevent handle)
{
	ENTER(cuEventDestroy_v2);
	if (!emu_pool_kill(&drv->events, handle))
		return CUDA_ERROR_INVALID_HANDLE;
	emu_unref(&drv->events, handle);
	return CUDA_SUCCESS;
}

/* ---- recording -------------------------------------------------------------------------------------------------- */
/* The stream came to the record of this generation. */
void emu_event_reached(struct event *e, uint64_t generation, uint32_t ticket)
{
	if (e->shared) {
		uint32_t r = atomic_load(&e->shared->reached);
		while ((int32_t)(ticket - r) > 0 && !atomic_compare_exchange_weak(&e->shared->reached, &r, ticket))
			;
		syscall(SYS_futex, &e->shared->reached, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
	}
	if (e->flags & CU_EVENT_DISABLE_TIMING)
		return;
	uint64_t now = emu_now_ns();
	pthread_mutex_lock(&e->m);
	if (generation == e->generation) {
		e->time_ns = now;
		e->seen = generation;
	}
	pthread_mutex_unlock(&e->m);
}

CUresult emu_event_record(struct thread *t, struct context *ctx, struct event *e, CUstream handle, unsigned flags)
{
	struct stream *s;
	bool taken = false;
	CHECK(emu_stream_of(t, ctx, handle, &s));
	struct context *c = s ? s->head.ctx : ctx;
	if (e->head.ctx != c)
		return CUDA_ERROR_INVALID_HANDLE;
	if (flags & ~1u)
		return CUDA_ERROR_INVALID_VALUE;
	if (atomic_load(&t->drv->ncaptures)) {
		CUresult r = s && !s->is_legacy ? emu_capture_record(e, s, flags, &taken) : emu_capture_legacy(ctx);
		if (r || taken)
			return r;
	}
	struct dep mark = { 0 };
	pthread_mutex_lock(&e->m);
	emu_event_uncapture(e);
	struct work w = { .kind = WORK_RECORD, .event = { .event = e, .generation = ++e->generation } };
	if (e->shared) {
		atomic_store(&e->shared->pid, (int)getpid());
		w.event.ticket = atomic_fetch_add(&e->shared->given, 1) + 1;
	}
	emu_ref(e);
	if (t->drv->open)
		pthread_mutex_unlock(&e->m); /* it is reached before the call returns */
	CUresult r = emu_submit_to(c, s, &w, NULL, false, &mark);
	if (t->drv->open)
		return r;
	if (!r) {
		if (e->at.stream)
			emu_unref(&t->drv->streams, e->at.stream);
		e->at = mark;
	}
	pthread_mutex_unlock(&e->m);
	return r;
}

API(cuEventRecord)(CUevent handle, CUstream stream)
{
	ENTER_CTX(cuEventRecord);
	struct event *e = emu_event_of(drv, handle);
	return e ? emu_event_record(t, ctx, e, stream, 0) : CUDA_ERROR_INVALID_HANDLE;
}

API(cuEventRecordWithFlags)(CUevent handle, CUstream stream, unsigned int flags)
{
	ENTER_CTX(cuEventRecordWithFlags);
	struct event *e = emu_event_of(drv, handle);
	return e ? emu_event_record(t, ctx, e, stream, flags) : CUDA_ERROR_INVALID_HANDLE;
}

/* ---- asking and waiting ----------------------------------------------------------------------------------------- */
static bool shared_done(struct event *e, uint32_t ticket)
{
	return (int32_t)(atomic_load(&e->shared->reached) - ticket) >= 0;
}

/* What the event was last recorded after, with a reference; false: nothing, or that is done. e->m held. */
static bool pending(struct event *e, struct dep *at)
{
	if (!e->at.stream)
		return false;
	if (emu_stream_done(e->at.stream, e->at.seq)) {
		emu_unref(&e->head.drv->streams, e->at.stream);
		e->at.stream = NULL;
		return false;
	}
	emu_ref(e->at.stream);
	*at = e->at;
	return true;
}

static CUresult captured(struct driver *drv, struct event *e)
{
	if (!atomic_load(&drv->ncaptures))
		return CUDA_SUCCESS;
	pthread_mutex_lock(&drv->captures_lock);
	struct capture *cap = atomic_load(&e->capture);
	bool active = cap && cap->state != CAPTURE_ENDED;
	if (active)
		cap->state = CAPTURE_INVALID;
	pthread_mutex_unlock(&drv->captures_lock);
	return active ? CUDA_ERROR_CAPTURED_EVENT : CUDA_SUCCESS;
}

static CUresult ask(struct thread *t, CUevent handle, bool wait)
{
	struct driver *drv = t->drv;
	struct event *e = emu_event_of(drv, handle);
	struct dep at = { 0 };
	if (!e)
		return CUDA_ERROR_INVALID_HANDLE;
	struct context *c = e->head.ctx;
	CUresult sticky = (CUresult)atomic_load(&c->sticky);
	if (sticky)
		return sticky;
	CHECK(captured(drv, e));
	if (e->shared) {
		uint32_t ticket = atomic_load(&e->shared->given);
		if (wait)
			emu_event_wait_shared(c, e, ticket);
		else if (!shared_done(e, ticket))
			return CUDA_ERROR_NOT_READY;
		return (CUresult)atomic_load(&c->sticky);
	}
	pthread_mutex_lock(&e->m);
	bool busy = pending(e, &at);
	pthread_mutex_unlock(&e->m);
	if (busy) {
		if (wait)
			emu_stream_wait(at.stream, at.seq, NULL);
		emu_unref(&drv->streams, at.stream);
		if (!wait)
			return CUDA_ERROR_NOT_READY;
	}
	return (CUresult)atomic_load(&c->sticky);
}

API(cuEventQuery)(CUevent handle)
{
	ENTER(cuEventQuery);
	return ask(t, handle, false);
}

API(cuEventSynchronize)(CUevent handle)
{
	ENTER(cuEventSynchronize);
	return ask(t, handle, true);
}

/* Waits until a ticket is reached, by whichever process; a process that is gone reaches nothing more, and waiting for it
 * ends too. */
int emu_event_wait_shared(struct context *c, struct event *e, uint32_t ticket)
{
	struct timespec t = { .tv_nsec = 20000000 };
	while (!shared_done(e, ticket) && !atomic_load(&c->dying)) {
		uint32_t r = atomic_load(&e->shared->reached);
		if ((int32_t)(r - ticket) >= 0)
			break;
		syscall(SYS_futex, &e->shared->reached, FUTEX_WAIT, r, &t, NULL, 0);
		int pid = atomic_load(&e->shared->pid);
		if (pid && kill(pid, 0) && errno == ESRCH)
			break;
	}
	return 0;
}

API(cuStreamWaitEvent)(CUstream handle, CUevent event, unsigned int flags)
{
	ENTER_CTX(cuStreamWaitEvent);
	struct stream *s;
	struct event *e = emu_event_of(drv, event);
	bool taken = false;
	if (!e)
		return CUDA_ERROR_INVALID_HANDLE;
	if (flags & ~1u)
		return CUDA_ERROR_INVALID_VALUE;
	CHECK(emu_stream_of(t, ctx, handle, &s));
	if (atomic_load(&drv->ncaptures)) {
		CUresult r = emu_capture_wait(s, e, &taken);
		if (!r && !taken && (!s || s->is_legacy))
			r = emu_capture_legacy(ctx);
		if (r || taken)
			return r;
	}
	struct context *c = s ? s->head.ctx : ctx;
	struct work w = { .kind = WORK_NONE };
	if (e->shared) {
		uint32_t ticket = atomic_load(&e->shared->given);
		if (shared_done(e, ticket))
			return CUDA_SUCCESS;
		w = (struct work){ .kind = WORK_WAIT_IPC, .event = { .event = e, .ticket = ticket } };
		emu_ref(e);
		return emu_submit_to(c, s, &w, NULL, false, NULL);
	}
	struct dep at = { 0 };
	pthread_mutex_lock(&e->m);
	bool busy = pending(e, &at);
	pthread_mutex_unlock(&e->m);
	if (!busy)
		return CUDA_SUCCESS;
	CUresult r = at.stream == s ? CUDA_SUCCESS : emu_submit_to(c, s, &w, &at, false, NULL);
	emu_unref(&drv->streams, at.stream);
	return r;
}

/* ---- time ------------------------------------------------------------------------------------------------------- */
static CUresult reading(struct driver *drv, struct event *e, uint64_t *ns)
{
	struct dep at = { 0 };
	if (!e || e->flags & CU_EVENT_DISABLE_TIMING)
		return CUDA_ERROR_INVALID_HANDLE;
	CHECK(captured(drv, e));
	pthread_mutex_lock(&e->m);
	bool never = !e->generation, busy = pending(e, &at);
	*ns = e->time_ns;
	pthread_mutex_unlock(&e->m);
	if (busy)
		emu_unref(&drv->streams, at.stream);
	return never ? CUDA_ERROR_INVALID_HANDLE : busy ? CUDA_ERROR_NOT_READY : CUDA_SUCCESS;
}

static CUresult elapsed(struct driver *drv, float *ms, CUevent from, CUevent to)
{
	struct event *a = emu_event_of(drv, from), *b = emu_event_of(drv, to);
	uint64_t start, end;
	if (!ms)
		return CUDA_ERROR_INVALID_VALUE;
	if (!a || !b || a->head.ctx != b->head.ctx)
		return CUDA_ERROR_INVALID_HANDLE;
	CUresult sticky = (CUresult)atomic_load(&a->head.ctx->sticky);
	if (sticky)
		return sticky;
	CUresult ra = reading(drv, a, &start), rb = reading(drv, b, &end);
	if (ra == CUDA_ERROR_INVALID_HANDLE || rb == CUDA_ERROR_INVALID_HANDLE)
		return CUDA_ERROR_INVALID_HANDLE;
	CHECK(ra);
	CHECK(rb);
	*ms = (float)((double)(int64_t)(end - start) * 1e-6);
	return CUDA_SUCCESS;
}

API(cuEventElapsedTime)(float *ms, CUevent from, CUevent to)
{
	ENTER(cuEventElapsedTime);
	return elapsed(drv, ms, from, to);
}

API(cuEventElapsedTime_v2)(float *ms, CUevent from, CUevent to)
{
	ENTER(cuEventElapsedTime_v2);
	return elapsed(drv, ms, from, to);
}

/* ---- between processes ------------------------------------------------------------------------------------------ */
struct handle {
	uint32_t magic;
	int32_t pid, fd;
	uint64_t inode;
};
enum { EVENT_MAGIC = 0x6765u << 16 | 0x7674u };
_Static_assert(sizeof(struct handle) <= sizeof(CUipcEventHandle), "event handle");

API(cuIpcGetEventHandle)(CUipcEventHandle *out, CUevent event)
{
	ENTER_CTX(cuIpcGetEventHandle);
	struct event *e = emu_event_of(drv, event);
	if (drv->open || !drv->set.ipc)
		return CUDA_ERROR_NOT_SUPPORTED;
	if (!e || !e->shared)
		return CUDA_ERROR_INVALID_HANDLE;
	if (!out)
		return CUDA_ERROR_INVALID_VALUE;
	struct handle h = { .magic = EVENT_MAGIC, .pid = (int32_t)getpid(), .fd = e->shared_fd };
	h.inode = emu_inode(e->shared_fd);
	memset(out, 0, sizeof *out);
	memcpy(out, &h, sizeof h);
	return CUDA_SUCCESS;
}

API(cuIpcOpenEventHandle)(CUevent *out, CUipcEventHandle handle)
{
	ENTER_CTX(cuIpcOpenEventHandle);
	struct handle h;
	memcpy(&h, &handle, sizeof h);
	if (drv->open || !drv->set.ipc)
		return CUDA_ERROR_NOT_SUPPORTED;
	if (!out || h.magic != EVENT_MAGIC)
		return CUDA_ERROR_INVALID_VALUE;
	if (h.pid == getpid())
		return CUDA_ERROR_INVALID_CONTEXT; /* as the real one: not in the process that made it */
	struct event *e = make(ctx, CU_EVENT_DISABLE_TIMING | CU_EVENT_INTERPROCESS);
	if (!e)
		return CUDA_ERROR_OUT_OF_MEMORY;
	if (!share(e, emu_open_foreign(h.pid, h.fd, h.inode))) {
		emu_unref(&drv->events, e);
		return CUDA_ERROR_MAP_FAILED;
	}
	emu_pool_publish(e);
	*out = (CUevent)e;
	return CUDA_SUCCESS;
}
