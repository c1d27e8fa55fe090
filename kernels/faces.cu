// Packing and unpacking of all faces of a block on the GPU: the cells of the faces numbered through, one a thread, so
// that six faces are one launch.
#include "faces.h"

#define THREADS 256

static __device__ __forceinline__ void all_faces(bool unpack, double *field, double *b0, double *b1, double *b2,
                                                 double *b3, double *b4, double *b5, int64_t pitch, int64_t plane,
                                                 int64_t nx, int64_t ny, int64_t nz, int64_t mask) {
	int64_t n = (int64_t)blockIdx.x * THREADS + threadIdx.x;
	// Face by face, with the buffer named: an array of pointers indexed at run time would lie in local memory.
#define FACE(face, buffer)                                                                                             \
	if (mask >> face & 1) {                                                                                            \
		const gb_layer f = gb_face_layer(face, unpack, nx, ny, nz, pitch, plane);                                      \
		if (n < f.width * f.rows) return gb_face_cell(field, buffer, f, n % f.width, n / f.width, unpack);              \
		n -= f.width * f.rows;                                                                                         \
	}
	FACE(0, b0)
	FACE(1, b1)
	FACE(2, b2)
	FACE(3, b3)
	FACE(4, b4)
	FACE(5, b5)
#undef FACE
}

extern "C" __global__ void __launch_bounds__(THREADS)
	faces_pack(double *field, double *b0, double *b1, double *b2, double *b3, double *b4, double *b5, int64_t pitch,
               int64_t plane, int64_t nx, int64_t ny, int64_t nz, int64_t mask) {
	all_faces(false, field, b0, b1, b2, b3, b4, b5, pitch, plane, nx, ny, nz, mask);
}

extern "C" __global__ void __launch_bounds__(THREADS)
	faces_unpack(double *field, double *b0, double *b1, double *b2, double *b3, double *b4, double *b5, int64_t pitch,
                 int64_t plane, int64_t nx, int64_t ny, int64_t nz, int64_t mask) {
	all_faces(true, field, b0, b1, b2, b3, b4, b5, pitch, plane, nx, ny, nz, mask);
}
