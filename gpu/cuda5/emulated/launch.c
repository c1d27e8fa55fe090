/* Kernel launches: checked as the real driver checks them, then the body runs with host addresses in place of device
 * pointers. */
#include "emu.h"

/* May the context's device use p, somewhere behind it? Not more is known: a parameter has no length. The end of a range
 * is allowed: a kernel may be given an empty rest. */
static bool reachable(struct driver *drv, struct context *c, uintptr_t p)
{
	struct span s;
	size_t off;
	if (emu_in_space(drv, p)) {
		if (!emu_live(drv, p, 1, 1) && !emu_live(drv, --p, 1, 1))
			return false;
		return emu_has_peer(c, emu_slot(drv, p, &off)->ctx);
	}
	return drv->open || emu_host_find(drv, p, &s) || emu_host_find(drv, p - 1, &s);
}

/* Runs a launch on the calling thread: a stream's worker, or on cpu the caller with its team. */
int emu_launch_run(struct context *c, const struct kernel *k, const struct gb_launch *at, const uint64_t *args)
{
	struct driver *drv = c->head.drv;
	uint64_t host[EMU_MAX_ARGS];
	for (int i = 0; i < k->nargs; i++) {
		host[i] = args[i];
		if (k->kinds[i] != 'p' || !args[i])
			continue;
		if (!reachable(drv, c, (uintptr_t)args[i]))
			return CUDA_ERROR_ILLEGAL_ADDRESS;
		host[i] = (uint64_t)(uintptr_t)emu_host(drv, (uintptr_t)args[i]);
	}
	struct gb_launch l = *at;
	gb_body body = atomic_load_explicit(&k->body, memory_order_acquire);
	if (drv->open) {
		emu_team_run(emu_thread(), body, host, &l, k->phases);
		return 0;
	}
	l.part = 0;
	l.parts = 1;
	for (int i = 0; i < k->phases; i++) {
		l.phase = (uint32_t)i;
		body(host, &l);
	}
	return 0;
}

/* The second way to hand over parameters: one buffer, given by a list of these. */
static CUresult unpack_extra(void **extra, const struct kernel *k, uint64_t *args)
{
	const uint64_t *buffer = NULL;
	size_t size = 0;
	for (; extra && extra[0]; extra += 2) {
		if (extra[0] == (void *)1) /* CU_LAUNCH_PARAM_BUFFER_POINTER */
			buffer = extra[1];
		else if (extra[0] == (void *)2 && extra[1]) /* CU_LAUNCH_PARAM_BUFFER_SIZE */
			size = *(size_t *)extra[1];
		else
			return CUDA_ERROR_INVALID_VALUE;
	}
	if (!buffer || size < (size_t)k->nargs * 8)
		return CUDA_ERROR_INVALID_VALUE;
	for (int i = 0; i < k->nargs; i++)
		args[i] = buffer[i];
	return CUDA_SUCCESS;
}

struct shape {
	unsigned gx, gy, gz, bx, by, bz, shared;
};

static CUresult check_shape(const struct function *f, const struct shape *s)
{
	if (!s->gx || !s->gy || !s->gz || !s->bx || !s->by || !s->bz)
		return CUDA_ERROR_INVALID_VALUE;
	if (s->gx > 2147483647u || s->gy > 65535 || s->gz > 65535 || s->bx > 1024 || s->by > 1024 || s->bz > 64)
		return CUDA_ERROR_INVALID_VALUE;
	if ((uint64_t)s->bx * s->by * s->bz > 1024)
		return CUDA_ERROR_INVALID_VALUE;
	return s->shared > (unsigned)f->max_dynamic_shared ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}

static CUresult launch(struct thread *t, struct context *ctx, CUfunction handle, const struct shape *s, CUstream stream,
                       void **params, void **extra)
{
	struct function *f = emu_function_of(t->drv, handle);
	uint64_t args[EMU_MAX_ARGS];
	if (!f || f->head.ctx != ctx)
		return CUDA_ERROR_INVALID_HANDLE;
	const struct kernel *k = f->kernel;
	CHECK(check_shape(f, s));
	if (params && extra)
		return CUDA_ERROR_INVALID_VALUE;
	if (extra)
		CHECK(unpack_extra(extra, k, args));
	else if (k->nargs && !params)
		return CUDA_ERROR_INVALID_VALUE;
	else
		for (int i = 0; i < k->nargs; i++)
			args[i] = *(const uint64_t *)params[i];
	struct work w = { .kind = WORK_LAUNCH,
		          .launch = { .kernel = k,
		                      .at = { { s->gx, s->gy, s->gz }, { s->bx, s->by, s->bz }, s->shared, 0, 0, 1 },
		                      .args = args } };
	return emu_submit(t, ctx, stream, &w, false);
}

API(cuLaunchKernel)(CUfunction f, unsigned int gx, unsigned int gy, unsigned int gz, unsigned int bx, unsigned int by,
                    unsigned int bz, unsigned int shared, CUstream stream, void **params, void **extra)
{
	ENTER_CTX(cuLaunchKernel);
	return launch(t, ctx, f, &(struct shape){ gx, gy, gz, bx, by, bz, shared }, stream, params, extra);
}

/* All blocks fit at a time as far as a device of 16 multiprocessors would take them (device.c); on cpu any number. */
API(cuLaunchCooperativeKernel)(CUfunction f, unsigned int gx, unsigned int gy, unsigned int gz, unsigned int bx,
                               unsigned int by, unsigned int bz, unsigned int shared, CUstream stream, void **params)
{
	ENTER_CTX(cuLaunchCooperativeKernel);
	struct shape s = { gx, gy, gz, bx, by, bz, shared };
	struct function *fn = emu_function_of(drv, f);
	int blocks;
	if (!fn)
		return CUDA_ERROR_INVALID_HANDLE;
	CHECK(check_shape(fn, &s));
	blocks = emu_occupancy((int)(bx * by * bz), shared);
	if (!drv->open && (uint64_t)gx * gy * gz > 16u * (uint64_t)blocks)
		return CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE;
	return launch(t, ctx, f, &s, stream, params, NULL);
}
