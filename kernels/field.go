// Field: what a block starts from, ghosts and padding included.
package kernels

/*
#include <stdint.h>
struct gb_launch;
void gb_field_modes(const uint64_t *args, const struct gb_launch *l);
void gb_field_constant(const uint64_t *args, const struct gb_launch *l);
*/
import "C"

import (
	"math"
	"unsafe"

	"gpubench/gpu"
)

var (
	fieldModes    = define("field", "field_modes", "ppiiiiiidddd", unsafe.Pointer(C.gb_field_modes))
	fieldConstant = define("field", "field_constant", "piiiiiiddd", unsafe.Pointer(C.gb_field_constant))
)

const fieldThreads = 256

// FillModes writes the whole field of m's block: start values in the interior, 0 on the ghosts of the grid's outer
// faces, NaN on the other ghosts and the padding.
func (k *Set) FillModes(s *gpu.Stream, field gpu.Memory, m *Modes) error {
	g := m.block
	mustBeField("field", field, g)
	a := m.amplitudes(0)
	grid, block := line(g.Len(), fieldThreads)
	return k.launch(s, fieldModes, grid, block, uint64(field.Addr), uint64(m.sines.Memory().Addr), uint64(g.Pitch()),
		uint64(g.Plane()), uint64(g.NX), uint64(g.NY), uint64(g.NZ), uint64(m.domain.Outer(g)),
		math.Float64bits(a[0]), math.Float64bits(a[1]), math.Float64bits(a[2]), math.Float64bits(a[3]))
}

// FillConstant writes the whole field: interior everywhere inside, low and high on the ghosts of the faces of outer at
// the low and the high side of an axis, NaN on the other ghosts and the padding. `--field charm` starts as
// FillConstant(…, 0, 1, 1). The second buffer of an iteration starts with the same boundary and NaN inside, so that a
// cell that no kernel wrote shows.
func (k *Set) FillConstant(s *gpu.Stream, field gpu.Memory, g Block3D, outer Mask, interior, low, high float64) error {
	mustBeField("field", field, g)
	grid, block := line(g.Len(), fieldThreads)
	return k.launch(s, fieldConstant, grid, block, uint64(field.Addr), uint64(g.Pitch()), uint64(g.Plane()),
		uint64(g.NX), uint64(g.NY), uint64(g.NZ), uint64(outer&AllFaces),
		math.Float64bits(interior), math.Float64bits(low), math.Float64bits(high))
}
