/* Shared by the files of the emulated driver; emulated.go says what it is, emulated.h what it offers beside CUDA.
 *
 * Two instances of one driver: `emulated` (addresses that the host cannot touch, streams with a worker thread each) and
 * `cpu` (open addresses, everything on the calling thread). Which one a call means belongs to the thread: cu_table's
 * enter sets it. Compiled with -DEMU_SHARED the same files are a libcuda.so.1, with the emulated instance alone.
 *
 * Locks, outermost first: driver.init_lock (also: life of primary contexts); event.m > context.order >
 * stream.m; * driver.captures_lock; driver.lock > hosts; pool locks last. No lock but a plan's is held while work runs. */
#ifndef EMU_H
#define EMU_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "../cu/table.h"
#include "extra.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

/* EMU(cuInit) is the function's name in this build. API defines one; HOOKED defines one that UCX patches in place when
 * the driver is a shared object: its "bistro" hooks must be able to move the first 12 bytes elsewhere, and know few
 * instructions; three `sub $8,%rsp` are among them and leave the stack aligned. (Compile with -fcf-protection=none,
 * or an endbr64 stands in front.) Only for functions whose arguments all fit in registers. */
#ifdef EMU_SHARED
#define EMU(symbol) symbol
#define EMU_VISIBLE __attribute__((visibility("default")))
#define EMU_DRIVERS 1
#else
#define EMU(symbol) emu_##symbol
#define EMU_VISIBLE
#define EMU_DRIVERS 2
#endif
#define API(symbol) CUresult EMU(symbol)
#if defined EMU_SHARED && defined __x86_64__
#define HOOKED(symbol)                                                                                              \
	__asm__(".text\n.globl " #symbol "\n.type " #symbol ",@function\n" #symbol ":\n"                            \
	        ".byte 0x48,0x83,0xec,8,0x48,0x83,0xec,8,0x48,0x83,0xec,8\n"                                        \
	        "call emu_hooked_" #symbol "\nadd $24,%rsp\nret\n.size " #symbol ",.-" #symbol "\n");               \
	__attribute__((visibility("hidden"), used)) CUresult emu_hooked_##symbol
#else
#define HOOKED(symbol) API(symbol)
#endif

#ifdef EMU_SHARED
#pragma GCC visibility push(default)
#else
#pragma GCC visibility push(hidden)
#endif
#include "emulated.h"
#define CU_FN(name, symbol, need, args) CUresult EMU(symbol) args;
#include "../cu/table.def"
#undef CU_FN
#define EMU_FN(symbol, args) CUresult EMU(symbol) args;
#include "extra.def"
#undef EMU_FN
#pragma GCC visibility pop
#pragma GCC visibility push(hidden)

/* Every function of the driver by number: for call counts and cuGetProcAddress. */
enum {
#define EMU_NAME(name, symbol, version) FN_##symbol,
#include "names.def"
#undef EMU_NAME
	FN_COUNT
};

enum {
	EMU_MAX_DEVICES = 8,
	EMU_MAX_ARGS = 64,     /* parameters of a kernel */
	EMU_STACK = 64,        /* contexts on a thread's stack */
	EMU_VERSION = 13000,   /* what cuDriverGetVersion says */
	EMU_FAULTS = 16,       /* entries of one fault variable */
};
#define EMU_GRANULE ((size_t)2 << 20) /* unit of address space, as the real driver's */
#define EMU_PAGE ((size_t)4096)

struct thread;
struct driver;
struct context;
struct stream;
struct capture;

/* ---- pools (pool.c): handles are pointers into slabs that are never given back, so that a stale or a made-up handle
 * is found out and never followed. ------------------------------------------------------------------------------- */
enum { OBJECT_NEW, OBJECT_LIVE, OBJECT_DEAD };
struct object {
	_Atomic uint32_t live; /* is it a handle: being made, yes, destroyed but still referenced */
	_Atomic uint32_t refs;
	struct driver *drv;
	struct context *ctx;
	struct object *next; /* in the free list */
};
struct pool {
	size_t size; /* of one object; 0: not set up */
	pthread_mutex_t lock;
	struct slab {
		char *base;
		size_t n;
	} slab[24]; /* each twice as large as the one before */
	_Atomic int slabs;
	struct object *free;
	_Atomic size_t alive;          /* objects out of the free list */
	void (*cleanup)(void *object); /* called when the last reference goes; may be NULL */
};
void emu_pool_init(struct pool *p, size_t size, void (*cleanup)(void *object));
void *emu_pool_get(struct pool *p, struct driver *drv, struct context *ctx); /* zeroed, refs 1, OBJECT_NEW; NULL: no memory */
void emu_pool_publish(void *object);      /* it is complete: live from now on */
bool emu_pool_live(struct pool *p, const void *handle);
bool emu_pool_kill(struct pool *p, void *handle); /* live to dead; false: it was not live */
void emu_unref(struct pool *p, void *handle);
void emu_ref(void *handle);
/* The next complete object, destroyed ones too while something refers to them; referenced once more; cursor begins
 * at 0. NULL: no more. */
void *emu_pool_next(struct pool *p, size_t *cursor);

/* ---- faults (fault.c) ------------------------------------------------------------------------------------------- */
enum fault_class { FAULT_ALLOC, FAULT_COPY, FAULT_LAUNCH, FAULT_CLASSES };
struct faults {
	bool on; /* any of what follows */
	unsigned delay_us;
	int nfails;
	struct {
		enum fault_class what;
		uint64_t n;
		int code;
	} fail[EMU_FAULTS];
	int nflips;
	struct flip {
		uint64_t n;
		bool onwards, where; /* where: byte and bit were given */
		size_t byte;
		int bit;
	} flip[EMU_FAULTS];
	int nstalls;
	struct {
		bool stream; /* the first operation of the n-th stream, else the n-th operation */
		uint64_t n;
		unsigned ms;
	} stall[EMU_FAULTS];
	uint64_t lose;
	_Atomic uint64_t count[FAULT_CLASSES], operations, streams;
};
/* What shall happen to one operation, decided when it is called. */
struct planned {
	int fail; /* code that it ends with; sticky */
	const struct flip *flip;
	unsigned stall_ms;
	bool lose; /* the device is lost when it is done */
};
struct settings {
	int devices;
	size_t memory; /* per device; 0: by the machine's */
	bool peer, ipc;
	const char *node;
	struct faults faults;
};
bool emu_settings_parse(struct settings *s, char *text, size_t size);
CUresult emu_fault_count(struct driver *drv, enum fault_class what, int *fail, const struct flip **flip);
bool emu_sticky_code(int code);
void emu_sleep_ns(uint64_t ns, struct context *ctx);

/* ---- the driver (state.c) --------------------------------------------------------------------------------------- */
enum kind { KIND_NONE, KIND_DEVICE, KIND_ASYNC, KIND_IPC, KIND_VMM, KIND_MANAGED, KIND_HOST, KIND_REGISTERED };

/* One allocation in the address space. len is the only field read without a lock: 0 while the slot is free. */
struct slot {
	_Atomic size_t len;
	_Atomic unsigned access; /* bit 0 read, bit 1 write */
	uint64_t id;             /* BUFFER_ID, never used again */
	struct context *ctx;
	enum kind kind;
	unsigned sync; /* SYNC_MEMOPS */
	int opens;     /* KIND_IPC: times opened */
	uint64_t from; /* KIND_IPC: id in the exporting process */
	int from_pid;
	bool freeing; /* cuMemFreeAsync was called */
};
/* A run of granules with one mapping: many equal slots (small allocations) or a single one. */
struct chunk {
	uintptr_t va;
	size_t span, mapped; /* bytes of address space; bytes mapped at its start */
	unsigned shift;      /* log2 of the slot's size; 63: one slot */
	unsigned class;      /* list of spare chunks it returns to */
	size_t delta;        /* single slot: its offset from va (an imported range that begins inside a page) */
	int fd, dev, live, nslots;
	int hint; /* slots below it are taken */
	uint64_t inode;
	struct vmm_handle *handle;
	struct chunk *next;
	struct slot slot[];
};
enum { EMU_CLASSES = 13, EMU_CLASS_SHIFT = 9, EMU_SINGLE = 12 }; /* slots of 512 B to 1 MiB, and chunks with one slot */

struct space {
	uintptr_t base;
	size_t size, distance; /* host address = device address + distance */
	size_t granules, lowest;         /* granules below lowest are taken */
	_Atomic(struct chunk *) *page; /* by granule */
	uint8_t *taken;                /* by granule: VA_ below */
	struct chunk *spare[EMU_CLASSES];
};
struct hostmem {
	uintptr_t addr;
	size_t len, mapped;
	uint64_t id;
	struct context *ctx;
	int dev;
	enum kind kind;
	unsigned flags, sync;
	bool read_mostly;
	int preferred; /* device + 2; 0: none */
};
struct device {
	int physical;
	char uuid[16];
	size_t memory;
	_Atomic size_t used;
	_Atomic bool lost;
	struct context *primary;
	struct chunk *partial[EMU_CLASSES]; /* chunks with a free slot */
	struct mempool {
		struct object head;
		int dev;
		uint64_t attr[9];
	} *mempool;
};
struct driver {
	const char *name;
	bool open; /* cpu: addresses are host addresses, work runs on the calling thread */
	int index; /* 0 emulated, 1 cpu */
	_Atomic int ready;
	CUresult failed; /* what cuInit says when it could not be made ready */
	pthread_mutex_t init_lock, lock;
	struct settings set;
	struct device dev[EMU_MAX_DEVICES];
	int ndev;
	struct space space;
	pthread_rwlock_t hosts_lock;
	struct hostmem **hosts;
	int nhosts, caphosts;
	_Atomic size_t allocations, chunks;
	struct pool contexts, streams, events, graphs, nodes, execs, modules, functions, handles, mempools;
	_Atomic uint64_t next_context, next_stream;
	_Atomic int workers;
	pthread_mutex_t captures_lock;
	struct capture *captures;
	_Atomic int ncaptures;
};
extern struct driver emu_drivers[EMU_DRIVERS];
extern _Atomic uint64_t emu_next_buffer;

/* What a thread carries. */
struct thread {
	struct driver *drv;
	struct {
		struct {
			struct context *ctx;
			uint64_t id;
		} at[EMU_STACK];
		int depth;
	} stack[EMU_DRIVERS];
	bool in_callback;
	CUstreamCaptureMode mode; /* cuThreadExchangeStreamCaptureMode */
	struct own_stream {       /* per-thread default streams */
		struct context *ctx;
		uint64_t id;
		struct stream *stream;
		struct own_stream *next;
	} *own;
	struct team *team;
	struct thread *next, **prev;
	_Atomic uint64_t calls[EMU_DRIVERS][FN_COUNT];
};
extern _Thread_local struct thread *emu_me;
extern _Atomic int emu_forked;
struct thread *emu_thread_new(void);
CUresult emu_driver_init(struct driver *drv);
void emu_enter(void *driver);
void emu_team_end(struct team *team);
void emu_own_streams_end(struct thread *t);

static inline struct thread *emu_thread(void)
{
	struct thread *t = emu_me;
	return __builtin_expect(t != NULL, 1) ? t : emu_thread_new();
}
static inline struct thread *emu_count(int fn)
{
	struct thread *t = emu_thread();
	_Atomic uint64_t *n = &t->calls[t->drv->index][fn];
	atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + 1, memory_order_relaxed);
	return t;
}
static inline CUresult emu_ready(struct thread *t)
{
	if (__builtin_expect(!atomic_load_explicit(&t->drv->ready, memory_order_acquire) ||
	                     atomic_load_explicit(&emu_forked, memory_order_relaxed), 0))
		return CUDA_ERROR_NOT_INITIALIZED;
	return t->in_callback ? CUDA_ERROR_NOT_PERMITTED : CUDA_SUCCESS;
}
/* First line of a driver function: counts the call; needs the driver; needs a context too. */
#define ENTER(symbol)                                   \
	struct thread *t = emu_count(FN_##symbol);      \
	{                                               \
		CUresult e_ = emu_ready(t);             \
		if (e_)                                 \
			return e_;                      \
	}                                               \
	struct driver *drv = t->drv;                    \
	(void)drv
#define ENTER_CTX(symbol)                               \
	ENTER(symbol);                                  \
	struct context *ctx;                            \
	{                                               \
		CUresult e_ = emu_current(t, &ctx);     \
		if (e_)                                 \
			return e_;                      \
	}                                               \
	(void)ctx
#define CHECK(call)                                     \
	do {                                            \
		CUresult check_ = (call);               \
		if (check_)                             \
			return check_;                  \
	} while (0)

/* ---- contexts (context.c) --------------------------------------------------------------------------------------- */
struct context {
	struct object head;
	_Atomic uint64_t id; /* 0 while inactive */
	int dev;
	bool primary;
	unsigned retained; /* primary */
	_Atomic unsigned flags;
	_Atomic int sticky;  /* the error that all calls answer, 0: none */
	_Atomic bool dying;  /* gates and stalls give up */
	pthread_mutex_t order; /* work is given to streams in one order; guards what follows */
	struct stream *streams;
	_Atomic(struct stream *) legacy;
	_Atomic(struct context *) peers[EMU_MAX_DEVICES];
	size_t limits[16];
	CUfunc_cache cache;
};
static inline CUresult emu_current(struct thread *t, struct context **out)
{
	int i = t->drv->index, d = t->stack[i].depth;
	if (__builtin_expect(!d, 0))
		return CUDA_ERROR_INVALID_CONTEXT;
	struct context *c = t->stack[i].at[d - 1].ctx;
	if (__builtin_expect(!c, 0))
		return CUDA_ERROR_INVALID_CONTEXT;
	if (__builtin_expect(atomic_load_explicit(&c->id, memory_order_relaxed) != t->stack[i].at[d - 1].id, 0))
		return CUDA_ERROR_CONTEXT_IS_DESTROYED;
	*out = c;
	return (CUresult)atomic_load_explicit(&c->sticky, memory_order_relaxed);
}
struct context *emu_context_of(struct driver *drv, CUcontext handle); /* NULL: not a live context of this driver */
void emu_context_fail(struct context *c, int code);
void emu_device_lose(struct driver *drv, int dev);
bool emu_has_peer(struct context *c, struct context *peer);

/* ---- work: what a stream does, or a graph's node ---------------------------------------------------------------- */
struct kernel {
	const char *name, *kinds;
	int nargs, phases;
	_Atomic(gb_body) body;
	struct kernel *next;
};
enum work_kind {
	WORK_NONE,  /* a mark, or a wait that stands in the operation's dependencies */
	WORK_COPY,
	WORK_SET,
	WORK_LAUNCH,
	WORK_HOST,
	WORK_CALLBACK,
	WORK_RECORD,
	WORK_WAIT_IPC,
	WORK_FREE,
	WORK_WRITE_VALUE,
	WORK_WAIT_VALUE,
	WORK_GRAPH,
};
struct work {
	enum work_kind kind;
	struct planned plan;
	union {
		struct {
			uintptr_t dst, src; /* device or host addresses */
			size_t width, height, depth, dpitch, dslice, spitch, sslice;
		} copy;
		struct {
			uintptr_t dst;
			size_t pitch, width, height; /* width in elements */
			uint32_t value;
			int size;
		} set;
		struct {
			const struct kernel *kernel;
			struct gb_launch at;
			const uint64_t *args;
		} launch;
		struct {
			CUhostFn fn;
			CUstreamCallback callback;
			CUstream stream;
			void *data;
		} host;
		struct {
			struct event *event;
			uint64_t generation;
			uint32_t ticket; /* interprocess */
		} event;
		struct {
			uintptr_t addr;
		} free;
		struct {
			uintptr_t addr;
			uint64_t value;
			unsigned flags;
			int size;
		} value;
		struct {
			struct plan *plan;
			struct planned *faults; /* one a node, or NULL */
		} graph;
	};
};
/* Runs the work in the context; the result is the error that the context fails with. */
int emu_work_run(struct context *c, struct work *w);
void emu_work_drop(struct driver *drv, struct work *w); /* gives back what it holds; after it ran, or instead */

/* Whether calls that are not named asynchronous must be synchronous on this memory. */
bool emu_sync_memops(struct context *ctx, uintptr_t p);
int emu_copy_run(struct context *c, const struct work *w);
int emu_set_run(struct context *c, const struct work *w);

/* ---- memory (memory.c, host.c) ---------------------------------------------------------------------------------- */
/* Where an address belongs; a copy, for callers that hold no lock. */
struct span {
	uintptr_t base;
	size_t len;
	uint64_t id;
	struct context *ctx;
	int dev;
	enum kind kind;
	unsigned flags, sync, access;
	int fd;
	size_t fd_offset;
	uint64_t inode;
};
static inline bool emu_in_space(const struct driver *drv, uintptr_t p)
{
	return p - drv->space.base < drv->space.size;
}
/* The slot that p lies in or NULL; *off is the offset of p in it, which may be past its length. Takes no lock. */
static inline struct slot *emu_slot(struct driver *drv, uintptr_t p, size_t *off)
{
	uintptr_t o = p - drv->space.base;
	if (o >= drv->space.size)
		return NULL;
	struct chunk *c = atomic_load_explicit(&drv->space.page[o / EMU_GRANULE], memory_order_acquire);
	if (!c)
		return NULL;
	size_t in = p - c->va, i = in >> c->shift;
	*off = in - (c->shift < 63 ? i << c->shift : c->delta);
	return &c->slot[i];
}
bool emu_space_init(struct driver *drv);
bool emu_live(struct driver *drv, uintptr_t p, size_t n, unsigned access); /* p..p+n may be accessed by the device */
bool emu_find(struct driver *drv, uintptr_t p, struct span *out);           /* any known memory; false: unknown */
static inline void *emu_host(struct driver *drv, uintptr_t p)
{
	return (void *)(emu_in_space(drv, p) ? p + drv->space.distance : p);
}
/* Gives the slot of a new range of n bytes (with driver.lock held), or NULL. fd: mapped from there at fd_offset, and
 * owned from now on; -1: new memory. */
struct slot *emu_slot_new(struct driver *drv, int dev, struct context *ctx, enum kind kind, size_t n, int fd,
                          size_t fd_offset, uintptr_t *va);
struct chunk *emu_chunk_at(struct driver *drv, uintptr_t va, size_t n, int dev, int fd, size_t offset);
void emu_chunk_free(struct driver *drv, struct chunk *c);
void emu_slot_free(struct driver *drv, uintptr_t va);
enum { VA_FREE, VA_CHUNK, VA_RESERVED, VA_GUARD }; /* values of space.taken */
uintptr_t emu_va_find(struct driver *drv, size_t n, size_t align, uint8_t mark);
void emu_va_free(struct driver *drv, uintptr_t va, size_t n);
CUresult emu_device_alloc(struct thread *t, struct context *ctx, enum kind kind, size_t n, CUdeviceptr *out);
void emu_context_memory_end(struct driver *drv, struct context *c);
bool emu_host_find(struct driver *drv, uintptr_t p, struct span *out);
void emu_host_end(struct driver *drv, struct context *c);
CUresult emu_host_free(struct driver *drv, uintptr_t p, enum kind kind);
CUresult emu_host_new(struct driver *drv, struct context *ctx, enum kind kind, size_t n, unsigned flags, uintptr_t *out);

/* ---- streams (stream.c, queue.c) -------------------------------------------------------------------------------- */
struct dep {
	struct stream *stream; /* referenced */
	uint64_t seq;
};
struct op {
	struct op *next;
	int ndeps;
	struct dep one[2], *deps;
	struct work work;
	uint64_t args[EMU_MAX_ARGS]; /* where work.launch.args points */
};
struct nodes { /* a set of graph nodes that the next captured operation depends on */
	struct node **at;
	int n, cap;
};
struct stream {
	struct object head;
	unsigned flags;
	int priority;
	bool is_legacy, is_own;
	uint64_t id, ordinal; /* ordinal: the n-th stream of the driver that was given work, for STALL */
	pthread_mutex_t m;
	pthread_cond_t work, done;
	struct op *first, *last, *spare;
	uint64_t enq;         /* operations given */
	_Atomic uint64_t fin; /* operations done */
	int waiting;
	bool started, closing;
	struct stream *next, **prev;          /* in context.streams */
	_Atomic(struct capture *) capture;    /* under captures_lock */
	struct stream *capture_next;
	struct nodes tips;
};
/* Gives work to a stream; runs it at once on an open driver. wait: until it is done. Consumes w in every case. */
CUresult emu_submit(struct thread *t, struct context *ctx, CUstream handle, struct work *w, bool wait);
CUresult emu_submit_to(struct context *c, struct stream *s, struct work *w, const struct dep *dep, bool wait, struct dep *mark);
CUresult emu_stream_of(struct thread *t, struct context *ctx, CUstream handle, struct stream **out);
void emu_stream_wait(struct stream *s, uint64_t seq, struct context *c); /* c: give up when it dies; NULL: never */
void emu_perform(struct context *c, struct work *w);
void emu_stall(struct context *c, const struct planned *p);
CUresult emu_plan(struct driver *drv, struct stream *s, struct work *w); /* decides on faults */
void emu_stream_cleanup(void *stream);
static inline bool emu_stream_done(struct stream *s, uint64_t seq)
{
	return atomic_load_explicit(&s->fin, memory_order_acquire) >= seq;
}
void emu_drain_context(struct context *c, bool blocking_only);
void emu_drain(struct driver *drv);
void emu_streams_end(struct context *c);
void emu_stream_close(struct stream *s);

/* ---- events (event.c) ------------------------------------------------------------------------------------------- */
struct event {
	struct object head;
	unsigned flags;
	pthread_mutex_t m;
	uint64_t generation; /* of the last cuEventRecord; 0: never recorded */
	uint64_t seen;       /* generation that time_ns belongs to */
	uint64_t time_ns;
	struct dep at; /* what completes it; stream NULL: complete */
	struct shared_event *shared;
	int shared_fd;
	_Atomic(struct capture *) capture; /* recorded in a capture; changed under captures_lock */
	struct nodes tips;
};
void emu_event_reached(struct event *e, uint64_t generation, uint32_t ticket);
int emu_event_wait_shared(struct context *c, struct event *e, uint32_t ticket);
struct event *emu_event_of(struct driver *drv, CUevent handle);
CUresult emu_event_record(struct thread *t, struct context *ctx, struct event *e, CUstream handle, unsigned flags);
void emu_event_cleanup(void *event);
void emu_events_end(struct context *c);

/* ---- graphs (capture.c, graph.c) -------------------------------------------------------------------------------- */
struct node {
	struct object head;
	int index; /* in its graph: dependencies come first */
	struct node **deps;
	int ndeps;
	struct work work;
	uint64_t *args;
};
struct graph {
	struct object head;
	struct node **node;
	int n, cap;
};
/* What an executable graph runs: shared by launches in flight. */
struct plan {
	_Atomic int refs;
	pthread_mutex_t running;
	struct driver *drv;
	int n;
	struct planned_node {
		struct work work;
		struct context *ctx; /* and its id when the plan was made */
		uint64_t id;
		uint64_t *args;
		int *deps, ndeps;
	} *node;
};
struct exec {
	struct object head;
	struct plan *plan;
};
enum capture_state { CAPTURE_ACTIVE, CAPTURE_INVALID, CAPTURE_ENDED };
struct capture {
	int refs; /* under captures_lock */
	enum capture_state state;
	CUstreamCaptureMode mode;
	struct thread *thread;
	struct graph *graph;
	struct stream *origin, *streams;
	struct capture *next;
};
/* Each returns CUDA_SUCCESS and sets *taken where the call belongs to a capture and is finished with. */
CUresult emu_capture_work(struct stream *s, struct work *w, bool *taken);
CUresult emu_capture_record(struct event *e, struct stream *s, unsigned flags, bool *taken);
CUresult emu_capture_wait(struct stream *s, struct event *e, bool *taken);
CUresult emu_capture_unsafe(struct thread *t);            /* calls that a capture forbids: allocation, synchronising */
CUresult emu_capture_sync(struct stream *s);               /* synchronising with a stream that captures */
CUresult emu_capture_legacy(struct context *c);            /* use of the legacy stream beside a capture */
void emu_capture_forget(struct stream *s);                 /* a stream is destroyed */
void emu_capture_unref(struct driver *drv, struct capture *cap); /* captures_lock held */
void emu_event_uncapture(struct event *e);
void emu_nodes_clear(struct nodes *n);
struct node *emu_graph_add(struct graph *g, struct context *ctx, const struct work *w, struct node *const *deps, int ndeps);
struct graph *emu_graph_new(struct driver *drv, struct context *ctx);
void emu_graphs_end(struct context *c);
int emu_plan_run(struct context *c, struct plan *p, const struct planned *faults);
void emu_plan_unref(struct plan *p);
void emu_graph_cleanup(void *graph);
void emu_exec_cleanup(void *exec);
void emu_node_cleanup(void *node);

/* ---- modules and launches (module.c, launch.c, team.c) ---------------------------------------------------------- */
struct module {
	struct object head;
	struct function *functions;
};
struct function {
	struct object head;
	struct module *module;
	const struct kernel *kernel;
	int max_dynamic_shared, carveout;
	struct function *next;
};
const struct kernel *emu_kernel_find(const char *name);
void emu_modules_end(struct context *c);
struct function *emu_function_of(struct driver *drv, CUfunction handle);
int emu_launch_run(struct context *c, const struct kernel *k, const struct gb_launch *at, const uint64_t *args);
void emu_team_run(struct team *t, gb_body body, const uint64_t *args, struct gb_launch *l, int phases);

/* ---- the rest --------------------------------------------------------------------------------------------------- */
uint64_t emu_now_ns(void);
int emu_memfd(const char *name, size_t n, uint64_t *inode);
int emu_open_foreign(int pid, int fd, uint64_t inode);
uint64_t emu_inode(int fd);
uint64_t emu_file_size(int fd);
bool emu_spawn(pthread_t *thread, void *(*main)(void *), void *arg); /* all signals blocked; detached */
void emu_device_uuid(const struct settings *s, int physical, char uuid[16]);
int emu_visible(const struct settings *s, const char *list, int out[EMU_MAX_DEVICES]);
struct vmm_handle { /* cuMemCreate */
	struct object head;
	int fd, dev, uses;
	size_t size;
	CUmemAllocationProp prop;
};
void emu_vmm_cleanup(void *handle);
const char *emu_error_name(int code);

#ifndef EMU_SHARED
const cu_table *emu_table(int driver);
const char *emu_missing(int i);
#endif

#pragma GCC visibility pop
#endif
