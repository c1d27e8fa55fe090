// Jacobi3D on the CPU: the part's rows, in blocks that stay in cache, with vectors and, for fields larger than the last
// cache, stores that pass it (16 bytes of traffic a cell in place of 24).
#include "jacobi3d.h"

#define ISA_ROWS "jacobi3d_rows.h"
#include "isa_sets.h"

// box computes one box; `streaming` is whether stores pass the cache.
static void box(const double *in, double *out, const gb_box &b, int64_t pitch, int64_t plane, bool streaming) {
	if (gb_box_cells(b) == 0) return;
	// Three planes of a block of rows take at most 384 KiB: they stay in a second cache of half a megabyte or more.
	int64_t rows = (384 << 10) / (3 * 8 * (b.x1 - b.x0));
	rows = rows < 16 ? 16 : rows > 96 ? 96 : rows;
	const int set = isa();
	if (streaming)
		// Half as many loads of 32 bytes as of 64 lie across two lines. In memory that was worth more than the wider
		// vectors (192³ on two cores of Zen 5: 1.3 against 1.9 ms), in cache less (64³: 93 against 82 µs on one).
		GB_CALL((set < GB_AVX2 ? set : GB_AVX2), sweep<true>, in, out, b, pitch, plane, rows);
	else
		GB_CALL(set, sweep<false>, in, out, b, pitch, plane, rows);
}

// share computes rows lo to hi of a box, counted through its planes: a part of the first plane, whole planes, a part
// of the last.
static void share(const double *in, double *out, const gb_box &b, int64_t lo, int64_t hi, int64_t pitch, int64_t plane,
                  bool streaming) {
	const int64_t width = b.y1 - b.y0;
	while (lo < hi) {
		gb_box piece = b;
		int64_t z = lo / width, y = lo % width;
		piece.z0 = b.z0 + z;
		piece.y0 = b.y0 + y;
		if (y == 0 && hi - lo >= width) {
			piece.z1 = b.z0 + hi / width;
		} else {
			piece.z1 = piece.z0 + 1;
			if (hi - lo < width - y) piece.y1 = piece.y0 + (hi - lo);
		}
		box(in, out, piece, pitch, plane, streaming);
		lo += (piece.z1 - piece.z0) * (piece.y1 - piece.y0);
	}
}

// in, out, pitch, plane, x0, x1, y0, y1, z0, z1, streaming
extern "C" void gb_jacobi3d(const uint64_t *a, const gb_launch *l) {
	const gb_box b = {(int64_t)a[4], (int64_t)a[5], (int64_t)a[6], (int64_t)a[7], (int64_t)a[8], (int64_t)a[9]};
	const gb_range rows = gb_share((b.y1 - b.y0) * (b.z1 - b.z0), l);
	share(gb_pointer<const double>(a[0]), gb_pointer<double>(a[1]), b, rows.lo, rows.hi, a[2], a[3], a[10] != 0);
	if (a[10]) baseline::fence(); // streamed stores must be seen by whoever is told that this is done
}

// in, out, pitch, plane, nx, ny, nz, mask. Parts share each box of the shell: its rows, or its only plane's.
extern "C" void gb_jacobi3d_shell(const uint64_t *a, const gb_launch *l) {
	gb_box rest = {1, (int64_t)a[4] + 1, 1, (int64_t)a[5] + 1, 1, (int64_t)a[6] + 1};
	for (int i = 0; i < 6; i++) {
		const gb_box b = gb_shell_box(rest, gb_shell_order(i), a[7]);
		if (gb_box_cells(b) == 0) continue;
		const gb_range rows = gb_share((b.y1 - b.y0) * (b.z1 - b.z0), l);
		share(gb_pointer<const double>(a[0]), gb_pointer<double>(a[1]), b, rows.lo, rows.hi, a[2], a[3], false);
	}
}
