/* Tagged messages: posting, progress, completion, cancellation.
 *
 * A message's context, source and tag are one UCX tag; a receive masks what it takes from anyone. UCX matches as MPI
 * does: the earliest posted receive, the earliest message, no overtaking between a pair. An operation that UCX ends at
 * once costs no request; one that it keeps has what we know of it in the request's own memory. */
#include "shim.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

const ucs_memory_type_t gb_memory[GB_SPACES] = {
	[GB_PAGEABLE] = UCS_MEMORY_TYPE_HOST,
	[GB_PINNED] = UCS_MEMORY_TYPE_HOST,
	[GB_DEVICE] = UCS_MEMORY_TYPE_CUDA,
	[GB_MANAGED] = UCS_MEMORY_TYPE_CUDA_MANAGED,
};

static int grow(gb_ucx *m)
{
	int cap = m->queue_cap ? 2 * m->queue_cap : 64;
	gb_done *q = malloc((size_t)cap * sizeof *q);
	if (!q) return gb_failed(m, "malloc", UCS_ERR_NO_MEMORY);
	for (int i = 0; i < m->nqueue; i++) q[i] = m->queue[(m->queue_head + i) % m->queue_cap];
	free(m->queue);
	m->queue = q, m->queue_cap = cap, m->queue_head = 0;
	return 0;
}

/* Where the next completion goes. Room for it in the queue is made when an operation is posted, so that a callback of
 * UCX's never finds none. */
static inline gb_done *place(gb_ucx *m)
{
	if (m->nout < m->cap) return &m->out[m->nout++];
	return &m->queue[(m->queue_head + m->nqueue++) % m->queue_cap];
}

/* Peer with tag is one word, because the Go side reads them so: a load that covers two young stores waits until both
 * have left the store buffer, which costs about 5 ns here. */
static inline void fill(gb_done *d, uint32_t id, int kind, int32_t peer, int32_t tag, int64_t len, int outcome, int code)
{
	struct {
		int32_t peer, tag;
	} both = {peer, tag};
	memcpy(&d->peer, &both, sizeof both);
	d->id = id;
	d->outcome = outcome;
	d->len = len;
	d->code = code;
	d->kind = (uint8_t)kind;
}

static inline int32_t source_of(ucp_tag_t tag) { return (int32_t)(tag >> 32 & (GB_MAX_PEERS - 1)); }

/* The end of an operation as UCX gives it. */
static void finish(gb_ucx *m, const req *r, ucs_status_t status, const ucp_tag_recv_info_t *info)
{
	int outcome = status == UCS_OK ? GB_OK : gb_explain(status, NULL, 0);

	if (status == UCS_ERR_CANCELED && r->cancelled) {
		outcome = r->gone ? GB_PEER_DIED : GB_CANCELLED;
		status = UCS_OK; /* as was asked for */
	} else if (outcome == GB_FAILED && r->peer >= 0 && gb_ending(m, r->peer)) {
		outcome = GB_PEER_DIED;
	}
	if (r->kind == GB_RECV && info && (outcome == GB_OK || outcome == GB_TRUNCATED))
		fill(place(m), r->id, GB_RECV, source_of(info->sender_tag), (int32_t)info->sender_tag,
		     outcome == GB_OK ? (int64_t)info->length : 0, outcome, status);
	else
		fill(place(m), r->id, r->kind, r->peer, r->tag, outcome == GB_OK ? r->len : 0, outcome, status);
}

static void enlist(gb_ucx *m, req *r)
{
	r->next = m->list, r->link = &m->list;
	if (m->list) m->list->link = &r->next;
	m->list = r;
	m->nlist++;
}

static void unlist(gb_ucx *m, req *r)
{
	*r->link = r->next;
	if (r->next) r->next->link = r->link;
	m->nlist--;
}

static void ended(gb_ucx *m, req *r, ucs_status_t status, const ucp_tag_recv_info_t *info)
{
	if (r->over) {
		m->lost--;
	} else {
		unlist(m, r);
		finish(m, r, status, info);
	}
	gb_free(r);
}

static void sent(void *request, ucs_status_t status, void *arg)
{
	gb_ucx *m = arg;
	if (gb_inside(m, request, status)) return;
	if (m->describe) gb_ask(m, request, GB_SEND, 1);
	ended(m, request, status, NULL);
}

static void received(void *request, ucs_status_t status, const ucp_tag_recv_info_t *info, void *arg)
{
	gb_ucx *m = arg;
	if (gb_inside(m, request, status)) {
		m->inside_info = *info;
		return;
	}
	if (m->describe) gb_ask(m, request, GB_RECV, 1);
	ended(m, request, status, info);
}

/* Whether an operation with this peer can still be matched by someone. */
static int hopeless(const gb_ucx *m, int peer)
{
	if (peer >= 0) return m->peers[peer].gone;
	return m->ngone > 0 && m->ngone == m->size - 1;
}

/* Receives that a gone peer's earlier messages match end as usual: UCX leaves matched ones alone. The callback comes
 * before this returns. */
static void cancel_gone(gb_ucx *m, req *r)
{
	if (r->cancelled) return;
	r->cancelled = r->gone = 1;
	ucp_request_cancel(m->worker, r);
}

static req about(const gb_op *op)
{
	return (req){.id = op->id, .peer = op->peer, .tag = op->tag, .len = op->len, .kind = op->kind};
}

/* UCX has not ended the operation at once, or was told not to. */
static __attribute__((noinline)) void pending(gb_ucx *m, const gb_op *op, void *request)
{
	req *r = request, what = about(op);
	if (m->describe) gb_ask(m, request, op->kind, 0);
	if (!gb_keep(m, r)) {
		if (m->describe) gb_ask(m, request, op->kind, 1);
		finish(m, &what, m->inside, &m->inside_info);
		ucp_request_free(request);
		return;
	}
	what.kept = 1;
	*r = what;
	enlist(m, r);
	if (m->ngone && hopeless(m, r->peer)) cancel_gone(m, r);
}

static __attribute__((noinline)) void refused(gb_ucx *m, const gb_op *op, ucs_status_t status)
{
	req what = about(op);
	finish(m, &what, status, NULL);
}

/* The UCX tags that a receive or a probe takes: those that are the tag returned where *mask has ones. */
static inline ucp_tag_t accepted(int ctx, int peer, int tag, ucp_tag_t *mask)
{
	*mask = ~(ucp_tag_t)0;
	if (peer == GB_ANY) *mask &= ~((ucp_tag_t)(GB_MAX_PEERS - 1) << 32), peer = 0;
	if (tag == GB_ANY) *mask &= ~(ucp_tag_t)UINT32_MAX, tag = 0;
	return gb_tag(ctx, peer, tag);
}

static inline int post(gb_ucx *m, const gb_op *op)
{
	ucs_status_ptr_t p;
	void *addr = (void *)(uintptr_t)op->addr;
	ucp_request_param_t param;

	/* Room for this one and for all that are under way. */
	if (m->nqueue + m->nlist >= m->queue_cap && grow(m) < 0) return -1;
	param.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA | UCP_OP_ATTR_FIELD_MEMORY_TYPE | m->describe;
	param.user_data = m;
	param.memory_type = gb_memory[op->space];
	m->inside = UCS_INPROGRESS;
	if (op->kind == GB_SEND) {
		if (m->ngone && m->peers[op->peer].gone) {
			fill(place(m), op->id, GB_SEND, op->peer, op->tag, 0, GB_PEER_DIED, UCS_OK);
			return 0;
		}
		param.cb.send = sent;
		p = ucp_tag_send_nbx(m->peers[op->peer].ep, addr, (size_t)op->len, gb_tag(op->ctx, m->rank, op->tag), &param);
		if (!p) fill(place(m), op->id, GB_SEND, op->peer, op->tag, op->len, GB_OK, UCS_OK);
	} else {
		ucp_tag_recv_info_t info;
		ucp_tag_t mask, tag = accepted(op->ctx, op->peer, op->tag, &mask);
		param.op_attr_mask |= UCP_OP_ATTR_FIELD_RECV_INFO | m->recv_flags;
		param.recv_info.tag_info = &info;
		param.cb.recv = received;
		p = ucp_tag_recv_nbx(m->worker, addr, (size_t)op->len, tag, mask, &param);
		if (!p)
			fill(place(m), op->id, GB_RECV, source_of(info.sender_tag), (int32_t)info.sender_tag, (int64_t)info.length, GB_OK,
			     UCS_OK);
	}
	if (p) {
		if (UCS_PTR_IS_ERR(p))
			refused(m, op, UCS_PTR_STATUS(p));
		else
			pending(m, op, p);
	}
	return 0;
}

/* How long a peer's end may lie back before what UCX has not ended by then is given up: sends to it that wait for a
 * handshake, and receives whose message had begun to come. */
static const double grace_s = 0.05;

void gb_withdraw(gb_ucx *m)
{
	double now = gb_now();
	for (req *r = m->list, *next; r; r = next) {
		next = r->next; /* cancelling one leaves the others in the list */
		if (!hopeless(m, r->peer)) continue;
		if (r->kind == GB_RECV) {
			int cancelled = r->cancelled;
			cancel_gone(m, r);
			if (!cancelled) continue; /* it may have ended: r is not to be touched */
		}
		if (r->peer < 0 || now - m->peers[r->peer].since < grace_s) continue;
		unlist(m, r);
		r->over = 1;
		m->lost++;
		fill(place(m), r->id, r->kind, r->peer, r->tag, 0, GB_PEER_DIED, UCS_OK);
	}
}

int gb_act(gb_ucx *m, const gb_op *ops, gb_done *done, int nops, int ndone, int polls)
{
	if (m->attention) gb_look(m, 0);
	m->out = done, m->nout = 0;
	if (polls > 0) {
		for (; m->nout < ndone && m->nqueue > 0; m->nqueue--) {
			done[m->nout++] = m->queue[m->queue_head];
			m->queue_head = (m->queue_head + 1) % m->queue_cap;
		}
		m->cap = ndone;
	}
	for (int i = 0; i < nops; i++)
		if (post(m, &ops[i]) < 0) goto failed;
	int want = nops < 1 ? 1 : nops < ndone ? nops : ndone;
	if (m->nout < want && m->cap > 0) {
		int left = polls;
		do {
			ucp_worker_progress(m->worker);
			if (m->nout >= want) break;
			if (m->yield) sched_yield();
		} while (--left > 0);
		if (m->nout == 0 && gb_look(m, polls) < 0) goto failed;
	}
	m->cap = 0;
	return m->nout;
failed:
	m->cap = 0;
	return -1;
}

/* Receives alone: UCX does not withdraw sends. A send ends when the peer receives it or is gone. */
int gb_cancel(gb_ucx *m, uint32_t id)
{
	for (req *r = m->list, *next; r; r = next) {
		next = r->next;
		if (r->id != id || r->kind != GB_RECV || r->cancelled) continue;
		r->cancelled = 1;
		ucp_request_cancel(m->worker, r);
	}
	return 0;
}

int gb_probe(gb_ucx *m, gb_done *found, int ctx, int peer, int tag)
{
	ucp_tag_recv_info_t info;
	ucp_tag_t mask, wanted = accepted(ctx, peer, tag, &mask);

	if (!ucp_tag_probe_nb(m->worker, wanted, mask, 0, &info)) return hopeless(m, peer) ? 2 : 0;
	*found = (gb_done){.peer = source_of(info.sender_tag), .tag = (int32_t)info.sender_tag, .len = (int64_t)info.length};
	return 1;
}

void gb_ops_cancel(gb_ucx *m)
{
	for (req *r = m->list, *next; r; r = next) {
		next = r->next;
		if (r->kind != GB_RECV || r->cancelled) continue;
		r->cancelled = 1;
		ucp_request_cancel(m->worker, r);
	}
}

/* Drops what came for no receive: UCX would warn of each. */
void gb_ops_close(gb_ucx *m)
{
	ucp_request_param_t param = {.op_attr_mask = UCP_OP_ATTR_FIELD_MEMORY_TYPE, .memory_type = UCS_MEMORY_TYPE_HOST};
	ucp_tag_recv_info_t info;
	ucp_tag_message_h message;
	while ((message = ucp_tag_probe_nb(m->worker, 0, 0, 1, &info))) {
		ucs_status_ptr_t p = ucp_tag_msg_recv_nbx(m->worker, NULL, 0, message, &param);
		if (UCS_PTR_IS_PTR(p)) ucp_request_free(p);
	}
}
