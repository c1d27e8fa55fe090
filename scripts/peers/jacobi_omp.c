/* Jacobi3D in plain C and OpenMP: the program that gpubench's jacobi3d on `cpu` is held against.
 *
 *   cc -O3 -march=native -fopenmp -o jacobi_omp scripts/peers/jacobi_omp.c
 *   OMP_NUM_THREADS=2 ./jacobi_omp X Y Z ITERATIONS WARMUP [-huge]
 *
 * gpubench's `--field charm`: faces 1, interior 0, every cell replaced by (self + six neighbours) / 7, in a dense array
 * with one layer of ghosts, x fastest. Plain loops, threads over planes, as one writes it; memory is mapped and first
 * written by the thread that works on it. -huge asks for huge pages, as gpubench --pages huge. Prints the interior's
 * sum as `sum` and the seconds of a timed iteration, their mean, as `iteration_s`. */
#define _GNU_SOURCE
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { HUGE_PAGE = 2 << 20 };

static long nx, ny, nz, row, plane;

static double *field(int huge)
{
	size_t bytes = (size_t)plane * (nz + 2) * sizeof(double), align = huge ? HUGE_PAGE : 4096;
	char *p = mmap(NULL, bytes + align, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	p = (char *)(((size_t)p + align - 1) / align * align);
	if (huge) madvise(p, bytes, MADV_HUGEPAGE);
	double *a = (double *)p;
#pragma omp parallel for
	for (long z = 0; z < nz + 2; z++)
		for (long y = 0; y < ny + 2; y++)
			for (long x = 0; x < nx + 2; x++)
				a[z * plane + y * row + x] = x == 0 || x > nx || y == 0 || y > ny || z == 0 || z > nz;
	return a;
}

static void iterate(const double *restrict in, double *restrict out)
{
#pragma omp parallel for
	for (long z = 1; z <= nz; z++)
		for (long y = 1; y <= ny; y++) {
			const double *c = in + z * plane + y * row;
			double *o = out + z * plane + y * row;
			for (long x = 1; x <= nx; x++)
				o[x] = (c[x] + c[x - 1] + c[x + 1] + c[x - row] + c[x + row] + c[x - plane] + c[x + plane]) * (1.0 / 7.0);
		}
}

int main(int argc, char **argv)
{
	if (argc < 6 || argc > 7 || (argc == 7 && strcmp(argv[6], "-huge"))) {
		fprintf(stderr, "usage: jacobi_omp X Y Z ITERATIONS WARMUP [-huge]\n");
		return 2;
	}
	nx = atol(argv[1]), ny = atol(argv[2]), nz = atol(argv[3]);
	long iterations = atol(argv[4]), warmup = atol(argv[5]);
	if (nx < 1 || ny < 1 || nz < 1 || iterations < 1 || warmup < 0) {
		fprintf(stderr, "jacobi_omp: sizes and iterations are at least 1\n");
		return 2;
	}
	row = nx + 2, plane = row * (ny + 2);
	double *a = field(argc == 7), *b = field(argc == 7), start = 0;
	for (long i = -warmup; i < iterations; i++) {
		if (i == 0) start = omp_get_wtime();
		iterate(a, b);
		double *t = a;
		a = b;
		b = t;
	}
	double seconds = (omp_get_wtime() - start) / iterations, sum = 0;
	for (long z = 1; z <= nz; z++)
		for (long y = 1; y <= ny; y++)
			for (long x = 1; x <= nx; x++) sum += a[z * plane + y * row + x];
	printf("sum %.17g\niteration_s %.9e\n", sum, seconds);
	return 0;
}
