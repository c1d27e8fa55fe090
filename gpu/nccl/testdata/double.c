/* A double of NCCL for ranks on one host, threads of a process or processes, over the emulated driver (or a real one): every
 * call waits for its stream, meets the other ranks, and moves the data through a file that all have mapped. It shows that
 * gpubench calls NCCL as it is declared, and nothing of NCCL's own. Ranks that share a device are refused, as NCCL does.
 * With GPUBENCH_DOUBLE_WRONG=1 the last element of a sum is wrong. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
enum { SUCCESS = 0, CUDA_ERROR = 1, SYSTEM_ERROR = 2, INVALID_ARGUMENT = 4, INVALID_USAGE = 5, RANKS = 8, UINT8 = 1, FLOAT64 = 8 };
enum { SLOT = 1 << 20, PATIENCE = 20 };

typedef struct {
	char path[128]; /* of the file */
} id_t_;

/* What the ranks of a communicator share: the file, zeros at first. */
typedef struct {
	atomic_uint arrived;
	int device[RANKS];
	char data[RANKS][SLOT]; /* a rank's bytes, of this operation */
} world;

typedef struct {
	world *w;
	int rank, size;
} comm;

static __thread char last[200];
static __thread int grouped, nsend, nrecv;
static __thread struct part {
	const void *send;
	void *recv;
	size_t bytes;
	int peer;
	comm *c;
	void *stream;
} sends[RANKS], recvs[RANKS];

static int (*sync_stream)(void *), (*to_host)(void *, unsigned long long, size_t), (*to_device)(unsigned long long, const void *, size_t),
	(*get_device)(int *);
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void driver(void)
{
	void *h = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
	if (!h) return;
	*(void **)&get_device = dlsym(h, "cuCtxGetDevice");
	*(void **)&to_host = dlsym(h, "cuMemcpyDtoH_v2");
	*(void **)&to_device = dlsym(h, "cuMemcpyHtoD_v2");
	*(void **)&sync_stream = dlsym(h, "cuStreamSynchronize");
}

EXPORT int ncclGetVersion(int *v) { *v = 22105; return SUCCESS; }
EXPORT const char *ncclGetErrorString(int r) { return r == SUCCESS ? "no error" : r == INVALID_USAGE ? "invalid usage" : "an error"; }
EXPORT const char *ncclGetLastError(void *c) { (void)c; return last; }
EXPORT int ncclCommGetAsyncError(void *c, int *e) { (void)c; *e = SUCCESS; return SUCCESS; }

EXPORT int ncclGetUniqueId(id_t_ *id)
{
	const char *dir = getenv("TMPDIR");
	memset(id, 0, sizeof *id);
	snprintf(id->path, sizeof id->path, "%s/double-XXXXXX", dir ? dir : "/tmp");
	int fd = mkstemp(id->path);
	if (fd < 0) return SYSTEM_ERROR;
	int r = ftruncate(fd, sizeof(world));
	close(fd);
	return r == 0 ? SUCCESS : SYSTEM_ERROR;
}

/* Returns when all ranks have called it as often as this one, or after some time without one of them. */
static int meet(comm *c)
{
	unsigned n = atomic_fetch_add(&c->w->arrived, 1), all = (n / (unsigned)c->size + 1) * (unsigned)c->size;
	time_t began = time(NULL);
	while (atomic_load(&c->w->arrived) < all) {
		if (time(NULL) - began > PATIENCE) {
			snprintf(last, sizeof last, "a rank has not come");
			return SYSTEM_ERROR;
		}
		sched_yield();
	}
	return SUCCESS;
}

EXPORT int ncclCommInitRank(void **out, int size, id_t_ id, int rank)
{
	last[0] = '\0';
	pthread_once(&once, driver);
	if (!get_device || !to_host || !to_device || !sync_stream || size > RANKS) {
		snprintf(last, sizeof last, "no driver, or more than %d ranks", RANKS);
		return SYSTEM_ERROR;
	}
	int mine, fd = open(id.path, O_RDWR);
	if (fd < 0) return SYSTEM_ERROR;
	world *w = mmap(NULL, sizeof *w, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (w == MAP_FAILED) return SYSTEM_ERROR;
	if (get_device(&mine) != 0) return CUDA_ERROR;
	w->device[rank] = mine;
	comm *c = calloc(1, sizeof *c);
	*c = (comm){w, rank, size};
	int r = meet(c);
	unlink(id.path);
	for (int k = 0; k < size && r == SUCCESS; k++)
		if (k != rank && w->device[k] == mine) {
			snprintf(last, sizeof last, "Duplicate GPU detected : rank %d and rank %d", rank, k);
			r = INVALID_USAGE;
		}
	if (r != SUCCESS) {
		munmap(w, sizeof *w);
		free(c);
		return r;
	}
	*out = c;
	return SUCCESS;
}

EXPORT int ncclCommDestroy(void *c)
{
	munmap(((comm *)c)->w, sizeof(world));
	free(c);
	return SUCCESS;
}

EXPORT int ncclCommAbort(void *c) { return ncclCommDestroy(c); }

/* Shows a rank's bytes to the others; leave() ends that. */
static int show(comm *c, const void *send, size_t bytes, void *stream)
{
	if (bytes > SLOT) return INVALID_ARGUMENT;
	if (sync_stream(stream) != 0 || (bytes && to_host(c->w->data[c->rank], (unsigned long long)send, bytes) != 0)) return CUDA_ERROR;
	return meet(c);
}

static int leave(comm *c, void *recv, const void *result, size_t bytes)
{
	int r = recv && bytes ? to_device((unsigned long long)recv, result, bytes) : 0, met = meet(c);
	return r != 0 ? CUDA_ERROR : met;
}

/* The sum of float64s first to first+n-1 of all ranks, to recv. */
static int sum(comm *c, const void *send, void *recv, size_t all, size_t first, size_t n, int type, int op, void *stream)
{
	const char *wrong = getenv("GPUBENCH_DOUBLE_WRONG");
	if (type != FLOAT64 || op != 0) return INVALID_ARGUMENT;
	int r = show(c, send, all * 8, stream);
	if (r != SUCCESS) return r;
	double *out = calloc(n + 1, 8);
	for (int k = 0; k < c->size; k++)
		for (size_t i = 0; i < n; i++) out[i] += ((const double *)c->w->data[k])[first + i];
	if (wrong && *wrong == '1' && n > 0) out[n - 1] += 1;
	r = leave(c, recv, out, n * 8);
	free(out);
	return r;
}

EXPORT int ncclAllReduce(const void *s, void *r, size_t n, int type, int op, void *c, void *stream)
{
	return sum(c, s, r, n, 0, n, type, op, stream);
}

EXPORT int ncclReduce(const void *s, void *r, size_t n, int type, int op, int root, void *c, void *stream)
{
	return sum(c, s, ((comm *)c)->rank == root ? r : NULL, n, 0, n, type, op, stream);
}

EXPORT int ncclReduceScatter(const void *s, void *r, size_t n, int type, int op, void *c_, void *stream)
{
	comm *c = c_;
	return sum(c, s, r, n * (size_t)c->size, n * (size_t)c->rank, n, type, op, stream);
}

EXPORT int ncclBroadcast(const void *s, void *r, size_t n, int type, int root, void *c_, void *stream)
{
	comm *c = c_;
	if (type != UINT8) return INVALID_ARGUMENT;
	int e = show(c, s, c->rank == root ? n : 0, stream);
	return e != SUCCESS ? e : leave(c, r, c->w->data[root], n);
}

EXPORT int ncclAllGather(const void *s, void *r, size_t n, int type, void *c_, void *stream)
{
	comm *c = c_;
	if (type != UINT8) return INVALID_ARGUMENT;
	int e = show(c, s, n, stream);
	if (e != SUCCESS) return e;
	char *all = malloc(n * (size_t)c->size + 1);
	for (int k = 0; k < c->size; k++) memcpy(all + (size_t)k * n, c->w->data[k], n);
	e = leave(c, r, all, n * (size_t)c->size);
	free(all);
	return e;
}

EXPORT int ncclGroupStart(void) { grouped = 1, nsend = nrecv = 0; return SUCCESS; }

EXPORT int ncclSend(const void *s, size_t n, int type, int peer, void *c, void *stream)
{
	if (!grouped || type != UINT8) return INVALID_ARGUMENT;
	sends[nsend++] = (struct part){.send = s, .bytes = n, .peer = peer, .c = c, .stream = stream};
	return SUCCESS;
}

EXPORT int ncclRecv(void *r, size_t n, int type, int peer, void *c, void *stream)
{
	if (!grouped || type != UINT8) return INVALID_ARGUMENT;
	recvs[nrecv++] = (struct part){.recv = r, .bytes = n, .peer = peer, .c = c, .stream = stream};
	return SUCCESS;
}

/* All ranks send to all, blocks of one size: each shows its blocks in the order of receivers. */
EXPORT int ncclGroupEnd(void)
{
	grouped = 0;
	if (nsend == 0) return SUCCESS;
	comm *c = sends[0].c;
	size_t n = sends[0].bytes;
	if (nsend != c->size || nrecv != nsend) return INVALID_USAGE;
	if (n * (size_t)nsend > SLOT) return INVALID_ARGUMENT;
	int r = sync_stream(sends[0].stream);
	for (int k = 0; k < nsend; k++)
		if (n) r |= to_host(c->w->data[c->rank] + (size_t)sends[k].peer * n, (unsigned long long)sends[k].send, n);
	int met = meet(c);
	for (int k = 0; k < nrecv; k++)
		if (n) r |= to_device((unsigned long long)recvs[k].recv, c->w->data[recvs[k].peer] + (size_t)c->rank * n, n);
	if (met == SUCCESS) met = meet(c);
	return r == 0 ? met : CUDA_ERROR;
}
