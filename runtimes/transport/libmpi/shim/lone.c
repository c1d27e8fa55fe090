/* The common case of a blocking call and of a few messages that go together, in a file of their own so that they stay
 * short: every nanosecond in here is one of the message's. */
#include "shim.h"

#include <limits.h>
#include <sched.h>
#include <string.h>

/* Fills d for an operation that went well. Field by field, and peer with tag as one word, because the Go side reads them
 * so: a load that covers two young stores waits until both have left the store buffer, which costs about 5 ns here. */
static inline void well(gb_done *d, uint32_t id, int32_t peer, int32_t tag, int64_t len)
{
	struct {
		int32_t peer, tag;
	} both = {peer, tag};
	uint64_t word;
	memcpy(&word, &both, sizeof word);
	d->id = id;
	memcpy(&d->peer, &word, sizeof word);
	d->outcome = GB_OK;
	d->len = len;
	d->code = MPI_SUCCESS;
}

/* What lone does when it is not all over at once. */
static __attribute__((noinline)) int lone_rest(gb_mpi *m, const gb_op *op, gb_done *done, MPI_Request req, int code,
                                               const MPI_Status *st)
{
	what w = gb_about(op);
	if (code == MPI_SUCCESS) return gb_keep(m, &w, req);
	gb_finish(&w, st, code, done);
	return 1;
}

/* The common case of a blocking call: one operation of less than 2 GiB, and nothing else under way. Between the message's
 * arrival and the return to Go, and from Go to MPI_Isend, there is only what must be. */
int gb_lone(gb_mpi *m, const gb_op *op, gb_done *done, int polls)
{
	MPI_Request req;
	MPI_Status st;
	int flag = 0, code, count;

	if (op->kind == GB_SEND) {
		code = MPI_Isend((void *)(uintptr_t)op->addr, (int)op->len, MPI_BYTE, op->peer, op->tag, m->ctx[op->ctx], &req);
		while (code == MPI_SUCCESS && polls-- > 0) {
			code = MPI_Test(&req, &flag, MPI_STATUS_IGNORE);
			if (flag && code == MPI_SUCCESS) {
				well(done, op->id, op->peer, op->tag, op->len);
				return 1;
			}
			if (m->yield) sched_yield();
		}
		st.MPI_SOURCE = st.MPI_TAG = -1;
		return lone_rest(m, op, done, req, code, &st);
	}
	int source = op->peer == GB_ANY ? MPI_ANY_SOURCE : op->peer, tag = op->tag == GB_ANY ? MPI_ANY_TAG : op->tag;
	st.MPI_SOURCE = st.MPI_TAG = -1;
	code = MPI_Irecv((void *)(uintptr_t)op->addr, (int)op->len, MPI_BYTE, source, tag, m->ctx[op->ctx], &req);
	while (code == MPI_SUCCESS && polls-- > 0) {
		code = MPI_Test(&req, &flag, &st);
		if (flag && code == MPI_SUCCESS) {
			MPI_Get_count(&st, MPI_BYTE, &count);
			well(done, op->id, st.MPI_SOURCE, st.MPI_TAG, count);
			return 1;
		}
		if (m->yield) sched_yield();
	}
	return lone_rest(m, op, done, req, code, &st);
}

/* Whether all of ops are what gb_few takes. */
static inline int plain(const gb_mpi *m, const gb_op *ops, int nops)
{
	for (int i = 0; i < nops; i++)
		if (!(m->spaces >> ops[i].space & 1) || ops[i].len > INT_MAX) return 0;
	return 1;
}

/* gb_few when it is not over: what is left joins those under way. */
static __attribute__((noinline)) int few_rest(gb_mpi *m, const gb_op *ops, MPI_Request *req, const uint8_t *left, int nleft)
{
	for (int k = 0; k < nleft; k++) {
		what w = gb_about(&ops[left[k]]);
		if (gb_keep(m, &w, req[left[k]]) < 0) return -1;
	}
	return 0;
}

/* A few messages that go together, with nothing else under way: returns when all have ended, or after polls passes, and how
 * many have; -1: *m->failed; FEW_NOT: it was not for this function, and nothing has begun. */
int gb_few(gb_mpi *m, const gb_op *ops, gb_done *done, int nops, int polls)
{
	MPI_Request req[FEW];
	MPI_Status st;
	uint8_t left[FEW];
	int n = 0, nleft = 0;

	if (!plain(m, ops, nops)) return FEW_NOT;
	for (int i = 0; i < nops; i++) {
		const gb_op *op = &ops[i];
		void *addr = (void *)(uintptr_t)op->addr;
		int code = op->kind == GB_SEND
			? MPI_Isend(addr, (int)op->len, MPI_BYTE, op->peer, op->tag, m->ctx[op->ctx], &req[i])
			: MPI_Irecv(addr, (int)op->len, MPI_BYTE, op->peer == GB_ANY ? MPI_ANY_SOURCE : op->peer,
			            op->tag == GB_ANY ? MPI_ANY_TAG : op->tag, m->ctx[op->ctx], &req[i]);
		if (code == MPI_SUCCESS) {
			left[nleft++] = (uint8_t)i;
			continue;
		}
		what w = gb_about(op);
		st.MPI_SOURCE = st.MPI_TAG = -1;
		gb_finish(&w, &st, code, &done[n++]);
	}
	while (nleft > 0 && polls-- > 0) {
		int rest = 0;
		for (int k = 0; k < nleft; k++) {
			const gb_op *op = &ops[left[k]];
			int flag = 0, count = (int)op->len, code;
			st.MPI_SOURCE = st.MPI_TAG = -1;
			code = MPI_Test(&req[left[k]], &flag, &st);
			if (code == MPI_SUCCESS && !flag) {
				left[rest++] = left[k];
			} else if (code != MPI_SUCCESS) {
				what w = gb_about(op);
				gb_finish(&w, &st, code, &done[n++]);
			} else if (op->kind == GB_SEND) {
				well(&done[n++], op->id, op->peer, op->tag, op->len);
			} else {
				MPI_Get_count(&st, MPI_BYTE, &count);
				well(&done[n++], op->id, st.MPI_SOURCE, st.MPI_TAG, count);
			}
		}
		nleft = rest;
		if (nleft > 0 && m->yield) sched_yield();
	}
	if (nleft > 0 && few_rest(m, ops, req, left, nleft) < 0) return -1;
	return n;
}
