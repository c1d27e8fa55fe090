/* The shim's own state: UCX's handles live here and nowhere else. */
#ifndef GB_SHIM_H
#define GB_SHIM_H

#define _GNU_SOURCE
#include <stddef.h>
#include <stdint.h>
#include <ucp/api/ucp.h>

#include "../gb_ucx.h"

enum {
	SLOTS = 256, /* headers on their way out */
	TEXT = 2048, /* bytes of a description */
};

/* Active messages. */
enum { AM_HEADER, AM_GOODBYE, AM_LOOP, AM_LOOP_ACK, AM_IDS };

/* What a request is for: lies in the request's own memory, behind UCX's part. */
typedef struct req {
	struct req *next, **link; /* in the list of operations under way */
	uint32_t id;
	int32_t peer, tag;
	int64_t len;
	uint8_t kind;
	uint8_t cancelled; /* ucp_request_cancel was called */
	uint8_t gone;      /* it was called because the peer is gone */
	uint8_t over;      /* for the shim; UCX has not ended it yet: see lost */
	uint8_t kept;      /* the call that began it has returned, and what stands here is true */
	int32_t slot;      /* of a header on its way, or of a native loop's message */
} req;

/* A ring of bytes that grows: headers that have come, each a gb_from and its bytes. */
typedef struct ring {
	char *buf;
	size_t head, used, cap;
} ring;

typedef struct peer {
	ucp_ep_h ep;
	uint8_t near;     /* of this node, and watched */
	uint8_t bye;      /* said goodbye; gone is set at the next look */
	uint8_t ended;    /* its process was seen to have ended; likewise */
	uint8_t gone;     /* said goodbye or died */
	uint8_t died;     /* without a goodbye */
	uint8_t reported; /* recv_header has said so */
	ucs_status_t broken; /* UCX has given the endpoint up */
	double since;     /* when it was found gone */
} peer;

struct gb_ucx {
	ucp_context_h context;
	ucp_worker_h worker;
	int rank, size;
	int yield;
	int spaces;
	peer *peers;

	/* Operations under way. */
	req *list;
	int nlist;

	/* Where completions go: the caller's array while there is room, else a queue that grows. */
	gb_done *out;
	int nout, cap;
	gb_done *queue;
	int nqueue, queue_head, queue_cap;

	/* Headers in and out. */
	ring in;
	char *slot_buf;
	int16_t slot_free[SLOTS];
	int nfree;
	req *slot_used[SLOTS]; /* NULL: free */
	int deaf; /* there was no memory for a header */

	/* The native loop: see native.c. */
	struct loop *loop;
	struct early *early;
	uint32_t loops;

	/* The end of an operation inside the call that began it: UCS_INPROGRESS for none. */
	ucs_status_t inside;
	ucp_tag_recv_info_t inside_info;
	uint32_t recv_flags; /* of receives: see open */

	/* Who is gone. */
	int ngone, ndied, nreported;
	int attention; /* a goodbye or a peer's end waits for a look */
	int leaving;   /* goodbyes of our own under way */
	int lost;      /* requests that UCX never ended */
	int idle_polls;
	struct pollfd *watched; /* by PE; NULL: nobody is watched */
	double last_look;

	/* Descriptions. */
	uint32_t describe; /* UCP_OP_ATTR_FLAG_NO_IMM_CMPL, or 0 */
	char text[2][2][TEXT]; /* by kind: as posted, and as ended */

	gb_fail failed;
};

/* Each sets m->failed and returns -1. */
int gb_failed(gb_ucx *m, const char *call, ucs_status_t status);
#define TRY(m, call, args) \
	do { \
		ucs_status_t try_status = call args; \
		if (try_status != UCS_OK) return gb_failed(m, #call, try_status); \
	} while (0)

double gb_now(void); /* seconds of the monotonic clock */

/* What gpu.Space is to UCX. */
extern const ucs_memory_type_t gb_memory[GB_SPACES];

/* ops.c */
int gb_act(gb_ucx *m, const gb_op *ops, gb_done *done, int nops, int ndone, int polls);
int gb_cancel(gb_ucx *m, uint32_t id);
int gb_probe(gb_ucx *m, gb_done *found, int ctx, int peer, int tag);
void gb_withdraw(gb_ucx *m); /* ends what waits for peers that are gone */
void gb_ops_cancel(gb_ucx *m); /* cancels every receive under way */
void gb_ops_close(gb_ucx *m);

/* A tag as UCX has it: context, source, tag. */
static inline ucp_tag_t gb_tag(int ctx, int source, int tag)
{
	return (ucp_tag_t)ctx << 56 | (ucp_tag_t)(uint32_t)source << 32 | (uint32_t)tag;
}

/* Whether a callback comes from inside the call that begins its operation, as it does with some versions of UCX, and
 * with UCP_OP_ATTR_FLAG_NO_IMM_CMPL: what stands in the request is not true yet. The caller looks at m->inside. */
static inline int gb_inside(gb_ucx *m, const req *r, ucs_status_t status)
{
	if (r->kept) return 0;
	m->inside = status;
	return 1;
}

/* Whether a call's request has ended inside of it, and is to be freed. */
static inline int gb_keep(gb_ucx *m, req *r)
{
	if (m->inside != UCS_INPROGRESS) return 0;
	r->kept = 1;
	return 1;
}

static inline void gb_free(req *r)
{
	r->kept = 0;
	ucp_request_free(r);
}

/* One pass of progress. */
static inline unsigned gb_progress(gb_ucx *m) { return ucp_worker_progress(m->worker); }

/* headers.c */
int gb_headers_open(gb_ucx *m);
void gb_headers_close(gb_ucx *m);
void gb_headers_gone(gb_ucx *m, int rank); /* gives up those on their way to a peer */
int gb_send_header(gb_ucx *m, const void *h, int n, int peer);
int gb_recv_header(gb_ucx *m, void *buf, gb_from *from, int cap);
int gb_handler(gb_ucx *m, unsigned id, ucp_am_recv_callback_t cb);

/* peers.c */
int gb_peers_open(gb_ucx *m);
void gb_peers_close(gb_ucx *m);
int gb_connect(gb_ucx *m, const void *address, int peer, int near);
int gb_part(gb_ucx *m, double deadline_s); /* says goodbye and waits for all: 0 all came, 1 not */
int gb_watch(gb_ucx *m, const int *fds, int yield);
int gb_ending(gb_ucx *m, int rank); /* after a failure: whether that is because the peer has ended */
int gb_look(gb_ucx *m, int polls); /* notices who is gone; called after polls passes that found nothing */

/* native.c */
int gb_loops_open(gb_ucx *m);
void gb_loops_close(gb_ucx *m);
int gb_run_loop(gb_ucx *m, gb_loop *l, int polls);
void gb_loop_end(gb_ucx *m, const gb_loop *l);

/* describe.c */
int gb_version(char *text, int n);
int gb_where(char *path, int n);
int gb_explain(int code, char *text, int n);
void gb_describe(gb_ucx *m, int on);
void gb_ask(gb_ucx *m, void *request, int kind, int ended);
int gb_described(gb_ucx *m, char *text, int n);
int gb_transports(gb_ucx *m, char *text, int peer, int n);

#endif
