/* What an address is: pointer attributes, as UCX and gpubench ask for them. */
#include "emu.h"

static CUresult attribute(struct driver *drv, void *out, int a, CUdeviceptr p, const struct span *s, bool lenient)
{
	bool host = s && (s->kind == KIND_HOST || s->kind == KIND_REGISTERED);
	if (!out)
		return CUDA_ERROR_INVALID_VALUE;
	switch (a) {
	case CU_POINTER_ATTRIBUTE_CONTEXT:
		/* Stream-ordered memory belongs to no context. */
		*(CUcontext *)out = s && s->kind != KIND_ASYNC && s->kind != KIND_VMM ? (CUcontext)s->ctx : NULL;
		break;
	case CU_POINTER_ATTRIBUTE_MEMORY_TYPE: *(unsigned *)out = !s ? 0 : host ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE; break;
	case CU_POINTER_ATTRIBUTE_DEVICE_POINTER: *(CUdeviceptr *)out = s ? p : 0; break;
	case CU_POINTER_ATTRIBUTE_HOST_POINTER: {
		bool readable = s && (host || s->kind == KIND_MANAGED);
		*(void **)out = readable ? (void *)(uintptr_t)p : NULL;
		return readable || lenient ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
	}
	case CU_POINTER_ATTRIBUTE_SYNC_MEMOPS: *(unsigned *)out = s ? s->sync : 0; break;
	case CU_POINTER_ATTRIBUTE_BUFFER_ID: *(unsigned long long *)out = s ? s->id : 0; break;
	case CU_POINTER_ATTRIBUTE_IS_MANAGED: *(unsigned *)out = s && s->kind == KIND_MANAGED; break;
	case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL: *(int *)out = s ? s->dev : -2; break;
	case CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE:
		*(unsigned *)out = s && s->kind == KIND_DEVICE && drv->set.ipc && !drv->open;
		break;
	case CU_POINTER_ATTRIBUTE_RANGE_START_ADDR: *(CUdeviceptr *)out = s ? s->base : 0; break;
	case CU_POINTER_ATTRIBUTE_RANGE_SIZE: *(size_t *)out = s ? s->len : 0; break;
	case CU_POINTER_ATTRIBUTE_MAPPED: *(unsigned *)out = s != NULL; break;
	case CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES:
		*(unsigned long long *)out = s && s->kind == KIND_VMM ? CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR : 0;
		break;
	case CU_POINTER_ATTRIBUTE_IS_GPU_DIRECT_RDMA_CAPABLE: *(unsigned *)out = 0; break;
	case CU_POINTER_ATTRIBUTE_ACCESS_FLAGS: *(unsigned *)out = s ? s->access : 0; break;
	case CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE:
		*(CUmemoryPool *)out = s && s->kind == KIND_ASYNC ? (CUmemoryPool)drv->dev[s->dev].mempool : NULL;
		break;
	default: return CUDA_ERROR_INVALID_VALUE;
	}
	return CUDA_SUCCESS;
}

API(cuPointerGetAttribute)(void *out, CUpointer_attribute a, CUdeviceptr p)
{
	ENTER(cuPointerGetAttribute);
	struct span s;
	return emu_find(drv, p, &s) ? attribute(drv, out, (int)a, p, &s, false) : CUDA_ERROR_INVALID_VALUE;
}

/* Unlike the single form: of an unknown pointer it gives default values and success. */
API(cuPointerGetAttributes)(unsigned int n, CUpointer_attribute *a, void **out, CUdeviceptr p)
{
	ENTER(cuPointerGetAttributes);
	struct span s;
	bool known = emu_find(drv, p, &s);
	if (!n || !a || !out)
		return CUDA_ERROR_INVALID_VALUE;
	for (unsigned i = 0; i < n; i++)
		CHECK(attribute(drv, out[i], (int)a[i], p, known ? &s : NULL, true));
	return CUDA_SUCCESS;
}

API(cuPointerSetAttribute)(const void *value, CUpointer_attribute a, CUdeviceptr p)
{
	ENTER(cuPointerSetAttribute);
	if (!value || a != CU_POINTER_ATTRIBUTE_SYNC_MEMOPS || !emu_in_space(drv, p))
		return CUDA_ERROR_INVALID_VALUE;
	size_t off;
	pthread_mutex_lock(&drv->lock);
	struct slot *s = emu_slot(drv, p, &off);
	bool ok = s && off < atomic_load(&s->len);
	if (ok)
		s->sync = *(const unsigned *)value != 0;
	pthread_mutex_unlock(&drv->lock);
	return ok ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}
