// References of a constant start: the serial iteration, and the sum's closed
// form.

package stencil

import (
	"math"
	"sync"

	"gpubench/kernels"
)

// neumaier is a compensated sum: what rounding lost is kept in rest.
type neumaier struct{ sum, rest float64 }

func (s *neumaier) add(x float64) {
	t := s.sum + x
	if math.Abs(s.sum) >= math.Abs(x) {
		s.rest += (s.sum - t) + x
	} else {
		s.rest += (x - t) + s.sum
	}
	s.sum = t
}

func (s *neumaier) value() float64 { return s.sum + s.rest }

// constantSum is the sum over the interior after n iterations from a constant
// start.
//
// u less the interior's start begins as 0, and each iteration adds the faces'
// values w·(low − start) and w·(high − start) to the cells beside them, w = 1/5
// or 1/7. In the sine series of that source only odd waves have a sum: along
// the axis of the faces 2/(N+1)·sin θ, θ = πp/(N+1), and along the others, of
// the constant 1, 2/(N+1)·cot(θ/2). An iteration multiplies a mode by
// 1 − 4w·Σ sin²(θ/2), so that n of them leave (1 − λⁿ)/(1 − λ) of its source; it
// sums to the product of the cotangents.
func constantSum(grid []int, c Constant, n int) float64 {
	type wave struct{ source, one, lost float64 } // each with the mode's own sum in it, but for lost
	w := 1 / float64(1+2*len(grid))
	along := [3][]wave{{{0, 1, 0}}, {{0, 1, 0}}, {{0, 1, 0}}} // one wave along an axis that is not there
	cells := 1.0
	for axis, N := range grid {
		cells *= float64(N)
		along[axis] = nil
		for p := 1; p <= N; p += 2 {
			theta := math.Pi * float64(p) / float64(N+1)
			cot, half := 1/math.Tan(theta/2), math.Sin(theta/2)
			k := 2 / float64(N+1) * cot
			along[axis] = append(along[axis], wave{k * math.Sin(theta), k * cot, 4 * w * half * half})
		}
	}
	var sum neumaier
	for _, z := range along[2] {
		for _, y := range along[1] {
			for _, x := range along[0] {
				source := x.source*y.one*z.one + x.one*y.source*z.one + x.one*y.one*z.source
				sum.add(source * grown(x.lost+y.lost+z.lost, n))
			}
		}
	}
	return w*(c.Low+c.High-2*c.Interior)*sum.value() + c.Interior*cells
}

// grown is (1 − λⁿ)/(1 − λ) for λ = 1 − lost.
func grown(lost float64, n int) float64 {
	if lost < 1 {
		return -math.Expm1(float64(n)*math.Log1p(-lost)) / lost
	}
	return (1 - math.Pow(1-lost, float64(n))) / lost
}

// A cell is as the cells and faces that lie up to as many away as there were
// iterations. So of n iterations a grid of 2n+1 cells along an axis has all that a
// longer one has: what is further than n from both faces is as its middle.

// nearCells is the grid of so many cells at most that stands for another.
func nearCells(grid [3]int, n int) [3]int {
	for axis, cells := range grid {
		grid[axis] = min(cells, 2*n+1)
	}
	return grid
}

// near is the coordinate in it of the cell or face at x, from 0 to cells + 1.
func near(x, cells, n int) int {
	left := max(0, cells-(2*n+1)) // cells that it has less
	switch {
	case x <= n+1:
		return x
	case x-left >= n+1:
		return x - left
	}
	return n + 1
}

const (
	// referenceCells is how many cells a reference has at most.
	referenceCells = 256 * 256 * 256
	// referenceUpdates is how many updates of a cell it takes at most: a few
	// seconds.
	referenceUpdates = 1 << 31
	// fewIterations are affordable for any grid.
	fewIterations = 100
)

// affordable reports whether there is a reference of so many iterations.
func affordable(grid [3]int, n int) bool {
	cells := 1
	for _, m := range nearCells(grid, n) {
		cells *= m // of up to 2^20 each
	}
	return cells <= referenceCells && cells <= referenceUpdates/max(1, n)
}

// The last reference computed: all PEs of a process, and the cases that follow
// each other, want the same one.
var (
	refMu    sync.Mutex
	refOf    problemOf
	refSteps int
	refNow   []float64
	refThen  []float64
)

type problemOf struct {
	geom  kernels.Block3D
	start Constant
}

// reference computes a constant start serially, in the layout of one block of
// the whole grid. The result may be read until the next call.
func reference(flat bool, grid [3]int, c Constant, n int) []float64 {
	refMu.Lock()
	defer refMu.Unlock()
	g := newBlock(flat, grid)
	if refOf != (problemOf{g, c}) || refSteps > n || refNow == nil {
		refOf, refSteps = problemOf{g, c}, 0
		refNow = constant(g, c)
		refThen = append([]float64{}, refNow...)
	} else if refSteps < n {
		// Others may still read the last one.
		refNow, refThen = append([]float64{}, refNow...), append([]float64{}, refThen...)
	}
	for ; refSteps < n; refSteps++ {
		step(g, refNow, refThen)
		refNow, refThen = refThen, refNow
	}
	return refNow
}

// constant is the start, cell by cell. Edges and corners, which no cell reads,
// have the value of a face.
func constant(g kernels.Block3D, c Constant) []float64 {
	u := make([]float64, g.Len())
	low, high := 0, g.NZ+1
	if g.Flat {
		low, high = 1, 1
	}
	for z := low; z <= high; z++ {
		for y := 0; y <= g.NY+1; y++ {
			for x := 0; x <= g.NX+1; x++ {
				v := c.Interior
				switch {
				case x == 0 || y == 0 || z == 0:
					v = c.Low
				case x > g.NX || y > g.NY || z > g.NZ:
					v = c.High
				}
				u[g.Offset(x, y, z)] = v
			}
		}
	}
	return u
}

// step is one iteration: each interior cell becomes the mean of itself and its
// neighbours along the axes.
func step(g kernels.Block3D, in, out []float64) {
	pitch, plane := g.Pitch(), g.Plane()
	for z := 1; z <= g.NZ; z++ {
		for y := 1; y <= g.NY; y++ {
			o := g.Offset(1, y, z)
			for i := o; i < o+g.NX; i++ {
				sum := in[i] + in[i-1] + in[i+1] + in[i-pitch] + in[i+pitch]
				if g.Flat {
					out[i] = sum / 5
				} else {
					out[i] = (sum + in[i-plane] + in[i+plane]) / 7
				}
			}
		}
	}
}
