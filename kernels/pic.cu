// PIC on the GPU: a block of threads for every slot. Orders are those of the CPU's loops, so that all memory comes out
// the same: a particle's place is worked out, never taken by whoever comes first.
#include "pic.h"

#include "join.h"

#define THREADS GB_PIC_THREADS

extern "C" __global__ void __launch_bounds__(THREADS)
	pic_move(double *__restrict__ p, const double *__restrict__ charges, uint8_t *__restrict__ classes, int64_t *counts,
             int64_t n, int64_t capacity, int64_t left, int64_t right, int64_t bottom, int64_t top, int64_t cells,
             int64_t bx, int64_t by, int64_t across, int64_t up, int64_t slots) {
	const gb_pic_block b = {left, right, bottom, top, cells, bx, by, across, up};
	__shared__ int mine[GB_PIC_CLASSES][THREADS];
	for (int c = 0; c < GB_PIC_CLASSES; c++) mine[c][threadIdx.x] = 0;
	const int64_t last = gb_cut(n, blockIdx.x + 1, slots);
	for (int64_t i = gb_cut(n, blockIdx.x, slots) + threadIdx.x; i < last; i += THREADS) {
		double x = p[GB_PIC_X * capacity + i], y = p[GB_PIC_Y * capacity + i];
		double vx = p[GB_PIC_VX * capacity + i], vy = p[GB_PIC_VY * capacity + i];
		gb_pic_move(x, y, vx, vy, p[GB_PIC_Q * capacity + i], charges, left, bottom, right - left, top - bottom, cells,
		            top - bottom + 1);
		p[GB_PIC_X * capacity + i] = x;
		p[GB_PIC_Y * capacity + i] = y;
		p[GB_PIC_VX * capacity + i] = vx;
		p[GB_PIC_VY * capacity + i] = vy;
		classes[i] = gb_pic_inside(x, y, left, right, bottom, top) ? GB_PIC_HERE : GB_PIC_CLASSES;
	}
	// A loop of its own: both in one take more registers than there are.
	for (int64_t i = gb_cut(n, blockIdx.x, slots) + threadIdx.x; i < last; i += THREADS) {
		if (classes[i] == GB_PIC_HERE) continue;
		const uint8_t c = gb_pic_class(p[GB_PIC_X * capacity + i], p[GB_PIC_Y * capacity + i], b);
		classes[i] = c;
		if (c == GB_PIC_HERE) continue;
		mine[c][threadIdx.x]++;
		mine[GB_PIC_HERE][threadIdx.x]++;
	}
	__syncthreads();
	if (threadIdx.x < GB_PIC_CLASSES) {
		int64_t sum = 0;
		for (int t = 0; t < THREADS; t++) sum += mine[threadIdx.x][t];
		counts[blockIdx.x * GB_PIC_CLASSES + threadIdx.x] = sum;
	}
}

// A thread for every class.
extern "C" __global__ void __launch_bounds__(THREADS) pic_scan(int64_t *counts, int64_t *totals, int64_t slots) {
	if (threadIdx.x >= GB_PIC_CLASSES) return;
	int64_t before = 0;
	for (int64_t s = 0; s < slots; s++) {
		const int64_t at = s * GB_PIC_CLASSES + threadIdx.x, k = counts[at];
		counts[at] = before;
		before += k;
	}
	totals[threadIdx.x] = before;
}

// Tiles of THREADS particles, in order: a thread looks at the classes of those before it.
extern "C" __global__ void __launch_bounds__(THREADS)
	pic_pack(const double *__restrict__ p, const uint8_t *__restrict__ classes, const int64_t *counts,
             const int64_t *totals, double *__restrict__ out, int64_t *moves, int64_t n, int64_t capacity, int64_t room,
             int64_t slots) {
	const int64_t leave = totals[GB_PIC_HERE], stay = n - leave, last = gb_cut(n, blockIdx.x + 1, slots);
	const int64_t before = counts[blockIdx.x * GB_PIC_CLASSES + GB_PIC_HERE];
	const int64_t behind = blockIdx.x + 1 < slots ? counts[(blockIdx.x + 1) * GB_PIC_CLASSES + GB_PIC_HERE] : leave;
	if (leave > room || (before == behind && last <= stay)) return; // none of this slot leaves, and none of it fills
	__shared__ uint8_t tile[THREADS];
	__shared__ int64_t next[GB_PIC_CLASSES];
	if (threadIdx.x < GB_PIC_CLASSES) next[threadIdx.x] = counts[blockIdx.x * GB_PIC_CLASSES + threadIdx.x];
	for (int64_t first = gb_cut(n, blockIdx.x, slots); first < last; first += THREADS) {
		const int64_t i = first + threadIdx.x;
		const int c = i < last ? classes[i] : GB_PIC_HERE;
		tile[threadIdx.x] = (uint8_t)c;
		__syncthreads();
		int same = 0, leaving = 0;
		if (c != GB_PIC_HERE || i >= stay)
			for (int t = 0; t < (int)threadIdx.x; t++) {
				same += tile[t] == c;
				leaving += tile[t] != GB_PIC_HERE;
			}
		const int64_t rank = next[GB_PIC_HERE] + leaving;
		if (c != GB_PIC_HERE) {
			gb_pic_copy(out + gb_pic_message(totals, c), totals[c], next[c] + same, p, capacity, i);
			moves[rank] = i;
		} else if (i < last && i >= stay) {
			moves[room + stay - 1 - (i - rank)] = i;
		}
		__syncthreads();
		if (threadIdx.x < GB_PIC_CLASSES) {
			int k = 0;
			for (int t = 0; t < THREADS; t++)
				k += threadIdx.x == GB_PIC_HERE ? tile[t] != GB_PIC_HERE : tile[t] == threadIdx.x;
			next[threadIdx.x] += k;
		}
		__syncthreads();
	}
}

extern "C" __global__ void __launch_bounds__(THREADS)
	pic_fill(double *p, const int64_t *totals, const int64_t *moves, int64_t n, int64_t capacity, int64_t room) {
	const int64_t leave = totals[GB_PIC_HERE];
	if (leave > room) return;
	for (int64_t j = (int64_t)blockIdx.x * THREADS + threadIdx.x; j < leave; j += (int64_t)gridDim.x * THREADS)
		if (moves[j] < n - leave) gb_pic_copy(p, capacity, moves[j], p, capacity, moves[room + j]);
}

extern "C" __global__ void __launch_bounds__(THREADS)
	pic_append(double *__restrict__ p, const double *__restrict__ in, int64_t n, int64_t capacity, int64_t m0, int64_t m1,
               int64_t m2, int64_t m3, int64_t m4, int64_t m5, int64_t m6, int64_t m7) {
	const int64_t lengths[GB_PIC_CLASSES - 1] = {m0, m1, m2, m3, m4, m5, m6, m7};
	for (int m = 0; m < GB_PIC_CLASSES - 1; m++) {
		for (int64_t j = (int64_t)blockIdx.x * THREADS + threadIdx.x; j < lengths[m]; j += (int64_t)gridDim.x * THREADS)
			gb_pic_copy(p, capacity, n + j, in, lengths[m], j);
		in += lengths[m] * GB_PIC_FIELDS;
		n += lengths[m];
	}
}

extern "C" __global__ void __launch_bounds__(THREADS)
	pic_check(const double *__restrict__ p, gb_check *results, int64_t n, int64_t capacity, int64_t slots, double length,
              double travel_x, double travel_y, double tolerance) {
	gb_check c = gb_check_none();
	const int64_t last = gb_cut(n, blockIdx.x + 1, slots);
	for (int64_t i = gb_cut(n, blockIdx.x, slots) + threadIdx.x; i < last; i += THREADS)
		gb_pic_check(c, i, p + i, capacity, travel_x, travel_y, length, tolerance);
	gb_join_checks<THREADS>(c, results);
}
