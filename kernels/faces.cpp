// Packing and unpacking of all faces of a block on the CPU: each part takes its share of every face's rows.
#include "faces.h"

template <bool UNPACK> static void all_faces(const uint64_t *a, const gb_launch *l) {
	double *field = gb_pointer<double>(a[0]);
	for (int face = 0; face < 6; face++) {
		if (!(a[12] >> face & 1)) continue;
		double *packed = gb_pointer<double>(a[1 + face]);
		const gb_layer f = gb_face_layer(face, UNPACK, a[9], a[10], a[11], a[7], a[8]);
		const gb_range rows = gb_share(f.rows, l);
		for (int64_t v = rows.lo; v < rows.hi; v++)
			if (f.step == 1) // known to the compiler: becomes a copy
				for (int64_t u = 0; u < f.width; u++)
					gb_face_cell(field, packed, {f.first, f.row, 1, f.width, f.rows}, u, v, UNPACK);
			else
				for (int64_t u = 0; u < f.width; u++) gb_face_cell(field, packed, f, u, v, UNPACK);
	}
}

// field, six buffers, pitch, plane, nx, ny, nz, mask
extern "C" void gb_faces_pack(const uint64_t *a, const gb_launch *l) { all_faces<false>(a, l); }
extern "C" void gb_faces_unpack(const uint64_t *a, const gb_launch *l) { all_faces<true>(a, l); }
