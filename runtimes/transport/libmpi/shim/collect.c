/* The library's own collectives, over all ranks, on a communicator of their own: non-blocking calls that are waited for at
 * once. A blocking one could not be ended by a deadline, nor by the death of a rank; but a library may well have other
 * algorithms for it. */
#include "shim.h"

#include <limits.h>
#include <sched.h>
#include <stdlib.h>

/* How long the others get to end it when a rank is gone: it may have done its part before. */
static const double gone_grace_s = 0.1;

int gb_collect_open(gb_mpi *m)
{
	m->collecting = MPI_REQUEST_NULL;
	m->counts = calloc((size_t)m->size, sizeof *m->counts);
	return m->counts ? 0 : gb_failed(m, "calloc", MPI_ERR_NO_MEM);
}

void gb_collect_close(gb_mpi *m) { free(m->counts); }

/* The shares of a vector of n float64s: as equal as can be, the first ones have one more. */
static const int *shares(gb_mpi *m, int n)
{
	for (int i = 0; i < m->size; i++) m->counts[i] = n / m->size + (i < n % m->size);
	return m->counts;
}

static int begin(gb_mpi *m, const gb_coll *c)
{
	const void *send = (const void *)(uintptr_t)c->send;
	void *recv = (void *)(uintptr_t)c->recv;
	MPI_Request *req = &m->collecting;
	const int floats = (int)(c->bytes / (int64_t)sizeof(double)), n = (int)c->bytes;

	if (m->collecting != MPI_REQUEST_NULL) return gb_failed(m, "a collective after one that has not ended", MPI_ERR_PENDING);
	if (c->bytes > INT_MAX) return gb_failed(m, "a collective of more bytes than MPI counts", MPI_ERR_COUNT);
	m->collect_gone = 0;
	switch (c->kind) {
	case GB_BARRIER: TRY(m, MPI_Ibarrier, (m->coll, req)); break;
	case GB_BCAST: TRY(m, MPI_Ibcast, (recv, n, MPI_BYTE, c->root, m->coll, req)); break;
	case GB_REDUCE: TRY(m, MPI_Ireduce, (send, recv, floats, MPI_DOUBLE, MPI_SUM, c->root, m->coll, req)); break;
	case GB_ALLREDUCE: TRY(m, MPI_Iallreduce, (send, recv, floats, MPI_DOUBLE, MPI_SUM, m->coll, req)); break;
	case GB_ALLGATHER: TRY(m, MPI_Iallgather, (send, n, MPI_BYTE, recv, n, MPI_BYTE, m->coll, req)); break;
	case GB_ALLTOALL: TRY(m, MPI_Ialltoall, (send, n, MPI_BYTE, recv, n, MPI_BYTE, m->coll, req)); break;
	case GB_REDUCE_SCATTER:
		TRY(m, MPI_Ireduce_scatter, (send, recv, shares(m, floats), MPI_DOUBLE, MPI_SUM, m->coll, req));
		break;
	default: return gb_failed(m, "gb_collect", MPI_ERR_ARG);
	}
	return 0;
}

int gb_collect(gb_mpi *m, const gb_coll *c, gb_from *gone, int polls)
{
	int flag = 0;

	if (c && begin(m, c) < 0) return -1;
	for (int i = 0; i < polls; i++) {
		TRY(m, MPI_Test, (&m->collecting, &flag, MPI_STATUS_IGNORE));
		if (flag) return 0;
		if (m->yield) sched_yield();
	}
	if (gb_look(m, polls) < 0) return -1;
	if (!m->ngone) return 1;
	if (m->collect_gone == 0) m->collect_gone = gb_now();
	if (gb_now() - m->collect_gone < gone_grace_s) return 1;
	gone->peer = 0;
	while (!m->gone[gone->peer]) gone->peer++;
	return 2;
}
