/* The shim's own state: MPI handles live here and nowhere else. */
#ifndef GB_SHIM_H
#define GB_SHIM_H

#define _GNU_SOURCE
#include <mpi.h>
#include <stdint.h>
#include <stddef.h>

#include "../gb_mpi.h"

enum {
	RING = 16,    /* pre-posted receives of headers */
	SLOTS = 256,  /* headers on their way out */
	SWEEP = 256,  /* requests tested in one pass of progress */
	OVER = 255,   /* what.kind of an operation that has ended and is about to be dropped */
};

/* What is known of a request under way. */
typedef struct what {
	uint32_t id;
	int32_t peer, tag;
	int64_t len;
	uint8_t kind;
	uint8_t cancelled; /* MPI_Cancel was called */
	uint8_t gone;      /* it was called because the peer is gone */
} what;

struct gb_mpi {
	int rank, size;
	int yield;
	unsigned spaces; /* that the library is given: bits by gpu.Space */
	MPI_Comm ctx[GB_CONTEXTS];
	MPI_Comm headers;
	MPI_Comm admin; /* goodbyes and the last barrier */
	MPI_Comm coll;  /* the library's own collectives */
	MPI_Comm idle;  /* never carries anything: see gb_progress */

	/* Operations under way, two arrays in step: MPI_Testsome wants the requests side by side. */
	MPI_Request *req;
	what *op;
	int npending, capacity, sweep; /* sweep: where the next pass begins */

	/* Completions that had no room in the caller's array. */
	gb_done *queue;
	int nqueue, queue_head, queue_cap;

	/* Headers in: a ring of persistent receives, restarted in the order in which they complete. */
	MPI_Request ring[RING];
	char *ring_buf;
	int ring_head;

	/* Headers out: a pool of buffers; free ones are on a stack. */
	MPI_Request slot[SLOTS];
	char *slot_buf;
	int16_t slot_free[SLOTS], slot_busy[SLOTS];
	int nfree, nbusy;

	/* The native loop. */
	MPI_Request *loop_req, loop_in; /* of a leg; the persistent receive */
	int nloop;
	char loop_ack[1];

	/* The collective under way. */
	MPI_Request collecting;
	int *counts;         /* by rank: of a reduce-scatter */
	double collect_gone; /* when it was first seen that a rank is gone; 0: none is */

	/* Who is gone: said goodbye or died. */
	MPI_Request goodbye;
	uint8_t *gone, *died, *reported;
	int ngone, nreported;
	int ndied, idle_polls;
	struct pollfd *watched; /* by rank; NULL: nobody is watched */
	double last_look;

	gb_fail failed;
};

/* Each sets m->failed and returns -1. */
int gb_failed(gb_mpi *m, const char *call, int code);
#define TRY(m, call, args) \
	do { \
		int try_code = call args; \
		if (try_code != MPI_SUCCESS) return gb_failed(m, #call, try_code); \
	} while (0)

double gb_now(void); /* seconds of the monotonic clock */

/* ops.c */
int gb_act(gb_mpi *m, const gb_op *ops, gb_done *done, int nops, int ndone, int polls);
int gb_cancel(gb_mpi *m, uint32_t id);
int gb_probe(gb_mpi *m, gb_done *found, int ctx, int peer, int tag);
int gb_withdraw(gb_mpi *m); /* ends what waits for peers that are gone */
int gb_progress(gb_mpi *m); /* one pass of progress with nothing to wait for */
void gb_ops_cancel(gb_mpi *m); /* cancels every receive under way */
void gb_ops_close(gb_mpi *m);

what gb_about(const gb_op *op);
int gb_keep(gb_mpi *m, const what *w, MPI_Request req); /* puts a request among those under way */
void gb_finish(const what *w, const MPI_Status *st, int code, gb_done *d);

/* lone.c */
enum { FEW = 16, FEW_NOT = -2 };
int gb_lone(gb_mpi *m, const gb_op *op, gb_done *done, int polls);
int gb_few(gb_mpi *m, const gb_op *ops, gb_done *done, int nops, int polls);

/* headers.c */
int gb_headers_open(gb_mpi *m);
void gb_headers_close(gb_mpi *m);
int gb_send_header(gb_mpi *m, const void *h, int n, int peer);
int gb_recv_header(gb_mpi *m, void *buf, gb_from *from, int cap);

/* peers.c */
int gb_peers_open(gb_mpi *m);
void gb_peers_close(gb_mpi *m);
int gb_part(gb_mpi *m, double deadline_s); /* says goodbye and waits for all: 0 all came, 1 not */
int gb_watch(gb_mpi *m, const int *fds, int yield);
int gb_look(gb_mpi *m, int polls); /* notices who is gone; called after polls passes that found nothing */

/* native.c */
int gb_run_loop(gb_mpi *m, gb_loop *l, int polls);
void gb_loop_end(gb_mpi *m, const gb_loop *l);

/* collect.c */
int gb_collect_open(gb_mpi *m);
void gb_collect_close(gb_mpi *m);
int gb_collect(gb_mpi *m, const gb_coll *c, gb_from *gone, int polls);

/* describe.c */
int gb_library(char *text, int n);
int gb_explain(int code, char *class_name, int nclass, char *text, int ntext);
int gb_cuda(char *text, int n);

#endif
