/* Ping-pong in plain C over MPI_Send and MPI_Recv: the program that gpubench's mpi model is held against.
 *
 *   mpicc -O2 -o pingpong_mpi scripts/peers/pingpong_mpi.c
 *   mpirun -n 2 --bind-to none ./pingpong_mpi -s 8 -i 200000 -huge
 *
 *   -s BYTES     message size, default 8
 *   -i N         timed round trips, default 10000
 *   -x N         warm-up round trips, default a tenth of -i, at least 10
 *   -b N         batches that the timed round trips are split into, default 20
 *   -huge        buffers in huge pages (2 MiB aligned, MADV_HUGEPAGE), as gpubench --pages huge
 *   -threads L   single (default), funneled: the level asked of MPI_Init_thread
 *
 * Prints one line of JSON: latency_s is the median batch's half round trip in seconds, min_s the best batch's. Buffers
 * lie and are touched as gpubench's: mapped, page aligned (2 MiB with -huge), one for sending and one for receiving,
 * each written before it is used. Both ends check what they received after the last batch. */
#define _GNU_SOURCE
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { TAG = 1, HUGE_PAGE = 2 << 20 };

static unsigned char *buffer(size_t n, int huge, unsigned char value)
{
	size_t page = huge ? HUGE_PAGE : 4096;
	n = (n + page - 1) / page * page;
	if (n == 0) n = page;
	unsigned char *p = mmap(NULL, n + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED) {
		perror("mmap");
		MPI_Abort(MPI_COMM_WORLD, 1);
	}
	p = (unsigned char *)(((size_t)p + page - 1) / page * page);
	if (huge) madvise(p, n, MADV_HUGEPAGE);
	memset(p, value, n);
	return p;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	long size = 8, iterations = 10000, warmup = -1, batches = 20;
	int huge = 0, level = MPI_THREAD_SINGLE, provided, rank, world;

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "-huge")) huge = 1;
		else if (i + 1 < argc && !strcmp(argv[i], "-s")) size = atol(argv[++i]);
		else if (i + 1 < argc && !strcmp(argv[i], "-i")) iterations = atol(argv[++i]);
		else if (i + 1 < argc && !strcmp(argv[i], "-x")) warmup = atol(argv[++i]);
		else if (i + 1 < argc && !strcmp(argv[i], "-b")) batches = atol(argv[++i]);
		else if (i + 1 < argc && !strcmp(argv[i], "-threads")) level = strcmp(argv[++i], "funneled") ? MPI_THREAD_SINGLE : MPI_THREAD_FUNNELED;
		else {
			fprintf(stderr, "pingpong_mpi: cannot use %s\n", argv[i]);
			return 2;
		}
	}
	if (size < 0 || size > 2147483647L || iterations < 1 || batches < 1) {
		fprintf(stderr, "pingpong_mpi: want 0 <= -s <= 2147483647, -i and -b of at least 1\n");
		return 2;
	}
	if (warmup < 0) warmup = iterations / 10 < 10 ? 10 : iterations / 10;
	if (batches > iterations) batches = iterations;
	long each = iterations / batches;

	MPI_Init_thread(&argc, &argv, level, &provided);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &world);
	if (world != 2) {
		if (rank == 0) fprintf(stderr, "pingpong_mpi: want 2 ranks, not %d\n", world);
		MPI_Finalize();
		return 2;
	}
	int peer = 1 - rank;
	unsigned char *sbuf = buffer((size_t)size, huge, (unsigned char)(rank + 1));
	unsigned char *rbuf = buffer((size_t)size, huge, 0xff);
	double *samples = malloc((size_t)batches * sizeof *samples);

	for (long b = -1; b < batches; b++) {
		long n = b < 0 ? warmup : each;
		MPI_Barrier(MPI_COMM_WORLD);
		double start = MPI_Wtime();
		for (long i = 0; i < n; i++) {
			if (rank == 0) {
				MPI_Send(sbuf, (int)size, MPI_BYTE, peer, TAG, MPI_COMM_WORLD);
				MPI_Recv(rbuf, (int)size, MPI_BYTE, peer, TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
			} else {
				MPI_Recv(rbuf, (int)size, MPI_BYTE, peer, TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
				MPI_Send(sbuf, (int)size, MPI_BYTE, peer, TAG, MPI_COMM_WORLD);
			}
		}
		if (b >= 0) samples[b] = (MPI_Wtime() - start) / (double)n / 2;
	}
	for (long i = 0; i < size; i++)
		if (rbuf[i] != (unsigned char)(peer + 1)) {
			fprintf(stderr, "pingpong_mpi: rank %d: byte %ld is %d, not %d\n", rank, i, rbuf[i], peer + 1);
			MPI_Abort(MPI_COMM_WORLD, 1);
		}
	if (rank == 0) {
		qsort(samples, (size_t)batches, sizeof *samples, by_value);
		double median = batches % 2 ? samples[batches / 2] : (samples[batches / 2 - 1] + samples[batches / 2]) / 2;
		printf("{\"program\": \"pingpong_mpi.c\", \"size_bytes\": %ld, \"pages\": \"%s\", \"iterations\": %ld, \"latency_s\": %.6g, \"min_s\": %.6g}\n",
		       size, huge ? "huge" : "default", each * batches, median, samples[0]);
	}
	MPI_Finalize();
	return 0;
}
