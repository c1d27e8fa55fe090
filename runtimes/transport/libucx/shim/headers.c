/* Headers: UCX's active messages, sent from a pool of buffers. UCX keeps the order of a pair. The callback takes a header
 * into a ring, from which the PE's thread fetches it: nothing of Go runs inside UCX. */
#include "shim.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

int gb_handler(gb_ucx *m, unsigned id, ucp_am_recv_callback_t cb)
{
	ucp_am_handler_param_t p = {
		.field_mask = UCP_AM_HANDLER_PARAM_FIELD_ID | UCP_AM_HANDLER_PARAM_FIELD_CB | UCP_AM_HANDLER_PARAM_FIELD_ARG,
		.id = id,
		.cb = cb,
		.arg = m,
	};
	TRY(m, ucp_worker_set_am_recv_handler, (m->worker, &p));
	return 0;
}

/* What an entry of n bytes takes: its gb_from is to be aligned. */
static size_t entry(size_t n) { return sizeof(gb_from) + ((n + 7) & ~(size_t)7); }

/* Makes room for need bytes behind what is there. */
static int room(ring *r, size_t need)
{
	if (r->head > 0) {
		memmove(r->buf, r->buf + r->head, r->used - r->head);
		r->used -= r->head, r->head = 0;
	}
	if (r->used + need <= r->cap) return 0;
	size_t cap = 2 * r->cap + need;
	char *buf = realloc(r->buf, cap);
	if (!buf) return -1;
	r->buf = buf, r->cap = cap;
	return 0;
}

static ucs_status_t header_came(void *arg, const void *from, size_t nfrom, void *data, size_t n, const ucp_am_recv_param_t *p)
{
	gb_ucx *m = arg;
	int32_t rank;
	(void)p; /* sent eagerly: data is here */
	if (nfrom != sizeof rank || n > GB_MAX_HEADER) return UCS_OK;
	memcpy(&rank, from, sizeof rank);
	if (m->in.used + entry(n) > m->in.cap && room(&m->in, entry(n)) < 0) {
		gb_failed(m, "malloc", UCS_ERR_NO_MEMORY);
		m->deaf = 1;
		return UCS_OK;
	}
	char *at = m->in.buf + m->in.used;
	*(gb_from *)(void *)at = (gb_from){.peer = rank, .len = (int32_t)n};
	memcpy(at + sizeof(gb_from), data, n);
	m->in.used += entry(n);
	return UCS_OK;
}

int gb_headers_open(gb_ucx *m)
{
	m->slot_buf = malloc((size_t)SLOTS * GB_MAX_HEADER);
	if (!m->slot_buf || room(&m->in, 64 * entry(GB_MAX_HEADER)) < 0) return gb_failed(m, "malloc", UCS_ERR_NO_MEMORY);
	memset(m->slot_buf, 0, (size_t)SLOTS * GB_MAX_HEADER);
	memset(m->in.buf, 0, m->in.cap);
	for (int i = 0; i < SLOTS; i++) m->slot_free[m->nfree++] = (int16_t)(SLOTS - 1 - i);
	return gb_handler(m, AM_HEADER, header_came);
}

static void give_back(gb_ucx *m, int slot)
{
	m->slot_used[slot] = NULL;
	m->slot_free[m->nfree++] = (int16_t)slot;
}

static void header_left(void *request, ucs_status_t status, void *arg)
{
	gb_ucx *m = arg;
	req *r = request;
	/* A status other than UCS_OK is that of a peer which is gone: recv_header says so. */
	if (gb_inside(m, r, status)) return;
	if (r->over)
		m->lost--;
	else
		give_back(m, r->slot);
	gb_free(r);
}

/* UCX may never end them; that others write where they lie harms no one. */
void gb_headers_gone(gb_ucx *m, int rank)
{
	for (int s = 0; s < SLOTS; s++) {
		req *r = m->slot_used[s];
		if (!r || r->peer != rank) continue;
		r->over = 1;
		m->lost++;
		give_back(m, s);
	}
}

int gb_send_header(gb_ucx *m, const void *h, int n, int peer)
{
	ucp_request_param_t param;
	int16_t s;

	if (m->attention) gb_look(m, 0);
	if (m->ngone && m->peers[peer].gone) return 2;
	if (m->nfree == 0) {
		gb_progress(m);
		if (m->nfree == 0) return gb_look(m, 1) < 0 ? -1 : 0;
	}
	s = m->slot_free[--m->nfree];
	char *buf = m->slot_buf + (size_t)s * GB_MAX_HEADER;
	memcpy(buf, h, (size_t)n);
	param.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA | UCP_OP_ATTR_FIELD_MEMORY_TYPE |
	                     UCP_OP_ATTR_FIELD_FLAGS;
	param.flags = UCP_AM_SEND_FLAG_EAGER;
	param.cb.send = header_left;
	param.user_data = m;
	param.memory_type = UCS_MEMORY_TYPE_HOST;
	m->inside = UCS_INPROGRESS;
	ucs_status_ptr_t p = ucp_am_send_nbx(m->peers[peer].ep, AM_HEADER, &m->rank, sizeof m->rank, buf, (size_t)n, &param);
	if (UCS_PTR_IS_PTR(p)) {
		req *r = p;
		r->slot = s, r->peer = peer, r->over = 0;
		if (gb_keep(m, r)) {
			m->slot_used[s] = r;
			return 1;
		}
		ucp_request_free(p);
		p = UCS_STATUS_PTR(m->inside);
	}
	give_back(m, s);
	if (!p) return 1;
	if (gb_explain(UCS_PTR_STATUS(p), NULL, 0) == GB_PEER_DIED || gb_ending(m, peer)) return 2;
	return gb_failed(m, "ucp_am_send_nbx", UCS_PTR_STATUS(p));
}

int gb_recv_header(gb_ucx *m, void *buf, gb_from *from, int cap)
{
	if (m->in.head == m->in.used) {
		m->in.head = m->in.used = 0;
		gb_progress(m);
	}
	if (m->in.head < m->in.used) {
		const char *at = m->in.buf + m->in.head;
		*from = *(const gb_from *)(const void *)at;
		if (from->len > cap) return gb_failed(m, "gb_recv_header", UCS_ERR_MESSAGE_TRUNCATED);
		memcpy(buf, at + sizeof(gb_from), (size_t)from->len);
		m->in.head += entry((size_t)from->len);
		return 1;
	}
	if (m->deaf) return -1;
	if (m->yield) sched_yield();
	if (gb_look(m, 1) < 0) return -1;
	if (m->nreported == m->ngone || m->in.head < m->in.used) return 0;
	for (int p = 0; p < m->size; p++) {
		if (!m->peers[p].gone || m->peers[p].reported) continue;
		m->peers[p].reported = 1;
		m->nreported++;
		from->peer = p;
		return 2;
	}
	return 0;
}

void gb_headers_close(gb_ucx *m)
{
	free(m->slot_buf);
	free(m->in.buf);
}
