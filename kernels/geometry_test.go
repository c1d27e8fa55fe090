package kernels

import (
	"testing"

	"pgregory.net/rapid"
)

func drawBlock(t *rapid.T, most int) Block3D {
	n := rapid.IntRange(1, most)
	return NewBlock3D(n.Draw(t, "nx"), n.Draw(t, "ny"), n.Draw(t, "nz"))
}

// drawAny draws a block of three or of two dimensions.
func drawAny(t *rapid.T, most int) Block3D {
	g := drawBlock(t, most)
	if rapid.Bool().Draw(t, "flat") {
		return NewBlock2D(g.NX, g.NY)
	}
	return g
}

// blockOf is the block of a whole grid, flat where it has no z.
func blockOf(grid [3]int) Block3D {
	if grid[2] == 0 {
		return NewBlock2D(grid[0], grid[1])
	}
	return NewBlock3D(grid[0], grid[1], grid[2])
}

// planes are the z of a block's cells, ghosts included.
func planes(g Block3D) []int {
	if g.Flat {
		return []int{1}
	}
	z := make([]int, g.NZ+2)
	for i := range z {
		z[i] = i
	}
	return z
}

// Every cell of a block, ghosts included, has a place of its own in the field, and interior rows begin on a line.
func TestOffsets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := drawAny(t, 20)
		seen := map[int]bool{}
		for _, z := range planes(g) {
			for y := range g.NY + 2 {
				if o := g.Offset(1, y, z); o*cellBytes%64 != 0 {
					t.Fatalf("row %d, %d begins at cell %d", y, z, o)
				}
				for x := range g.NX + 2 {
					o := g.Offset(x, y, z)
					if o < 0 || o >= g.Len() || seen[o] {
						t.Fatalf("cell %d, %d, %d at %d of %d, taken: %v", x, y, z, o, g.Len(), seen[o])
					}
					seen[o] = true
					if a, b, c := g.Cell(o); a != x || b != y || c != z {
						t.Fatalf("Cell(Offset(%d, %d, %d)) = %d, %d, %d", x, y, z, a, b, c)
					}
				}
			}
		}
	})
}

// Inner and Shell make up the interior, each cell once; Inner reads no ghost of the mask, Shell's boxes do.
func TestInnerAndShell(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := drawAny(t, 6)
		m := Mask(rapid.IntRange(0, int(AllFaces)).Draw(t, "mask")) & g.Faces()
		times := map[[3]int]int{}
		add := func(b Box) {
			if b.Empty() {
				return
			}
			if !b.within(g.Interior()) {
				t.Fatalf("%v outside the interior of %v", b, g)
			}
			for z := b.Lo[2]; z < b.Hi[2]; z++ {
				for y := b.Lo[1]; y < b.Hi[1]; y++ {
					for x := b.Lo[0]; x < b.Hi[0]; x++ {
						times[[3]int{x, y, z}]++
					}
				}
			}
		}
		inner := g.Inner(m)
		add(inner)
		for f, b := range g.Shell(m) {
			add(b)
			if !m.Has(Face(f)) && !b.Empty() {
				t.Fatalf("a box %v for %v, which is not in %b", b, Face(f), m)
			}
		}
		if len(times) != g.Cells() {
			t.Fatalf("%v, mask %b: %d of %d cells", g, m, len(times), g.Cells())
		}
		for c, n := range times {
			if n != 1 {
				t.Fatalf("%v, mask %b: cell %v %d times", g, m, c, n)
			}
		}
		for f := range Face(Faces) {
			touches := f.High() && inner.Hi[f.Axis()] == g.N(f.Axis())+1 || !f.High() && inner.Lo[f.Axis()] == 1
			if !inner.Empty() && touches == m.Has(f) {
				t.Fatalf("%v, mask %b: inner box %v at %v", g, m, inner, f)
			}
		}
	})
}

func TestFaceNames(t *testing.T) {
	for f := range Face(Faces) {
		if o := f.Opposite(); o.Axis() != f.Axis() || o.High() == f.High() || o.Opposite() != f {
			t.Errorf("%v is opposite %v", o, f)
		}
		if m := MaskOf(f); !m.Has(f) || m.Without(f) != 0 || AllFaces.Without(f).Has(f) {
			t.Errorf("mask of %v is %b", f, m)
		}
	}
	if YHigh.String() != "y+" || Face(9).String() != "Face(9)" {
		t.Errorf("names %v, %v", YHigh, Face(9))
	}
	panics(t, func() { NewBlock3D(3, 0, 3) }, "3×0×3")
}
