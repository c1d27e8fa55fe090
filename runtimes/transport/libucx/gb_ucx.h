/* What the Go side and the shim of UCX agree on: one versioned table of functions and plain structs. No UCX type, handle
 * or constant appears here, so that the Go side is built without UCX's headers. Any change to this file that an older
 * shim would not survive is a new GB_UCX_ABI. */
#ifndef GB_UCX_H
#define GB_UCX_H

#include <stdint.h>

#define GB_UCX_ABI 2

enum {
	GB_CONTEXTS = 255,    /* bits 56 to 63 of a tag */
	GB_MAX_HEADER = 2048, /* bytes of an active message: goes eagerly over every transport of UCX */
	GB_MAX_PEERS = 1 << 24, /* bits 32 to 55 of a tag */
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
enum { GB_PAGEABLE = 0, GB_PINNED = 1, GB_DEVICE = 2, GB_MANAGED = 3, GB_SPACES = 4 };

/* How an operation ended. */
enum gb_outcome {
	GB_OK = 0,
	GB_TRUNCATED, /* the message was longer than the receive */
	GB_PEER_DIED, /* the peer has died or closed, or UCX cannot reach it any more */
	GB_CANCELLED,
	GB_FAILED, /* anything else: see code */
};

/* The end of one operation. code is UCX's status, UCS_OK where the outcome comes from the shim itself. No pointer in
 * here: cgo would look through each one it is handed. */
typedef struct gb_done {
	uint32_t id;
	int32_t peer, tag;
	int32_t outcome;
	int64_t len;
	int32_t code;
	uint8_t kind;
} gb_done;

/* The UCX call that failed and its status, for functions that return -1. */
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
	uint8_t first; /* 1: this PE sends first */
	uint8_t am;    /* 1: active messages that carry the payload; 0: tagged messages */
	uint8_t sspace, rspace;
	int32_t peer, tag;
	uint64_t sbuf, rbuf;
	int64_t bytes;
	int32_t window;     /* messages between acknowledgements of 1 byte; 0: the reply is as long as the message */
	int32_t phase;      /* the loop's own */
	int64_t iterations; /* counts down */
	double began;       /* the loop's own */
	double seconds;     /* of all iterations, once they are over */
} gb_loop;

typedef struct gb_ucx gb_ucx; /* one opened world */

/* The table. Every function is called from the thread that called open. -1 means failure: see fail. act, send_header,
 * recv_header and run_loop have their pointers first, and no more than six arguments: package leap passes them on. */
typedef struct gb_ucx_table {
	uint32_t abi;  /* GB_UCX_ABI as compiled into the shim */
	uint32_t size; /* sizeof(gb_ucx_table) likewise */

	/* version writes UCX's version of this run and the one it was compiled with; where writes the library's path. Both
	 * work before open. */
	int (*version)(char *text, int n);
	int (*where)(char *path, int n);

	/* open makes context and worker for rank of size PEs, local of them on this node. On failure *fail is set and NULL
	 * returned. */
	gb_ucx *(*open)(int rank, int size, int local, gb_fail *fail);
	/* spaces has bit 1 << gb_space set for memory that this context takes. */
	int (*spaces)(const gb_ucx *m);
	/* address copies this worker's address if it fits n bytes, and returns its length. */
	int (*address)(gb_ucx *m, void *out, int n);
	/* connect makes the endpoint to a peer. near says that it shares this node: watch tells of its end, so that UCX need
	 * not (see peers.c). */
	int (*connect)(gb_ucx *m, const void *address, int peer, int near);
	/* watch hands over one file descriptor per PE that becomes readable when that PE's process ends (-1: none), and
	 * whether waits shall give the core away. */
	int (*watch)(gb_ucx *m, const int *fds, int yield);

	/* act posts ops in order, then makes progress until there are as many completions as ops, at least one, or done is
	 * full, or polls passes were made; returns how many entries of done it filled. */
	int (*act)(gb_ucx *m, const gb_op *ops, gb_done *done, int nops, int ndone, int polls);
	int (*cancel)(gb_ucx *m, uint32_t id);
	/* probe looks for a message that a receive of this context, peer and tag would take: 1 peer, tag and len of found are
	 * its, 0 there is none, 2 nor will there be one, the peer is gone. */
	int (*probe)(gb_ucx *m, gb_done *found, int ctx, int peer, int tag);
	/* send_header: 1 sent, 0 queue full, 2 the peer is gone. recv_header: 1 a header has come, 0 none, 2 from->peer is
	 * gone. */
	int (*send_header)(gb_ucx *m, const void *h, int n, int peer);
	int (*recv_header)(gb_ucx *m, void *buf, gb_from *from, int cap);

	/* run_loop goes on with a loop for so many passes of progress: 0 over, 1 there is more to do, 2 the peer is gone.
	 * loop_end follows, whatever came last. */
	int (*run_loop)(gb_ucx *m, gb_loop *l, int polls);
	void (*loop_end)(gb_ucx *m, const gb_loop *l);

	/* close ends everything: 0 in order; 1 a PE died or did not come within the time. Nothing but explain may follow. */
	int (*close)(gb_ucx *m, double deadline_s);

	/* fail tells what made the last call return -1. broken is the status with which UCX gave up a peer, UCS_OK for none.
	 * explain writes UCX's words for a status and returns its enum gb_outcome. */
	void (*fail)(const gb_ucx *m, gb_fail *out);
	int (*broken)(const gb_ucx *m, int peer);
	int (*explain)(int code, char *text, int n);

	/* describe on has every operation ask UCX what it does with it (slow); described writes the last answers. transports
	 * writes what the endpoint to a peer may use, comma-separated; empty where this UCX does not tell. */
	void (*describe)(gb_ucx *m, int on);
	int (*described)(gb_ucx *m, char *text, int n);
	int (*transports)(gb_ucx *m, char *text, int peer, int n);
} gb_ucx_table;

/* The shim's one exported function: the table if it is of that ABI, else NULL. */
#define GB_UCX_ENTRY "gb_ucx_table"

#endif
