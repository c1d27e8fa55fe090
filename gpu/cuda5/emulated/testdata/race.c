/* Many threads on both drivers at once, for the sanitizers: compiled by sanitizer_test.go together with the driver. Every
 * thread checks its own results; a wrong one, a race, a leak or undefined behaviour ends the program with an error. */
#include "../emu.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { THREADS = 4, ROUNDS = 12, N = 3000, MEMBERS = 3 };

#define CU(call)                                                                                     \
	do {                                                                                         \
		CUresult r_ = d->call;                                                               \
		if (r_) {                                                                            \
			fprintf(stderr, "%s:%d %s: %s: %d\n", __FILE__, __LINE__, d->driver, #call, r_); \
			exit(1);                                                                     \
		}                                                                                    \
	} while (0)
#define EXPECT(got, want)                                                                            \
	do {                                                                                         \
		long long g_ = (got), w_ = (want);                                                   \
		if (g_ != w_) {                                                                      \
			fprintf(stderr, "%s:%d: %s: %lld, want %lld\n", __FILE__, __LINE__, #got, g_, w_); \
			exit(1);                                                                     \
		}                                                                                    \
	} while (0)

/* x[i] += n, in as many phases as it was registered with. */
static void add(const uint64_t *args, const struct gb_launch *l)
{
	int64_t *x = (int64_t *)(uintptr_t)args[0], count = (int64_t)args[1];
	for (int64_t i = count * l->part / l->parts; i < count * (l->part + 1) / l->parts; i++)
		x[i] += (int64_t)args[2];
}

static void launch(const cu_table *d, CUfunction f, CUstream s, CUdeviceptr p, int64_t n)
{
	int64_t count = N;
	void *args[] = { &p, &count, &n };
	CU(cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, s, args, NULL));
}

static void count_up(void *counter) { atomic_fetch_add((_Atomic int *)counter, 1); }

/* Two streams tied by events, a host function, memory that comes and goes. */
static void streams(const cu_table *d, CUfunction f, int id)
{
	CUstream a, b;
	CUevent e, start, stop;
	CUdeviceptr x, y;
	int64_t *h;
	_Atomic int calls = 0;
	float ms;
	CU(cuStreamCreate(&a, CU_STREAM_NON_BLOCKING));
	CU(cuStreamCreate(&b, id % 2 ? CU_STREAM_NON_BLOCKING : 0));
	CU(cuEventCreate(&e, CU_EVENT_DISABLE_TIMING));
	CU(cuEventCreate(&start, 0));
	CU(cuEventCreate(&stop, 0));
	CU(cuMemAlloc(&x, N * 8));
	CU(cuMemAlloc(&y, N * 8));
	CU(cuMemHostAlloc((void **)&h, N * 8, 0));
	CU(cuMemsetD8Async(x, 0, N * 8, a));
	CU(cuEventRecord(start, a));
	for (int i = 0; i < 5; i++)
		launch(d, f, a, x, id + 1);
	CU(cuEventRecord(e, a));
	CU(cuStreamWaitEvent(b, e, 0));
	CU(cuMemcpyDtoDAsync(y, x, N * 8, b));
	launch(d, f, b, y, 100);
	CU(cuLaunchHostFunc(b, count_up, (void *)&calls));
	CU(cuMemcpyDtoHAsync(h, y, N * 8, b));
	CU(cuEventRecord(stop, b));
	while (d->cuEventQuery(stop) == CUDA_ERROR_NOT_READY)
		;
	CU(cuEventElapsedTime(&ms, start, stop));
	EXPECT(calls, 1);
	EXPECT(ms >= 0, 1);
	EXPECT(h[0], 5 * (id + 1) + 100);
	EXPECT(h[N - 1], 5 * (id + 1) + 100);
	CU(cuStreamDestroy(a));
	CU(cuStreamDestroy(b));
	CU(cuEventDestroy(e));
	CU(cuEventDestroy(start));
	CU(cuEventDestroy(stop));
	CU(cuMemFree(x));
	CU(cuMemFree(y));
	CU(cuMemFreeHost(h));
}

/* A graph with a fork and a join, captured, launched twice, updated, launched again. */
static void graphs(const cu_table *d, CUfunction f, int id)
{
	CUstream a, b;
	CUevent fork, join;
	CUdeviceptr x, y;
	CUgraphExec exec = NULL;
	int64_t h[N];
	CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
	CU(cuThreadExchangeStreamCaptureMode(&mode));
	CU(cuStreamCreate(&a, CU_STREAM_NON_BLOCKING));
	CU(cuStreamCreate(&b, CU_STREAM_NON_BLOCKING));
	CU(cuEventCreate(&fork, CU_EVENT_DISABLE_TIMING));
	CU(cuEventCreate(&join, CU_EVENT_DISABLE_TIMING));
	CU(cuMemAlloc(&x, N * 8));
	CU(cuMemAlloc(&y, N * 8));
	CU(cuMemsetD8Async(x, 0, N * 8, a));
	for (int round = 0; round < 2; round++) {
		CUgraph g;
		size_t n = 0;
		CU(cuStreamBeginCapture(a, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL));
		launch(d, f, a, x, id + round);
		CU(cuEventRecord(fork, a));
		CU(cuStreamWaitEvent(b, fork, 0));
		CU(cuMemcpyDtoDAsync(y, x, N * 8, b));
		launch(d, f, a, x, 1);
		CU(cuEventRecord(join, b));
		CU(cuStreamWaitEvent(a, join, 0));
		launch(d, f, a, x, 1);
		CU(cuStreamEndCapture(a, &g));
		CU(cuGraphGetNodes(g, NULL, &n));
		EXPECT(n, 4);
		if (!exec) {
			CU(cuGraphInstantiate(&exec, g, NULL, NULL, 0));
		} else {
			CUgraphNode at;
			int why;
			EXPECT(emu_cuGraphExecUpdate(exec, g, &at, &why), 0);
			EXPECT(why, CU_GRAPH_EXEC_UPDATE_SUCCESS);
		}
		CU(cuGraphDestroy(g));
		CU(cuGraphLaunch(exec, a));
		CU(cuGraphLaunch(exec, a));
	}
	CU(cuStreamSynchronize(a));
	CU(cuMemcpyDtoH(h, x, N * 8));
	EXPECT(h[N / 2], 2 * (id + 2) + 2 * (id + 1 + 2));
	CU(cuMemcpyDtoH(h, y, N * 8));
	EXPECT(h[0], 2 * (id + 2) + (id + 1) + 2 + (id + 1));
	CU(cuGraphExecDestroy(exec));
	CU(cuStreamDestroy(a));
	CU(cuStreamDestroy(b));
	CU(cuEventDestroy(fork));
	CU(cuEventDestroy(join));
	CU(cuMemFree(x));
	CU(cuMemFree(y));
}

struct job {
	int driver, id;
};

static void *thread(void *arg)
{
	struct job *j = arg;
	const cu_table *d = emu_table(j->driver);
	d->enter(d->self);
	CUcontext primary, own;
	CUmodule m;
	CUfunction f;
	int64_t h[N];
	CUdeviceptr x;
	if (j->driver == 1)
		gpubench_emu_set_team(1 + j->id % MEMBERS);
	CU(cuDevicePrimaryCtxRetain(&primary, j->driver ? 0 : j->id % 2));
	CU(cuCtxPushCurrent(primary));
	CU(cuModuleLoadData(&m, "GPUBENCH-EMULATED"));
	CU(cuModuleGetFunction(&f, m, "add"));
	for (int round = 0; round < ROUNDS; round++) {
		streams(d, f, j->id);
		graphs(d, f, j->id);
		/* the thread's own default stream */
		CU(cuMemAlloc(&x, N * 8));
		CU(cuMemsetD8Async(x, 0, N * 8, CU_STREAM_PER_THREAD));
		launch(d, f, CU_STREAM_PER_THREAD, x, 7);
		CU(cuStreamSynchronize(CU_STREAM_PER_THREAD));
		CU(cuMemcpyDtoH(h, x, N * 8));
		EXPECT(h[N - 1], 7);
		CU(cuMemFree(x));
	}
	/* a context of its own, left full: its end takes all with it */
	CU(cuCtxCreate(&own, 0, 0));
	CU(cuModuleLoadData(&m, "GPUBENCH-EMULATED"));
	CU(cuModuleGetFunction(&f, m, "add"));
	for (int i = 0; i < 5; i++) {
		CUstream s;
		CUevent e;
		CU(cuStreamCreate(&s, 0));
		CU(cuEventCreate(&e, 0));
		CU(cuMemAlloc(&x, (size_t)N * 8 << i));
		CU(cuMemsetD8Async(x, 0, N * 8, s));
		launch(d, f, s, x, 1);
		CU(cuEventRecord(e, s));
	}
	CU(cuCtxDestroy(own));
	CU(cuCtxPopCurrent(NULL));
	return NULL;
}

int main(void)
{
	if (gpubench_emu_register("add", "pii", 1, add))
		return 1;
	for (int i = 0; i < EMU_DRIVERS; i++) {
		const cu_table *d = emu_table(i);
		d->enter(d->self);
		CU(cuInit(0));
	}
	pthread_t t[THREADS * EMU_DRIVERS];
	struct job j[THREADS * EMU_DRIVERS];
	for (int i = 0; i < THREADS * EMU_DRIVERS; i++) {
		j[i] = (struct job){ i % EMU_DRIVERS, i / EMU_DRIVERS };
		pthread_create(&t[i], NULL, thread, &j[i]);
	}
	for (int i = 0; i < THREADS * EMU_DRIVERS; i++)
		pthread_join(t[i], NULL);
	for (int i = 0; i < EMU_DRIVERS; i++) {
		const cu_table *d = emu_table(i);
		struct gpubench_emu_alive a;
		d->enter(d->self);
		for (int k = 0; k < THREADS; k++)
			CU(cuDevicePrimaryCtxRelease(i ? 0 : k % 2));
		/* workers end by themselves, a moment after their streams */
		for (int ms = 0; ms < 5000; ms++) {
			gpubench_emu_alive(i, &a);
			if (!a.workers && !a.streams)
				break;
			nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
		}
		EXPECT(a.workers, 0);
		EXPECT(a.streams, 0);
		EXPECT(a.events, 0);
		EXPECT(a.graphs, 0);
		EXPECT(a.execs, 0);
		EXPECT(a.modules, 0);
		EXPECT(a.allocations, 0);
		EXPECT(a.chunks, 0);
		EXPECT(a.host_ranges, 0);
		EXPECT(a.device_bytes, 0);
	}
	puts("clean");
	return 0;
}
