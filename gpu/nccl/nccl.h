/* What gpubench calls of NCCL, declared here: NCCL's own header needs CUDA's. Names, values and signatures are those of NCCL
 * 2's public API (docs.nvidia.com/deeplearning/nccl, API), which has kept them since 2.7. */
#ifndef GB_NCCL_H
#define GB_NCCL_H

#include <stddef.h>

typedef struct {
	char internal[128];
} gb_nccl_id; /* ncclUniqueId */

enum {
	GB_NCCL_SUCCESS = 0,
	GB_NCCL_INVALID_USAGE = 5,
	GB_NCCL_IN_PROGRESS = 7,
	GB_NCCL_UINT8 = 1,   /* ncclDataType_t */
	GB_NCCL_FLOAT64 = 8,
	GB_NCCL_SUM = 0, /* ncclRedOp_t */
};

/* The functions, in the order of `names` in nccl.c. A communicator and a stream are pointers. */
typedef struct gb_nccl {
	int (*get_version)(int *version);
	int (*get_unique_id)(gb_nccl_id *id);
	int (*comm_init_rank)(void **comm, int size, gb_nccl_id id, int rank);
	int (*comm_destroy)(void *comm);
	int (*comm_abort)(void *comm);
	int (*comm_get_async_error)(void *comm, int *error);
	const char *(*get_error_string)(int result);
	int (*broadcast)(const void *send, void *recv, size_t count, int type, int root, void *comm, void *stream);
	int (*reduce)(const void *send, void *recv, size_t count, int type, int op, int root, void *comm, void *stream);
	int (*all_reduce)(const void *send, void *recv, size_t count, int type, int op, void *comm, void *stream);
	int (*all_gather)(const void *send, void *recv, size_t count, int type, void *comm, void *stream);
	int (*reduce_scatter)(const void *send, void *recv, size_t count, int type, int op, void *comm, void *stream);
	int (*send)(const void *buf, size_t count, int type, int peer, void *comm, void *stream);
	int (*recv)(void *buf, size_t count, int type, int peer, void *comm, void *stream);
	int (*group_start)(void);
	int (*group_end)(void);
	const char *(*get_last_error)(void *comm); /* NULL before 2.13 */
} gb_nccl;

/* Opens the library at path and fills f; else text says why not. 0 or -1. */
int gb_nccl_open(const char *path, gb_nccl *f, char *text, int n);

/* A block to and from each of size ranks, as one group. */
int gb_nccl_all_to_all(const gb_nccl *f, const char *send, char *recv, size_t block, int size, void *comm, void *stream);

#endif
