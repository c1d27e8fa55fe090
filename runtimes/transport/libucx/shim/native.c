/* Loops whole in C: what UCX itself takes, which the loops in Go are held against, as ucx_perftest measures it (tag_lat,
 * tag_bw, ucp_am_lat, ucp_am_bw). Same buffers, same matching, no crossing into Go between messages. A call makes so
 * many passes and comes back, to be called again: Go keeps the deadline, and its scheduler is not kept from the thread
 * for long.
 *
 * Active messages bring their payload along; it is copied to where the tagged loop receives it (ucx_perftest -y). */
#include "shim.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

enum { ACK_TAG_OFFSET = 1, ACK_BYTES = 1 };

/* Half an iteration: n messages one way. */
typedef struct leg {
	void *buf;
	size_t bytes;
	ucp_tag_t tag;
	ucs_memory_type_t memory;
	uint32_t flags; /* of a tagged send: for bandwidth UCX chooses otherwise than for latency */
	int sending, n, id;
} leg;

/* What active messages bring to one leg. */
typedef struct inbox {
	void *buf;
	size_t bytes;
	ucs_memory_type_t memory;
	int64_t due; /* messages that are yet to come to this loop */
	int here;    /* messages that have come and were not waited for yet */
} inbox;

struct loop {
	void **under_way; /* requests of a leg, by number */
	int n, left;      /* of a leg: how many, and how many UCX has kept */
	int am;
	uint32_t serial;
	ucs_status_t status;
	inbox in[2]; /* messages, acknowledgements */
	char ack[ACK_BYTES];
};

/* An active message that came before its loop began. */
struct early {
	struct early *next;
	int ack, rndv;
	size_t n;
	void *data; /* UCX's descriptor of a rendezvous, else a copy */
};

static leg leg_of(gb_ucx *m, struct loop *s, const gb_loop *l, int sending)
{
	leg g = {.sending = sending, .n = 1, .bytes = (size_t)l->bytes, .id = AM_LOOP};
	int tag = l->tag;
	g.buf = (void *)(uintptr_t)(sending ? l->sbuf : l->rbuf);
	g.memory = gb_memory[sending ? l->sspace : l->rspace];
	if (l->window > 0 && sending == l->first) {
		g.n = l->window;
		g.flags = UCP_OP_ATTR_FLAG_MULTI_SEND;
	} else if (l->window > 0) {
		g.buf = s->ack, g.bytes = ACK_BYTES, g.memory = UCS_MEMORY_TYPE_HOST, g.id = AM_LOOP_ACK;
		tag += ACK_TAG_OFFSET;
	}
	g.tag = gb_tag(l->ctx, sending ? m->rank : l->peer, tag);
	return g;
}

static void over(gb_ucx *m, void *request, ucs_status_t status)
{
	req *r = request;
	if (gb_inside(m, r, status)) return;
	if (r->over) {
		m->lost--;
	} else {
		m->loop->under_way[r->slot] = NULL;
		m->loop->left--;
		if (status != UCS_OK) m->loop->status = status;
	}
	gb_free(r);
}

static void sent(void *request, ucs_status_t status, void *arg) { over(arg, request, status); }

static void received(void *request, ucs_status_t status, const ucp_tag_recv_info_t *info, void *arg)
{
	(void)info;
	over(arg, request, status);
}

static void fetched(void *request, ucs_status_t status, size_t n, void *arg)
{
	gb_ucx *m = arg;
	(void)n;
	req *r = request;
	if (gb_inside(m, r, status)) return;
	if (m->loop && m->loop->serial == r->id) { /* a fetch that outlives its loop has nothing to report to */
		m->loop->in[r->kind].here++;
		if (status != UCS_OK) m->loop->status = status;
	}
	gb_free(r);
}

/* Takes an active message to where the loop has it. 1: there is none for it yet. */
static int take(gb_ucx *m, int ack, void *data, size_t n, int rndv)
{
	struct loop *s = m->loop;
	inbox *in;

	if (!s || !s->am || (in = &s->in[ack])->due == 0) return 1;
	in->due--;
	if (n != in->bytes) s->status = UCS_ERR_MESSAGE_TRUNCATED;
	if (!rndv) {
		if (in->memory != UCS_MEMORY_TYPE_HOST)
			s->status = UCS_ERR_UNSUPPORTED; /* the sender's side is the host's: see post */
		else if (n == in->bytes)
			memcpy(in->buf, data, n);
		in->here++;
		return 0;
	}
	ucp_request_param_t param = {
		.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA | UCP_OP_ATTR_FIELD_MEMORY_TYPE,
		.cb.recv_am = fetched,
		.user_data = m,
		.memory_type = in->memory,
	};
	m->inside = UCS_INPROGRESS;
	ucs_status_ptr_t p = ucp_am_recv_data_nbx(m->worker, data, in->buf, n == in->bytes ? n : 0, &param);
	if (UCS_PTR_IS_PTR(p)) {
		((req *)p)->kind = (uint8_t)ack;
		((req *)p)->id = s->serial;
		if (gb_keep(m, p)) return 0;
		ucp_request_free(p);
		p = UCS_STATUS_PTR(m->inside);
	}
	if (UCS_PTR_IS_ERR(p)) s->status = UCS_PTR_STATUS(p);
	in->here++;
	return 0;
}

static ucs_status_t came(gb_ucx *m, int ack, void *data, size_t n, const ucp_am_recv_param_t *p)
{
	int rndv = (p->recv_attr & UCP_AM_RECV_ATTR_FLAG_RNDV) != 0;
	if (take(m, ack, data, n, rndv) == 0) return rndv ? UCS_INPROGRESS : UCS_OK;
	struct early *e = malloc(sizeof *e), **last = &m->early;
	if (!e) return UCS_OK; /* the loop's deadline tells */
	*e = (struct early){.ack = ack, .rndv = rndv, .n = n, .data = data};
	if (!rndv) {
		e->data = malloc(n + 1);
		if (!e->data) {
			free(e);
			return UCS_OK;
		}
		memcpy(e->data, data, n);
	}
	while (*last) last = &(*last)->next;
	*last = e;
	return rndv ? UCS_INPROGRESS : UCS_OK;
}

static ucs_status_t message_came(void *arg, const void *h, size_t nh, void *data, size_t n, const ucp_am_recv_param_t *p)
{
	(void)h, (void)nh;
	return came(arg, 0, data, n, p);
}

static ucs_status_t ack_came(void *arg, const void *h, size_t nh, void *data, size_t n, const ucp_am_recv_param_t *p)
{
	(void)h, (void)nh;
	return came(arg, 1, data, n, p);
}

int gb_loops_open(gb_ucx *m)
{
	if (gb_handler(m, AM_LOOP, message_came) < 0) return -1;
	return gb_handler(m, AM_LOOP_ACK, ack_came);
}

/* Drops what came for no loop. */
void gb_loops_close(gb_ucx *m)
{
	for (struct early *e = m->early, *next; e; e = next) {
		next = e->next;
		if (e->rndv)
			ucp_am_data_release(m->worker, e->data);
		else
			free(e->data);
		free(e);
	}
	m->early = NULL;
}

static int start(gb_ucx *m, gb_loop *l)
{
	int n = l->window > 0 ? l->window : 1;
	struct loop *s = calloc(1, sizeof *s);
	if (s) s->under_way = calloc((size_t)n, sizeof *s->under_way);
	if (!s || !s->under_way) {
		free(s);
		return gb_failed(m, "calloc", UCS_ERR_NO_MEMORY);
	}
	s->n = n;
	s->am = l->am;
	s->serial = ++m->loops;
	const leg g = leg_of(m, s, l, 0);
	s->in[g.id == AM_LOOP_ACK] =
	    (inbox){.buf = g.buf, .bytes = g.bytes, .memory = g.memory, .due = l->iterations * g.n};
	m->loop = s;
	for (struct early **at = &m->early; *at;) {
		struct early *e = *at;
		if (take(m, e->ack, e->data, e->n, e->rndv) != 0) {
			at = &e->next;
			continue;
		}
		*at = e->next;
		if (!e->rndv) free(e->data);
		free(e);
	}
	l->began = gb_now();
	return 0;
}

static inline int post(gb_ucx *m, const gb_loop *l, const leg *g)
{
	struct loop *s = m->loop;
	ucp_ep_h ep = m->peers[l->peer].ep;
	ucs_status_ptr_t p;
	ucp_request_param_t param;

	if (l->am && !g->sending) return 0;
	param.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA | UCP_OP_ATTR_FIELD_MEMORY_TYPE;
	param.user_data = m;
	param.memory_type = g->memory;
	if (g->sending) {
		param.op_attr_mask |= g->flags;
		param.cb.send = sent;
		if (l->am && g->id == AM_LOOP && (l->sspace > GB_PINNED || l->rspace > GB_PINNED)) {
			param.op_attr_mask |= UCP_OP_ATTR_FIELD_FLAGS;
			param.flags = UCP_AM_SEND_FLAG_RNDV; /* the processor could not copy an eager one's payload out */
		}
	} else {
		param.cb.recv = received;
	}
	for (int i = 0; i < g->n; i++) {
		m->inside = UCS_INPROGRESS;
		if (l->am)
			p = ucp_am_send_nbx(ep, (unsigned)g->id, NULL, 0, g->buf, g->bytes, &param);
		else if (g->sending)
			p = ucp_tag_send_nbx(ep, g->buf, g->bytes, g->tag, &param);
		else
			p = ucp_tag_recv_nbx(m->worker, g->buf, g->bytes, g->tag, ~(ucp_tag_t)0, &param);
		if (!p) continue;
		if (UCS_PTR_IS_ERR(p)) return gb_failed(m, g->sending ? "send" : "ucp_tag_recv_nbx", UCS_PTR_STATUS(p));
		if (!gb_keep(m, p)) {
			ucp_request_free(p);
			if (m->inside != UCS_OK) s->status = m->inside;
			continue;
		}
		((req *)p)->slot = i;
		((req *)p)->over = 0;
		s->under_way[i] = p;
		s->left++;
	}
	return 0;
}

/* Ends the loop. What is under way is given up: receives are withdrawn, so that their buffer is left alone; a send may
 * read its buffer until the end (see gb_cancel). */
void gb_loop_end(gb_ucx *m, const gb_loop *l)
{
	struct loop *s = m->loop;
	const int sending = (l->phase >> 1) != l->first;

	if (!s) return;
	for (int i = 0; i < s->n; i++) {
		req *r = s->under_way[i];
		if (!r) continue;
		if (!sending) ucp_request_cancel(m->worker, r); /* ends it at once, unless a message has matched */
		if (!s->under_way[i]) continue;
		r->over = 1;
		m->lost++;
	}
	m->loop = NULL;
	free(s->under_way);
	free(s);
}

int gb_run_loop(gb_ucx *m, gb_loop *l, int polls)
{
	if (!m->loop && start(m, l) < 0) return -1;
	/* phase: bit 1 is the leg, bit 0 says that it is posted. */
	struct loop *const s = m->loop;
	const leg legs[2] = {leg_of(m, s, l, l->first), leg_of(m, s, l, !l->first)};
	inbox *const in = &s->in[legs[legs[0].sending].id == AM_LOOP_ACK];
	const int all = polls;
	int phase = l->phase, result = 0;
	int64_t left = l->iterations;

	while (left > 0) {
		const leg *g = &legs[phase >> 1];
		if (!(phase & 1)) {
			if ((result = post(m, l, g)) < 0) break;
			phase |= 1;
		}
		if (l->am && !g->sending) {
			while (in->here < g->n) {
				if (polls-- <= 0) goto out;
				if (gb_progress(m) == 0 && m->yield) sched_yield();
			}
			in->here -= g->n;
		} else {
			while (s->left > 0) {
				if (polls-- <= 0) goto out;
				if (gb_progress(m) == 0 && m->yield) sched_yield();
			}
		}
		if ((phase = (phase + 1) & 3) == 0) left--;
	}
out:
	l->phase = phase, l->iterations = left;
	if (result < 0) return gb_ending(m, l->peer) ? 2 : -1;
	if (s->status != UCS_OK) return gb_ending(m, l->peer) ? 2 : gb_failed(m, "native loop", s->status);
	if (left > 0) {
		if (gb_look(m, all) < 0) return -1;
		return m->peers[l->peer].gone ? 2 : 1;
	}
	l->seconds = gb_now() - l->began;
	return 0;
}
