/* Who is still there. MPI itself says nothing when a peer ends (mpirun normally kills the whole job then), so ranks say
 * goodbye when they close, and processes of the same host are watched through descriptors that become readable when
 * they end (pidfd_open, done by the Go side). */
#include "shim.h"

#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

enum {
	TAG = 0,
	POLLS_PER_LOOK = 1000, /* passes that found nothing before a look is worth its price */
	LAST_PASSES = 100,     /* passes after a peer's end: what it sent before is to be matched first */
};
static const double watch_every_s = 0.01;

double gb_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int listen_for_goodbye(gb_mpi *m)
{
	TRY(m, MPI_Irecv, (NULL, 0, MPI_BYTE, MPI_ANY_SOURCE, TAG, m->admin, &m->goodbye));
	return 0;
}

int gb_peers_open(gb_mpi *m)
{
	m->gone = calloc((size_t)m->size, 1);
	m->died = calloc((size_t)m->size, 1);
	m->reported = calloc((size_t)m->size, 1);
	if (!m->gone || !m->died || !m->reported) return gb_failed(m, "calloc", MPI_ERR_NO_MEM);
	return listen_for_goodbye(m);
}

int gb_watch(gb_mpi *m, const int *fds, int yield)
{
	m->yield = yield;
	free(m->watched);
	m->watched = calloc((size_t)m->size, sizeof *m->watched);
	if (!m->watched) return gb_failed(m, "calloc", MPI_ERR_NO_MEM);
	for (int i = 0; i < m->size; i++) m->watched[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
	return 0;
}

static int gone(gb_mpi *m, int peer, int died)
{
	if (died && !m->died[peer]) {
		m->died[peer] = 1;
		m->ndied++;
	}
	if (m->gone[peer]) return 0;
	for (int i = 0; i < LAST_PASSES; i++)
		if (gb_progress(m) < 0) return -1;
	m->gone[peer] = 1;
	m->ngone++;
	return gb_withdraw(m);
}

static int look(gb_mpi *m)
{
	for (;;) {
		MPI_Status st;
		int flag;
		TRY(m, MPI_Test, (&m->goodbye, &flag, &st));
		if (!flag) break;
		if (listen_for_goodbye(m) < 0 || gone(m, st.MPI_SOURCE, 0) < 0) return -1;
	}
	double now = gb_now();
	if (!m->watched || now - m->last_look < watch_every_s) return 0;
	m->last_look = now;
	if (poll(m->watched, (nfds_t)m->size, 0) <= 0) return 0;
	for (int p = 0; p < m->size; p++) {
		if (!m->watched[p].revents) continue;
		m->watched[p].fd = -1; /* poll leaves out negative ones */
		m->watched[p].revents = 0;
		if (gone(m, p, 1) < 0) return -1;
	}
	return 0;
}

int gb_look(gb_mpi *m, int polls)
{
	m->idle_polls += polls;
	if (m->idle_polls < POLLS_PER_LOOK) return 0;
	m->idle_polls = 0;
	return look(m);
}

int gb_part(gb_mpi *m, double deadline_s)
{
	double until = gb_now() + deadline_s;
	MPI_Request all;
	int flag = 0;

	for (int p = 0; p < m->size; p++) {
		MPI_Request bye;
		if (p == m->rank || m->gone[p]) continue;
		TRY(m, MPI_Isend, (NULL, 0, MPI_BYTE, p, TAG, m->admin, &bye));
		TRY(m, MPI_Request_free, (&bye));
	}
	TRY(m, MPI_Ibarrier, (m->admin, &all));
	for (;;) {
		TRY(m, MPI_Test, (&all, &flag, MPI_STATUS_IGNORE));
		if (flag) return 0;
		if (m->yield) sched_yield();
		if (look(m) < 0) return -1;
		if (m->ndied > 0 || gb_now() > until) return 1;
	}
}

void gb_peers_close(gb_mpi *m)
{
	if (m->goodbye != MPI_REQUEST_NULL) {
		MPI_Cancel(&m->goodbye);
		MPI_Wait(&m->goodbye, MPI_STATUS_IGNORE);
	}
	free(m->gone);
	free(m->died);
	free(m->reported);
	free(m->watched);
}
