#include "nccl.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

static const char *const names[] = {
	"ncclGetVersion", "ncclGetUniqueId", "ncclCommInitRank", "ncclCommDestroy", "ncclCommAbort", "ncclCommGetAsyncError",
	"ncclGetErrorString", "ncclBroadcast", "ncclReduce", "ncclAllReduce", "ncclAllGather", "ncclReduceScatter", "ncclSend",
	"ncclRecv", "ncclGroupStart", "ncclGroupEnd",
};
enum { NAMES = sizeof names / sizeof *names };
_Static_assert(sizeof(gb_nccl) == (NAMES + 1) * sizeof(void *), "a name for every function");

int gb_nccl_open(const char *path, gb_nccl *f, char *text, int n)
{
	void *h = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!h) {
		snprintf(text, (size_t)n, "%s", dlerror());
		return -1;
	}
	for (int i = 0; i < NAMES; i++) {
		void *p = dlsym(h, names[i]);
		if (!p) {
			snprintf(text, (size_t)n, "it has no %s", names[i]);
			return -1;
		}
		memcpy((char *)f + (size_t)i * sizeof p, &p, sizeof p);
	}
	void *last = dlsym(h, "ncclGetLastError");
	memcpy(&f->get_last_error, &last, sizeof last);
	return 0;
}

int gb_nccl_all_to_all(const gb_nccl *f, const char *send, char *recv, size_t block, int size, void *comm, void *stream)
{
	int result = f->group_start();
	for (int peer = 0; peer < size && result == GB_NCCL_SUCCESS; peer++) {
		result = f->send(send + (size_t)peer * block, block, GB_NCCL_UINT8, peer, comm, stream);
		if (result == GB_NCCL_SUCCESS) result = f->recv(recv + (size_t)peer * block, block, GB_NCCL_UINT8, peer, comm, stream);
	}
	int end = f->group_end();
	return result != GB_NCCL_SUCCESS ? result : end;
}
