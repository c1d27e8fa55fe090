/* Launches: the checks of a call, and running the kernel's body. */
#include "emu.h"

/* ---- running ---------------------------------------------------------------------------------------------------- */
/* The host address behind a kernel's pointer, or false where the kernel would fault. One past the end is taken too: the
 * address of an empty range. */
static bool pointer(struct context *c, uint64_t p, uint64_t *host)
{
	struct driver *drv = c->head.drv;
	*host = p;
	if (!p)
		return true;
	if (!emu_in_space(drv, p)) {
		struct span s;
		/* Pageable memory belongs to the host alone, unless the host is the device. */
		return drv->open || emu_host_find(drv, p, &s) || emu_host_find(drv, p - 1, &s);
	}
	size_t off;
	struct slot *s = emu_slot(drv, p, &off);
	size_t len = s ? atomic_load_explicit(&s->len, memory_order_acquire) : 0;
	if (!len || off > len) {
		s = emu_slot(drv, p - 1, &off);
		len = s ? atomic_load_explicit(&s->len, memory_order_acquire) : 0;
	}
	*host = p + drv->space.distance;
	return len && off <= len && atomic_load_explicit(&s->access, memory_order_relaxed) &&
	       (s->kind == KIND_VMM || emu_has_peer(c, s->ctx));
}

int emu_launch_run(struct context *c, const struct kernel *k, const struct gb_launch *at, const uint64_t *args)
{
	uint64_t host[EMU_MAX_ARGS];
	for (int i = 0; i < k->nargs; i++) {
		host[i] = args[i];
		if (k->kinds[i] == 'p' && !pointer(c, args[i], &host[i]))
			return CUDA_ERROR_ILLEGAL_ADDRESS;
	}
	struct gb_launch l = *at;
	gb_body body = atomic_load_explicit(&k->body, memory_order_relaxed);
	l.part = 0;
	if (c->head.drv->open && emu_me && emu_me->team) {
		emu_team_run(emu_me->team, body, host, &l, k->phases);
		return 0;
	}
	l.parts = 1;
	for (int p = 0; p < k->phases; p++) {
		l.phase = (uint32_t)p;
		body(host, &l);
	}
	return 0;
}

/* ---- calls ------------------------------------------------------------------------------------------------------ */
/* Parameters lie behind one pointer each, or packed in a buffer (the "extra" way); all are 8 bytes. */
static CUresult parameters(const struct kernel *k, void **each, void **extra, uint64_t *args)
{
	if (each && extra)
		return CUDA_ERROR_INVALID_VALUE;
	if (each) {
		for (int i = 0; i < k->nargs; i++)
			args[i] = *(const uint64_t *)each[i];
		return CUDA_SUCCESS;
	}
	const uint64_t *packed = NULL;
	size_t size = 0;
	for (void **x = extra; x && *x; x += 2) {
		if (*x == (void *)1) /* CU_LAUNCH_PARAM_BUFFER_POINTER */
			packed = x[1];
		else if (*x == (void *)2) /* CU_LAUNCH_PARAM_BUFFER_SIZE */
			size = *(size_t *)x[1];
		else
			return CUDA_ERROR_INVALID_VALUE;
	}
	if (size < (size_t)k->nargs * sizeof args[0] || (k->nargs && !packed))
		return CUDA_ERROR_INVALID_VALUE;
	for (int i = 0; i < k->nargs; i++)
		args[i] = packed[i];
	return CUDA_SUCCESS;
}

static CUresult launch(struct thread *t, struct context *ctx, CUfunction handle, const struct gb_launch *at, CUstream stream,
                       void **each, void **extra)
{
	struct function *f = emu_function_of(t->drv, handle);
	const uint32_t *g = at->grid, *b = at->block;
	if (!f)
		return CUDA_ERROR_INVALID_HANDLE;
	if (!g[0] || !g[1] || !g[2] || g[0] > 2147483647u || g[1] > 65535 || g[2] > 65535 || !b[0] || !b[1] || !b[2] ||
	    b[0] > 1024 || b[1] > 1024 || b[2] > 64 || (uint64_t)b[0] * b[1] * b[2] > 1024 ||
	    at->shared_bytes > (uint32_t)f->max_dynamic_shared)
		return CUDA_ERROR_INVALID_VALUE;
	if (f->head.ctx != ctx) { /* the function's context must be that of the stream */
		struct stream *s;
		CHECK(emu_stream_of(t, ctx, stream, &s));
		if (!s || s->head.ctx != f->head.ctx)
			return CUDA_ERROR_INVALID_HANDLE;
	}
	uint64_t args[EMU_MAX_ARGS];
	CHECK(parameters(f->kernel, each, extra, args));
	struct work w;
	w.kind = WORK_LAUNCH;
	w.plan = (struct planned){ 0 };
	w.launch.kernel = f->kernel;
	w.launch.at = *at;
	w.launch.args = args;
	return emu_submit(t, ctx, stream, &w, false);
}

API(cuLaunchKernel)(CUfunction f, unsigned int gx, unsigned int gy, unsigned int gz, unsigned int bx, unsigned int by,
                    unsigned int bz, unsigned int shared, CUstream stream, void **params, void **extra)
{
	ENTER_CTX(cuLaunchKernel);
	struct gb_launch at = { .grid = { gx, gy, gz }, .block = { bx, by, bz }, .shared_bytes = shared };
	return launch(t, ctx, f, &at, stream, params, extra);
}

API(cuLaunchCooperativeKernel)(CUfunction f, unsigned int gx, unsigned int gy, unsigned int gz, unsigned int bx,
                               unsigned int by, unsigned int bz, unsigned int shared, CUstream stream, void **params)
{
	ENTER_CTX(cuLaunchCooperativeKernel);
	struct gb_launch at = { .grid = { gx, gy, gz }, .block = { bx, by, bz }, .shared_bytes = shared };
	return launch(t, ctx, f, &at, stream, params, NULL);
}
