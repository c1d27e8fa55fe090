// Particles in cells, as the Parallel Research Kernels' PIC has them: particles move through a fixed grid of charges, one
// step of leap-frog at a time; those that leave a block are packed by the block they go to, and what they leave behind
// is filled from the end.
#pragma once

#include "check.h"

// Particles lie field by field, each field `capacity` float64s long; in a message field by field without gaps.
enum { GB_PIC_X, GB_PIC_Y, GB_PIC_VX, GB_PIC_VY, GB_PIC_Q, GB_PIC_X0, GB_PIC_Y0, GB_PIC_ID, GB_PIC_FIELDS };

// A particle's class is where it is after a step: 3·(1 + dy) + 1 + dx for the block that lies dx, dy blocks away,
// GB_PIC_HERE for those that stay. In counts and totals the place of GB_PIC_HERE counts all that leave.
#define GB_PIC_CLASSES 9
#define GB_PIC_HERE 4
#define GB_PIC_THREADS 128

// A block: cells left ≤ x < right, bottom ≤ y < top of a periodic grid of cells × cells, which is block (bx, by) of
// across × up. Charges lie column by column, with the corners of the block's edge: (right-left+1) × (top-bottom+1).
struct gb_pic_block {
	int64_t left, right, bottom, top, cells, bx, by, across, up;
};

// One corner's pull on a charge q at distance (dx, dy), divided by the distance: times dx it is the force along x.
GB_HD double gb_pic_pull(double q, double charge, double dx, double dy) {
	const double r2 = dx * dx + dy * dy;
	return q * charge / (r2 * __builtin_sqrt(r2));
}

// gb_pic_wrap takes a coordinate that has moved by less than the grid's length back into it.
GB_HD double gb_pic_wrap(double x, double length) {
	x = x < 0 ? x + length : x;
	return x >= length ? x - length : x;
}

// gb_pic_move moves one particle by a step of length 1 with mass 1: x += v + a/2, v += a. The force is that of the four
// corners of its cell. A position that is not in the block, or no number, counts as in the first cell: it never reads
// outside, and the check finds it.
GB_HD void gb_pic_move(double &x, double &y, double &vx, double &vy, double q, const double *charges, double left,
                       double bottom, double width, double height, double length, int64_t rows) {
	double px = x - left, py = y - bottom;
	px = px >= 0 && px < width ? px : 0.5;
	py = py >= 0 && py < height ? py : 0.5;
	const int32_t cx = (int32_t)px, cy = (int32_t)py;
	const double rx = px - cx, ry = py - cy, sx = 1.0 - rx, sy = 1.0 - ry;
	const double *c = charges + ((int64_t)cx * rows + cy);
	const double a = gb_pic_pull(q, c[0], rx, ry), b = gb_pic_pull(q, c[1], rx, sy);
	const double d = gb_pic_pull(q, c[rows], sx, ry), e = gb_pic_pull(q, c[rows + 1], sx, sy);
	const double ax = (a + b) * rx - (d + e) * sx, ay = (a + d) * ry - (b + e) * sy;
	x = gb_pic_wrap(x + vx + 0.5 * ax, length);
	y = gb_pic_wrap(y + vy + 0.5 * ay, length);
	vx += ax;
	vy += ay;
}

GB_HD bool gb_pic_inside(double x, double y, double left, double right, double bottom, double top) {
	return (x >= left) & (x < right) & (y >= bottom) & (y < top);
}

// gb_pic_away is how many blocks away a coordinate's block is along one axis: 0, 1 or -1 (1 where two blocks are all
// there are), and 2 where it cannot have gone: then it is no coordinate of the grid, or faster than it should be. Block
// i begins with cell i·cells/blocks, rounded down.
GB_HD int64_t gb_pic_away(double x, int64_t cells, int64_t blocks, int64_t here) {
	if (!(x >= 0 && x < (double)cells)) return 2;
	const int64_t owner = (((int64_t)x + 1) * blocks - 1) / cells;
	const int64_t away = owner >= here ? owner - here : owner - here + blocks;
	return away <= 1 ? away : away == blocks - 1 ? -1 : 2;
}

// gb_pic_class is the class of a particle that is not inside the block. One that has no place stays, for the check.
GB_HD uint8_t gb_pic_class(double x, double y, const gb_pic_block &b) {
	const int64_t dx = gb_pic_away(x, b.cells, b.across, b.bx), dy = gb_pic_away(y, b.cells, b.up, b.by);
	return dx == 2 || dy == 2 ? GB_PIC_HERE : (uint8_t)(3 * (1 + dy) + 1 + dx);
}

// Where the fields of message c lie in `out`, in float64s: messages follow each other in order of their classes.
GB_HD int64_t gb_pic_message(const int64_t *totals, int c) {
	int64_t before = 0;
	for (int k = 0; k < c; k++) before += k == GB_PIC_HERE ? 0 : totals[k];
	return before * GB_PIC_FIELDS;
}

GB_HD void gb_pic_copy(double *to, int64_t to_pitch, int64_t i, const double *from, int64_t from_pitch, int64_t j) {
	for (int f = 0; f < GB_PIC_FIELDS; f++) to[f * to_pitch + i] = from[f * from_pitch + j];
}

// gb_pic_expected is where a particle has to be: x0 + travel in a periodic grid, travel ≥ 0 and less than its length.
GB_HD double gb_pic_expected(double x0, double travel, double length) {
	const double x = x0 + travel;
	return x >= length ? x - length : x;
}

// gb_pic_axis checks a particle's place along one axis, x or y, and reports whether it is right.
GB_HD bool gb_pic_axis(gb_check &c, int64_t offset, double found, double expected, double tolerance) {
	const double error = found > expected ? found - expected : expected - found;
	c.max_error = gb_check_larger(c.max_error, error);
	if (error <= tolerance) return true;
	gb_check_wrong(c, offset, found, expected);
	return false;
}

// gb_pic_check takes particle i, whose fields are p[0], p[capacity], …, and its number into the sum. The offset is 2i
// where x is wrong, 2i + 1 where y alone is.
GB_HD void gb_pic_check(gb_check &c, int64_t i, const double *p, int64_t capacity, double travel_x, double travel_y,
                        double length, double tolerance) {
	c.checked++;
	gb_sum_take(c.sum, c.lost, p[GB_PIC_ID * capacity]);
	if (gb_pic_axis(c, 2 * i, p[GB_PIC_X * capacity], gb_pic_expected(p[GB_PIC_X0 * capacity], travel_x, length), tolerance))
		gb_pic_axis(c, 2 * i + 1, p[GB_PIC_Y * capacity], gb_pic_expected(p[GB_PIC_Y0 * capacity], travel_y, length), tolerance);
}
