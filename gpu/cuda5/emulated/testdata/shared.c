/* Uses the shared object as UCX does: by dlopen and cuGetProcAddress. sharedobject_test.go compiles and runs it:
 *
 *	shared LIBRARY ipc       memory of this process, read and written by another one
 *	shared LIBRARY address   cuGetProcAddress
 *	shared LIBRARY hooks     first bytes of the functions that UCX patches
 *	shared LIBRARY vmm       reserved addresses, mappings beside each other, handles
 *	shared LIBRARY sync      calls that wait because the context or the memory asks for it
 *	shared LIBRARY nvml NVML devices, addresses and links that the NVML beside it tells of
 */
#define _GNU_SOURCE
#include "../extra.h"
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <unistd.h>

#define EMU_FN(symbol, args) static CUresult(*symbol) args;
#define CU_FN(name, symbol, need, args) static CUresult(*symbol) args;
#include "../../cu/table.def"
#include "../extra.def"
#undef EMU_FN
#undef CU_FN

#define CU(call) expect(call, CUDA_SUCCESS, #call, __LINE__)
#define FAILS(call, code) expect(call, code, #call, __LINE__)
static void expect(int got, int want, const char *what, int line)
{
	if (got == want)
		return;
	fprintf(stderr, "line %d: %s: %d, want %d\n", line, what, got, want);
	exit(1);
}

static void *library;

static void load(const char *path)
{
	library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!library) {
		fprintf(stderr, "%s\n", dlerror());
		exit(1);
	}
#define EMU_FN(symbol, args) *(void **)&symbol = dlsym(library, #symbol); expect(symbol != NULL, 1, #symbol, 0);
#define CU_FN(name, symbol, need, args) EMU_FN(symbol, args)
#include "../../cu/table.def"
#include "../extra.def"
}

static void start(void)
{
	CUcontext c;
	CU(cuInit(0));
	CU(cuDevicePrimaryCtxRetain(&c, 0));
	CU(cuCtxPushCurrent_v2(c));
}

enum { N = 3 << 20 };

static void check(const unsigned char *p, unsigned char want)
{
	for (int i = 0; i < N; i++)
		expect(p[i], want, "byte", i);
}

static int importer(const char *path, const char *text)
{
	CUipcMemHandle h;
	CUdeviceptr p, mine;
	unsigned char *host = malloc(N);
	load(path);
	start();
	for (size_t i = 0; i < sizeof h; i++) {
		unsigned b;
		sscanf(text + 2 * i, "%2x", &b);
		h.reserved[i] = (char)b;
	}
	CU(cuIpcOpenMemHandle_v2(&p, h, CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS));
	CU(cuMemAlloc_v2(&mine, N));
	CU(cuMemcpyDtoDAsync_v2(mine, p, N, NULL)); /* what UCX's get does */
	CU(cuMemcpyDtoH_v2(host, mine, N));
	check(host, 0x5a);
	CU(cuMemsetD8_v2(mine, 0xa5, N));
	CU(cuMemcpyDtoDAsync_v2(p, mine, N, NULL)); /* and its put */
	CU(cuCtxSynchronize());
	CU(cuIpcCloseMemHandle(p));
	return 0;
}

static void ipc(const char *path, const char *self)
{
	CUdeviceptr p;
	CUipcMemHandle h;
	char text[2 * sizeof h + 1];
	unsigned char *host = malloc(N);
	int status;
	start();
	CU(cuMemAlloc_v2(&p, N));
	memset(host, 0x5a, N);
	CU(cuMemcpyHtoD_v2(p, host, N));
	CU(cuIpcGetMemHandle(&h, p));
	for (size_t i = 0; i < sizeof h; i++)
		sprintf(text + 2 * i, "%02x", (unsigned char)h.reserved[i]);
	pid_t pid = fork();
	if (!pid) {
		/* a process forked from one that uses the driver cannot use it; a fresh program can */
		CUdeviceptr q;
		if (cuMemAlloc_v2(&q, 1) != CUDA_ERROR_NOT_INITIALIZED || cuInit(0) != CUDA_ERROR_NOT_INITIALIZED)
			_exit(9);
		execl(self, self, path, "import", text, (char *)NULL);
		_exit(8);
	}
	waitpid(pid, &status, 0);
	expect(status, 0, "status of the other process", 0);
	CU(cuMemcpyDtoH_v2(host, p, N));
	check(host, 0xa5);
	CU(cuMemFree_v2(p));
	uint64_t (*calls)(int, int, const char **) = (uint64_t(*)(int, int, const char **))dlsym(library, "gpubench_emu_calls");
	const char *name;
	for (int i = 0; calls(0, i, &name), name; i++)
		if (!strcmp(name, "cuIpcGetMemHandle") || !strcmp(name, "cuMemcpyDtoH_v2"))
			expect((int)calls(0, i, &name), 1, name, 0);
}

static void address(void)
{
	void *f;
	int status;
	start();
	CU(cuGetProcAddress_v2("cuMemAlloc", &f, 12000, 0, &status));
	expect(f == dlsym(library, "cuMemAlloc_v2"), 1, "cuMemAlloc means cuMemAlloc_v2", 0);
	expect(status, CU_GET_PROC_ADDRESS_SUCCESS, "status", 0);
	CU(cuGetProcAddress_v2("cuEventElapsedTime", &f, 12000, 0, &status));
	expect(f == dlsym(library, "cuEventElapsedTime"), 1, "an old caller gets the old variant", 0);
	CU(cuGetProcAddress_v2("cuEventElapsedTime", &f, 13000, 0, &status));
	expect(f == dlsym(library, "cuEventElapsedTime_v2"), 1, "a new caller gets the new variant", 0);
	CU(cuGetProcAddress_v2("cuGetProcAddress", &f, 12000, 0, &status));
	expect(f == dlsym(library, "cuGetProcAddress_v2"), 1, "itself, since 12.0", 0);
	CU(cuGetProcAddress("cuGetProcAddress", &f, 11030, 0));
	expect(f == dlsym(library, "cuGetProcAddress"), 1, "itself, before", 0);
	FAILS(cuGetProcAddress("cuNoSuchThing", &f, 12000, 0), CUDA_ERROR_NOT_FOUND);
	CU(cuGetProcAddress_v2("cuNoSuchThing", &f, 12000, 0, &status));
	expect(f == NULL && status == CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND, 1, "unknown", 0);
	CU(cuGetProcAddress_v2("cuMemAllocAsync", &f, 10000, 0, &status));
	expect(f == NULL && status == CU_GET_PROC_ADDRESS_VERSION_NOT_SUFFICIENT, 1, "too new", 0);
}

static void hooks(void)
{
	static const char *const hooked[] = { "cuMemAlloc_v2", "cuMemAllocPitch_v2", "cuMemAllocAsync", "cuMemAllocFromPoolAsync",
		"cuMemAllocManaged", "cuMemAllocHost_v2", "cuMemHostAlloc", "cuMemHostRegister_v2", "cuMemHostUnregister",
		"cuMemFree_v2", "cuMemFreeHost", "cuMemFreeAsync", "cuMemMap", "cuMemUnmap",
		"cuModuleGetGlobal_v2" };
	for (size_t i = 0; i < sizeof hooked / sizeof *hooked; i++) {
		const unsigned char *p = dlsym(library, hooked[i]);
		printf("%s ", hooked[i]);
		for (int k = 0; k < 12; k++)
			printf("%02x", p[k]);
		puts("");
	}
}

static void vmm(void)
{
	enum { G = 2 << 20 };
	CUmemAllocationProp prop = { .type = CU_MEM_ALLOCATION_TYPE_PINNED, .requestedHandleTypes = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR,
		.location = { CU_MEM_LOCATION_TYPE_DEVICE, 0 } };
	CUmemAccessDesc both = { prop.location, 3 };
	CUmemGenericAllocationHandle a, b, again, imported;
	CUdeviceptr p, plain;
	size_t granule;
	int fd;
	unsigned char *host = malloc(4 * G);
	start();
	CU(cuMemGetAllocationGranularity(&granule, &prop, 0));
	expect((int)granule, G, "granularity", 0);
	CU(cuMemAddressReserve(&p, 4 * G, 0, 0, 0));
	CU(cuMemCreate(&a, 2 * G, &prop, 0));
	CU(cuMemCreate(&b, G, &prop, 0));
	CU(cuMemMap(p, 2 * G, 0, a, 0));
	CU(cuMemMap(p + 2 * G, G, 0, b, 0)); /* beside it; the last quarter stays empty */
	FAILS(cuMemMap(p + G, G, 0, b, 0), CUDA_ERROR_ALREADY_MAPPED);
	FAILS(cuMemAddressFree(p, 4 * G), CUDA_ERROR_INVALID_VALUE);
	memset(host, 7, 3 * G);
	CU(cuMemSetAccess(p, 3 * G, &both, 1));
	CU(cuMemcpyHtoD_v2(p, host, 3 * G)); /* across both */
	FAILS(cuMemcpyHtoD_v2(p + G, host, 3 * G), CUDA_ERROR_INVALID_VALUE);
	memset(host, 0, 3 * G);
	CU(cuMemcpyDtoH_v2(host, p, 3 * G));
	for (int i = 0; i < 3 * G; i++)
		expect(host[i], 7, "byte", i);
	/* the first one again, through its descriptor, in place of the second */
	CU(cuMemExportToShareableHandle(&fd, a, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR, 0));
	CU(cuMemImportFromShareableHandle(&imported, (void *)(intptr_t)fd, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR));
	close(fd);
	CU(cuMemUnmap(p + 2 * G, G));
	CU(cuMemMap(p + 2 * G, G, G, imported, 0));
	CU(cuMemSetAccess(p + 2 * G, G, &both, 1));
	CU(cuMemsetD8_v2(p + 2 * G, 9, G));
	CU(cuMemcpyDtoH_v2(host, p, 3 * G));
	expect(host[0], 7, "first half", 0);
	expect(host[G], 9, "second half, written through the other mapping", 0);
	/* a released handle lives as long as its mapping; retain gives it back */
	CU(cuMemRelease(a));
	FAILS(cuMemRelease(a), CUDA_ERROR_INVALID_VALUE);
	CU(cuMemRetainAllocationHandle(&again, (void *)(uintptr_t)(p + 100)));
	CU(cuMemRelease(again));
	CU(cuMemRelease(b));
	CU(cuMemRelease(imported));
	CU(cuMemUnmap(p, 3 * G));
	CU(cuMemAddressFree(p, 4 * G));
	/* what UCX tells memories by */
	CU(cuMemAlloc_v2(&plain, 64));
	FAILS(cuMemRetainAllocationHandle(&again, (void *)(uintptr_t)plain), CUDA_ERROR_INVALID_VALUE);
	prop.requestedHandleTypes = 8;
	FAILS(cuMemCreate(&a, G, &prop, 0), CUDA_ERROR_NOT_SUPPORTED);
	CU(cuMemFree_v2(plain));
}

/* With GPUBENCH_EMU_DELAY_US=200000: what is not waited for is unfinished when the call returns. */
static void sync_memops(void)
{
	CUdeviceptr p, q;
	unsigned flags, on = 1, off = 0;
	start();
	CU(cuMemAlloc_v2(&p, 64));
	CU(cuMemAlloc_v2(&q, 64));
	CU(cuCtxGetFlags(&flags));
#define ALL(code)                                                                                       \
	CU(cuCtxSynchronize()), CU(cuMemsetD8_v2(p, 1, 64)), FAILS(cuStreamQuery(NULL), code);         \
	CU(cuCtxSynchronize()), CU(cuMemcpyDtoD_v2(p, q, 64)), FAILS(cuStreamQuery(NULL), code);       \
	CU(cuCtxSynchronize()), CU(cuMemcpy(q, p, 64)), FAILS(cuStreamQuery(NULL), code);              \
	CU(cuCtxSynchronize()), CU(cuMemsetD8Async(p, 1, 64, NULL)), FAILS(cuStreamQuery(NULL), CUDA_ERROR_NOT_READY)
	ALL(CUDA_ERROR_NOT_READY);
	CU(cuCtxSetFlags(flags | CU_CTX_SYNC_MEMOPS));
	ALL(CUDA_SUCCESS);
	CU(cuCtxSetFlags(flags));
	CU(cuPointerSetAttribute(&on, CU_POINTER_ATTRIBUTE_SYNC_MEMOPS, p));
	ALL(CUDA_SUCCESS);
	CU(cuPointerSetAttribute(&off, CU_POINTER_ATTRIBUTE_SYNC_MEMOPS, p));
	ALL(CUDA_ERROR_NOT_READY);
}

/* With GPUBENCH_EMU_DEVICES=3, GPUBENCH_EMU_NVLINKS=4 and CUDA_VISIBLE_DEVICES=2,0: NVML shows all of them. */
static void nvml(const char *path)
{
	struct { char legacy[16]; unsigned domain, bus, device, id, subsystem; char text[32]; } pci;
	struct { unsigned field, scope; long long times[2]; int type, result; union { unsigned u; long long l; } value; } v[2];
	void *lib = dlopen(path, RTLD_NOW), *handle[3];
	unsigned n;
	expect(lib != NULL, 1, "dlopen of NVML", 0);
#define CALL(name, ...) ((int (*)())dlsym(lib, "nvml" name))(__VA_ARGS__)
	CU(CALL("Init_v2"));
	CU(CALL("DeviceGetCount_v2", &n));
	expect((int)n, 3, "devices", 0);
	FAILS(CALL("DeviceGetHandleByIndex_v2", 3, &handle[0]), 2);
	for (unsigned i = 0; i < n; i++)
		CU(CALL("DeviceGetHandleByIndex_v2", i, &handle[i]));
	start();
	static const int visible[] = { 2, 0 };
	for (int d = 0; d < 2; d++) {
		char id[20];
		CU(CALL("DeviceGetPciInfo_v3", handle[visible[d]], &pci));
		CU(cuDeviceGetPCIBusId(id, sizeof id, d));
		expect(strcasecmp(id, pci.legacy), 0, id, 0);
		expect(strcasecmp(id, pci.text + 4), 0, pci.text, 0);
		expect((int)pci.bus, (int)strtol(id + 5, NULL, 16), "bus", 0);
	}
	v[0].field = 91; /* NVML_FI_DEV_NVLINK_LINK_COUNT */
	v[1].field = 1;
	CU(CALL("DeviceGetFieldValues", handle[1], 2, v));
	expect(v[0].result == 0 && v[0].type == 1 && v[0].value.u == 4, 1, "links", 0);
	expect(v[1].result, 3, "another field", 0);
	CU(CALL("DeviceGetNvLinkRemotePciInfo_v2", handle[1], 3, &pci));
	FAILS(CALL("DeviceGetNvLinkRemotePciInfo_v2", handle[1], 4, &pci), 3);
	FAILS(CALL("DeviceGetGpuFabricInfoV", handle[1], v), 3);
	FAILS(CALL("DeviceGetPciInfo_v3", NULL, &pci), 2);
	CU(CALL("Shutdown"));
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[2], "import"))
		return importer(argv[1], argv[3]);
	load(argv[1]);
	if (!strcmp(argv[2], "ipc"))
		ipc(argv[1], argv[0]);
	else if (!strcmp(argv[2], "address"))
		address();
	else if (!strcmp(argv[2], "hooks"))
		hooks();
	else if (!strcmp(argv[2], "vmm"))
		vmm();
	else if (!strcmp(argv[2], "sync"))
		sync_memops();
	else if (argc == 4 && !strcmp(argv[2], "nvml"))
		nvml(argv[3]);
	else
		return 2;
	return 0;
}
