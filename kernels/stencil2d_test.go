package kernels

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// stencil is one iteration of Stencil2D over a box, cell by cell.
func stencil(in, out []float64, g Block3D, b Box) {
	for y := b.Lo[1]; y < b.Hi[1]; y++ {
		for x := b.Lo[0]; x < b.Hi[0]; x++ {
			v := in[g.Offset(x, y, 1)]
			for _, d := range [][2]int{{-1, 0}, {1, 0}, {0, -1}, {0, 1}} {
				v += in[g.Offset(x+d[0], y+d[1], 1)]
			}
			out[g.Offset(x, y, 1)] = v * (1.0 / 5)
		}
	}
}

// updates is stencil or jacobi, as the block is flat or not.
func updates(in, out []float64, g Block3D, b Box) {
	if g.Flat {
		stencil(in, out, g, b)
	} else {
		jacobi(in, out, g, b)
	}
}

// A box of a flat block; its shell; shell and inner box together.
func TestStencil2D(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		defer e.set.WorkingSet(0)
		rapid.Check(t, func(t *rapid.T) {
			n := rapid.IntRange(1, 150)
			g := NewBlock2D(n.Draw(t, "nx"), n.Draw(t, "ny"))
			region := g.Interior()
			for a := range 2 {
				region.Lo[a] = rapid.IntRange(1, g.N(a)).Draw(t, "lo")
				region.Hi[a] = rapid.IntRange(region.Lo[a], g.N(a)+1).Draw(t, "hi")
			}
			m := Mask(rapid.IntRange(0, int(AllFaces)).Draw(t, "mask")) & g.Faces()
			// Stores past the cache, or not.
			e.set.WorkingSet(rapid.SampledFrom([]int{1, math.MaxInt}).Draw(t, "working set"))

			e.reset(t)
			in, out := numbers(g.Len(), 1), numbers(g.Len(), 2)
			dIn, dOut, dShell := put(t, e, in, 0), put(t, e, out, 0), put(t, e, out, 0)
			want := slices.Clone(out)
			check(t, e.set.Stencil2D(e.stream, dIn, dOut, g, region))
			stencil(in, want, g, region)
			same(t, "box", get[float64](t, e, dOut), want)

			check(t, e.set.Stencil2DShell(e.stream, dIn, dShell, g, m))
			want = slices.Clone(out)
			for _, b := range g.Shell(m) {
				stencil(in, want, g, b)
			}
			same(t, "shell", get[float64](t, e, dShell), want)
			check(t, e.set.Stencil2D(e.stream, dIn, dShell, g, g.Inner(m)))
			stencil(in, out, g, g.Interior())
			same(t, "shell and inner", get[float64](t, e, dShell), out)
			same(t, "in", get[float64](t, e, dIn), in)
			e.unharmed(t, dIn, dOut, dShell)
		})
		g := NewBlock3D(5, 4, 1)
		e.reset(t)
		a, b := e.array(t, g.Bytes(), 0), e.array(t, g.Bytes(), 0)
		panics(t, func() { _ = e.set.Stencil2D(e.stream, a, b, g, g.Interior()) }, "two-dimensional")
		flat := NewBlock2D(5, 4)
		panics(t, func() { _ = e.set.Stencil2D(e.stream, a, b, flat, Box{[3]int{0, 1, 1}, [3]int{3, 3, 2}}) }, "outside the interior")
	})
}
