package jacobi3d

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"gpubench/internal/result"
	"gpubench/kernels"
)

func testProblem(grid, blocks [3]int, pes int) problem {
	return problem{grid: grid, blocks: blocks, pes: pes, field: "charm"}
}

// Blocks tile the grid: every cell belongs to one block, and neighbours agree
// on the extent of the face between them.
func TestBlocksTile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var grid, blocks [3]int
		for i := range 3 {
			grid[i] = rapid.IntRange(1, 20).Draw(t, "cells")
			blocks[i] = rapid.IntRange(1, grid[i]).Draw(t, "blocks")
		}
		q := testProblem(grid, blocks, 1)
		cells, largest := 0, 0
		for i := range q.count() {
			at := q.at(i)
			if q.index(at) != i {
				t.Fatalf("index(at(%d)) = %d", i, q.index(at))
			}
			g, d := q.geometry(at)
			cells += g.Cells()
			for f := range kernels.Face(kernels.Faces) {
				largest = max(largest, g.FaceBytes(f))
				n, ok := q.neighbour(at, f)
				if outer := d.Outer(g).Has(f); outer == ok {
					t.Fatalf("block %v, face %v: neighbour %v, outer %v", at, f, ok, outer)
				}
				if !ok {
					continue
				}
				h, _ := q.geometry(n)
				if g.FaceCells(f) != h.FaceCells(f.Opposite()) {
					t.Fatalf("blocks %v and %v do not agree on a face", at, n)
				}
			}
		}
		if want := grid[0] * grid[1] * grid[2]; cells != want {
			t.Fatalf("%d cells in blocks, %d in the grid", cells, want)
		}
		if got := longest(result.Params{"grid": grid[:], "blocks": blocks[:]}); got != int64(largest) {
			t.Fatalf("longest message %d B, largest face %d B", got, largest)
		}
	})
}

// The closed form of the charm field's sum is what the serial reference gives.
func TestCharmSum(t *testing.T) {
	for _, grid := range [][3]int{{1, 1, 1}, {5, 4, 7}, {16, 16, 16}, {2, 9, 3}} {
		for _, n := range []int{0, 1, 2, 13, 40} {
			g := kernels.NewBlock3D(grid[0], grid[1], grid[2])
			ref := reference(grid, n)
			sum := 0.0
			for z := 1; z <= g.NZ; z++ {
				for y := 1; y <= g.NY; y++ {
					for x := 1; x <= g.NX; x++ {
						sum += ref[g.Offset(x, y, z)]
					}
				}
			}
			if got := charmSum(grid, n); math.Abs(got-sum) > 1e-10*(1+sum) {
				t.Errorf("%v after %d: closed form %.15g, serial %.15g", grid, n, got, sum)
			}
		}
	}
}

// The number that every system of facts agrees on: 192³, faces 1, 20 + 5
// iterations of numba and Charm4Py gave 365269.659268770.
func TestCharmSumAgainstOtherPrograms(t *testing.T) {
	if got := charmSum([3]int{192, 192, 192}, 25); math.Abs(got-365269.65926877) > 1e-6 {
		t.Errorf("sum %.15g", got)
	}
}

func TestReferenceGoesOnAndStartsAnew(t *testing.T) {
	grid := [3]int{6, 5, 4}
	a := append([]float64{}, reference(grid, 7)...)
	reference(grid, 9)
	b := reference(grid, 7)
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("cell %d: %v, then %v", i, a[i], b[i])
		}
	}
}

func TestProblemsThatCannotBe(t *testing.T) {
	p := result.Params{"field": "modes", "pes": int64(2), "path": "host", "pages": "default",
		"grid": []int64{4, 4, 4}, "blocks": []int64{1, 1, 2}}
	if _, err := newProblem(p); err != nil {
		t.Errorf("a good problem: %v", err)
	}
	for _, bad := range []result.Params{
		p.With("blocks", []int64{1, 1, 3}),
		p.With("blocks", []int64{8, 1, 1}),
		p.With("grid", []int64{64, 64, 64}).With("blocks", []int64{64, 64, 4}),
	} {
		if _, err := newProblem(bad); err == nil {
			t.Errorf("blocks %v of %v were taken", bad["blocks"], bad["grid"])
		}
	}
}
