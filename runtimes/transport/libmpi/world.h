/* The one MPI world of this process as the Go side calls it: through the shim's table, kept in C so that a crossing
 * carries no pointer that cgo would have to check. */
#ifndef GB_WORLD_H
#define GB_WORLD_H

#include "gb_mpi.h"

extern const gb_mpi_table *gb_table;
extern gb_mpi *gb_world;

static inline int gb_w_cancel(uint32_t id) { return gb_table->cancel(gb_world, id); }
static inline int gb_w_open(gb_fail *fail) { return (gb_world = gb_table->open(fail)) ? 0 : -1; }
static inline int gb_w_library(char *text, int n) { return gb_table->library(text, n); }
static inline int gb_w_rank(void) { return gb_table->rank(gb_world); }
static inline int gb_w_size(void) { return gb_table->size_of(gb_world); }
static inline int gb_w_node_leader(void) { return gb_table->node_leader(gb_world); }
static inline int gb_w_gather(const void *mine, void *all, int n) { return gb_table->gather(gb_world, mine, all, n); }
static inline int gb_w_watch(const int *fds, int yield) { return gb_table->watch(gb_world, fds, yield); }
static inline void gb_w_take(unsigned spaces) { gb_table->take(gb_world, spaces); }
static inline void gb_w_loop_end(const gb_loop *l) { gb_table->loop_end(gb_world, l); }
static inline int gb_w_collect(const gb_coll *c, gb_from *gone, int polls)
{
	return gb_table->collect(gb_world, c, gone, polls);
}
static inline int gb_w_close(double deadline_s) { return gb_table->close(gb_world, deadline_s); }
static inline void gb_w_fail(gb_fail *out) { gb_table->fail(gb_world, out); }
static inline int gb_w_explain(int code, char *class_name, int nclass, char *text, int ntext)
{
	return gb_table->explain(code, class_name, nclass, text, ntext);
}
static inline int gb_w_cuda(char *text, int n) { return gb_table->cuda(text, n); }

#endif
