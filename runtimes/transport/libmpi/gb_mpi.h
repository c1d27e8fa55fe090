/* What the Go side and the shim of an MPI library agree on: one versioned table of functions and plain structs. No MPI
 * type, handle or constant appears here, so that the Go side is built without MPI's headers. Any change to this file
 * that an older shim would not survive is a new GB_MPI_ABI. */
#ifndef GB_MPI_H
#define GB_MPI_H

#include <stdint.h>

#define GB_MPI_ABI 5

enum {
	GB_CONTEXTS = 16,     /* duplicated communicators for tagged messages */
	GB_MAX_HEADER = 2048, /* bytes of an active message: below every library's eager limit in shared memory */
	GB_ANY = -1,          /* peer or tag of a receive: any */
};

/* One send or receive: transport.Op, field by field (the Go side checks offsets at compile time). */
typedef struct gb_op {
	uint8_t kind; /* GB_SEND, GB_RECV */
	uint8_t ctx;
	int32_t peer, tag;
	uint32_t id;
	uint64_t addr;
	int64_t len;
	uint8_t space; /* gpu.Space */
} gb_op;

enum { GB_SEND = 0, GB_RECV = 1 };
enum { GB_HOST_SPACES = 3 }; /* bits by gpu.Space: pageable and pinned, which every MPI library takes */

/* How an operation ended. */
enum gb_outcome {
	GB_OK = 0,
	GB_TRUNCATED,   /* the message was longer than the receive */
	GB_PEER_DIED,   /* the peer has died or closed */
	GB_CANCELLED,
	GB_UNSUPPORTED, /* a space that the library is not given */
	GB_FAILED,      /* anything else: see code */
};

/* The end of one operation. code is MPI's error code, MPI_SUCCESS where the outcome comes from the shim itself. No
 * pointer in here: cgo would look through each one it is handed. */
typedef struct gb_done {
	uint32_t id;
	int32_t peer, tag;
	int32_t outcome;
	int64_t len;
	int32_t code;
	uint8_t kind;
} gb_done;

/* The MPI call that failed and its error code, for functions that return -1. */
typedef struct gb_fail {
	const char *call;
	int32_t code;
} gb_fail;

/* Whose header it is and how many bytes it has. */
typedef struct gb_from {
	int32_t peer, len;
} gb_from;

/* What a native loop does: see native.c. */
typedef struct gb_loop {
	uint8_t ctx;
	uint8_t first; /* 1: this rank sends first */
	int32_t peer, tag;
	uint64_t sbuf, rbuf;
	int64_t bytes;
	int32_t window;     /* messages between acknowledgements of 1 byte; 0: the reply is as long as the message */
	int32_t phase;      /* the loop's own */
	int64_t iterations; /* counts down */
	double began;       /* the loop's own */
	double seconds;     /* of all iterations, once they are over */
} gb_loop;

/* A collective over all ranks. Those that reduce add up float64s. */
enum gb_collective {
	GB_BARRIER,
	GB_BCAST, /* in recv, on all ranks */
	GB_REDUCE,
	GB_ALLREDUCE,
	GB_ALLGATHER,
	GB_ALLTOALL,
	GB_REDUCE_SCATTER, /* shares as equal as can be, the first ones have one float64 more */
};

typedef struct gb_coll {
	uint64_t send, recv;
	int64_t bytes; /* of a block of allgather and alltoall, of the whole vector otherwise */
	int32_t root;
	uint8_t kind;
} gb_coll;

typedef struct gb_mpi gb_mpi; /* one opened world */

/* The table. Every function is called from the thread that called open. -1 means failure: see fail. act, send_header,
 * recv_header and run_loop have their pointers first, and no more than six arguments: package leap passes them on. */
typedef struct gb_mpi_table {
	uint32_t abi;  /* GB_MPI_ABI as compiled into the shim */
	uint32_t size; /* sizeof(gb_mpi_table) likewise */

	/* library writes MPI's own version text; it works before open. */
	int (*library)(char *text, int n);
	/* open runs MPI_Init_thread and makes the communicators. On failure *fail is set and NULL returned. */
	gb_mpi *(*open)(gb_fail *fail);
	int (*rank)(const gb_mpi *m);
	int (*size_of)(const gb_mpi *m);
	/* node_leader is the least world rank that shares memory with this one. */
	int (*node_leader)(gb_mpi *m);
	/* gather collects n bytes of every rank into all, in rank order; every rank calls it. */
	int (*gather)(gb_mpi *m, const void *mine, void *all, int n);
	/* watch hands over one file descriptor per rank that becomes readable when that rank's process ends (-1: none),
	 * and whether waits shall give the core away. */
	int (*watch)(gb_mpi *m, const int *fds, int yield);
	/* take says which spaces the library is given, bits by gpu.Space; GB_HOST_SPACES until then. */
	void (*take)(gb_mpi *m, unsigned spaces);

	/* act posts ops in order, then makes progress until there are as many completions as ops, at least one, or done is
	 * full, or polls passes were made; returns how many entries of done it filled. */
	int (*act)(gb_mpi *m, const gb_op *ops, gb_done *done, int nops, int ndone, int polls);
	int (*cancel)(gb_mpi *m, uint32_t id);
	/* probe looks for a message that a receive of this context, peer and tag would take: 1 peer, tag and len of found are
	 * its, 0 there is none, 2 nor will there be one, the peer is gone. */
	int (*probe)(gb_mpi *m, gb_done *found, int ctx, int peer, int tag);
	/* send_header: 1 sent, 0 queue full, 2 the peer is gone. recv_header: 1 a header has come, 0 none, 2 from->peer is
	 * gone. */
	int (*send_header)(gb_mpi *m, const void *h, int n, int peer);
	int (*recv_header)(gb_mpi *m, void *buf, gb_from *from, int cap);

	/* run_loop goes on with a loop for so many passes of progress: 0 over, 1 there is more to do, 2 the peer is gone.
	 * loop_end follows, whatever came last. */
	int (*run_loop)(gb_mpi *m, gb_loop *l, int polls);
	void (*loop_end)(gb_mpi *m, const gb_loop *l);

	/* collect begins a collective of the library's own, or with c NULL goes on with it, for so many passes of progress: 0
	 * over, 1 there is more to do, 2 rank gone->peer is gone. One at a time; after one that has not ended there is none. */
	int (*collect)(gb_mpi *m, const gb_coll *c, gb_from *gone, int polls);

	/* close ends MPI: 0 in order; 1 not all ranks came within the time or a collective has not ended, so that
	 * MPI_Finalize was left out. Nothing but
	 * fail may follow. */
	int (*close)(gb_mpi *m, double deadline_s);

	/* fail tells what made the last call return -1. explain names an error code: its class (MPI_ERR_...), one line of
	 * text, and returns its enum gb_outcome. */
	void (*fail)(const gb_mpi *m, gb_fail *out);
	int (*explain)(int code, char *class_name, int nclass, char *text, int ntext);
	/* cuda writes what the library tells of CUDA: a line of text, empty where it tells nothing. Returns what
	 * MPIX_Query_cuda_support answers, -1 where there is no such function. */
	int (*cuda)(char *text, int n);
} gb_mpi_table;

/* The shim's one exported function: the table if it is of that ABI, else NULL. */
#define GB_MPI_ENTRY "gb_mpi_table"
typedef const gb_mpi_table *(*gb_mpi_entry)(uint32_t abi);

#endif
