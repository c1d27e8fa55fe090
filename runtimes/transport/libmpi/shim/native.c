/* Loops whole in C: what the transport itself takes, which the loops in Go are held against. Same buffers, same
 * matching, no crossing into Go between messages. Waits are bounded: every 1000 passes the clock is read. */
#include "shim.h"

#include <limits.h>
#include <sched.h>
#include <stdlib.h>

enum { ACK_TAG_OFFSET = 1 };

/* Waits for n requests: 0 done, 1 deadline, 2 the peer is gone, -1 failure. */
static int await(gb_mpi *m, const gb_loop *l, int n, MPI_Request *req)
{
	double until = 0;

	for (;;) {
		for (int i = 0; i < 1000; i++) {
			int flag;
			if (n == 1)
				TRY(m, MPI_Test, (req, &flag, MPI_STATUS_IGNORE));
			else
				TRY(m, MPI_Testall, (n, req, &flag, MPI_STATUSES_IGNORE));
			if (flag) return 0;
			if (m->yield) sched_yield();
		}
		if (gb_look(m, 1000) < 0) return -1;
		if (m->gone[l->peer]) return 2;
		double now = gb_now();
		if (until == 0) until = now + l->deadline_s;
		if (l->deadline_s >= 0 && now > until) return 1;
	}
}

/* Gives up what a failed loop leaves under way: receives are withdrawn, so that their buffer is left alone; a send may
 * read its buffer until the end (see gb_cancel). */
static int abandon(int result, int receives, int n, MPI_Request *req)
{
	for (int i = 0; i < n && result != 0; i++) {
		if (req[i] == MPI_REQUEST_NULL) continue;
		if (receives) {
			MPI_Cancel(&req[i]);
			MPI_Wait(&req[i], MPI_STATUS_IGNORE); /* ends locally, or with data that is here already */
		} else {
			MPI_Request_free(&req[i]);
		}
	}
	return result;
}

static int send_all(gb_mpi *m, const gb_loop *l, int n, int64_t bytes, int tag, MPI_Request *req)
{
	for (int i = 0; i < n; i++)
		TRY(m, MPI_Isend, ((void *)(uintptr_t)l->sbuf, (int)bytes, MPI_BYTE, l->peer, tag, m->ctx[l->ctx], &req[i]));
	return abandon(await(m, l, n, req), 0, n, req);
}

static int recv_all(gb_mpi *m, const gb_loop *l, int n, int64_t bytes, int tag, MPI_Request *req)
{
	for (int i = 0; i < n; i++)
		TRY(m, MPI_Irecv, ((void *)(uintptr_t)l->rbuf, (int)bytes, MPI_BYTE, l->peer, tag, m->ctx[l->ctx], &req[i]));
	return abandon(await(m, l, n, req), 1, n, req);
}

static int recv_again(gb_mpi *m, const gb_loop *l, MPI_Request *persistent)
{
	TRY(m, MPI_Start, (persistent));
	return abandon(await(m, l, 1, persistent), 1, 1, persistent);
}

/* Ping-pong: iterations round trips; the caller divides by twice as many. The receive is a persistent one, which makes
 * up for what MPI_Irecv and MPI_Test cost over MPI_Recv (4 ns of 100 at 8 B): so the loop takes what C takes. */
int gb_pingpong(gb_mpi *m, const gb_loop *l, double *seconds)
{
	MPI_Request in, out = MPI_REQUEST_NULL;
	int result = 0;

	TRY(m, MPI_Recv_init, ((void *)(uintptr_t)l->rbuf, (int)l->bytes, MPI_BYTE, l->peer, l->tag, m->ctx[l->ctx], &in));
	double start = gb_now();
	for (int64_t i = 0; i < l->iterations && result == 0; i++) {
		if (l->first) {
			result = send_all(m, l, 1, l->bytes, l->tag, &out);
			if (result == 0) result = recv_again(m, l, &in);
		} else {
			result = recv_again(m, l, &in);
			if (result == 0) result = send_all(m, l, 1, l->bytes, l->tag, &out);
		}
	}
	*seconds = gb_now() - start;
	MPI_Request_free(&in);
	return result;
}

/* Bandwidth as osu_bw defines it: a window of sends, then an acknowledgement of 4 bytes. All receives of a window go
 * to the same buffer, as there. */
int gb_bandwidth(gb_mpi *m, const gb_loop *l, double *seconds)
{
	MPI_Request *req = malloc((size_t)l->window * sizeof *req);
	char ack[4] = {0};
	gb_loop back = *l;
	int result = 0;

	if (!req) return gb_failed(m, "malloc", MPI_ERR_NO_MEM);
	for (int i = 0; i < l->window; i++) req[i] = MPI_REQUEST_NULL;
	back.sbuf = back.rbuf = (uint64_t)(uintptr_t)ack;
	double start = gb_now();
	for (int64_t i = 0; i < l->iterations && result == 0; i++) {
		if (l->first) {
			result = send_all(m, l, l->window, l->bytes, l->tag, req);
			if (result == 0) result = recv_all(m, &back, 1, sizeof ack, l->tag + ACK_TAG_OFFSET, req);
		} else {
			result = recv_all(m, l, l->window, l->bytes, l->tag, req);
			if (result == 0) result = send_all(m, &back, 1, sizeof ack, l->tag + ACK_TAG_OFFSET, req);
		}
	}
	*seconds = gb_now() - start;
	free(req);
	return result;
}
