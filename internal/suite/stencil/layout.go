// How the grid is cut, and which PE has which blocks.

package stencil

import (
	"fmt"

	"gpubench/gpu"
	"gpubench/internal/result"
	"gpubench/internal/suite/cut"
	"gpubench/internal/suite/phases"
	"gpubench/kernels"
)

// layout is what all PEs and both models agree on.
type layout struct {
	*Problem
	cut.Blocks
	grid   [3]int // 1 along an axis that is not there
	field  string
	part   string
	phases bool
	launch string
	pages  gpu.Pages
}

func (q *Problem) layout(p result.Params) (layout, error) {
	l := layout{Problem: q, grid: axes(p.Ints("grid")),
		Blocks: cut.Blocks{Along: axes(p.Ints("blocks")), PEs: int(p.Int("pes"))}, field: p.String("field"),
		part: part(p), phases: phases.On(p), launch: launch(p)}
	var err error
	if l.pages, err = gpu.ParsePages(p.String("pages")); err != nil {
		return l, err
	}
	for i := range 3 {
		if l.Along[i] > l.grid[i] {
			return l, fmt.Errorf("%d blocks over %d cells along axis %d", l.Along[i], l.grid[i], i)
		}
	}
	if l.Count()%l.PEs != 0 {
		return l, fmt.Errorf("%d blocks do not divide over %d PEs", l.Count(), l.PEs)
	}
	if l.PerPE()*kernels.Faces > maxTags {
		return l, fmt.Errorf("%d blocks per PE: at most %d have tags of their own", l.PerPE(), maxTags/kernels.Faces)
	}
	return l, nil
}

// maxTags is how many tags every MPI library has (MPI 4.1, 9.1.2).
const maxTags = 32767

func (l layout) flat() bool { return l.Axes == 2 }
func (l layout) cells() int { return l.grid[0] * l.grid[1] * l.grid[2] }

// neighbour gives the block across a face; false at the grid's boundary.
func (l layout) neighbour(at [3]int, f kernels.Face) ([3]int, bool) {
	step := -1
	if f.High() {
		step = 1
	}
	at[f.Axis()] += step
	return at, at[f.Axis()] >= 0 && at[f.Axis()] < l.Along[f.Axis()]
}

// geometry is a block's extent, and how many cells of the grid come before it
// along each axis.
func (l layout) geometry(at [3]int) (g kernels.Block3D, first [3]int) {
	var n [3]int
	for axis := range 3 {
		begin, end := cut.Range(l.grid[axis], l.Along[axis], at[axis])
		first[axis], n[axis] = begin, end-begin
	}
	return newBlock(l.flat(), n), first
}

// domain is the grid that a block computes in: the whole, or with the updates
// alone, where no face arrives, the block itself with the start's outer faces.
func (l layout) domain(at [3]int) (kernels.Block3D, kernels.Domain) {
	g, first := l.geometry(at)
	if l.part == partCompute {
		return g, kernels.Domain{Global: l.global([3]int{g.NX, g.NY, g.NZ})}
	}
	return g, kernels.Domain{Global: l.global(l.grid), Offset: first}
}

// global is a grid as the kernels' closed form has it.
func (l layout) global(grid [3]int) [3]int {
	if l.flat() {
		grid[2] = 0
	}
	return grid
}
