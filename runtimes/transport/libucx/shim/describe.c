/* What UCX says of itself: version, statuses, what it does with a request, transports of an endpoint. */
#include "shim.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

int gb_version(char *text, int n)
{
	unsigned major, minor, release;
	ucp_get_version(&major, &minor, &release);
	return snprintf(text, (size_t)n, "%u.%u.%u %d.%d", major, minor, release, UCP_API_MAJOR, UCP_API_MINOR);
}

int gb_where(char *path, int n)
{
	Dl_info info;
	path[0] = '\0';
	if (dladdr((void *)(uintptr_t)&ucp_get_version, &info) == 0 || !info.dli_fname) return -1;
	return snprintf(path, (size_t)n, "%s", info.dli_fname);
}

int gb_explain(int code, char *text, int n)
{
	if (text) snprintf(text, (size_t)n, "%s", ucs_status_string((ucs_status_t)code));
	switch (code) {
	case UCS_OK: return GB_OK;
	case UCS_ERR_MESSAGE_TRUNCATED: return GB_TRUNCATED;
	case UCS_ERR_CANCELED: return GB_CANCELLED;
	case UCS_ERR_CONNECTION_RESET:
	case UCS_ERR_ENDPOINT_TIMEOUT:
	case UCS_ERR_NOT_CONNECTED:
	case UCS_ERR_REJECTED:
	case UCS_ERR_UNREACHABLE: return GB_PEER_DIED;
	}
	return GB_FAILED;
}

void gb_describe(gb_ucx *m, int on)
{
	m->describe = on ? UCP_OP_ATTR_FLAG_NO_IMM_CMPL : 0;
	memset(m->text, 0, sizeof m->text);
}

void gb_ask(gb_ucx *m, void *request, int kind, int ended)
{
	char *text = m->text[kind][ended];
	ucp_request_attr_t attr = {
		.field_mask = UCP_REQUEST_ATTR_FIELD_INFO_STRING | UCP_REQUEST_ATTR_FIELD_INFO_STRING_SIZE,
		.debug_string = text,
		.debug_string_size = TEXT,
	};
	text[0] = '\0';
	if (ucp_request_query(request, &attr) != UCS_OK) text[0] = '\0';
	text[strcspn(text, "\n")] = '\0';
}

int gb_described(gb_ucx *m, char *text, int n)
{
	static const char *const what[2][2] = {{"send, posted", "send, ended"}, {"recv, posted", "recv, ended"}};
	int at = 0;
	text[0] = '\0';
	for (int kind = 0; kind < 2; kind++)
		for (int ended = 0; ended < 2; ended++)
			if (m->text[kind][ended][0] && at < n)
				at += snprintf(text + at, (size_t)(n - at), "%s%s: %s", at ? "\n" : "", what[kind][ended], m->text[kind][ended]);
	return at;
}

int gb_transports(gb_ucx *m, char *text, int peer, int n)
{
	int at = 0;
	text[0] = '\0';
#if UCP_API_VERSION >= UCP_VERSION(1, 14)
	ucp_transport_entry_t all[16];
	ucp_ep_attr_t attr = {
		.field_mask = UCP_EP_ATTR_FIELD_TRANSPORTS,
		.transports = {.entries = all, .num_entries = sizeof all / sizeof *all, .entry_size = sizeof *all},
	};
	if (!m->peers[peer].ep || ucp_ep_query(m->peers[peer].ep, &attr) != UCS_OK) return 0;
	for (unsigned i = 0; i < attr.transports.num_entries && at < n; i++)
		at += snprintf(text + at, (size_t)(n - at), "%s%s/%s", at ? "," : "", all[i].transport_name, all[i].device_name);
#else
	(void)m, (void)peer, (void)n;
#endif
	return at;
}
