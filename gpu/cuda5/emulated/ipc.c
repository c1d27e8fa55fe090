/* Device memory between processes: a handle names the descriptor that holds the bytes, and the other process maps it
 * through /proc/<pid>/fd. Nothing is left behind anywhere when the processes end; both must share a PID namespace. */
#include "emu.h"
#include <string.h>
#include <unistd.h>

struct handle {
	uint32_t magic;
	int32_t pid, fd;
	uint32_t device; /* physical */
	uint64_t size, offset, inode, id;
};
enum { MEMORY_MAGIC = 0x6765u << 16 | 0x6d65u };
_Static_assert(sizeof(struct handle) <= sizeof(CUipcMemHandle), "memory handle");

API(cuIpcGetMemHandle)(CUipcMemHandle *out, CUdeviceptr p)
{
	ENTER_CTX(cuIpcGetMemHandle);
	struct span s;
	if (drv->open || !drv->set.ipc)
		return CUDA_ERROR_NOT_SUPPORTED;
	if (!out || !emu_find(drv, p, &s) || s.kind != KIND_DEVICE)
		return CUDA_ERROR_INVALID_VALUE;
	struct handle h = { .magic = MEMORY_MAGIC, .pid = (int32_t)getpid(), .fd = s.fd,
		            .device = (uint32_t)drv->dev[s.dev].physical, .size = s.len, .offset = s.fd_offset,
		            .inode = s.inode, .id = s.id };
	memset(out, 0, sizeof *out);
	memcpy(out, &h, sizeof h);
	return CUDA_SUCCESS;
}

/* The address at which this context has that allocation open, or 0. driver.lock held. */
static uintptr_t opened(struct driver *drv, struct context *ctx, const struct handle *h)
{
	struct space *sp = &drv->space;
	for (size_t i = 0; i < sp->granules; i++) {
		if (sp->taken[i] != VA_CHUNK) {
			uint8_t *next = memchr(sp->taken + i, VA_CHUNK, sp->granules - i);
			if (!next)
				return 0;
			i = (size_t)(next - sp->taken);
		}
		struct chunk *c = atomic_load(&sp->page[i]);
		struct slot *s = &c->slot[0];
		if (c->shift == 63 && s->kind == KIND_IPC && s->from_pid == h->pid && s->from == h->id && s->ctx == ctx)
			return c->va + c->delta;
		i += c->span / EMU_GRANULE - 1;
	}
	return 0;
}

API(cuIpcOpenMemHandle_v2)(CUdeviceptr *out, CUipcMemHandle handle, unsigned int flags)
{
	ENTER_CTX(cuIpcOpenMemHandle_v2);
	struct handle h;
	memcpy(&h, &handle, sizeof h);
	if (drv->open || !drv->set.ipc)
		return CUDA_ERROR_NOT_SUPPORTED;
	if (!out || flags != CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS || h.magic != MEMORY_MAGIC || !h.size)
		return CUDA_ERROR_INVALID_VALUE;
	if (h.pid == getpid())
		return CUDA_ERROR_INVALID_CONTEXT; /* as the real one: not in the process that made it */
	if (h.device != (uint32_t)drv->dev[ctx->dev].physical && !drv->set.peer)
		return CUDA_ERROR_PEER_ACCESS_UNSUPPORTED;
	CUresult e = CUDA_SUCCESS;
	pthread_mutex_lock(&drv->lock);
	uintptr_t va = opened(drv, ctx, &h);
	if (!va) {
		int fd = emu_open_foreign(h.pid, h.fd, h.inode);
		if (fd < 0 || emu_file_size(fd) < h.offset + h.size)
			e = CUDA_ERROR_MAP_FAILED;
		else if (!emu_slot_new(drv, ctx->dev, ctx, KIND_IPC, h.size, fd, h.offset, &va))
			e = CUDA_ERROR_OUT_OF_MEMORY;
		if (e && fd >= 0)
			close(fd);
	}
	size_t off;
	struct slot *s = e ? NULL : emu_slot(drv, va, &off);
	if (s) {
		s->opens++;
		s->from = h.id;
		s->from_pid = h.pid;
		*out = va;
	}
	pthread_mutex_unlock(&drv->lock);
	return e;
}

API(cuIpcCloseMemHandle)(CUdeviceptr p)
{
	ENTER_CTX(cuIpcCloseMemHandle);
	emu_drain(drv);
	pthread_mutex_lock(&drv->lock);
	size_t off;
	struct slot *s = emu_slot(drv, p, &off);
	bool ok = s && !off && atomic_load(&s->len) && s->kind == KIND_IPC;
	if (ok && !--s->opens)
		emu_slot_free(drv, p);
	pthread_mutex_unlock(&drv->lock);
	return ok ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}
