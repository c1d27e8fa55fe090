/* Two processes that send each other device memory over UCX, with the CUDA driver that they are given:
 *
 *	pair BODY libcuda=PATH [nvml=PATH] [witness=PATH] [first=libcuda|witness] [devices=0,1] [visible=0,1:1,0]
 *	     [memory=device|managed] [type=given|detected] [early=1]
 *
 * BODY is this file again, as a shared object that is linked with UCX: it is opened after the libraries, as gpubench opens
 * its shims. Every message is sent once by tag and once as an active message (rendezvous), at each of the sizes, `rounds`
 * times. Each process prints "rank R pid P messages N bytes B", and what the witness counted. Exit status 0: every byte
 * was right. pair_test.go compiles and runs it. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct plan {
	int rank, fd, device, managed, detected, early;
	void *libcuda;
	void (*arm)(int); /* of the witness, or NULL */
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "pair: %s: %s\n", what, why);
	_exit(1);
}

#ifndef BODY
#include <dlfcn.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

static int argc_;
static char **argv_;

static const char *option(const char *name, const char *otherwise)
{
	size_t n = strlen(name);
	for (int i = 2; i < argc_; i++)
		if (!strncmp(argv_[i], name, n) && argv_[i][n] == '=')
			return argv_[i] + n + 1;
	return otherwise;
}

static void *load(const char *path, int flags)
{
	void *lib = path ? dlopen(path, RTLD_NOW | flags) : NULL;
	if (path && !lib)
		die(path, dlerror());
	return lib;
}

/* The rank's part of A:B, or all of what has no colon. */
static const char *part(const char *list, int rank, char sep, char *out, size_t size)
{
	const char *colon = strchr(list, sep);
	if (!colon)
		return list;
	if (rank)
		return colon + 1;
	snprintf(out, size, "%.*s", (int)(colon - list), list);
	return out;
}

int main(int argc, char **argv)
{
	int sv[2], status;
	char text[64];
	argc_ = argc, argv_ = argv;
	if (argc < 3 || socketpair(AF_UNIX, SOCK_STREAM, 0, sv))
		die("usage", "pair BODY libcuda=PATH ...");
	alarm(100); /* a test's last resort: the other process may be gone */
	pid_t child = fork();
	struct plan p = { .rank = !child };
	if (p.rank)
		prctl(PR_SET_PDEATHSIG, SIGKILL), alarm(100);
	p.fd = sv[p.rank];
	close(sv[!p.rank]);
	p.device = atoi(part(option("devices", "0,0"), p.rank, ',', text, sizeof text));
	p.managed = !strcmp(option("memory", "device"), "managed");
	p.detected = !strcmp(option("type", "given"), "detected");
	p.early = atoi(option("early", "0"));
	if (*option("visible", ""))
		setenv("CUDA_VISIBLE_DEVICES", part(option("visible", ""), p.rank, ':', text, sizeof text), 1);
	load(option("nvml", NULL), RTLD_LOCAL);
	p.libcuda = load(option("libcuda", NULL), RTLD_LOCAL);
	void *witness = load(option("witness", NULL), RTLD_GLOBAL);
	if (witness) {
		p.arm = (void (*)(int))(uintptr_t)dlsym(witness, "gpubench_witness_arm");
		p.arm(1);
	}
	void *body = load(argv[1], RTLD_LOCAL);
	uint64_t messages[2];
	((void (*)(const struct plan *, uint64_t *))(uintptr_t)dlsym(body, "body"))(&p, messages);
	printf("rank %d pid %d messages %llu bytes %llu\n", p.rank, (int)getpid(), (unsigned long long)messages[0], (unsigned long long)messages[1]);
	if (witness) {
		uint64_t counts[10];
		((void (*)(uint64_t *, int))(uintptr_t)dlsym(witness, "gpubench_witness_read"))(counts, 10);
		printf("rank %d witness", p.rank);
		for (int i = 0; i < 10; i++)
			printf(" %llu", (unsigned long long)counts[i]);
		puts("");
	}
	fflush(stdout);
	if (p.rank)
		return 0;
	waitpid(child, &status, 0);
	return !WIFEXITED(status) || WEXITSTATUS(status);
}

#else
#include <dlfcn.h>
#include <errno.h>
#include <sched.h>
#include <sys/socket.h>
#include <ucp/api/ucp.h>

enum { ROUNDS = 2, AM_ID = 7 };
static const size_t sizes[] = { 8, 100, 4096, 65536, 1 << 20, (16 << 20) - 1 };
enum { SIZES = sizeof sizes / sizeof *sizes };

static const struct plan *plan;
static ucp_worker_h worker;

/* The driver, called by dlsym, so that a witness sees the calls of libraries alone. */
static int cu(const char *name, uintptr_t a, uintptr_t b, uintptr_t c)
{
	void *f = dlsym(plan->libcuda, name);
	if (!f)
		die(name, "not in this libcuda");
	int r = ((int (*)(uintptr_t, uintptr_t, uintptr_t))f)(a, b, c);
	if (r) {
		char text[32];
		snprintf(text, sizeof text, "CUDA error %d", r);
		die(name, text);
	}
	return r;
}

static void uc(ucs_status_t s, const char *what)
{
	if (s != UCS_OK)
		die(what, ucs_status_string(s));
}

static void finish(void *request, const char *what)
{
	if (!request)
		return;
	if (UCS_PTR_IS_ERR(request))
		die(what, ucs_status_string(UCS_PTR_STATUS(request)));
	while (ucp_request_check_status(request) == UCS_INPROGRESS)
		if (!ucp_worker_progress(worker))
			sched_yield();
	uc(ucp_request_check_status(request), what);
	ucp_request_free(request);
}

/* Both come here; UCX makes progress meanwhile. */
static void meet(void)
{
	char c = 1;
	if (write(plan->fd, &c, 1) != 1)
		die("meet", "the other process is gone");
	for (;;) {
		ssize_t n = recv(plan->fd, &c, 1, MSG_DONTWAIT);
		if (n == 1)
			return;
		if (n == 0 || errno != EAGAIN)
			die("meet", "the other process is gone");
		if (!ucp_worker_progress(worker))
			sched_yield();
	}
}

static void read_all(void *to, size_t n)
{
	for (size_t got = 0; got < n;) {
		ssize_t k = read(plan->fd, (char *)to + got, n - got);
		if (k <= 0)
			die("address", "the other process is gone");
		got += (size_t)k;
	}
}

static ucp_ep_h connect_other(ucp_address_t *mine, size_t n)
{
	size_t theirs;
	if (write(plan->fd, &n, sizeof n) != sizeof n || write(plan->fd, mine, n) != (ssize_t)n)
		die("address", "the other process is gone");
	read_all(&theirs, sizeof theirs);
	void *address = malloc(theirs);
	read_all(address, theirs);
	ucp_ep_params_t params = { .field_mask = UCP_EP_PARAM_FIELD_REMOTE_ADDRESS, .address = address };
	ucp_ep_h ep;
	uc(ucp_ep_create(worker, &params, &ep), "ucp_ep_create");
	free(address);
	return ep;
}

static void *arrived; /* the descriptor of an active message whose data is still at the sender */
static size_t arrived_length;

static ucs_status_t on_message(void *arg, const void *header, size_t header_length, void *data, size_t length,
                               const ucp_am_recv_param_t *param)
{
	(void)arg, (void)header, (void)header_length;
	if (!(param->recv_attr & UCP_AM_RECV_ATTR_FLAG_RNDV))
		die("active message", "came eagerly, though rendezvous was asked for");
	arrived = data;
	arrived_length = length;
	return UCS_INPROGRESS;
}

static uintptr_t allocate(size_t n)
{
	uintptr_t p;
	if (plan->managed)
		cu("cuMemAllocManaged", (uintptr_t)&p, n, 1);
	else
		cu("cuMemAlloc_v2", (uintptr_t)&p, n, 0);
	return p;
}

static void fill(unsigned char *p, size_t n, unsigned seed)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (unsigned char)((i * 31 + seed) ^ (i >> 9));
}

static void transfer(ucp_ep_h ep, uintptr_t device, size_t n, unsigned seed, int am, unsigned char *host, unsigned char *want)
{
	ucp_request_param_t param = { .op_attr_mask = 0 };
	if (!plan->detected) {
		param.op_attr_mask = UCP_OP_ATTR_FIELD_MEMORY_TYPE;
		param.memory_type = plan->managed ? UCS_MEMORY_TYPE_CUDA_MANAGED : UCS_MEMORY_TYPE_CUDA;
	}
	fill(want, n, seed);
	if (plan->rank == 0) {
		cu("cuMemcpyHtoD_v2", device, (uintptr_t)want, n);
		meet();
		if (am) {
			param.op_attr_mask |= UCP_OP_ATTR_FIELD_FLAGS;
			param.flags = UCP_AM_SEND_FLAG_RNDV;
			finish(ucp_am_send_nbx(ep, AM_ID, NULL, 0, (void *)device, n, &param), "ucp_am_send_nbx");
		} else {
			finish(ucp_tag_send_nbx(ep, (void *)device, n, seed, &param), "ucp_tag_send_nbx");
		}
	} else {
		cu("cuMemsetD8_v2", device, 0xee, n);
		cu("cuCtxSynchronize", 0, 0, 0);
		meet();
		if (am) {
			while (!arrived)
				if (!ucp_worker_progress(worker))
					sched_yield();
			if (arrived_length != n)
				die("active message", "of another length");
			finish(ucp_am_recv_data_nbx(worker, arrived, (void *)device, n, &param), "ucp_am_recv_data_nbx");
			arrived = NULL;
		} else {
			finish(ucp_tag_recv_nbx(worker, (void *)device, n, seed, ~(ucp_tag_t)0, &param), "ucp_tag_recv_nbx");
		}
		cu("cuMemcpyDtoH_v2", (uintptr_t)host, device, n);
		for (size_t i = 0; i < n; i++)
			if (host[i] != want[i]) {
				char text[120];
				snprintf(text, sizeof text, "byte %zu of %zu is %#x, not %#x", i, n, host[i], want[i]);
				die(am ? "active message" : "tag message", text);
			}
	}
	meet();
}

__attribute__((visibility("default"))) void body(const struct plan *p, uint64_t *messages);
void body(const struct plan *p, uint64_t *messages)
{
	int device;
	uintptr_t context, memory[SIZES] = { 0 };
	ucp_config_t *config;
	ucp_context_h ucp;
	plan = p;
	cu("cuInit", 0, 0, 0);
	cu("cuDeviceGet", (uintptr_t)&device, (uintptr_t)p->device, 0);
	cu("cuDevicePrimaryCtxRetain", (uintptr_t)&context, (uintptr_t)device, 0);
	cu("cuCtxPushCurrent_v2", context, 0, 0);
	for (int i = 0; i < SIZES && p->early; i++)
		memory[i] = allocate(sizes[i]);

	ucp_params_t params = { .field_mask = UCP_PARAM_FIELD_FEATURES, .features = UCP_FEATURE_TAG | UCP_FEATURE_AM };
	uc(ucp_config_read(NULL, NULL, &config), "ucp_config_read");
	uc(ucp_init(&params, config, &ucp), "ucp_init");
	ucp_config_release(config);
	ucp_worker_params_t wp = { .field_mask = UCP_WORKER_PARAM_FIELD_THREAD_MODE, .thread_mode = UCS_THREAD_MODE_SINGLE };
	uc(ucp_worker_create(ucp, &wp, &worker), "ucp_worker_create");
	ucp_am_handler_param_t handler = { .field_mask = UCP_AM_HANDLER_PARAM_FIELD_ID | UCP_AM_HANDLER_PARAM_FIELD_CB | UCP_AM_HANDLER_PARAM_FIELD_FLAGS,
		.id = AM_ID, .cb = on_message, .flags = UCP_AM_FLAG_WHOLE_MSG };
	uc(ucp_worker_set_am_recv_handler(worker, &handler), "ucp_worker_set_am_recv_handler");
	ucp_address_t *address;
	size_t length;
	uc(ucp_worker_get_address(worker, &address, &length), "ucp_worker_get_address");
	ucp_ep_h ep = connect_other(address, length);
	ucp_worker_release_address(worker, address);

	for (int i = 0; i < SIZES && !p->early; i++)
		memory[i] = allocate(sizes[i]);
	size_t most = sizes[SIZES - 1];
	unsigned char *host = malloc(most), *want = malloc(most);
	messages[0] = messages[1] = 0;
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < SIZES; i++)
			for (int am = 0; am < 2; am++) {
				unsigned seed = (unsigned)(100 * round + 10 * i + am + 1);
				transfer(ep, memory[i], sizes[i], seed, am, host, want);
				messages[0]++;
				messages[1] += sizes[i];
			}
		/* The same addresses anew: a mapping of what was there before must not be used again. */
		for (int i = 0; i < SIZES; i++)
			cu("cuMemFree_v2", memory[i], 0, 0);
		meet();
		for (int i = 0; i < SIZES && round + 1 < ROUNDS; i++)
			memory[i] = allocate(sizes[i]);
		meet();
	}
	if (p->arm)
		p->arm(0);
	free(host);
	free(want);
	ucp_request_param_t close = { .op_attr_mask = 0 };
	finish(ucp_ep_close_nbx(ep, &close), "ucp_ep_close_nbx");
	meet();
	ucp_worker_destroy(worker);
	ucp_cleanup(ucp);
	cu("cuCtxPopCurrent_v2", (uintptr_t)&context, 0, 0);
	cu("cuDevicePrimaryCtxRelease_v2", (uintptr_t)device, 0, 0);
}
#endif
