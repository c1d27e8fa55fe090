// How the grid is cut, and which PE has which blocks.

package stencil

import (
	"fmt"

	"gpubench/gpu"
	"gpubench/internal/result"
	"gpubench/internal/suite/phases"
	"gpubench/kernels"
)

// layout is what all PEs and both models agree on.
type layout struct {
	*Problem
	grid, blocks [3]int // 1 along an axis that is not there
	field        string
	part         string
	phases       bool
	launch       string
	pes          int
	pages        gpu.Pages
}

func (q *Problem) layout(p result.Params) (layout, error) {
	l := layout{Problem: q, grid: axes(p.Ints("grid")), blocks: axes(p.Ints("blocks")), field: p.String("field"),
		part: part(p), phases: phases.On(p), launch: launch(p), pes: int(p.Int("pes"))}
	var err error
	if l.pages, err = gpu.ParsePages(p.String("pages")); err != nil {
		return l, err
	}
	for i := range 3 {
		if l.blocks[i] > l.grid[i] {
			return l, fmt.Errorf("%d blocks over %d cells along axis %d", l.blocks[i], l.grid[i], i)
		}
	}
	if l.count()%l.pes != 0 {
		return l, fmt.Errorf("%d blocks do not divide over %d PEs", l.count(), l.pes)
	}
	if l.perPE()*kernels.Faces > maxTags {
		return l, fmt.Errorf("%d blocks per PE: at most %d have tags of their own", l.perPE(), maxTags/kernels.Faces)
	}
	return l, nil
}

// maxTags is how many tags every MPI library has (MPI 4.1, 9.1.2).
const maxTags = 32767

func (l layout) flat() bool { return l.Axes == 2 }
func (l layout) count() int { return l.blocks[0] * l.blocks[1] * l.blocks[2] }
func (l layout) perPE() int { return l.count() / l.pes }
func (l layout) cells() int { return l.grid[0] * l.grid[1] * l.grid[2] }

// at gives a block's place in the block grid, x fastest; index is its inverse.
func (l layout) at(i int) [3]int {
	return [3]int{i % l.blocks[0], i / l.blocks[0] % l.blocks[1], i / l.blocks[0] / l.blocks[1]}
}

func (l layout) index(at [3]int) int { return at[0] + l.blocks[0]*(at[1]+l.blocks[1]*at[2]) }

// owner is the PE of a block: runs of equal length, in order.
func (l layout) owner(i int) int { return i / l.perPE() }

// cut is the cells of one block along one axis: the first of them, counted
// from 0, and how many. Uneven blocks differ by one cell at most.
func cut(cells, blocks, i int) (first, n int) {
	first = i * cells / blocks
	return first, (i+1)*cells/blocks - first
}

// neighbour gives the block across a face; false at the grid's boundary.
func (l layout) neighbour(at [3]int, f kernels.Face) ([3]int, bool) {
	step := -1
	if f.High() {
		step = 1
	}
	at[f.Axis()] += step
	return at, at[f.Axis()] >= 0 && at[f.Axis()] < l.blocks[f.Axis()]
}

// geometry is a block's extent, and how many cells of the grid come before it
// along each axis.
func (l layout) geometry(at [3]int) (g kernels.Block3D, first [3]int) {
	var n [3]int
	for axis := range 3 {
		first[axis], n[axis] = cut(l.grid[axis], l.blocks[axis], at[axis])
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
