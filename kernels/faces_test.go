package kernels

import (
	"testing"

	"gpubench/gpu"

	"pgregory.net/rapid"
)

// faceCells are the cells of the layer at f, in the order of a packed face: ghosts or the interior ones beside them.
func faceCells(g Block3D, f Face, ghosts bool) [][3]int {
	at := 1
	if ghosts {
		at = 0
	}
	if f.High() {
		at = g.N(f.Axis()) + 1 - at
	}
	fast, slow := (map[int]int{0: 1, 1: 0, 2: 0})[f.Axis()], (map[int]int{0: 2, 1: 2, 2: 1})[f.Axis()]
	var cells [][3]int
	for v := 1; v <= g.N(slow); v++ {
		for u := 1; u <= g.N(fast); u++ {
			var c [3]int
			c[f.Axis()], c[fast], c[slow] = at, u, v
			cells = append(cells, c)
		}
	}
	return cells
}

func TestFaces(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		rapid.Check(t, func(t *rapid.T) {
			g := drawAny(t, 20)
			m := Mask(rapid.IntRange(0, int(AllFaces)).Draw(t, "mask")) & g.Faces()
			e.reset(t)
			field := numbers(g.Len(), 1)
			dField := put(t, e, field, 0)
			arrays := []gpu.Memory{dField}
			var bufs [Faces]gpu.Memory
			var packed [Faces][]float64
			for f := range Face(Faces) {
				packed[f] = numbers(g.FaceCells(f), 2+int(f))
				if m.Has(f) { // the others have no memory at all
					bufs[f] = put(t, e, packed[f], 8*int(f))
					arrays = append(arrays, bufs[f])
				}
			}
			unpack := rapid.Bool().Draw(t, "unpack")
			if unpack {
				check(t, e.set.UnpackFaces(e.stream, dField, g, m, &bufs))
			} else {
				check(t, e.set.PackFaces(e.stream, dField, g, m, &bufs))
			}
			for f := range Face(Faces) {
				if !m.Has(f) {
					continue
				}
				for i, c := range faceCells(g, f, unpack) {
					if cell := &field[g.Offset(c[0], c[1], c[2])]; unpack {
						*cell = packed[f][i]
					} else {
						packed[f][i] = *cell
					}
				}
				same(t, "face "+f.String(), get[float64](t, e, bufs[f]), packed[f])
			}
			same(t, "field", get[float64](t, e, dField), field)
			e.unharmed(t, arrays...)
		})
	})
}

// Two blocks that exchange faces hold what one block of both would.
func TestFacesOfNeighbours(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		for f := range Face(Faces) {
			g := NewBlock3D(5, 6, 7)
			e.reset(t)
			a, b := numbers(g.Len(), 1), numbers(g.Len(), 2)
			dA, dB := put(t, e, a, 0), put(t, e, b, 0)
			var bufs, received [Faces]gpu.Memory
			bufs[f] = e.array(t, g.FaceBytes(f), 0)
			received[f.Opposite()] = bufs[f]
			check(t, e.set.PackFaces(e.stream, dA, g, MaskOf(f), &bufs))
			check(t, e.set.UnpackFaces(e.stream, dB, g, MaskOf(f.Opposite()), &received))
			inside, ghosts := faceCells(g, f, false), faceCells(g, f.Opposite(), true)
			for i := range inside {
				from, to := inside[i], ghosts[i]
				b[g.Offset(to[0], to[1], to[2])] = a[g.Offset(from[0], from[1], from[2])]
				from[f.Axis()], to[f.Axis()] = 0, 0
				if from != to {
					t.Fatalf("%v: cell %v of a packed face lies at %v for the neighbour", f, from, to)
				}
			}
			same(t, f.String(), get[float64](t, e, dB), b)
		}
	})
}
