// Faces: packing and unpacking of a block's faces, all in one launch.
package kernels

/*
#include <stdint.h>
struct gb_launch;
void gb_faces_pack(const uint64_t *args, const struct gb_launch *l);
void gb_faces_unpack(const uint64_t *args, const struct gb_launch *l);
*/
import "C"

import (
	"unsafe"

	"gpubench/gpu"
)

var (
	facesPack   = define("faces", "faces_pack", "pppppppiiiiii", unsafe.Pointer(C.gb_faces_pack))
	facesUnpack = define("faces", "faces_unpack", "pppppppiiiiii", unsafe.Pointer(C.gb_faces_unpack))
)

// PackFaces copies the outermost interior cells at the faces of m into bufs[f] (dense, g.FaceBytes(f), as FaceCells
// says), in one launch. Buffers of other faces are not looked at.
func (k *Set) PackFaces(s *gpu.Stream, field gpu.Memory, g Block3D, m Mask, bufs *[Faces]gpu.Memory) error {
	return k.faces(s, facesPack, field, g, m, bufs)
}

// UnpackFaces copies bufs[f] into the ghost cells at the faces of m, in one launch: what a neighbour packed from
// f.Opposite().
func (k *Set) UnpackFaces(s *gpu.Stream, field gpu.Memory, g Block3D, m Mask, bufs *[Faces]gpu.Memory) error {
	return k.faces(s, facesUnpack, field, g, m, bufs)
}

func (k *Set) faces(s *gpu.Stream, kernel id, field gpu.Memory, g Block3D, m Mask, bufs *[Faces]gpu.Memory) error {
	mustBeField("field", field, g)
	m &= g.Faces()
	n := 0
	var addr [Faces]uint64
	for f := range Face(Faces) {
		addr[f] = uint64(field.Addr) // any valid pointer: it is not followed
		if m.Has(f) {
			mustHold("buffer of a face", bufs[f], g.FaceBytes(f))
			addr[f] = uint64(bufs[f].Addr)
			n += g.FaceCells(f)
		}
	}
	if n == 0 {
		return nil
	}
	grid, block := line(n, 256)
	return k.launch(s, kernel, grid, block, uint64(field.Addr), addr[0], addr[1], addr[2], addr[3], addr[4], addr[5],
		uint64(g.Pitch()), uint64(g.Plane()), uint64(g.NX), uint64(g.NY), uint64(g.NZ), uint64(m))
}
