// Faces: which cells lie in the layer at a face of a block, row by row, for packing (the outermost interior cells) and
// unpacking (the ghost cells). Block3D.FaceCells in Go says how a packed face is laid out.
#pragma once

#include "launch.h"

// A layer is `rows` rows of `width` cells. Cell u of row v is cell first + v·row + u·step of the field and cell
// v·width + u of the packed face.
struct gb_layer {
	int64_t first, row, step, width, rows;
};

// face: 0 x-, 1 x+, 2 y-, … 5 z+. The x layers run over y then z, the y layers over x then z, the z layers over x, y.
GB_HD gb_layer gb_face_layer(int face, bool ghosts, int64_t nx, int64_t ny, int64_t nz, int64_t pitch, int64_t plane) {
	const int64_t low = ghosts ? 0 : 1; // the layer's coordinate on the low side; on the high side n + 1 - low
	switch (face) {
	case 0:
	case 1: return {gb_at(face & 1 ? nx + 1 - low : low, 1, 1, pitch, plane), plane, pitch, ny, nz};
	case 2:
	case 3: return {gb_at(1, face & 1 ? ny + 1 - low : low, 1, pitch, plane), plane, 1, nx, nz};
	default: return {gb_at(1, 1, face & 1 ? nz + 1 - low : low, pitch, plane), pitch, 1, nx, ny};
	}
}

// One cell, either way.
GB_HD void gb_face_cell(double *field, double *packed, const gb_layer &f, int64_t u, int64_t v, bool unpack) {
	double *in_field = field + f.first + v * f.row + u * f.step, *in_buffer = packed + v * f.width + u;
	if (unpack)
		*in_field = *in_buffer;
	else
		*in_buffer = *in_field;
}
