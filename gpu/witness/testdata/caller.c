/* Calls the driver as a library does that is linked with it. Each function answers 0 where the driver answered what it
 * should. witness_test.go compiles and opens it. */
#include "../../cuda5/cu/cuda_types.h"

typedef CUresult between_t(CUdeviceptr, CUdeviceptr, size_t, CUstream);
typedef CUresult address_t(const char *, void **, int, cuuint64_t, int *);

CUresult cuMemcpy(CUdeviceptr, CUdeviceptr, size_t);
CUresult cuMemcpyAsync(CUdeviceptr, CUdeviceptr, size_t, CUstream);
CUresult cuMemcpyHtoD_v2(CUdeviceptr, const void *, size_t);
CUresult cuMemcpyDtoH_v2(void *, CUdeviceptr, size_t);
between_t cuMemcpyDtoDAsync_v2;
CUresult cuMemcpy2D_v2(const CUDA_MEMCPY2D *);
CUresult cuCtxSynchronize(void);
address_t cuGetProcAddress_v2;
#pragma weak cuMemcpyDtoDAsync_v2_ptsz
between_t cuMemcpyDtoDAsync_v2_ptsz; /* not in the emulated driver */

uint64_t async(uint64_t dst, uint64_t src, uint64_t n) { return cuMemcpyAsync(dst, src, n, 0) || cuCtxSynchronize(); }
uint64_t plain(uint64_t dst, uint64_t src, uint64_t n) { return cuMemcpy(dst, src, n); }
uint64_t to_device(uint64_t dst, uint64_t src, uint64_t n) { return cuMemcpyHtoD_v2(dst, (const void *)src, n); }
uint64_t to_host(uint64_t dst, uint64_t src, uint64_t n) { return cuMemcpyDtoH_v2((void *)dst, src, n); }
uint64_t between(uint64_t dst, uint64_t src, uint64_t n) { return cuMemcpyDtoDAsync_v2(dst, src, n, 0) || cuCtxSynchronize(); }
uint64_t two(uint64_t dst, uint64_t src, uint64_t n) { return between(dst, src, n) || between(src, dst, n); }
uint64_t fails(uint64_t dst, uint64_t src, uint64_t n) { return cuMemcpyDtoDAsync_v2(dst, src, n, 0) != CUDA_ERROR_INVALID_VALUE; }

uint64_t not_in_this_driver(uint64_t dst, uint64_t src, uint64_t n)
{
	return !cuMemcpyDtoDAsync_v2_ptsz || cuMemcpyDtoDAsync_v2_ptsz(dst, src, n, 0) != CUDA_ERROR_NOT_FOUND;
}

uint64_t box(uint64_t dst, uint64_t src, uint64_t n)
{
	CUDA_MEMCPY2D c = { .srcMemoryType = CU_MEMORYTYPE_DEVICE, .srcDevice = src, .srcPitch = n / 10,
		.dstMemoryType = CU_MEMORYTYPE_HOST, .dstHost = (void *)dst, .dstPitch = n / 10, .WidthInBytes = n / 10, .Height = 10 };
	return cuMemcpy2D_v2(&c);
}

uint64_t unified_box(uint64_t dst, uint64_t src, uint64_t n)
{
	CUDA_MEMCPY2D c = { .srcMemoryType = CU_MEMORYTYPE_UNIFIED, .srcDevice = src, .srcPitch = n / 10,
		.dstMemoryType = CU_MEMORYTYPE_UNIFIED, .dstDevice = dst, .dstPitch = n / 10, .WidthInBytes = n / 10, .Height = 10 };
	return cuMemcpy2D_v2(&c);
}

static uint64_t by(address_t *look, uint64_t dst, uint64_t src, uint64_t n)
{
	void *f = 0;
	int status = -1;
	if (look("cuMemcpyDtoDAsync", &f, 12000, 0, &status) || status || !f)
		return 1;
	return ((between_t *)f)(dst, src, n, 0) || cuCtxSynchronize();
}

uint64_t by_address(uint64_t dst, uint64_t src, uint64_t n) { return by(cuGetProcAddress_v2, dst, src, n); }

uint64_t by_address_of_address(uint64_t dst, uint64_t src, uint64_t n)
{
	void *f = 0;
	int status = -1;
	return cuGetProcAddress_v2("cuGetProcAddress", &f, 12000, 0, &status) || !f || by((address_t *)f, dst, src, n);
}
