/* Fills: 8, 16 and 32 bits, in one and two dimensions. */
#include "emu.h"
#include <string.h>

static void row(char *p, size_t n, uint32_t v, int size)
{
	uint16_t *p16 = (uint16_t *)p;
	uint32_t *p32 = (uint32_t *)p;
	if (size == 1)
		memset(p, (int)(v & 0xff), n);
	else if (size == 2)
		for (size_t i = 0; i < n; i++)
			p16[i] = (uint16_t)v;
	else
		for (size_t i = 0; i < n; i++)
			p32[i] = v;
}

int emu_set_run(struct context *c, const struct work *w)
{
	struct driver *drv = c->head.drv;
	size_t bytes = w->set.width * (size_t)w->set.size;
	if (emu_in_space(drv, w->set.dst) && !emu_live(drv, w->set.dst, (w->set.height - 1) * w->set.pitch + bytes, 2))
		return CUDA_ERROR_ILLEGAL_ADDRESS;
	char *p = emu_host(drv, w->set.dst);
	for (size_t y = 0; y < w->set.height; y++)
		row(p + y * w->set.pitch, w->set.width, w->set.value, w->set.size);
	return 0;
}

static CUresult set(struct thread *t, struct context *ctx, CUdeviceptr dst, size_t pitch, uint32_t v, int size,
                    size_t width, size_t height, CUstream stream, bool plain)
{
	struct driver *drv = t->drv;
	struct span s;
	size_t bytes, n;
	if (!width || !height)
		return CUDA_SUCCESS;
	if (__builtin_mul_overflow(width, (size_t)size, &bytes) || __builtin_mul_overflow(height - 1, pitch, &n) ||
	    n + bytes < n || dst % (unsigned)size || (height > 1 && (pitch < bytes || pitch % (unsigned)size)))
		return CUDA_ERROR_INVALID_VALUE;
	n += bytes;
	bool ok = emu_in_space(drv, dst) ? emu_live(drv, dst, n, 0)
	          : drv->open            ? dst != 0
	                                 : emu_host_find(drv, dst, &s) && n <= s.len - (dst - s.base);
	if (!ok)
		return CUDA_ERROR_INVALID_VALUE;
	struct work w = { .kind = WORK_SET, .set = { .dst = dst, .pitch = pitch, .width = width, .height = height, .value = v, .size = size } };
	/* Asynchronous to the host, as the real one on device memory, unless context or memory ask for the other. */
	return emu_submit(t, ctx, stream, &w, plain && emu_sync_memops(ctx, dst));
}

#define SET1(symbol, type, size)                                                                               \
	API(symbol##_v2)(CUdeviceptr dst, type v, size_t n)                                                    \
	{                                                                                                      \
		ENTER_CTX(symbol##_v2);                                                                        \
		return set(t, ctx, dst, n * size, v, size, n, 1, NULL, true);                                  \
	}                                                                                                      \
	API(symbol##Async)(CUdeviceptr dst, type v, size_t n, CUstream stream)                                 \
	{                                                                                                      \
		ENTER_CTX(symbol##Async);                                                                      \
		return set(t, ctx, dst, n * size, v, size, n, 1, stream, false);                               \
	}
SET1(cuMemsetD8, unsigned char, 1)
SET1(cuMemsetD16, unsigned short, 2)
SET1(cuMemsetD32, unsigned int, 4)

#define SET2(symbol, type, size)                                                                               \
	API(symbol##_v2)(CUdeviceptr dst, size_t pitch, type v, size_t width, size_t height)                   \
	{                                                                                                      \
		ENTER_CTX(symbol##_v2);                                                                        \
		return set(t, ctx, dst, pitch, v, size, width, height, NULL, true);                            \
	}                                                                                                      \
	API(symbol##Async)(CUdeviceptr dst, size_t pitch, type v, size_t width, size_t height, CUstream stream) \
	{                                                                                                      \
		ENTER_CTX(symbol##Async);                                                                      \
		return set(t, ctx, dst, pitch, v, size, width, height, stream, false);                         \
	}
SET2(cuMemsetD2D8, unsigned char, 1)
SET2(cuMemsetD2D16, unsigned short, 2)
SET2(cuMemsetD2D32, unsigned int, 4)
