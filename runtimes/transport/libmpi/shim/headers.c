/* Headers (active messages): a ring of pre-posted persistent receives on a communicator of their own, and a pool of
 * buffers for sending.
 *
 * MPI matches a message with the earliest posted receive, and messages of a pair in order, so taking the ring's
 * receives in the order in which they were posted keeps the order of every pair. A receive is posted again (at the
 * end of the queue) only when its turn has passed. */
#include "shim.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

enum { TAG = 0 };

int gb_headers_open(gb_mpi *m)
{
	m->ring_buf = malloc((size_t)RING * GB_MAX_HEADER);
	m->slot_buf = malloc((size_t)SLOTS * GB_MAX_HEADER);
	if (!m->ring_buf || !m->slot_buf) return gb_failed(m, "malloc", MPI_ERR_NO_MEM);
	memset(m->ring_buf, 0, (size_t)RING * GB_MAX_HEADER);
	memset(m->slot_buf, 0, (size_t)SLOTS * GB_MAX_HEADER);
	for (int i = 0; i < SLOTS; i++) {
		m->slot[i] = MPI_REQUEST_NULL;
		m->slot_free[m->nfree++] = (int16_t)(SLOTS - 1 - i);
	}
	for (int i = 0; i < RING; i++) m->ring[i] = MPI_REQUEST_NULL;
	for (int i = 0; i < RING; i++) {
		TRY(m, MPI_Recv_init, (m->ring_buf + (size_t)i * GB_MAX_HEADER, GB_MAX_HEADER, MPI_BYTE, MPI_ANY_SOURCE, TAG,
		                       m->headers, &m->ring[i]));
		TRY(m, MPI_Start, (&m->ring[i]));
	}
	return 0;
}

/* Frees the buffers of headers that have left. */
static int reap(gb_mpi *m)
{
	int n = 0;
	for (int i = 0; i < m->nbusy; i++) {
		int16_t s = m->slot_busy[i];
		int flag;
		TRY(m, MPI_Test, (&m->slot[s], &flag, MPI_STATUS_IGNORE));
		if (flag)
			m->slot_free[m->nfree++] = s;
		else
			m->slot_busy[n++] = s;
	}
	m->nbusy = n;
	return 0;
}

int gb_send_header(gb_mpi *m, const void *h, int n, int peer)
{
	if (m->ngone && m->gone[peer]) return 2;
	if (m->nfree == 0) {
		if (reap(m) < 0) return -1;
		if (m->nfree == 0) return gb_look(m, 1) < 0 ? -1 : 0;
	}
	int16_t s = m->slot_free[--m->nfree];
	char *buf = m->slot_buf + (size_t)s * GB_MAX_HEADER;
	int flag;
	memcpy(buf, h, (size_t)n);
	TRY(m, MPI_Isend, (buf, n, MPI_BYTE, peer, TAG, m->headers, &m->slot[s]));
	/* A small message has usually left when MPI_Isend returns. */
	TRY(m, MPI_Test, (&m->slot[s], &flag, MPI_STATUS_IGNORE));
	if (flag)
		m->slot_free[m->nfree++] = s;
	else
		m->slot_busy[m->nbusy++] = s;
	return 1;
}

int gb_recv_header(gb_mpi *m, void *buf, gb_from *from, int cap)
{
	MPI_Status st;
	int flag, n;

	TRY(m, MPI_Test, (&m->ring[m->ring_head], &flag, &st));
	if (!flag) {
		if (m->yield) sched_yield();
		if (gb_look(m, 1) < 0) return -1;
		if (m->nreported == m->ngone) return 0;
		for (int p = 0; p < m->size; p++) {
			if (!m->gone[p] || m->reported[p]) continue;
			m->reported[p] = 1;
			m->nreported++;
			from->peer = p;
			return 2;
		}
		return 0;
	}
	MPI_Get_count(&st, MPI_BYTE, &n);
	if (n > cap) return gb_failed(m, "gb_recv_header", MPI_ERR_TRUNCATE);
	*from = (gb_from){.peer = st.MPI_SOURCE, .len = n};
	memcpy(buf, m->ring_buf + (size_t)m->ring_head * GB_MAX_HEADER, (size_t)n);
	TRY(m, MPI_Start, (&m->ring[m->ring_head]));
	m->ring_head = (m->ring_head + 1) % RING;
	return 1;
}

void gb_headers_close(gb_mpi *m)
{
	for (int i = 0; i < RING; i++) {
		if (m->ring[i] == MPI_REQUEST_NULL) continue;
		MPI_Cancel(&m->ring[i]);
		MPI_Wait(&m->ring[i], MPI_STATUS_IGNORE); /* a cancelled receive ends locally */
		MPI_Request_free(&m->ring[i]);
	}
	for (int i = 0; i < m->nbusy; i++) MPI_Request_free(&m->slot[m->slot_busy[i]]);
}
