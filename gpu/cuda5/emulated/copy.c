/* Copies, in one to three dimensions, between any two memories. */
#include "emu.h"
#include <string.h>

/* ---- running ---------------------------------------------------------------------------------------------------- */
/* Flips the bit of a destination that GPUBENCH_EMU_FLIP asks for; bytes count in the order in which they are copied. */
static void flip(const struct work *w, char *dst)
{
	const struct flip *f = w->plan.flip;
	size_t slice = w->copy.width * w->copy.height, n = slice * w->copy.depth;
	size_t b = f->where ? f->byte % n : n < 8 ? n - 1 : 7;
	dst[b / slice * w->copy.dslice + b % slice / w->copy.width * w->copy.dpitch + b % w->copy.width] ^= (char)(1 << f->bit);
}

/* Bytes from the first to behind the last one touched. */
static size_t extent(size_t width, size_t height, size_t depth, size_t pitch, size_t slice)
{
	return (depth - 1) * slice + (height - 1) * pitch + width;
}

/* Host memory is the caller's affair; device memory must still be allocated when the copy runs. */
static bool there(struct driver *drv, uintptr_t p, size_t n, unsigned access)
{
	return !emu_in_space(drv, p) || emu_live(drv, p, n, access);
}

int emu_copy_run(struct context *c, const struct work *w)
{
	struct driver *drv = c->head.drv;
	size_t dn = extent(w->copy.width, w->copy.height, w->copy.depth, w->copy.dpitch, w->copy.dslice);
	size_t sn = extent(w->copy.width, w->copy.height, w->copy.depth, w->copy.spitch, w->copy.sslice);
	if (!there(drv, w->copy.dst, dn, 2) || !there(drv, w->copy.src, sn, 1))
		return CUDA_ERROR_ILLEGAL_ADDRESS;
	char *dst = emu_host(drv, w->copy.dst);
	const char *src = emu_host(drv, w->copy.src);
	for (size_t z = 0; z < w->copy.depth; z++)
		for (size_t y = 0; y < w->copy.height; y++)
			memmove(dst + z * w->copy.dslice + y * w->copy.dpitch,
			        src + z * w->copy.sslice + y * w->copy.spitch, w->copy.width);
	if (w->plan.flip)
		flip(w, dst);
	return 0;
}

/* ---- one dimension ---------------------------------------------------------------------------------------------- */
enum side { ANY, DEVICE }; /* what an address may be: any memory; memory that the device can access */

/* Checks one side of a copy, n bytes from p. *paged: it is memory that the driver does not know, and the call must
 * therefore not return before the copy is done. */
static CUresult check(struct driver *drv, uintptr_t p, size_t n, enum side side, bool *paged)
{
	struct span s;
	if (!p || p + n < p)
		return CUDA_ERROR_INVALID_VALUE;
	if (emu_in_space(drv, p))
		return emu_live(drv, p, n, 0) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
	if (drv->open)
		return CUDA_SUCCESS; /* all host memory is device memory */
	if (emu_host_find(drv, p, &s))
		return n <= s.len - (p - s.base) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
	*paged = true;
	/* Not from outside into device addresses, nor into the bytes behind them. */
	uintptr_t end = drv->space.base + drv->space.size + drv->space.distance;
	return side == DEVICE || (p < end && p + n > drv->space.base) ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}

/* Whether a call that is not named asynchronous waits until it is done: one between device memories does not, as the real
 * one does not, unless the context or the memory asks for it. */
static bool waits(struct context *ctx, const struct work *w)
{
	struct driver *drv = ctx->head.drv;
	return drv->open || !emu_in_space(drv, w->copy.dst) || !emu_in_space(drv, w->copy.src) ||
	       emu_sync_memops(ctx, w->copy.dst) || emu_sync_memops(ctx, w->copy.src);
}

static CUresult copy(struct thread *t, struct context *ctx, uintptr_t dst, enum side to, uintptr_t src, enum side from,
                     size_t n, CUstream stream, bool plain)
{
	bool paged = false;
	if (!n)
		return CUDA_SUCCESS;
	CHECK(check(t->drv, dst, n, to, &paged));
	CHECK(check(t->drv, src, n, from, &paged));
	struct work w;
	w.kind = WORK_COPY;
	w.plan = (struct planned){ 0 };
	w.copy.dst = dst;
	w.copy.src = src;
	w.copy.width = n;
	w.copy.height = w.copy.depth = 1;
	w.copy.dpitch = w.copy.dslice = w.copy.spitch = w.copy.sslice = n;
	return emu_submit(t, ctx, stream, &w, paged || (plain && waits(ctx, &w)));
}

#define P(pointer) ((uintptr_t)(pointer))
#define COPY(symbol, params, dst, to, src, from, stream, plain)                                \
	API(symbol) params                                                                     \
	{                                                                                      \
		ENTER_CTX(symbol);                                                             \
		return copy(t, ctx, P(dst), to, P(src), from, n, stream, plain);               \
	}
COPY(cuMemcpy, (CUdeviceptr d, CUdeviceptr s, size_t n), d, ANY, s, ANY, NULL, true)
COPY(cuMemcpyAsync, (CUdeviceptr d, CUdeviceptr s, size_t n, CUstream st), d, ANY, s, ANY, st, false)
COPY(cuMemcpyHtoD_v2, (CUdeviceptr d, const void *s, size_t n), d, DEVICE, s, ANY, NULL, true)
COPY(cuMemcpyHtoDAsync_v2, (CUdeviceptr d, const void *s, size_t n, CUstream st), d, DEVICE, s, ANY, st, false)
COPY(cuMemcpyDtoH_v2, (void *d, CUdeviceptr s, size_t n), d, ANY, s, DEVICE, NULL, true)
COPY(cuMemcpyDtoHAsync_v2, (void *d, CUdeviceptr s, size_t n, CUstream st), d, ANY, s, DEVICE, st, false)
COPY(cuMemcpyDtoD_v2, (CUdeviceptr d, CUdeviceptr s, size_t n), d, DEVICE, s, DEVICE, NULL, true)
COPY(cuMemcpyDtoDAsync_v2, (CUdeviceptr d, CUdeviceptr s, size_t n, CUstream st), d, DEVICE, s, DEVICE, st, false)

static CUresult peer(struct thread *t, struct context *ctx, CUdeviceptr d, CUcontext dc, CUdeviceptr s, CUcontext sc,
                     size_t n, CUstream stream, bool plain)
{
	if (!emu_context_of(t->drv, dc) || !emu_context_of(t->drv, sc))
		return CUDA_ERROR_INVALID_CONTEXT;
	return copy(t, ctx, d, DEVICE, s, DEVICE, n, stream, plain);
}

API(cuMemcpyPeer)(CUdeviceptr d, CUcontext dc, CUdeviceptr s, CUcontext sc, size_t n)
{
	ENTER_CTX(cuMemcpyPeer);
	return peer(t, ctx, d, dc, s, sc, n, NULL, true);
}

API(cuMemcpyPeerAsync)(CUdeviceptr d, CUcontext dc, CUdeviceptr s, CUcontext sc, size_t n, CUstream stream)
{
	ENTER_CTX(cuMemcpyPeerAsync);
	return peer(t, ctx, d, dc, s, sc, n, stream, false);
}

/* ---- two and three dimensions ----------------------------------------------------------------------------------- */
/* One side of a box: where it begins and how its rows and slices lie. */
struct face {
	CUmemorytype type;
	const void *host;
	CUdeviceptr device;
	size_t x, y, z, pitch, rows;
};

static CUresult check_face(struct driver *drv, const struct face *f, size_t width, size_t height, size_t depth,
                           uintptr_t *begin, size_t *pitch, size_t *slice, bool *paged)
{
	size_t p = f->pitch ? f->pitch : f->x + width, rows = f->rows ? f->rows : f->y + height;
	size_t n, before;
	if (f->type == CU_MEMORYTYPE_ARRAY)
		return CUDA_ERROR_NOT_SUPPORTED; /* CUDA arrays are not emulated */
	if (f->type != CU_MEMORYTYPE_HOST && f->type != CU_MEMORYTYPE_DEVICE && f->type != CU_MEMORYTYPE_UNIFIED)
		return CUDA_ERROR_INVALID_VALUE;
	if (f->x + width < width || p < f->x + width || (depth > 1 && rows < f->y + height) ||
	    __builtin_mul_overflow(p, rows, slice) || __builtin_mul_overflow(f->z + depth, *slice, &n) ||
	    __builtin_mul_overflow(f->y, p, &before))
		return CUDA_ERROR_INVALID_VALUE;
	*pitch = p;
	*begin = (f->type == CU_MEMORYTYPE_HOST ? (uintptr_t)f->host : (uintptr_t)f->device) + f->z * *slice + before + f->x;
	return check(drv, *begin, extent(width, height, depth, p, *slice), f->type == CU_MEMORYTYPE_DEVICE ? DEVICE : ANY, paged);
}

static CUresult box(struct thread *t, struct context *ctx, const struct face *dst, const struct face *src, size_t width,
                    size_t height, size_t depth, CUstream stream, bool plain)
{
	struct work w = { .kind = WORK_COPY, .copy = { .width = width, .height = height, .depth = depth } };
	bool paged = false;
	if (!width || !height || !depth)
		return CUDA_SUCCESS;
	CHECK(check_face(t->drv, dst, width, height, depth, &w.copy.dst, &w.copy.dpitch, &w.copy.dslice, &paged));
	CHECK(check_face(t->drv, src, width, height, depth, &w.copy.src, &w.copy.spitch, &w.copy.sslice, &paged));
	return emu_submit(t, ctx, stream, &w, paged || (plain && waits(ctx, &w)));
}

static CUresult copy2(struct thread *t, struct context *ctx, const CUDA_MEMCPY2D *p, CUstream stream, bool plain)
{
	if (!p)
		return CUDA_ERROR_INVALID_VALUE;
	return box(t, ctx,
	           &(struct face){ p->dstMemoryType, p->dstHost, p->dstDevice, p->dstXInBytes, p->dstY, 0, p->dstPitch, 0 },
	           &(struct face){ p->srcMemoryType, p->srcHost, p->srcDevice, p->srcXInBytes, p->srcY, 0, p->srcPitch, 0 },
	           p->WidthInBytes, p->Height, 1, stream, plain);
}
/* The plain and the peer structure have the same fields but for reserved and context. */
#define BOX3(p)                                                                                                            \
	box(t, ctx,                                                                                                        \
	    &(struct face){ p->dstMemoryType, p->dstHost, p->dstDevice, p->dstXInBytes, p->dstY, p->dstZ, p->dstPitch, p->dstHeight }, \
	    &(struct face){ p->srcMemoryType, p->srcHost, p->srcDevice, p->srcXInBytes, p->srcY, p->srcZ, p->srcPitch, p->srcHeight }, \
	    p->WidthInBytes, p->Height, p->Depth, stream, plain)

static CUresult copy3(struct thread *t, struct context *ctx, const CUDA_MEMCPY3D *p, CUstream stream, bool plain)
{
	return p && !p->srcLOD && !p->dstLOD ? BOX3(p) : CUDA_ERROR_INVALID_VALUE;
}

static CUresult copy3peer(struct thread *t, struct context *ctx, const CUDA_MEMCPY3D_PEER *p, CUstream stream, bool plain)
{
	if (!p || p->srcLOD || p->dstLOD)
		return CUDA_ERROR_INVALID_VALUE;
	if ((p->srcMemoryType == CU_MEMORYTYPE_DEVICE && !emu_context_of(t->drv, p->srcContext)) ||
	    (p->dstMemoryType == CU_MEMORYTYPE_DEVICE && !emu_context_of(t->drv, p->dstContext)))
		return CUDA_ERROR_INVALID_CONTEXT;
	return BOX3(p);
}

#define BOX(symbol, params, function, stream, plain)                \
	API(symbol) params                                         \
	{                                                          \
		ENTER_CTX(symbol);                                 \
		return function(t, ctx, p, stream, plain);          \
	}
BOX(cuMemcpy2D_v2, (const CUDA_MEMCPY2D *p), copy2, NULL, true)
BOX(cuMemcpy2DUnaligned_v2, (const CUDA_MEMCPY2D *p), copy2, NULL, true)
BOX(cuMemcpy2DAsync_v2, (const CUDA_MEMCPY2D *p, CUstream stream), copy2, stream, false)
BOX(cuMemcpy3D_v2, (const CUDA_MEMCPY3D *p), copy3, NULL, true)
BOX(cuMemcpy3DAsync_v2, (const CUDA_MEMCPY3D *p, CUstream stream), copy3, stream, false)
BOX(cuMemcpy3DPeer, (const CUDA_MEMCPY3D_PEER *p), copy3peer, NULL, true)
BOX(cuMemcpy3DPeerAsync, (const CUDA_MEMCPY3D_PEER *p, CUstream stream), copy3peer, stream, false)
