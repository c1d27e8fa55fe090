// PIC on the CPU: slots are shared by the parts. Moving goes by strips that stay in the first cache, and of a strip that
// nobody leaves no class is worked out.

// Roots of negative numbers and traps do not occur: with this, loops over particles become vectors.
#pragma GCC optimize("no-math-errno", "no-trapping-math")

#include "pic.h"

#include <string.h>

#define STRIP 512

// move_strip moves n particles and returns how many of them are not inside any more.
GB_HD int64_t move_strip(double *__restrict__ x, double *__restrict__ y, double *__restrict__ vx, double *__restrict__ vy,
                         const double *__restrict__ q, const double *__restrict__ charges, int64_t n, const gb_pic_block &b) {
	const double left = b.left, right = b.right, bottom = b.bottom, top = b.top, length = b.cells;
	const double width = right - left, height = top - bottom;
	const int64_t rows = b.top - b.bottom + 1;
	int64_t inside = 0;
	for (int64_t i = 0; i < n; i++) {
		gb_pic_move(x[i], y[i], vx[i], vy[i], q[i], charges, left, bottom, width, height, length, rows);
		inside += gb_pic_inside(x[i], y[i], left, right, bottom, top);
	}
	return n - inside;
}

// particles, charges, classes, counts, n, capacity, left, right, bottom, top, cells, bx, by, across, up, slots
extern "C" GB_CLONES void gb_pic_move_all(const uint64_t *a, const gb_launch *l) {
	const int64_t n = a[4], capacity = a[5], slots = a[15];
	const gb_pic_block b = {(int64_t)a[6], (int64_t)a[7], (int64_t)a[8], (int64_t)a[9], (int64_t)a[10],
	                        (int64_t)a[11], (int64_t)a[12], (int64_t)a[13], (int64_t)a[14]};
	double *p = gb_pointer<double>(a[0]);
	const double *charges = gb_pointer<const double>(a[1]);
	uint8_t *classes = gb_pointer<uint8_t>(a[2]);
	double *x = p + GB_PIC_X * capacity, *y = p + GB_PIC_Y * capacity;
	const gb_range mine = gb_share(slots, l);
	for (int64_t s = mine.lo; s < mine.hi; s++) {
		int64_t counts[GB_PIC_CLASSES] = {0};
		const int64_t last = gb_cut(n, s + 1, slots);
		for (int64_t i = gb_cut(n, s, slots); i < last; i += STRIP) {
			const int64_t m = last - i < STRIP ? last - i : STRIP;
			memset(classes + i, GB_PIC_HERE, m);
			if (move_strip(x + i, y + i, p + GB_PIC_VX * capacity + i, p + GB_PIC_VY * capacity + i,
			               p + GB_PIC_Q * capacity + i, charges, m, b) == 0)
				continue;
			for (int64_t k = i; k < i + m; k++) {
				if (gb_pic_inside(x[k], y[k], b.left, b.right, b.bottom, b.top)) continue;
				if ((classes[k] = gb_pic_class(x[k], y[k], b)) == GB_PIC_HERE) continue;
				counts[classes[k]]++;
				counts[GB_PIC_HERE]++;
			}
		}
		memcpy(gb_pointer<int64_t>(a[3]) + s * GB_PIC_CLASSES, counts, sizeof counts);
	}
}

// counts, totals, slots
extern "C" void gb_pic_scan(const uint64_t *a, const gb_launch *l) {
	if (l->part != 0) return;
	int64_t *counts = gb_pointer<int64_t>(a[0]), *totals = gb_pointer<int64_t>(a[1]);
	for (int c = 0; c < GB_PIC_CLASSES; c++) {
		int64_t before = 0;
		for (int64_t s = 0; s < (int64_t)a[2]; s++) {
			const int64_t n = counts[s * GB_PIC_CLASSES + c];
			counts[s * GB_PIC_CLASSES + c] = before;
			before += n;
		}
		totals[c] = before;
	}
}

// particles, classes, counts, totals, out, moves, n, capacity, room, slots
extern "C" void gb_pic_pack(const uint64_t *a, const gb_launch *l) {
	const double *p = gb_pointer<const double>(a[0]);
	const uint8_t *classes = gb_pointer<const uint8_t>(a[1]);
	const int64_t *counts = gb_pointer<const int64_t>(a[2]), *totals = gb_pointer<const int64_t>(a[3]);
	double *out = gb_pointer<double>(a[4]);
	int64_t *moves = gb_pointer<int64_t>(a[5]);
	const int64_t n = a[6], capacity = a[7], room = a[8], slots = a[9], leave = totals[GB_PIC_HERE], stay = n - leave;
	if (leave > room || leave == 0) return;
	const gb_range mine = gb_share(slots, l);
	for (int64_t s = mine.lo; s < mine.hi; s++) {
		const int64_t last = gb_cut(n, s + 1, slots);
		int64_t next[GB_PIC_CLASSES];
		memcpy(next, counts + s * GB_PIC_CLASSES, sizeof next);
		const int64_t end = s + 1 < slots ? counts[(s + 1) * GB_PIC_CLASSES + GB_PIC_HERE] : leave;
		for (int64_t i = gb_cut(n, s, slots); i < last; i++) {
			if (next[GB_PIC_HERE] == end && last <= stay) break; // no more of this slot leave, and none of it fills
			const int c = classes[i];
			if (c != GB_PIC_HERE) {
				gb_pic_copy(out + gb_pic_message(totals, c), totals[c], next[c]++, p, capacity, i);
				moves[next[GB_PIC_HERE]++] = i;
			} else if (i >= stay) {
				moves[room + stay - 1 - (i - next[GB_PIC_HERE])] = i;
			}
		}
	}
}

// particles, totals, moves, n, capacity, room
extern "C" void gb_pic_fill(const uint64_t *a, const gb_launch *l) {
	double *p = gb_pointer<double>(a[0]);
	const int64_t *totals = gb_pointer<const int64_t>(a[1]), *moves = gb_pointer<const int64_t>(a[2]);
	const int64_t n = a[3], capacity = a[4], room = a[5], leave = totals[GB_PIC_HERE];
	if (leave > room) return;
	const gb_range mine = gb_share(leave, l);
	for (int64_t j = mine.lo; j < mine.hi && moves[j] < n - leave; j++) // in order: the first that is not ends it
		gb_pic_copy(p, capacity, moves[j], p, capacity, moves[room + j]);
}

// particles, in, n, capacity, the lengths of eight messages
extern "C" void gb_pic_append(const uint64_t *a, const gb_launch *l) {
	double *p = gb_pointer<double>(a[0]);
	const double *in = gb_pointer<const double>(a[1]);
	int64_t n = a[2];
	for (int m = 0; m < GB_PIC_CLASSES - 1; m++) {
		const int64_t length = a[4 + m];
		for (int f = l->part; f < GB_PIC_FIELDS; f += l->parts)
			memcpy(p + f * (int64_t)a[3] + n, in + f * length, length * sizeof *in);
		in += length * GB_PIC_FIELDS;
		n += length;
	}
}

// particles, results, n, capacity, slots, length, travel in x, in y, tolerance
extern "C" void gb_pic_check_all(const uint64_t *a, const gb_launch *l) {
	const double *p = gb_pointer<const double>(a[0]);
	const int64_t n = a[2], capacity = a[3], slots = a[4];
	const double length = gb_double(a[5]);
	const gb_range mine = gb_share(slots, l);
	for (int64_t s = mine.lo; s < mine.hi; s++) {
		gb_check c = gb_check_none();
		const int64_t last = gb_cut(n, s + 1, slots);
		for (int64_t i = gb_cut(n, s, slots); i < last; i++)
			gb_pic_check(c, i, p + i, capacity, gb_double(a[6]), gb_double(a[7]), length, gb_double(a[8]));
		gb_pointer<gb_check>(a[1])[s] = c;
	}
}
