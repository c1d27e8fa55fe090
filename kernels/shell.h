// Shell: the cells of a block that need a neighbour's face, as boxes one cell thick.
#pragma once

#include "launch.h"

// Cells lo <= (x, y, z) < hi in a block's own coordinates: interior 1..N.
struct gb_box {
	int64_t x0, x1, y0, y1, z0, z1;
};

GB_HD int64_t gb_box_cells(const gb_box &b) {
	if (b.x1 <= b.x0 || b.y1 <= b.y0 || b.z1 <= b.z0) return 0;
	return (b.x1 - b.x0) * (b.y1 - b.y0) * (b.z1 - b.z0);
}

// gb_shell_box takes the layer at `face` (0 x-, 1 x+, … 5 z+) off `rest`, if the mask has it, and returns it; call it
// for faces in the order of gb_shell_order, with `rest` the interior at first. Block3D.Shell in Go.
GB_HD gb_box gb_shell_box(gb_box &rest, int face, int64_t mask) {
	gb_box b = {0, 0, 0, 0, 0, 0};
	if (!(mask >> face & 1) || gb_box_cells(rest) == 0) return b;
	b = rest;
	switch (face) {
	case 0: b.x1 = ++rest.x0; break;
	case 1: b.x0 = --rest.x1; break;
	case 2: b.y1 = ++rest.y0; break;
	case 3: b.y0 = --rest.y1; break;
	case 4: b.z1 = ++rest.z0; break;
	case 5: b.z0 = --rest.z1; break;
	}
	return b;
}

// gb_shell_order is the i-th face taken off: z-, z+, y-, y+, x-, x+. Whole planes first, so that most rows are long.
GB_HD int gb_shell_order(int i) { return 4 - (i & ~1) + (i & 1); }
