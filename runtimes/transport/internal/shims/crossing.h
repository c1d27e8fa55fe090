/* Calls of what shims of MPI and UCX have in common, by address: each has types of its own. Addresses of C's are integers
 * and structures bytes here, so that cgo has nothing to check. */
#ifndef GB_CROSSING_H
#define GB_CROSSING_H

#include <stdint.h>

/* Functions of a shim's table, and the world that is their first argument. */
typedef struct gb_calls {
	uintptr_t world, act, probe, send_header, recv_header, run_loop;
} gb_calls;

/* As in each shim's header. */
typedef struct gb_from {
	int32_t peer, len;
} gb_from;

static inline int gb_act(const gb_calls *t, const uint8_t *ops, uint8_t *done, int nops, int ndone, int polls)
{
	return ((int (*)(uintptr_t, const void *, void *, int, int, int))t->act)(t->world, ops, done, nops, ndone, polls);
}
static inline int gb_probe(const gb_calls *t, uint8_t *found, int ctx, int peer, int tag)
{
	return ((int (*)(uintptr_t, void *, int, int, int))t->probe)(t->world, found, ctx, peer, tag);
}
static inline int gb_send_header(const gb_calls *t, const uint8_t *h, int n, int peer)
{
	return ((int (*)(uintptr_t, const void *, int, int))t->send_header)(t->world, h, n, peer);
}
static inline int gb_recv_header(const gb_calls *t, uint8_t *buf, gb_from *from, int cap)
{
	return ((int (*)(uintptr_t, void *, gb_from *, int))t->recv_header)(t->world, buf, from, cap);
}
static inline int gb_run_loop(const gb_calls *t, uint8_t *loop, int polls)
{
	return ((int (*)(uintptr_t, void *, int))t->run_loop)(t->world, loop, polls);
}

#endif
