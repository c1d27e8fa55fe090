// Stencil2D on the CPU: the part's rows, with vectors and, for fields larger than the last cache, stores that pass it
// (16 bytes of traffic a cell in place of 24).
#include "stencil2d.h"

#define ISA_ROWS "stencil2d_rows.h"
#include "isa_sets.h"

// share computes the part's rows of a box.
static void share(const uint64_t *a, const gb_launch *l, gb_box b, bool streaming) {
	if (gb_box_cells(b) == 0) return;
	const gb_range rows = gb_share(b.y1 - b.y0, l);
	b.y1 = b.y0 + rows.hi;
	b.y0 += rows.lo;
	const double *in = gb_pointer<const double>(a[0]);
	double *out = gb_pointer<double>(a[1]);
	const int64_t pitch = a[2];
	const int set = isa();
	if (streaming)
		GB_CALL(set, sweep<true>, in, out, b, pitch);
	else
		GB_CALL(set, sweep<false>, in, out, b, pitch);
}

// in, out, pitch, x0, x1, y0, y1, streaming
extern "C" void gb_stencil2d(const uint64_t *a, const gb_launch *l) {
	share(a, l, {(int64_t)a[3], (int64_t)a[4], (int64_t)a[5], (int64_t)a[6], 1, 2}, a[7] != 0);
	if (a[7]) baseline::fence(); // streamed stores must be seen by whoever is told that this is done
}

// in, out, pitch, nx, ny, mask. Parts share each box of the shell: a column's rows; a row is one part's.
extern "C" void gb_stencil2d_shell(const uint64_t *a, const gb_launch *l) {
	gb_box rest = {1, (int64_t)a[3] + 1, 1, (int64_t)a[4] + 1, 1, 2};
	for (int i = 2; i < 6; i++) share(a, l, gb_shell_box(rest, gb_shell_order(i), a[5]), false);
}
