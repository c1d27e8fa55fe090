/* The shim of UCX: compiled with the user's UCX headers, loaded by gpubench at run time. Its one exported function gives
 * the table of gb_ucx.h. */
#include "shim.h"

#include <stdlib.h>
#include <string.h>

int gb_failed(gb_ucx *m, const char *call, ucs_status_t status)
{
	m->failed = (gb_fail){.call = call, .code = status};
	return -1;
}

static void init(void *request) { ((req *)request)->kept = 0; }

static int start(gb_ucx *m, int local)
{
	unsigned major, minor, release;
	ucp_params_t params = {
		.field_mask = UCP_PARAM_FIELD_FEATURES | UCP_PARAM_FIELD_REQUEST_SIZE | UCP_PARAM_FIELD_TAG_SENDER_MASK |
		              UCP_PARAM_FIELD_ESTIMATED_NUM_EPS | UCP_PARAM_FIELD_ESTIMATED_NUM_PPN | UCP_PARAM_FIELD_NAME |
		              UCP_PARAM_FIELD_REQUEST_INIT,
		.features = UCP_FEATURE_TAG | UCP_FEATURE_AM,
		.request_size = sizeof(req),
		.request_init = init,
		.tag_sender_mask = (ucp_tag_t)(GB_MAX_PEERS - 1) << 32,
		.estimated_num_eps = (size_t)m->size,
		.estimated_num_ppn = (size_t)local,
		.name = "gpubench",
	};
	ucp_worker_params_t worker = {
		.field_mask = UCP_WORKER_PARAM_FIELD_THREAD_MODE | UCP_WORKER_PARAM_FIELD_FLAGS,
		.thread_mode = UCS_THREAD_MODE_SINGLE,
		.flags = UCP_WORKER_FLAG_IGNORE_REQUEST_LEAK, /* of peers that are gone: see gb_withdraw */
	};
	ucp_context_attr_t attr = {.field_mask = UCP_ATTR_FIELD_MEMORY_TYPES};

	/* Before 1.17 a receive that ends at once may leave out whose message it was and how long. */
	ucp_get_version(&major, &minor, &release);
	if (major == 1 && minor < 17) m->recv_flags = UCP_OP_ATTR_FLAG_NO_IMM_CMPL;

	TRY(m, ucp_init, (&params, NULL, &m->context));
	TRY(m, ucp_context_query, (m->context, &attr));
	for (int s = 0; s < GB_SPACES; s++)
		if (attr.memory_types & UCS_BIT(gb_memory[s])) m->spaces |= 1 << s;
	TRY(m, ucp_worker_create, (m->context, &worker, &m->worker));
	if (gb_peers_open(m) < 0 || gb_headers_open(m) < 0 || gb_loops_open(m) < 0) return -1;
	return 0;
}

static gb_ucx *open_world(int rank, int size, int local, gb_fail *fail)
{
	gb_ucx *m = calloc(1, sizeof *m);
	if (!m) {
		*fail = (gb_fail){"calloc", UCS_ERR_NO_MEMORY};
		return NULL;
	}
	m->rank = rank, m->size = size;
	if (start(m, local) == 0) return m;
	*fail = m->failed;
	if (m->worker) ucp_worker_destroy(m->worker);
	if (m->context) ucp_cleanup(m->context);
	free(m->peers);
	gb_headers_close(m);
	free(m);
	return NULL;
}

static int spaces(const gb_ucx *m) { return m->spaces; }

static int address(gb_ucx *m, void *out, int n)
{
	ucp_address_t *a;
	size_t len;
	TRY(m, ucp_worker_get_address, (m->worker, &a, &len));
	if (len <= (size_t)n) memcpy(out, a, len);
	ucp_worker_release_address(m->worker, a);
	return (int)len;
}

static int close_world(gb_ucx *m, double deadline_s)
{
	gb_ops_cancel(m);
	int result = gb_part(m, deadline_s);
	gb_loops_close(m);
	gb_ops_close(m);
	gb_peers_close(m);
	/* UCX complains of memory that an operation without end still holds. Nobody drives it any more, and what it has of
	 * the system goes with the process. */
	if (m->lost > 0) return result;
	ucp_worker_destroy(m->worker); /* ends what UCX still has: its callbacks find m */
	ucp_cleanup(m->context);
	gb_headers_close(m);
	free(m->peers);
	free(m->watched);
	free(m->queue);
	free(m);
	return result;
}

static void fail(const gb_ucx *m, gb_fail *out) { *out = m->failed; }
static int broken(const gb_ucx *m, int peer) { return m->peers[peer].broken; }

static const gb_ucx_table table = {
	.abi = GB_UCX_ABI,
	.size = sizeof(gb_ucx_table),
	.version = gb_version,
	.where = gb_where,
	.open = open_world,
	.spaces = spaces,
	.address = address,
	.connect = gb_connect,
	.watch = gb_watch,
	.act = gb_act,
	.cancel = gb_cancel,
	.probe = gb_probe,
	.send_header = gb_send_header,
	.recv_header = gb_recv_header,
	.run_loop = gb_run_loop,
	.loop_end = gb_loop_end,
	.close = close_world,
	.fail = fail,
	.broken = broken,
	.explain = gb_explain,
	.describe = gb_describe,
	.described = gb_described,
	.transports = gb_transports,
};

const gb_ucx_table *gb_ucx_table_of(uint32_t abi) __asm__("gb_ucx_table");
__attribute__((visibility("default"))) const gb_ucx_table *gb_ucx_table_of(uint32_t abi)
{
	return abi == GB_UCX_ABI ? &table : NULL;
}
