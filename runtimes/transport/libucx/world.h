/* The one UCX world of this process as the Go side calls it: through the shim's table, kept in C so that a crossing
 * carries no pointer that cgo would have to check. */
#ifndef GB_UCX_WORLD_H
#define GB_UCX_WORLD_H

#include "gb_ucx.h"

extern const gb_ucx_table *gb_ucx_now;
extern gb_ucx *gb_ucx_world;

static inline int gb_u_cancel(uint32_t id) { return gb_ucx_now->cancel(gb_ucx_world, id); }
static inline int gb_u_version(char *text, int n) { return gb_ucx_now->version(text, n); }
static inline int gb_u_where(char *path, int n) { return gb_ucx_now->where(path, n); }
static inline int gb_u_open(int rank, int size, int local, gb_fail *fail)
{
	return (gb_ucx_world = gb_ucx_now->open(rank, size, local, fail)) ? 0 : -1;
}
static inline int gb_u_spaces(void) { return gb_ucx_now->spaces(gb_ucx_world); }
static inline int gb_u_address(void *out, int n) { return gb_ucx_now->address(gb_ucx_world, out, n); }
static inline int gb_u_connect(const void *address, int peer, int near)
{
	return gb_ucx_now->connect(gb_ucx_world, address, peer, near);
}
static inline int gb_u_watch(const int *fds, int yield) { return gb_ucx_now->watch(gb_ucx_world, fds, yield); }
static inline void gb_u_loop_end(const gb_loop *l) { gb_ucx_now->loop_end(gb_ucx_world, l); }
static inline int gb_u_close(double deadline_s) { return gb_ucx_now->close(gb_ucx_world, deadline_s); }
static inline void gb_u_fail(gb_fail *out) { gb_ucx_now->fail(gb_ucx_world, out); }
static inline int gb_u_broken(int peer) { return gb_ucx_now->broken(gb_ucx_world, peer); }
static inline int gb_u_explain(int code, char *text, int n) { return gb_ucx_now->explain(code, text, n); }
static inline void gb_u_describe(int on) { gb_ucx_now->describe(gb_ucx_world, on); }
static inline int gb_u_described(char *text, int n) { return gb_ucx_now->described(gb_ucx_world, text, n); }
static inline int gb_u_transports(char *text, int peer, int n) { return gb_ucx_now->transports(gb_ucx_world, text, peer, n); }

#endif
