/* Tagged messages: posting, progress, completion, cancellation.
 *
 * Everything is MPI_Isend or MPI_Irecv and MPI_Test, never MPI_Send or MPI_Recv: those block for as long as the peer
 * likes (a send too, once the peer's queue is full or the message needs a handshake), and no deadline could end them.
 * It costs nothing: a small MPI_Isend is complete when it returns, and 8 B one way took 104 ns with these calls
 * against 102 ns with the blocking ones (Open MPI 5.0.11, best of 60 batches). */
#include "shim.h"

#include <limits.h>
#include <sched.h>
#include <stdlib.h>

/* MPI counts are int. A longer message is one element of a type that is as long: blocks of 1 GiB and the rest. */
static int long_type(int64_t len, MPI_Datatype *out)
{
	enum { BLOCK = 1 << 30 };
	int lengths[2] = {(int)(len / BLOCK), (int)(len % BLOCK)};
	MPI_Aint at[2] = {0, (MPI_Aint)lengths[0] * BLOCK};
	MPI_Datatype types[2] = {MPI_DATATYPE_NULL, MPI_BYTE};
	int code = MPI_Type_contiguous(BLOCK, MPI_BYTE, &types[0]);
	if (code == MPI_SUCCESS) code = MPI_Type_create_struct(2, lengths, at, types, out);
	if (code == MPI_SUCCESS) code = MPI_Type_commit(out);
	if (types[0] != MPI_DATATYPE_NULL) MPI_Type_free(&types[0]);
	return code;
}

static int begin(gb_mpi *m, const gb_op *op, MPI_Request *req)
{
	MPI_Datatype type = MPI_BYTE;
	void *addr = (void *)(uintptr_t)op->addr;
	int count = (int)op->len, code;

	if (op->len > INT_MAX) {
		if ((code = long_type(op->len, &type)) != MPI_SUCCESS) return code;
		count = 1;
	}
	if (op->kind == GB_SEND)
		code = MPI_Isend(addr, count, type, op->peer, op->tag, m->ctx[op->ctx], req);
	else
		code = MPI_Irecv(addr, count, type, op->peer == GB_ANY ? MPI_ANY_SOURCE : op->peer,
		                 op->tag == GB_ANY ? MPI_ANY_TAG : op->tag, m->ctx[op->ctx], req);
	if (count != op->len) MPI_Type_free(&type); /* the operation keeps it alive */
	return code;
}

/* The end of an operation that the shim itself decides. */
static gb_done decided(const what *w, enum gb_outcome outcome)
{
	return (gb_done){.id = w->id, .peer = w->peer, .tag = w->tag, .kind = w->kind, .outcome = outcome};
}

/* Fills d from the end of an operation: st where the call succeeded or failed for this operation, code as returned. */
void gb_finish(const what *w, const MPI_Status *st, int code, gb_done *d)
{
	int count, flag = 0;

	if (code == MPI_SUCCESS && w->cancelled) {
		MPI_Test_cancelled(st, &flag);
		if (flag) {
			*d = decided(w, w->gone ? GB_PEER_DIED : GB_CANCELLED);
			return;
		}
	}
	*d = decided(w, code == MPI_SUCCESS ? GB_OK : gb_explain(code, NULL, 0, NULL, 0));
	d->code = code;
	if (w->kind == GB_RECV && st->MPI_SOURCE >= 0) d->peer = st->MPI_SOURCE;
	if (w->kind == GB_RECV && st->MPI_TAG >= 0) d->tag = st->MPI_TAG;
	if (code != MPI_SUCCESS) return;
	if (w->kind == GB_SEND) {
		d->len = w->len;
		return;
	}
	if (w->len > INT_MAX) {
		MPI_Count n;
		MPI_Get_elements_x(st, MPI_BYTE, &n);
		d->len = n;
	} else {
		MPI_Get_count(st, MPI_BYTE, &count);
		d->len = count;
	}
}

static int push(gb_mpi *m, const gb_done *d)
{
	if (m->nqueue == m->queue_cap) {
		int cap = m->queue_cap ? 2 * m->queue_cap : 64;
		gb_done *q = malloc(cap * sizeof *q);
		if (!q) return gb_failed(m, "malloc", MPI_ERR_NO_MEM);
		for (int i = 0; i < m->nqueue; i++) q[i] = m->queue[(m->queue_head + i) % m->queue_cap];
		free(m->queue);
		m->queue = q, m->queue_cap = cap, m->queue_head = 0;
	}
	m->queue[(m->queue_head + m->nqueue++) % m->queue_cap] = *d;
	return 0;
}

static int drain(gb_mpi *m, gb_done *done, int ndone)
{
	int n = 0;
	while (n < ndone && m->nqueue > 0) {
		done[n++] = m->queue[m->queue_head];
		m->queue_head = (m->queue_head + 1) % m->queue_cap;
		m->nqueue--;
	}
	return n;
}

what gb_about(const gb_op *op)
{
	return (what){.id = op->id, .peer = op->peer, .tag = op->tag, .len = op->len, .kind = op->kind};
}

/* Puts a request among those under way. */
int gb_keep(gb_mpi *m, const what *w, MPI_Request req)
{
	if (m->npending == m->capacity) {
		int cap = m->capacity ? 2 * m->capacity : 128;
		MPI_Request *r = realloc(m->req, cap * sizeof *r);
		if (r) m->req = r;
		what *o = realloc(m->op, cap * sizeof *o);
		if (o) m->op = o;
		if (!r || !o) return gb_failed(m, "malloc", MPI_ERR_NO_MEM);
		m->capacity = cap;
	}
	m->req[m->npending] = req;
	m->op[m->npending++] = *w;
	return 0;
}

/* Swaps the last one in. */
static void drop(gb_mpi *m, int i)
{
	m->npending--;
	m->req[i] = m->req[m->npending];
	m->op[i] = m->op[m->npending];
}

/* Whether an operation with this peer can still be matched by someone. */
static int hopeless(const gb_mpi *m, const what *w)
{
	if (w->peer >= 0) return m->gone[w->peer];
	return m->ngone > 0 && m->ngone == m->size - 1;
}

/* Receives that a gone peer's earlier messages match end as usual: MPI_Cancel leaves matched ones alone. */
static void cancel_gone(what *w, MPI_Request *req)
{
	if (w->cancelled) return;
	MPI_Cancel(req);
	w->cancelled = w->gone = 1;
}

static int post(gb_mpi *m, const gb_op *op)
{
	MPI_Request req;
	what w = gb_about(op);
	gb_done d;
	int code;

	int taken = m->spaces >> op->space & 1;
	if (!taken || (m->ngone && op->kind == GB_SEND && hopeless(m, &w))) {
		d = decided(&w, taken ? GB_PEER_DIED : GB_UNSUPPORTED);
		return push(m, &d);
	}
	if ((code = begin(m, op, &req)) != MPI_SUCCESS) {
		MPI_Status none = {.MPI_SOURCE = -1, .MPI_TAG = -1};
		gb_finish(&w, &none, code, &d);
		return push(m, &d);
	}
	if (m->ngone && hopeless(m, &w)) cancel_gone(&w, &req);
	return gb_keep(m, &w, req);
}

int gb_progress(gb_mpi *m)
{
	int flag;
	/* Nothing is ever sent on this communicator: the call only drives progress. */
	TRY(m, MPI_Iprobe, (MPI_ANY_SOURCE, MPI_ANY_TAG, m->idle, &flag, MPI_STATUS_IGNORE));
	return 0;
}

/* One pass over requests under way. Returns completions put into done, or -1. */
static int pass(gb_mpi *m, gb_done *done, int ndone)
{
	int index[SWEEP], count, some = 0, code, n = 0;
	MPI_Status st[SWEEP];

	if (m->npending == 0) return gb_progress(m);
	if (m->sweep >= m->npending) m->sweep = 0;
	int first = m->sweep;
	count = m->npending - first < SWEEP ? m->npending - first : SWEEP;
	m->sweep = first + count;
	if (count == 1) {
		st[0].MPI_SOURCE = st[0].MPI_TAG = -1;
		code = MPI_Test(&m->req[first], &some, &st[0]);
		if (code != MPI_SUCCESS) some = 1;
		index[0] = 0;
		st[0].MPI_ERROR = code;
		if (code != MPI_SUCCESS) code = MPI_ERR_IN_STATUS;
	} else {
		code = MPI_Testsome(count, &m->req[first], &some, index, st);
		if (code != MPI_SUCCESS && code != MPI_ERR_IN_STATUS) {
			int class;
			MPI_Error_class(code, &class);
			if (class != MPI_ERR_IN_STATUS) return gb_failed(m, "MPI_Testsome", code);
			code = MPI_ERR_IN_STATUS;
		}
		if (some == MPI_UNDEFINED) some = 0;
	}
	for (int i = 0; i < some; i++) {
		what *w = &m->op[first + index[i]];
		gb_done d;
		gb_finish(w, &st[i], code == MPI_SUCCESS ? MPI_SUCCESS : st[i].MPI_ERROR, &d);
		w->kind = OVER;
		if (n < ndone)
			done[n++] = d;
		else if (push(m, &d) < 0)
			return -1;
	}
	if (some > 0)
		for (int i = first + count - 1; i >= first; i--)
			if (m->op[i].kind == OVER) drop(m, i);
	return n;
}

int gb_withdraw(gb_mpi *m)
{
	for (int i = m->npending - 1; i >= 0; i--) {
		what *w = &m->op[i];
		gb_done d;
		if (!hopeless(m, w)) continue;
		if (w->kind == GB_RECV) {
			cancel_gone(w, &m->req[i]);
			continue;
		}
		/* A send cannot be withdrawn; its request is left to the library. */
		int flag = 0;
		MPI_Status st;
		int code = MPI_Test(&m->req[i], &flag, &st);
		if (flag || code != MPI_SUCCESS) {
			gb_finish(w, &st, code, &d);
		} else {
			d = decided(w, GB_PEER_DIED);
			MPI_Request_free(&m->req[i]);
		}
		drop(m, i);
		if (push(m, &d) < 0) return -1;
	}
	return 0;
}

static __attribute__((noinline)) int several(gb_mpi *m, const gb_op *ops, gb_done *done, int nops, int ndone, int polls)
{
	int n, more, want = nops < 1 ? 1 : nops < ndone ? nops : ndone;

	for (int i = 0; i < nops; i++)
		if (post(m, &ops[i]) < 0) return -1;
	if (polls <= 0 || ndone <= 0) return 0;
	n = drain(m, done, ndone);
	for (int i = 0; n < want && i < polls; i++) {
		if ((more = pass(m, done + n, ndone - n)) < 0) return -1;
		if ((n += more) < want && m->yield) sched_yield();
	}
	if (n > 0) return n;
	if (gb_look(m, polls) < 0) return -1;
	return drain(m, done, ndone);
}

int gb_act(gb_mpi *m, const gb_op *ops, gb_done *done, int nops, int ndone, int polls)
{
	if (polls > 0 && nops > 0 && nops <= FEW && nops <= ndone && (m->npending | m->nqueue | m->ngone) == 0) {
		int n = FEW_NOT;
		if (nops > 1)
			n = gb_few(m, ops, done, nops, polls);
		else if ((m->spaces >> ops->space & 1) && ops->len <= INT_MAX)
			n = gb_lone(m, ops, done, polls);
		if (n == 0) return gb_look(m, polls) < 0 ? -1 : drain(m, done, ndone);
		if (n != FEW_NOT) return n;
	}
	return several(m, ops, done, nops, ndone, polls);
}

/* Receives alone: MPI_Cancel of a send does nothing in Open MPI, ends in a segmentation fault in MPICH 5.0.2 (of 100000 B
 * in shared memory), and is deprecated since MPI 4.0. A send ends when the peer receives it or is gone. */
int gb_cancel(gb_mpi *m, uint32_t id)
{
	for (int i = 0; i < m->npending; i++) {
		if (m->op[i].id != id || m->op[i].kind != GB_RECV || m->op[i].cancelled) continue;
		TRY(m, MPI_Cancel, (&m->req[i]));
		m->op[i].cancelled = 1;
	}
	return 0;
}

int gb_probe(gb_mpi *m, gb_done *found, int ctx, int peer, int tag)
{
	const what w = {.peer = peer};
	MPI_Status st;
	MPI_Count n;
	int flag;

	TRY(m, MPI_Iprobe, (peer == GB_ANY ? MPI_ANY_SOURCE : peer, tag == GB_ANY ? MPI_ANY_TAG : tag, m->ctx[ctx], &flag, &st));
	if (!flag) return hopeless(m, &w) ? 2 : 0;
	MPI_Get_elements_x(&st, MPI_BYTE, &n); /* MPI_Get_count ends at 2 GiB */
	*found = (gb_done){.peer = st.MPI_SOURCE, .tag = st.MPI_TAG, .len = n};
	return 1;
}

void gb_ops_cancel(gb_mpi *m)
{
	for (int i = 0; i < m->npending; i++) {
		if (m->op[i].kind != GB_RECV || m->op[i].cancelled) continue;
		MPI_Cancel(&m->req[i]);
		m->op[i].cancelled = 1;
	}
}

void gb_ops_close(gb_mpi *m)
{
	free(m->req);
	free(m->op);
	free(m->queue);
}
