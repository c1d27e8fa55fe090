package kernels

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// startValue is INTERFACE.md's start field at grid cell (x, y, z), by its formula.
func startValue(grid [3]int, x, y, z int) float64 {
	v := 0.0
	for _, m := range []struct{ p, q, r, a float64 }{{1, 1, 1, 1}, {2, 1, 1, 1. / 2}, {1, 2, 1, 1. / 4}, {1, 1, 2, 1. / 8}} {
		if grid[2] == 0 { // two-dimensional: no mode of z, and no factor
			if m.r == 2 {
				continue
			}
			v += m.a * math.Sin(math.Pi*m.p*float64(x)/float64(grid[0]+1)) * math.Sin(math.Pi*m.q*float64(y)/float64(grid[1]+1))
			continue
		}
		v += m.a * math.Sin(math.Pi*m.p*float64(x)/float64(grid[0]+1)) *
			math.Sin(math.Pi*m.q*float64(y)/float64(grid[1]+1)) * math.Sin(math.Pi*m.r*float64(z)/float64(grid[2]+1))
	}
	return v
}

func drawDomain(t *rapid.T, most int) (Block3D, Domain) {
	g := drawAny(t, most)
	var d Domain
	for a := range 3 {
		if g.Flat && a == 2 {
			break
		}
		d.Offset[a] = rapid.IntRange(0, 4).Draw(t, "offset")
		d.Global[a] = d.Offset[a] + g.N(a) + rapid.IntRange(0, 4).Draw(t, "above")
	}
	return g, d
}

// place is what field.h says of a cell: 0 inside, 1 on the outer boundary, 2 elsewhere.
func place(g Block3D, outer Mask, x, y, z int) int {
	var ghost []Face
	for a, c := range [3]int{x, y, z} {
		switch c {
		case 0:
			ghost = append(ghost, Face(2*a))
		case g.N(a) + 1:
			ghost = append(ghost, Face(2*a+1))
		}
	}
	switch {
	case len(ghost) == 0:
		return 0
	case len(ghost) == 1 && outer.Has(ghost[0]):
		return 1
	}
	return 2
}

// wholeField is every cell of a field, padding NaN, the rest by place.
func wholeField(g Block3D, outer Mask, low, high float64, inside func(x, y, z int) float64) []float64 {
	v := slices.Repeat([]float64{math.NaN()}, g.Len())
	for _, z := range planes(g) {
		for y := range g.NY + 2 {
			for x := range g.NX + 2 {
				switch place(g, outer, x, y, z) {
				case 0:
					v[g.Offset(x, y, z)] = inside(x, y, z)
				case 1:
					v[g.Offset(x, y, z)] = high
					if x == 0 || y == 0 || z == 0 {
						v[g.Offset(x, y, z)] = low
					}
				}
			}
		}
	}
	return v
}

func TestFillConstant(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		rapid.Check(t, func(t *rapid.T) {
			g := drawAny(t, 15)
			outer := Mask(rapid.IntRange(0, int(AllFaces)).Draw(t, "outer"))
			inside := rapid.SampledFrom([]float64{0, -3, math.NaN()}).Draw(t, "inside")
			e.reset(t)
			m := e.array(t, g.Bytes(), 0)
			check(t, e.set.FillConstant(e.stream, m, g, outer, inside, 255, 1))
			same(t, "field", get[float64](t, e, m), wholeField(g, outer, 255, 1, func(x, y, z int) float64 { return inside }))
			e.unharmed(t, m)
		})
	})
}

func TestFillModes(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		rapid.Check(t, func(t *rapid.T) {
			g, d := drawDomain(t, 15)
			e.reset(t)
			m := e.array(t, g.Bytes(), 0)
			modes, err := e.set.NewModes(e.stream, g, d)
			check(t, err)
			check(t, e.set.FillModes(e.stream, m, modes))
			got := get[float64](t, e, m)
			check(t, modes.Close())
			for i, want := range wholeField(g, d.Outer(g), 0, 0, func(x, y, z int) float64 {
				return startValue(d.Global, d.Offset[0]+x, d.Offset[1]+y, d.Offset[2]+z)
			}) {
				if !(math.Abs(got[i]-want) < 1e-15) && !(math.IsNaN(got[i]) && math.IsNaN(want)) {
					x, y, z := g.Cell(i)
					t.Fatalf("cell %d, %d, %d: %v, want %v", x, y, z, got[i], want)
				}
			}
			e.unharmed(t, m)
		})
	})
}

// iterate is the whole grid after n iterations from the formula, by plain loops.
func iterate(grid [3]int, n int) (Block3D, []float64) {
	g := blockOf(grid)
	a := wholeField(g, AllFaces, 0, 0, func(x, y, z int) float64 { return startValue(grid, x, y, z) })
	b := slices.Clone(a)
	for range n {
		updates(a, b, g, g.Interior())
		a, b = b, a
	}
	return g, a
}

// The closed form is what iterating gives, on the smallest grids too, where a factor is negative or nought.
func TestClosedForm(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		for _, grid := range [][3]int{{1, 1, 1}, {2, 1, 1}, {1, 3, 2}, {2, 2, 2}, {7, 5, 6}, {33, 9, 17}, {1, 1, 0}, {2, 1, 0}, {3, 2, 0}, {9, 33, 0}} {
			for _, n := range []int{0, 1, 2, 7, 100, 1001} {
				g, field := iterate(grid, n)
				e.reset(t)
				m := put(t, e, field, 0)
				modes, err := e.set.NewModes(e.stream, g, Domain{Global: grid})
				check(t, err)
				r, err := e.set.CheckModes(e.stream, m, modes, n, 0)
				check(t, err)
				if r.Checked != int64(g.Cells()) || r.Errors != 0 || r.First != -1 || !(r.MaxError < ModesTolerance(grid, n)) {
					t.Errorf("%v after %d iterations: %+v", grid, n, r)
				}
				if want := ModesSum(grid, n); math.Abs(r.Sum-want) > 1e-13*float64(g.Cells()) {
					t.Errorf("%v after %d iterations: sum %v, closed form %v", grid, n, r.Sum, want)
				}
				check(t, modes.Close())
			}
		}
	})
}

// An error anywhere is found where it is: a cell a little off, a NaN, one iteration too few, a factor 1/6.
func TestCheckModesFinds(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		rapid.Check(t, func(t *rapid.T) {
			grid := [3]int{rapid.IntRange(1, 40).Draw(t, "X"), rapid.IntRange(1, 12).Draw(t, "Y"), rapid.IntRange(1, 12).Draw(t, "Z")}
			g, field := iterate(grid, 3)
			cells := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) int {
				return g.Offset(rapid.IntRange(1, g.NX).Draw(t, "x"), rapid.IntRange(1, g.NY).Draw(t, "y"), rapid.IntRange(1, g.NZ).Draw(t, "z"))
			}), 1, min(3, g.Cells()), rapid.ID[int]).Draw(t, "cells")
			first, right, largest := slices.Min(cells), 0.0, 0.0
			right = field[first]
			for _, c := range cells {
				off := rapid.SampledFrom([]float64{1e-12, -3, math.NaN()}).Draw(t, "off")
				field[c] += off
				largest = max(largest, math.Abs(off))
			}
			e.reset(t)
			m := put(t, e, field, 0)
			modes, err := e.set.NewModes(e.stream, g, Domain{Global: grid})
			check(t, err)
			r, err := e.set.CheckModes(e.stream, m, modes, 3, 0)
			check(t, err)
			check(t, modes.Close())
			if r.Errors != int64(len(cells)) || r.First != int64(first) || math.Abs(r.Expected-right) > 1e-14 {
				t.Fatalf("cells %v: %+v, want the first at %d, %v expected", cells, r, first, right)
			}
			same(t, "found", []float64{r.Found}, []float64{field[first]})
			if math.IsNaN(largest) != math.IsNaN(r.MaxError) || math.IsNaN(largest) != math.IsNaN(r.Sum) ||
				math.Abs(r.MaxError-largest) > 1e-14 {
				t.Fatalf("cells %v: largest error %v, sum %v, want %v", cells, r.MaxError, r.Sum, largest)
			}
		})
		grid := [3]int{20, 11, 13}
		for _, n := range []int{9, 11} {
			g, field := iterate(grid, n)
			e.reset(t)
			m := put(t, e, field, 0)
			modes, err := e.set.NewModes(e.stream, g, Domain{Global: grid})
			check(t, err)
			r, err := e.set.CheckModes(e.stream, m, modes, 10, 0)
			check(t, err)
			check(t, modes.Close())
			if float64(r.Errors) < 0.9*float64(r.Checked) {
				t.Errorf("%d iterations pass for 10: %+v", n, r)
			}
		}
	})
}

func TestCheckReference(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		rapid.Check(t, func(t *rapid.T) {
			g, d := drawDomain(t, 15)
			rg := blockOf(d.Global)
			reference := numbers(rg.Len(), 3)
			field := slices.Repeat([]float64{math.NaN()}, g.Len())
			var want sum
			for z := 1; z <= g.NZ; z++ {
				for y := 1; y <= g.NY; y++ {
					for x := 1; x <= g.NX; x++ {
						v := reference[rg.Offset(x+d.Offset[0], y+d.Offset[1], z+d.Offset[2])]
						field[g.Offset(x, y, z)] = v
						want.add(v)
					}
				}
			}
			e.reset(t)
			dField, dReference := put(t, e, field, 0), put(t, e, reference, 0)
			r, err := e.set.CheckReference(e.stream, dField, g, dReference, rg, d.Offset, 0)
			check(t, err)
			if r.Checked != int64(g.Cells()) || r.Errors != 0 || r.First != -1 || r.MaxError != 0 ||
				math.Abs(r.Sum-want.value()) > 1e-15*max(1, math.Abs(r.Sum)) {
				t.Fatalf("equal fields: %+v, sum %v", r, want.value())
			}
			x, y, z := rapid.IntRange(1, g.NX).Draw(t, "x"), rapid.IntRange(1, g.NY).Draw(t, "y"), rapid.IntRange(1, g.NZ).Draw(t, "z")
			cell := g.Offset(x, y, z)
			expected := field[cell]
			field[cell] = math.Nextafter(expected, 9)
			dField = put(t, e, field, 0)
			r, err = e.set.CheckReference(e.stream, dField, g, dReference, rg, d.Offset, 0)
			check(t, err)
			if r.Errors != 1 || r.First != int64(cell) || r.Found != field[cell] || r.Expected != expected || r.MaxError != field[cell]-expected {
				t.Fatalf("cell %d off by a bit: %+v", cell, r)
			}
		})
	})
}

// The sum is right where a plain one is not, however the work is cut.
func TestCheckSumIsCompensated(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		g := NewBlock3D(31, 9, 10)
		field := make([]float64, g.Len())
		i := 0
		for z := 1; z <= g.NZ; z++ {
			for y := 1; y <= g.NY; y++ {
				for x := 1; x <= g.NX; x++ {
					field[g.Offset(x, y, z)] = []float64{1e16, 1, -1e16}[i%3]
					i++
				}
			}
		}
		e.reset(t)
		m := put(t, e, field, 0)
		r, err := e.set.CheckReference(e.stream, m, g, m, g, [3]int{}, 0)
		check(t, err)
		if want := float64(g.Cells() / 3); r.Sum != want {
			t.Errorf("sum %v, want %v", r.Sum, want)
		}
	})
}

func TestMerge(t *testing.T) {
	a := FieldResult{Checked: 5, First: -1, MaxError: 1, Sum: 1e16}
	b := FieldResult{Checked: 6, Errors: 2, First: 7, Found: 1, Expected: 2, MaxError: 3, Sum: 1, Compensation: 1e-20}
	c := FieldResult{Checked: 1, Errors: 1, First: 1, Found: 5, Expected: 6, MaxError: 2, Sum: -1e16}
	m := a.Merge(b).Merge(c)
	want := FieldResult{Checked: 12, Errors: 3, First: 7, Found: 1, Expected: 2, MaxError: 3, Sum: 1}
	want.Compensation = m.Compensation
	if m != want || m.Compensation != 0 && math.Abs(m.Compensation) > 1e-15 {
		t.Errorf("%+v", m)
	}
	if n := a.Merge(FieldResult{MaxError: math.NaN()}); !math.IsNaN(n.MaxError) {
		t.Errorf("a NaN was lost: %+v", n)
	}
}

func TestSinPi(t *testing.T) {
	for n := 1; n < 60; n++ {
		for k := range 5 * n {
			if got, want := sinPi(k, n), math.Sin(math.Pi*float64(k)/float64(n)); math.Abs(got-want) > 3e-15 {
				t.Fatalf("sinPi(%d, %d) = %v, want %v", k, n, got, want)
			}
		}
		if sinPi(n, n) != 0 || sinPi(n, 2*n) != 1 || sinPi(3*n, 2*n) != -1 {
			t.Fatalf("n = %d: %v %v %v", n, sinPi(n, n), sinPi(n, 2*n), sinPi(3*n, 2*n))
		}
	}
}

// The largest start value is the largest over all cells.
func TestLargestStart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 30)
		grid := [3]int{n.Draw(t, "X"), n.Draw(t, "Y"), n.Draw(t, "Z")}
		if rapid.Bool().Draw(t, "flat") {
			grid[2] = 0
		}
		want := math.Inf(-1)
		for z := 1; z <= max(1, grid[2]); z++ {
			for y := 1; y <= grid[1]; y++ {
				for x := 1; x <= grid[0]; x++ {
					want = max(want, startValue(grid, x, y, z))
				}
			}
		}
		if got := largestStart(grid); math.Abs(got-want) > 1e-14 {
			t.Fatalf("%v: %v, want %v", grid, got, want)
		}
	})
}

// The tolerance leaves room for rounding and for nothing else, up to many iterations.
func TestModesToleranceOverManyIterations(t *testing.T) {
	if testing.Short() {
		t.Skip("thousands of iterations")
	}
	each(t, func(t *testing.T, e *env) {
		grid := [3]int{16, 12, 9}
		g := NewBlock3D(grid[0], grid[1], grid[2])
		modes, err := e.set.NewModes(e.stream, g, Domain{Global: grid})
		check(t, err)
		defer func() { check(t, modes.Close()) }()
		e.reset(t)
		a, b := e.array(t, g.Bytes(), 0), e.array(t, g.Bytes(), 0)
		check(t, e.set.FillModes(e.stream, a, modes))
		check(t, e.set.FillConstant(e.stream, b, g, AllFaces, math.NaN(), 0, 0))
		done := 0
		for _, n := range []int{10, 100, 1000, 5000} {
			for ; done < n; done++ {
				check(t, e.set.Jacobi3D(e.stream, a, b, g, g.Interior()))
				a, b = b, a
			}
			r, err := e.set.CheckModes(e.stream, a, modes, n, 0)
			check(t, err)
			if r.Errors != 0 {
				t.Errorf("after %d iterations: %+v, tolerance %v", n, r, ModesTolerance(grid, n))
			}
		}
	})
}
