/* The two drivers, the calling thread's state, initialisation, fork, and call counts. */
#include "emu.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct driver emu_drivers[EMU_DRIVERS] = {
	{ .name = "emulated", .index = 0, .init_lock = PTHREAD_MUTEX_INITIALIZER, .lock = PTHREAD_MUTEX_INITIALIZER,
	  .hosts_lock = PTHREAD_RWLOCK_INITIALIZER, .captures_lock = PTHREAD_MUTEX_INITIALIZER },
#ifndef EMU_SHARED
	{ .name = "cpu", .open = true, .index = 1, .init_lock = PTHREAD_MUTEX_INITIALIZER, .lock = PTHREAD_MUTEX_INITIALIZER,
	  .hosts_lock = PTHREAD_RWLOCK_INITIALIZER, .captures_lock = PTHREAD_MUTEX_INITIALIZER },
#endif
};
_Atomic uint64_t emu_next_buffer = 1;
_Thread_local struct thread *emu_me;
_Atomic int emu_forked;

/* ---- threads ---------------------------------------------------------------------------------------------------- */
static pthread_once_t threads_once = PTHREAD_ONCE_INIT;
static pthread_key_t threads_key;
static pthread_mutex_t threads_lock = PTHREAD_MUTEX_INITIALIZER;
static struct thread *threads; /* all that called something */
static uint64_t ended[EMU_DRIVERS][FN_COUNT]; /* calls of threads that are gone */

static void thread_end(void *arg)
{
	struct thread *t = arg;
	emu_own_streams_end(t);
	emu_team_end(t->team);
	pthread_mutex_lock(&threads_lock);
	for (int d = 0; d < EMU_DRIVERS; d++)
		for (int i = 0; i < FN_COUNT; i++)
			ended[d][i] += atomic_load_explicit(&t->calls[d][i], memory_order_relaxed);
	*t->prev = t->next;
	if (t->next)
		t->next->prev = t->prev;
	pthread_mutex_unlock(&threads_lock);
	emu_me = NULL;
	free(t);
}

static void child_after_fork(void) { atomic_store(&emu_forked, 1); }

static void threads_init(void)
{
	pthread_key_create(&threads_key, thread_end);
	/* As with the real driver, a process forked from one that uses it cannot: its worker threads are gone. */
	pthread_atfork(NULL, NULL, child_after_fork);
}

struct thread *emu_thread_new(void)
{
	pthread_once(&threads_once, threads_init);
	struct thread *t = calloc(1, sizeof *t);
	if (!t) {
		fputs("emulated CUDA driver: no memory for a thread's state\n", stderr);
		abort();
	}
	t->drv = &emu_drivers[0];
	pthread_mutex_lock(&threads_lock);
	t->next = threads;
	t->prev = &threads;
	if (threads)
		threads->prev = &t->next;
	threads = t;
	pthread_mutex_unlock(&threads_lock);
	pthread_setspecific(threads_key, t);
	return emu_me = t;
}

void emu_enter(void *driver) { emu_thread()->drv = driver; }

bool emu_spawn(pthread_t *thread, void *(*main)(void *), void *arg)
{
	/* Signals belong to the host program's threads; its handlers expect their stacks. */
	sigset_t all, old;
	pthread_t id;
	pthread_attr_t attr;
	sigfillset(&all);
	int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT };
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
		sigdelset(&all, faults[i]);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, (size_t)1 << 20);
	if (!thread)
		pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	bool ok = pthread_create(&id, &attr, main, arg) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	if (ok && thread)
		*thread = id;
	return ok;
}

/* ---- initialisation --------------------------------------------------------------------------------------------- */
static size_t machine_memory(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
	return pages > 0 && page > 0 ? (size_t)pages * (size_t)page : (size_t)4 << 30;
}

/* Devices share half of the machine between them, 16 GiB each at most: a double must not bring its host down. */
static size_t default_memory(const struct driver *drv)
{
	size_t all = machine_memory();
	if (drv->open)
		return all;
	size_t each = all / 2 / (size_t)(drv->set.devices ? drv->set.devices : 1) >> 28 << 28;
	if (each > (size_t)16 << 30)
		each = (size_t)16 << 30;
	return each ? each : (size_t)256 << 20;
}

static CUresult init(struct driver *drv)
{
	char text[256];
	if (!emu_settings_parse(&drv->set, text, sizeof text)) {
		fprintf(stderr, "emulated CUDA driver: %s\n", text);
		return CUDA_ERROR_INVALID_VALUE;
	}
	int physical[EMU_MAX_DEVICES];
	if (drv->open) {
		drv->ndev = 1; /* one host: neither GPUBENCH_EMU_DEVICES nor CUDA_VISIBLE_DEVICES is about it */
		physical[0] = 0;
	} else {
		drv->ndev = emu_visible(&drv->set, getenv("CUDA_VISIBLE_DEVICES"), physical);
	}
	struct {
		struct pool *pool;
		size_t size;
		void (*cleanup)(void *object);
	} pools[] = {
		{ &drv->contexts, sizeof(struct context), NULL },
		{ &drv->streams, sizeof(struct stream), emu_stream_cleanup },
		{ &drv->events, sizeof(struct event), emu_event_cleanup },
		{ &drv->graphs, sizeof(struct graph), emu_graph_cleanup },
		{ &drv->nodes, sizeof(struct node), emu_node_cleanup },
		{ &drv->execs, sizeof(struct exec), emu_exec_cleanup },
		{ &drv->modules, sizeof(struct module), NULL },
		{ &drv->functions, sizeof(struct function), NULL },
		{ &drv->handles, sizeof(struct vmm_handle), emu_vmm_cleanup },
		{ &drv->mempools, sizeof(struct mempool), NULL },
	};
	for (size_t i = 0; i < sizeof pools / sizeof *pools; i++)
		emu_pool_init(pools[i].pool, pools[i].size, pools[i].cleanup);
	for (int i = 0; i < drv->ndev; i++) {
		struct device *d = &drv->dev[i];
		d->physical = physical[i];
		d->memory = drv->set.memory ? drv->set.memory : default_memory(drv);
		emu_device_uuid(&drv->set, drv->open ? -1 : physical[i], d->uuid);
	}
	if (!drv->ndev)
		return CUDA_ERROR_NO_DEVICE;
	return emu_space_init(drv) ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

CUresult emu_driver_init(struct driver *drv)
{
	if (atomic_load(&emu_forked))
		return CUDA_ERROR_NOT_INITIALIZED;
	pthread_mutex_lock(&drv->init_lock);
	if (!atomic_load(&drv->ready) && !drv->failed) {
		drv->failed = init(drv);
		if (!drv->failed)
			atomic_store_explicit(&drv->ready, 1, memory_order_release);
	}
	CUresult e = drv->failed;
	pthread_mutex_unlock(&drv->init_lock);
	return e;
}

API(cuInit)(unsigned int flags)
{
	struct thread *t = emu_count(FN_cuInit);
	if (flags)
		return CUDA_ERROR_INVALID_VALUE;
	return emu_driver_init(t->drv);
}

API(cuDriverGetVersion)(int *version)
{
	emu_count(FN_cuDriverGetVersion);
	if (!version)
		return CUDA_ERROR_INVALID_VALUE;
	*version = EMU_VERSION;
	return CUDA_SUCCESS;
}

int gpubench_emu_abi(void) { return GPUBENCH_EMU_ABI; }

/* ---- call counts ------------------------------------------------------------------------------------------------ */
static const char *const names[] = {
#define EMU_NAME(name, symbol, version) #symbol,
#include "names.def"
#undef EMU_NAME
};

uint64_t gpubench_emu_calls(int driver, int i, const char **name)
{
	*name = NULL;
	if (driver < 0 || driver >= EMU_DRIVERS || i < 0 || i >= FN_COUNT)
		return 0;
	*name = names[i];
	pthread_mutex_lock(&threads_lock);
	uint64_t n = ended[driver][i];
	for (struct thread *t = threads; t; t = t->next)
		n += atomic_load_explicit(&t->calls[driver][i], memory_order_relaxed);
	pthread_mutex_unlock(&threads_lock);
	return n;
}

void gpubench_emu_alive(int driver, struct gpubench_emu_alive *a)
{
	memset(a, 0, sizeof *a);
	if (driver < 0 || driver >= EMU_DRIVERS)
		return;
	struct driver *drv = &emu_drivers[driver];
	for (int i = 0; i < drv->ndev; i++)
		a->device_bytes += atomic_load(&drv->dev[i].used);
	a->allocations = atomic_load(&drv->allocations);
	a->chunks = atomic_load(&drv->chunks);
	pthread_rwlock_rdlock(&drv->hosts_lock);
	a->host_ranges = (uint64_t)drv->nhosts;
	pthread_rwlock_unlock(&drv->hosts_lock);
	a->streams = atomic_load(&drv->streams.alive);
	a->events = atomic_load(&drv->events.alive);
	a->graphs = atomic_load(&drv->graphs.alive);
	a->execs = atomic_load(&drv->execs.alive);
	a->modules = atomic_load(&drv->modules.alive);
	a->contexts = atomic_load(&drv->contexts.alive);
	a->workers = (uint64_t)atomic_load(&drv->workers);
	a->handles = atomic_load(&drv->handles.alive);
}

#ifdef EMU_SHARED
/* GPUBENCH_EMU_CALLS=prefix: the counts as prefix.<pid>, when the process ends. */
__attribute__((destructor)) static void write_calls(void)
{
	const char *prefix = getenv("GPUBENCH_EMU_CALLS"), *name;
	char path[4096];
	if (!prefix || !*prefix || atomic_load(&emu_forked))
		return;
	snprintf(path, sizeof path, "%s.%d", prefix, (int)getpid());
	FILE *f = fopen(path, "w");
	if (!f)
		return;
	for (int i = 0; i < FN_COUNT; i++) {
		uint64_t n = gpubench_emu_calls(0, i, &name);
		if (n)
			fprintf(f, "%s %llu\n", name, (unsigned long long)n);
	}
	fclose(f);
}
#endif

/* ---- the system ------------------------------------------------------------------------------------------------- */
uint64_t emu_now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int emu_memfd(const char *name, size_t n, uint64_t *inode)
{
	struct stat st;
	int fd = memfd_create(name, MFD_CLOEXEC);
	if (fd >= 0 && (ftruncate(fd, (off_t)n) || fstat(fd, &st))) {
		close(fd);
		return -1;
	}
	if (fd >= 0)
		*inode = st.st_ino;
	return fd;
}

/* Opens another process's descriptor; the inode tells whether it is still the file that was meant. */
int emu_open_foreign(int pid, int fd, uint64_t inode)
{
	char path[64];
	struct stat st;
	snprintf(path, sizeof path, "/proc/%d/fd/%d", pid, fd);
	int mine = open(path, O_RDWR | O_CLOEXEC);
	if (mine >= 0 && (fstat(mine, &st) || st.st_ino != inode)) {
		close(mine);
		return -1;
	}
	return mine;
}

uint64_t emu_inode(int fd)
{
	struct stat st;
	return fstat(fd, &st) ? 0 : (uint64_t)st.st_ino;
}

uint64_t emu_file_size(int fd)
{
	struct stat st;
	return fstat(fd, &st) ? 0 : (uint64_t)st.st_size;
}
