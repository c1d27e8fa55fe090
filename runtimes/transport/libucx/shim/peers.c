/* Who is still there. PEs say goodbye when they close, and processes of this node are watched through descriptors that
 * become readable when they end (pidfd_open, done by the Go side).
 *
 * UCX's own handling of errors (UCP_ERR_HANDLING_MODE_PEER) is for peers on other nodes alone. Within a node UCX's
 * defaults leave shared memory out then and take TCP (UCX 1.22, ucx_perftest -e: 4.0 µs at 8 B against 0.065). With
 * UCX_POSIX_ERROR_HANDLING=y it takes shared memory, without the lane for copies between processes (CMA): other ways than
 * UCX's own choice, which is what is to be measured. A handler is set in either mode: it tells of copies that fail because
 * the peer has just ended. */
#include "shim.h"

#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	POLLS_PER_LOOK = 1000, /* passes that found nothing before a look is worth its price */
	LAST_PASSES = 100,     /* passes after a peer's end: what it sent before is to be matched first */
};
static const double watch_every_s = 0.01;
static const double flush_s = 1;

double gb_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static ucs_status_t goodbye_came(void *arg, const void *from, size_t nfrom, void *data, size_t n, const ucp_am_recv_param_t *p)
{
	gb_ucx *m = arg;
	int32_t rank;
	(void)data, (void)n, (void)p;
	if (nfrom != sizeof rank) return UCS_OK;
	memcpy(&rank, from, sizeof rank);
	if (rank < 0 || rank >= m->size) return UCS_OK;
	m->peers[rank].bye = 1;
	m->attention = 1;
	return UCS_OK;
}

int gb_peers_open(gb_ucx *m)
{
	m->peers = calloc((size_t)m->size, sizeof *m->peers);
	if (!m->peers) return gb_failed(m, "calloc", UCS_ERR_NO_MEMORY);
	return gb_handler(m, AM_GOODBYE, goodbye_came);
}

static void broke(void *arg, ucp_ep_h ep, ucs_status_t status)
{
	gb_ucx *m = arg;
	for (int p = 0; p < m->size; p++) {
		if (m->peers[p].ep != ep) continue;
		m->peers[p].broken = status;
		m->attention = 1;
	}
}

int gb_connect(gb_ucx *m, const void *address, int peer, int near)
{
	ucp_ep_params_t p = {
		.field_mask = UCP_EP_PARAM_FIELD_REMOTE_ADDRESS | UCP_EP_PARAM_FIELD_ERR_HANDLING_MODE |
		              UCP_EP_PARAM_FIELD_ERR_HANDLER,
		.address = address,
		.err_mode = near ? UCP_ERR_HANDLING_MODE_NONE : UCP_ERR_HANDLING_MODE_PEER,
		.err_handler = {.cb = broke, .arg = m},
	};
	m->peers[peer].near = (uint8_t)near;
	TRY(m, ucp_ep_create, (m->worker, &p, &m->peers[peer].ep));
	return 0;
}

int gb_watch(gb_ucx *m, const int *fds, int yield)
{
	m->yield = yield;
	m->watched = calloc((size_t)m->size, sizeof *m->watched);
	if (!m->watched) return gb_failed(m, "calloc", UCS_ERR_NO_MEMORY);
	for (int i = 0; i < m->size; i++) m->watched[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
	return 0;
}

static void gone(gb_ucx *m, int rank)
{
	peer *p = &m->peers[rank];
	if (p->gone) return;
	for (int i = 0; i < LAST_PASSES; i++) gb_progress(m);
	p->gone = 1;
	p->since = gb_now();
	gb_headers_gone(m, rank);
	m->ngone++;
	if (!p->bye) {
		p->died = 1;
		m->ndied++;
	}
}

static void look(gb_ucx *m)
{
	double now = gb_now();

	while (m->attention) {
		m->attention = 0;
		for (int p = 0; p < m->size; p++)
			if (p != m->rank && (m->peers[p].bye || m->peers[p].ended || m->peers[p].broken != UCS_OK)) gone(m, p);
	}
	if (m->watched && now - m->last_look >= watch_every_s) {
		m->last_look = now;
		if (poll(m->watched, (nfds_t)m->size, 0) > 0) {
			for (int p = 0; p < m->size; p++) {
				if (!m->watched[p].revents) continue;
				m->watched[p].fd = -1; /* poll leaves out negative ones */
				m->watched[p].revents = 0;
				gone(m, p);
			}
		}
	}
	if (m->ngone && m->list) gb_withdraw(m);
}

int gb_look(gb_ucx *m, int polls)
{
	m->idle_polls += polls;
	if (m->idle_polls < POLLS_PER_LOOK && !m->attention) return 0;
	m->idle_polls = 0;
	look(m);
	return 0;
}

int gb_ending(gb_ucx *m, int rank)
{
	/* A process lets go of its shared memory some time before it counts as ended. */
	enum { ENDING_MS = 100 };
	peer *p = &m->peers[rank];
	if (!p->gone && !p->ended && p->broken == UCS_OK) {
		if (!m->watched || m->watched[rank].fd < 0) return 0;
		struct pollfd fd = m->watched[rank];
		if (poll(&fd, 1, ENDING_MS) <= 0) return 0;
		p->ended = m->attention = 1;
	}
	return 1;
}

static void left(void *request, ucs_status_t status, void *arg)
{
	gb_ucx *m = arg;
	(void)status;
	m->leaving--;
	ucp_request_free(request);
}

/* Whether a request was begun that left will end. */
static int begun(gb_ucx *m, ucs_status_ptr_t p)
{
	if (!UCS_PTR_IS_PTR(p)) return 0;
	m->leaving++;
	return 1;
}

static void await_leaving(gb_ucx *m)
{
	for (double until = gb_now() + flush_s; m->leaving > 0 && gb_now() < until;) {
		if (gb_progress(m) == 0) sched_yield();
		look(m);
	}
}

int gb_part(gb_ucx *m, double deadline_s)
{
	double until = gb_now() + deadline_s;
	ucp_request_param_t param = {
		.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA | UCP_OP_ATTR_FIELD_FLAGS,
		.flags = UCP_AM_SEND_FLAG_EAGER,
		.cb.send = left,
		.user_data = m,
	};

	m->leaving = 0;
	for (int p = 0; p < m->size; p++) {
		if (p == m->rank || !m->peers[p].ep || m->peers[p].died || m->peers[p].broken != UCS_OK) continue;
		begun(m, ucp_am_send_nbx(m->peers[p].ep, AM_GOODBYE, &m->rank, sizeof m->rank, NULL, 0, &param));
	}
	/* All others have to come here too: what they have begun to fetch from this PE's memory is then over. */
	while (m->ngone < m->size - 1 && m->ndied == 0 && gb_now() < until) {
		if (gb_progress(m) == 0) sched_yield();
		look(m);
	}
	int all = m->ngone == m->size - 1 && m->ndied == 0;
	await_leaving(m);
	return all ? 0 : 1;
}

/* Closes the endpoints. One to a dead peer of this node cannot be (that would wait for what UCX still has for it, and to
 * force it takes UCX's own error handling): the end of the worker takes it along. */
void gb_peers_close(gb_ucx *m)
{
	ucp_request_param_t param = {
		.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA | UCP_OP_ATTR_FIELD_FLAGS,
		.cb.send = left,
		.user_data = m,
	};
	m->leaving = 0;
	for (int i = 0; i < m->size; i++) {
		peer *p = &m->peers[i];
		if (!p->ep || (p->near && p->died)) continue;
		param.flags = !p->near && (p->died || p->broken != UCS_OK) ? UCP_EP_CLOSE_FLAG_FORCE : 0;
		begun(m, ucp_ep_close_nbx(p->ep, &param));
	}
	await_leaving(m);
}
