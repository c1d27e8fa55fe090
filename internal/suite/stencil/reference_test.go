package stencil

import (
	"math"
	"testing"
)

var (
	charmStart = Constant{Field: "charm", Low: 1, High: 1}
	studyStart = Constant{Field: "study", Interior: 1, Low: 255, High: 1}
)

// The closed form of a constant start's sum is what the serial reference gives.
func TestConstantSum(t *testing.T) {
	for _, grid := range [][]int{{1, 1, 1}, {5, 4, 7}, {16, 16, 16}, {2, 9, 3}, {1, 1}, {1, 2}, {7, 4}, {20, 33}} {
		for _, n := range []int{0, 1, 2, 13, 40} {
			for _, c := range []Constant{charmStart, studyStart} {
				whole := [3]int{1, 1, 1}
				copy(whole[:], grid)
				g := newBlock(len(grid) == 2, whole)
				ref := reference(len(grid) == 2, whole, c, n)
				sum := 0.0
				for z := 1; z <= g.NZ; z++ {
					for y := 1; y <= g.NY; y++ {
						for x := 1; x <= g.NX; x++ {
							sum += ref[g.Offset(x, y, z)]
						}
					}
				}
				if got := constantSum(grid, c, n); math.Abs(got-sum) > 1e-11*(1+sum) {
					t.Errorf("%v %s after %d: closed form %.15g, serial %.15g", grid, c.Field, n, got, sum)
				}
			}
		}
	}
}

// The number that every system of facts agrees on: 192³, faces 1, 20 + 5
// iterations of numba and Charm4Py gave 365269.659268770.
func TestConstantSumAgainstOtherPrograms(t *testing.T) {
	if got := constantSum([]int{192, 192, 192}, charmStart, 25); math.Abs(got-365269.65926877) > 1e-6 {
		t.Errorf("sum %.15g", got)
	}
}

// The study's start, whose rows and columns differ: the cell in the low corner
// has two heated neighbours, those beside it one.
func TestStudyReference(t *testing.T) {
	grid := [3]int{3, 2, 1}
	g := newBlock(true, grid)
	ref := reference(true, grid, studyStart, 1)
	for _, c := range []struct {
		x, y int
		want float64
	}{{1, 1, 513. / 5}, {2, 1, 259. / 5}, {1, 2, 259. / 5}, {3, 2, 1}} {
		if got := ref[g.Offset(c.x, c.y, 1)]; got != c.want {
			t.Errorf("cell (%d,%d) = %v, want %v", c.x, c.y, got, c.want)
		}
	}
}

func TestReferenceGoesOnAndStartsAnew(t *testing.T) {
	grid := [3]int{6, 5, 4}
	a := append([]float64{}, reference(false, grid, charmStart, 7)...)
	reference(false, grid, charmStart, 9)
	b := reference(false, grid, charmStart, 7)
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("cell %d: %v, then %v", i, a[i], b[i])
		}
	}
}

// The smaller grid that stands for a larger one has each of its cells, to the last bit.
func TestNear(t *testing.T) {
	for _, grid := range [][3]int{{9, 30, 1}, {40, 7, 1}, {12, 20, 9}, {1, 1, 25}} {
		for _, n := range []int{0, 1, 3, 5} {
			for _, c := range []Constant{charmStart, studyStart} {
				flat := grid[2] == 1
				g, small := newBlock(flat, grid), newBlock(flat, nearCells(grid, n))
				whole := append([]float64{}, reference(flat, grid, c, n)...)
				ref := reference(flat, nearCells(grid, n), c, n)
				for z := 1; z <= g.NZ; z++ {
					for y := 1; y <= g.NY; y++ {
						for x := 1; x <= g.NX; x++ {
							got := ref[small.Offset(near(x, grid[0], n), near(y, grid[1], n), near(z, grid[2], n))]
							if want := whole[g.Offset(x, y, z)]; got != want {
								t.Fatalf("%v %s after %d: cell (%d,%d,%d) is %v, want %v", grid, c.Field, n, x, y, z, got, want)
							}
						}
					}
				}
			}
		}
	}
}

// How much a reference takes is bounded, and few iterations have one in any grid.
func TestAffordable(t *testing.T) {
	for _, c := range []struct {
		grid [3]int
		n    int
		want bool
	}{
		{[3]int{256, 256, 256}, 110, true},
		{[3]int{1 << 20, 1 << 20, 1}, 110, true},
		{[3]int{1 << 20, 1 << 20, 1 << 20}, fewIterations, true},
		{[3]int{512, 512, 512}, 300, false},
		{[3]int{4096, 4096, 1}, 2000, false},
		{[3]int{100, 100, 1}, 1 << 20, false},
		{[3]int{100, 100, 1}, 0, true},
	} {
		if got := affordable(c.grid, c.n); got != c.want {
			t.Errorf("%v, %d iterations: %v", c.grid, c.n, got)
		}
	}
}
