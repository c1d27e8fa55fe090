/* Loops whole in C: what the transport itself takes, which the loops in Go are held against. Same buffers, same
 * matching, no crossing into Go between messages. A call makes so many passes and comes back, to be called again: Go
 * keeps the deadline, and its scheduler is not kept from the thread for long. */
#include "shim.h"

#include <sched.h>
#include <stdlib.h>

enum { ACK_TAG_OFFSET = 1, ACK_BYTES = 1 };

/* Half an iteration: n messages one way. */
typedef struct leg {
	void *buf;
	int sending, n, bytes, tag;
} leg;

static leg leg_of(gb_mpi *m, const gb_loop *l, int sending)
{
	leg g = {.sending = sending, .n = 1, .bytes = (int)l->bytes, .tag = l->tag};
	g.buf = (void *)(uintptr_t)(sending ? l->sbuf : l->rbuf);
	if (l->window > 0 && sending == l->first) {
		g.n = l->window;
	} else if (l->window > 0) {
		g.buf = m->loop_ack, g.bytes = ACK_BYTES, g.tag += ACK_TAG_OFFSET;
	}
	return g;
}

/* The receive of a ping-pong is persistent, which makes up for what MPI_Irecv and MPI_Test cost over MPI_Recv (4 ns of
 * 100 at 8 B): so the loop takes what C takes. */
static int start(gb_mpi *m, gb_loop *l)
{
	int n = l->window > 0 ? l->window : 1;
	m->loop_in = MPI_REQUEST_NULL;
	if (!(m->loop_req = malloc((size_t)n * sizeof *m->loop_req))) return gb_failed(m, "malloc", MPI_ERR_NO_MEM);
	m->nloop = n;
	for (int i = 0; i < n; i++) m->loop_req[i] = MPI_REQUEST_NULL;
	if (l->window == 0)
		TRY(m, MPI_Recv_init, ((void *)(uintptr_t)l->rbuf, (int)l->bytes, MPI_BYTE, l->peer, l->tag, m->ctx[l->ctx], &m->loop_in));
	l->began = gb_now();
	return 0;
}

static inline int post(gb_mpi *m, const gb_loop *l, const leg *g)
{
	for (int i = 0; i < g->n; i++)
		if (g->sending)
			TRY(m, MPI_Isend, (g->buf, g->bytes, MPI_BYTE, l->peer, g->tag, m->ctx[l->ctx], &m->loop_req[i]));
		else if (m->loop_in != MPI_REQUEST_NULL)
			TRY(m, MPI_Start, (&m->loop_in));
		else
			TRY(m, MPI_Irecv, (g->buf, g->bytes, MPI_BYTE, l->peer, g->tag, m->ctx[l->ctx], &m->loop_req[i]));
	return 0;
}

static MPI_Request *request(gb_mpi *m, const leg *g)
{
	return g->sending || m->loop_in == MPI_REQUEST_NULL ? m->loop_req : &m->loop_in;
}

static inline int test(gb_mpi *m, int n, MPI_Request *req, int *flag)
{
	if (n == 1)
		TRY(m, MPI_Test, (req, flag, MPI_STATUS_IGNORE));
	else
		TRY(m, MPI_Testall, (n, req, flag, MPI_STATUSES_IGNORE));
	if (!*flag && m->yield) sched_yield();
	return 0;
}

/* Ends the loop. What is under way in a leg is given up: receives are withdrawn, so that their buffer is left alone; a
 * send may read its buffer until the end (see gb_cancel). */
void gb_loop_end(gb_mpi *m, const gb_loop *l)
{
	const int busy = l->phase & 1, sending = (l->phase >> 1) != l->first;

	if (busy && !sending && m->loop_in != MPI_REQUEST_NULL) {
		MPI_Cancel(&m->loop_in);
		MPI_Wait(&m->loop_in, MPI_STATUS_IGNORE); /* ends locally, or with data that is here already */
	}
	for (int i = 0; i < m->nloop; i++) {
		if (m->loop_req[i] == MPI_REQUEST_NULL) continue;
		if (sending) {
			MPI_Request_free(&m->loop_req[i]);
		} else {
			MPI_Cancel(&m->loop_req[i]);
			MPI_Wait(&m->loop_req[i], MPI_STATUS_IGNORE);
		}
	}
	if (m->loop_in != MPI_REQUEST_NULL) MPI_Request_free(&m->loop_in);
	free(m->loop_req);
	m->loop_req = NULL;
	m->nloop = 0;
}

int gb_run_loop(gb_mpi *m, gb_loop *l, int polls)
{
	if (!m->loop_req && start(m, l) < 0) return -1;
	/* phase: bit 1 is the leg, bit 0 says that it is posted. Here in registers, for a nanosecond is one of the message's. */
	const leg legs[2] = {leg_of(m, l, l->first), leg_of(m, l, !l->first)};
	MPI_Request *const reqs[2] = {request(m, &legs[0]), request(m, &legs[1])};
	const int all = polls;
	int phase = l->phase, result = 0;
	int64_t left = l->iterations;

	while (left > 0) {
		const leg *g = &legs[phase >> 1];
		MPI_Request *req = reqs[phase >> 1];
		int flag = 0;
		if (!(phase & 1)) {
			if ((result = post(m, l, g)) < 0) break;
			phase |= 1;
		}
		do {
			if (polls-- <= 0 || (result = test(m, g->n, req, &flag)) < 0) goto out;
		} while (!flag);
		if ((phase = (phase + 1) & 3) == 0) left--;
	}
out:
	l->phase = phase, l->iterations = left;
	if (result < 0) return -1;
	if (left > 0) {
		if (gb_look(m, all) < 0) return -1;
		return m->gone[l->peer] ? 2 : 1;
	}
	l->seconds = gb_now() - l->began;
	return 0;
}
