/* The shim of an MPI library: compiled with the user's mpicc, loaded by gpubench at run time. Its one exported function
 * gives the table of gb_mpi.h. */
#include "shim.h"

#include <stdlib.h>

int gb_failed(gb_mpi *m, const char *call, int code)
{
	m->failed = (gb_fail){.call = call, .code = code};
	return -1;
}

static int duplicate(gb_mpi *m, MPI_Comm *out)
{
	/* The duplicate inherits MPI_ERRORS_RETURN. */
	TRY(m, MPI_Comm_dup, (MPI_COMM_WORLD, out));
	return 0;
}

static int start(gb_mpi *m)
{
	int provided;

	TRY(m, MPI_Init_thread, (NULL, NULL, MPI_THREAD_FUNNELED, &provided));
	if (provided < MPI_THREAD_FUNNELED) return gb_failed(m, "MPI_Init_thread (no MPI_THREAD_FUNNELED)", MPI_ERR_OTHER);
	TRY(m, MPI_Comm_set_errhandler, (MPI_COMM_WORLD, MPI_ERRORS_RETURN));
	TRY(m, MPI_Comm_set_errhandler, (MPI_COMM_SELF, MPI_ERRORS_RETURN));
	TRY(m, MPI_Comm_rank, (MPI_COMM_WORLD, &m->rank));
	TRY(m, MPI_Comm_size, (MPI_COMM_WORLD, &m->size));
	for (int i = 0; i < GB_CONTEXTS; i++)
		if (duplicate(m, &m->ctx[i]) < 0) return -1;
	if (duplicate(m, &m->headers) < 0 || duplicate(m, &m->admin) < 0 || duplicate(m, &m->idle) < 0 ||
	    duplicate(m, &m->coll) < 0) return -1;
	if (gb_headers_open(m) < 0 || gb_peers_open(m) < 0 || gb_collect_open(m) < 0) return -1;
	return 0;
}

static gb_mpi *open_world(gb_fail *fail)
{
	gb_mpi *m = calloc(1, sizeof *m);
	if (!m) {
		*fail = (gb_fail){"calloc", MPI_ERR_NO_MEM};
		return NULL;
	}
	m->goodbye = MPI_REQUEST_NULL;
	m->spaces = GB_HOST_SPACES;
	if (start(m) == 0) return m;
	*fail = m->failed;
	free(m); /* the process is about to say so and end: MPI has no way back from here */
	return NULL;
}

static int close_world(gb_mpi *m, double deadline_s)
{
	gb_ops_cancel(m);
	int result = gb_part(m, deadline_s);
	if (m->collecting != MPI_REQUEST_NULL) result = 1;
	if (result == 0) {
		gb_headers_close(m);
		gb_peers_close(m);
		gb_ops_close(m);
		gb_collect_close(m);
		result = MPI_Finalize() == MPI_SUCCESS ? 0 : -1;
	}
	/* Where peers are missing MPI_Finalize would wait for them for ever, and the library may still use our buffers:
	 * they are left to the end of the process. */
	return result;
}

static int rank(const gb_mpi *m) { return m->rank; }
static int size_of(const gb_mpi *m) { return m->size; }
static void take(gb_mpi *m, unsigned spaces) { m->spaces = spaces; }
static void fail(const gb_mpi *m, gb_fail *out) { *out = m->failed; }

static int node_leader(gb_mpi *m)
{
	MPI_Comm node;
	int leader;
	TRY(m, MPI_Comm_split_type, (MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, m->rank, MPI_INFO_NULL, &node));
	TRY(m, MPI_Allreduce, (&m->rank, &leader, 1, MPI_INT, MPI_MIN, node));
	TRY(m, MPI_Comm_free, (&node));
	return leader;
}

static int gather(gb_mpi *m, const void *mine, void *all, int n)
{
	TRY(m, MPI_Allgather, (mine, n, MPI_BYTE, all, n, MPI_BYTE, MPI_COMM_WORLD));
	return 0;
}

static const gb_mpi_table table = {
	.abi = GB_MPI_ABI,
	.size = sizeof(gb_mpi_table),
	.library = gb_library,
	.open = open_world,
	.rank = rank,
	.size_of = size_of,
	.node_leader = node_leader,
	.gather = gather,
	.watch = gb_watch,
	.take = take,
	.act = gb_act,
	.cancel = gb_cancel,
	.probe = gb_probe,
	.send_header = gb_send_header,
	.recv_header = gb_recv_header,
	.run_loop = gb_run_loop,
	.loop_end = gb_loop_end,
	.collect = gb_collect,
	.close = close_world,
	.fail = fail,
	.explain = gb_explain,
	.cuda = gb_cuda,
};

const gb_mpi_table *gb_mpi_table_of(uint32_t abi) __asm__("gb_mpi_table");
__attribute__((visibility("default"))) const gb_mpi_table *gb_mpi_table_of(uint32_t abi)
{
	return abi == GB_MPI_ABI ? &table : NULL;
}
