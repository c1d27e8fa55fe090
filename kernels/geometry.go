// Geometry: how a block of a three-dimensional field lies in memory, its faces, and the boxes of cells that a launch
// works on.
package kernels

import "fmt"

// Face names one of the six faces of a block; faces of one axis differ in the lowest bit.
type Face uint8

// The faces: low and high side of each axis.
const (
	XLow Face = iota
	XHigh
	YLow
	YHigh
	ZLow
	ZHigh
)

// Faces is how many faces a block has.
const Faces = 6

var faceNames = [Faces]string{"x-", "x+", "y-", "y+", "z-", "z+"}

// String is the axis and the side: x-, x+, y-, y+, z-, z+.
func (f Face) String() string {
	if f < Faces {
		return faceNames[f]
	}
	return fmt.Sprintf("Face(%d)", uint8(f))
}

// Axis is 0, 1, 2 for x, y, z.
func (f Face) Axis() int { return int(f >> 1) }

// High reports whether the face lies on the high side of its axis.
func (f Face) High() bool { return f&1 == 1 }

// Opposite is the face across the block: what one block packs from f, its neighbour unpacks at f.Opposite().
func (f Face) Opposite() Face { return f ^ 1 }

// Mask is a set of faces: bit f for face f.
type Mask uint8

// AllFaces is the mask of all six.
const AllFaces Mask = 1<<Faces - 1

// MaskOf is the set of the given faces.
func MaskOf(faces ...Face) Mask {
	var m Mask
	for _, f := range faces {
		m |= 1 << f
	}
	return m
}

// Has reports whether f is in the set.
func (m Mask) Has(f Face) bool { return m>>f&1 == 1 }

// Without is the set less f.
func (m Mask) Without(f Face) Mask { return m &^ (1 << f) }

// Box is a half-open box of cells, Lo included, Hi not, in a block's own coordinates: interior cells are 1..N of each
// axis, ghost cells 0 and N+1.
type Box struct{ Lo, Hi [3]int }

// Empty reports whether no cell lies in the box.
func (b Box) Empty() bool { return b.Hi[0] <= b.Lo[0] || b.Hi[1] <= b.Lo[1] || b.Hi[2] <= b.Lo[2] }

// Cells is how many cells lie in the box.
func (b Box) Cells() int {
	if b.Empty() {
		return 0
	}
	return (b.Hi[0] - b.Lo[0]) * (b.Hi[1] - b.Lo[1]) * (b.Hi[2] - b.Lo[2])
}

// within reports whether b, not empty, lies in o.
func (b Box) within(o Box) bool {
	for axis := range 3 {
		if b.Lo[axis] < o.Lo[axis] || b.Hi[axis] > o.Hi[axis] {
			return false
		}
	}
	return true
}

// cellBytes is the size of a float64; align is the alignment of a row's first interior cell, in cells: one AVX-512
// register, one cache line.
const (
	cellBytes = 8
	align     = 8
)

// Block3D is a block of NX×NY×NZ interior float64 cells with one layer of ghost cells around it, x fastest. Rows are
// Pitch() cells apart, and each row's first interior cell lies on a cache line, if the field does.
//
// A flat block is one of a two-dimensional field: NZ is 1, planes are 0 apart, and there are neither ghosts nor faces
// along z. So the kernels of faces, start fields and checks serve both.
type Block3D struct {
	NX, NY, NZ int
	Flat       bool
}

// NewBlock3D panics unless every extent is at least 1.
func NewBlock3D(nx, ny, nz int) Block3D {
	if nx < 1 || ny < 1 || nz < 1 {
		panic(fmt.Sprintf("kernels: a block of %d×%d×%d cells", nx, ny, nz))
	}
	return Block3D{NX: nx, NY: ny, NZ: nz}
}

// NewBlock2D is a flat block. It panics unless both extents are at least 1.
func NewBlock2D(nx, ny int) Block3D {
	g := NewBlock3D(nx, ny, 1)
	g.Flat = true
	return g
}

// Faces is the mask of the faces that the block has: four where it is flat, else six.
func (g Block3D) Faces() Mask {
	if g.Flat {
		return MaskOf(XLow, XHigh, YLow, YHigh)
	}
	return AllFaces
}

// Pitch is the distance between rows, in cells: both ghosts fit, rounded up to a cache line. Rows a multiple of 4 KiB
// apart would compete for the same sets of the first cache, so such a pitch gets one line more.
func (g Block3D) Pitch() int {
	p := (g.NX + 2 + align - 1) / align * align
	if p%512 == 0 {
		p += align
	}
	return p
}

// Plane is the distance between planes of constant z, in cells; 0 where there is one alone.
func (g Block3D) Plane() int {
	if g.Flat {
		return 0
	}
	return g.Pitch() * (g.NY + 2)
}

// Offset is where cell (x, y, z) lies, in cells from the start of the field; ghosts are 0 and N+1. The first line of a
// field is padding, so that x = 1 is aligned.
func (g Block3D) Offset(x, y, z int) int { return align - 1 + x + y*g.Pitch() + z*g.Plane() }

// Cell is the inverse of Offset, for offsets of cells (ghosts included).
func (g Block3D) Cell(offset int) (x, y, z int) {
	o := offset - (align - 1)
	z = 1
	if !g.Flat {
		z, o = o/g.Plane(), o%g.Plane()
	}
	return o % g.Pitch(), o / g.Pitch(), z
}

// Len is the length of a field in cells, ghosts and padding included.
func (g Block3D) Len() int {
	if g.Flat {
		return align + g.Pitch()*(g.NY+2)
	}
	return align + g.Plane()*(g.NZ+2)
}

// Bytes is the size of a field in bytes: what to allocate.
func (g Block3D) Bytes() int { return g.Len() * cellBytes }

// Cells is the number of interior cells.
func (g Block3D) Cells() int { return g.NX * g.NY * g.NZ }

// N is the number of interior cells along an axis.
func (g Block3D) N(axis int) int { return [3]int{g.NX, g.NY, g.NZ}[axis] }

// FaceCells is the number of cells in a face. A packed face is dense, the lower axis fastest: x faces run over y then
// z, y faces over x then z, z faces over x then y.
func (g Block3D) FaceCells(f Face) int { return g.Cells() / g.N(f.Axis()) }

// FaceBytes is the size of a packed face in bytes.
func (g Block3D) FaceBytes(f Face) int { return g.FaceCells(f) * cellBytes }

// Interior is the box of all interior cells.
func (g Block3D) Interior() Box {
	return Box{[3]int{1, 1, 1}, [3]int{g.NX + 1, g.NY + 1, g.NZ + 1}}
}

// Inner is the box of cells that need none of the ghosts of the faces in m: what can be computed while those faces
// travel. It may be empty. With Shell(m) it makes up the interior.
func (g Block3D) Inner(m Mask) Box {
	b := g.Interior()
	for f := range Face(Faces) {
		if !m.Has(f) {
			continue
		}
		if f.High() {
			b.Hi[f.Axis()]--
		} else {
			b.Lo[f.Axis()]++
		}
	}
	return b
}

// Shell is the rest of the interior, as disjoint boxes one cell thick, some of them empty: those that touch the faces
// of m. The z boxes are whole planes, the y boxes lie between them, the x boxes between those, as in shell.h.
func (g Block3D) Shell(m Mask) [Faces]Box {
	var boxes [Faces]Box
	rest := g.Interior()
	for axis := 2; axis >= 0; axis-- {
		for side := range 2 {
			f := Face(2*axis + side)
			if !m.Has(f) || rest.Empty() {
				continue
			}
			b := rest
			if f.High() {
				b.Lo[axis] = b.Hi[axis] - 1
				rest.Hi[axis]--
			} else {
				b.Hi[axis] = b.Lo[axis] + 1
				rest.Lo[axis]++
			}
			boxes[f] = b
		}
	}
	return boxes
}
