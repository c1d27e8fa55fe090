/* A double of NCCL for ranks that are threads of one process, over the emulated driver (or a real one): every call waits for
 * its stream, meets the other ranks, and moves the data through host memory. It shows that gpubench calls NCCL as it is
 * declared, and nothing of NCCL's own. Ranks that share a device are refused, as NCCL does. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
enum { SUCCESS = 0, CUDA_ERROR = 1, SYSTEM_ERROR = 2, INVALID_ARGUMENT = 4, INVALID_USAGE = 5, RANKS = 64, UINT8 = 1, FLOAT64 = 8 };

typedef struct {
	char internal[128];
} id_t_;

typedef struct {
	unsigned long number;
	int pid;
} inside;

/* What the ranks of a communicator share. */
typedef struct world {
	unsigned long number;
	int size, joined, device[RANKS];
	pthread_barrier_t meet;
	const void *send[RANKS]; /* host copies, of this operation */
	size_t bytes[RANKS];
	struct world *next;
} world;

typedef struct comm {
	world *w;
	int rank;
} comm;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static world *worlds;
static unsigned long made;
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

static int driver(void)
{
	void *h = sync_stream ? NULL : dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
	if (sync_stream) return SUCCESS;
	if (!h) return SYSTEM_ERROR;
	*(void **)&get_device = dlsym(h, "cuCtxGetDevice");
	*(void **)&to_host = dlsym(h, "cuMemcpyDtoH_v2");
	*(void **)&to_device = dlsym(h, "cuMemcpyHtoD_v2");
	*(void **)&sync_stream = dlsym(h, "cuStreamSynchronize");
	return get_device && to_host && to_device && sync_stream ? SUCCESS : SYSTEM_ERROR;
}

EXPORT int ncclGetVersion(int *v) { *v = 22105; return SUCCESS; }
EXPORT const char *ncclGetErrorString(int r) { return r == SUCCESS ? "no error" : r == INVALID_USAGE ? "invalid usage" : "an error"; }
EXPORT const char *ncclGetLastError(void *c) { (void)c; return last; }
EXPORT int ncclCommGetAsyncError(void *c, int *e) { (void)c; *e = SUCCESS; return SUCCESS; }

EXPORT int ncclGetUniqueId(id_t_ *id)
{
	memset(id, 0, sizeof *id);
	pthread_mutex_lock(&lock);
	inside in = {++made, getpid()};
	pthread_mutex_unlock(&lock);
	memcpy(id, &in, sizeof in);
	return SUCCESS;
}

EXPORT int ncclCommInitRank(void **out, int size, id_t_ id, int rank)
{
	inside in;
	memcpy(&in, &id, sizeof in);
	last[0] = '\0';
	if (driver() != SUCCESS || in.pid != getpid() || size > RANKS) {
		snprintf(last, sizeof last, "the double is for threads of one process");
		return SYSTEM_ERROR;
	}
	int mine;
	if (get_device(&mine) != 0) return CUDA_ERROR;
	pthread_mutex_lock(&lock);
	world *w = worlds;
	while (w && w->number != in.number) w = w->next;
	if (!w) {
		w = calloc(1, sizeof *w);
		*w = (world){.number = in.number, .size = size, .next = worlds};
		pthread_barrier_init(&w->meet, NULL, (unsigned)size);
		worlds = w;
	}
	w->device[rank] = mine;
	pthread_mutex_unlock(&lock);
	pthread_barrier_wait(&w->meet);
	for (int r = 0; r < size; r++)
		if (r != rank && w->device[r] == mine) {
			snprintf(last, sizeof last, "Duplicate GPU detected : rank %d and rank %d", rank, r);
			return INVALID_USAGE;
		}
	comm *c = calloc(1, sizeof *c);
	*c = (comm){w, rank};
	*out = c;
	return SUCCESS;
}

EXPORT int ncclCommDestroy(void *c) { free(c); return SUCCESS; }
EXPORT int ncclCommAbort(void *c) { free(c); return SUCCESS; }

/* Shows a rank's bytes to the others; leave() ends that. */
static int show(comm *c, const void *send, size_t bytes, void *stream, void **copy)
{
	*copy = malloc(bytes + 1);
	if (sync_stream(stream) != 0 || (bytes && to_host(*copy, (unsigned long long)send, bytes) != 0)) return CUDA_ERROR;
	c->w->send[c->rank] = *copy;
	c->w->bytes[c->rank] = bytes;
	pthread_barrier_wait(&c->w->meet);
	return SUCCESS;
}

static int leave(comm *c, void *copy, void *recv, const void *result, size_t bytes)
{
	int r = recv && bytes ? to_device((unsigned long long)recv, result, bytes) : 0;
	pthread_barrier_wait(&c->w->meet);
	free(copy);
	return r == 0 ? SUCCESS : CUDA_ERROR;
}

/* The sum of float64s first to first+n-1 of all ranks, to recv. */
static int sum(comm *c, const void *send, void *recv, size_t all, size_t first, size_t n, int type, int op, void *stream)
{
	void *copy;
	if (type != FLOAT64 || op != 0) return INVALID_ARGUMENT;
	int r = show(c, send, all * 8, stream, &copy);
	if (r != SUCCESS) return r;
	double *out = calloc(n + 1, 8);
	for (int k = 0; k < c->w->size; k++)
		for (size_t i = 0; i < n; i++) out[i] += ((const double *)c->w->send[k])[first + i];
	r = leave(c, copy, recv, out, n * 8);
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
	return sum(c, s, r, n * (size_t)c->w->size, n * (size_t)c->rank, n, type, op, stream);
}

EXPORT int ncclBroadcast(const void *s, void *r, size_t n, int type, int root, void *c_, void *stream)
{
	comm *c = c_;
	void *copy;
	if (type != UINT8) return INVALID_ARGUMENT;
	int e = show(c, s, c->rank == root ? n : 0, stream, &copy);
	return e != SUCCESS ? e : leave(c, copy, r, c->w->send[root], n);
}

EXPORT int ncclAllGather(const void *s, void *r, size_t n, int type, void *c_, void *stream)
{
	comm *c = c_;
	void *copy;
	if (type != UINT8) return INVALID_ARGUMENT;
	int e = show(c, s, n, stream, &copy);
	if (e != SUCCESS) return e;
	char *all = malloc(n * (size_t)c->w->size + 1);
	for (int k = 0; k < c->w->size; k++) memcpy(all + (size_t)k * n, c->w->send[k], n);
	e = leave(c, copy, r, all, n * (size_t)c->w->size);
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
	size_t n = sends[0].bytes, size = (size_t)c->w->size;
	if (nsend != c->w->size || nrecv != nsend) return INVALID_USAGE;
	char *mine = malloc(n * size + 1);
	int r = sync_stream(sends[0].stream);
	for (int k = 0; k < nsend; k++)
		if (n) r |= to_host(mine + (size_t)sends[k].peer * n, (unsigned long long)sends[k].send, n);
	c->w->send[c->rank] = mine;
	pthread_barrier_wait(&c->w->meet);
	for (int k = 0; k < nrecv; k++)
		if (n) r |= to_device((unsigned long long)recvs[k].recv, (const char *)c->w->send[recvs[k].peer] + (size_t)c->rank * n, n);
	pthread_barrier_wait(&c->w->meet);
	free(mine);
	return r == 0 ? SUCCESS : CUDA_ERROR;
}
