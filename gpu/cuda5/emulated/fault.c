/* Faults injected by the environment (settings.c lists them): which operation gets which, and waiting. */
#include "emu.h"
#include <errno.h>
#include <time.h>

/* Counts one allocation, copy or launch. Returns the error that the call itself answers; an error of running work goes
 * to *fail (0: none), a flip to *flip (NULL: none). The pointers may be NULL where that cannot be. */
CUresult emu_fault_count(struct driver *drv, enum fault_class what, int *fail, const struct flip **flip)
{
	struct faults *f = &drv->set.faults;
	if (!f->on)
		return CUDA_SUCCESS;
	uint64_t n = atomic_fetch_add(&f->count[what], 1) + 1;
	if (what == FAULT_COPY && flip)
		for (int i = 0; i < f->nflips; i++)
			if (n == f->flip[i].n || (f->flip[i].onwards && n > f->flip[i].n))
				*flip = &f->flip[i];
	for (int i = 0; i < f->nfails; i++) {
		if (f->fail[i].what != what || f->fail[i].n != n)
			continue;
		if (!fail || !emu_sticky_code(f->fail[i].code))
			return (CUresult)f->fail[i].code;
		*fail = f->fail[i].code;
	}
	return CUDA_SUCCESS;
}

/* Sleeps in slices, so that a context that is being destroyed is not held up. */
void emu_sleep_ns(uint64_t ns, struct context *ctx)
{
	uint64_t end = emu_now_ns() + ns, now;
	while ((now = emu_now_ns()) < end && !atomic_load(&ctx->dying)) {
		uint64_t rest = end - now, slice = rest < 10000000 ? rest : 10000000;
		struct timespec t = { .tv_nsec = (long)slice };
		nanosleep(&t, NULL);
	}
}
