/* The common case of a blocking call, alone in a file so that it stays short: every nanosecond in here is one of the
 * message's. */
#include "shim.h"

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
