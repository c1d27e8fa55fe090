// The problem: how the grid is cut, and which PE has which blocks.

package jacobi3d

import (
	"fmt"

	"gpubench/gpu"
	"gpubench/internal/bench"
	"gpubench/internal/result"
	"gpubench/kernels"
)

// problem is what all PEs and both models agree on.
type problem struct {
	grid, blocks [3]int
	field        string
	pes          int
	pages        gpu.Pages
}

func newProblem(p result.Params) (problem, error) {
	q := problem{field: p.String("field"), pes: int(p.Int("pes"))}
	var err error
	if q.pages, err = gpu.ParsePages(p.String("pages")); err != nil {
		return q, err
	}
	for i := range 3 {
		q.grid[i] = int(p.Ints("grid")[i])
		q.blocks[i] = int(p.Ints("blocks")[i])
		if q.blocks[i] > q.grid[i] {
			return q, fmt.Errorf("%d blocks over %d cells along axis %d", q.blocks[i], q.grid[i], i)
		}
	}
	if q.count()%q.pes != 0 {
		return q, fmt.Errorf("%d blocks do not divide over %d PEs", q.count(), q.pes)
	}
	if q.perPE()*kernels.Faces > maxTags {
		return q, fmt.Errorf("%d blocks per PE: at most %d have tags of their own", q.perPE(), maxTags/kernels.Faces)
	}
	return q, nil
}

// maxTags is how many tags every MPI library has (MPI 4.1, 9.1.2).
const maxTags = 32767

func (q problem) count() int { return q.blocks[0] * q.blocks[1] * q.blocks[2] }
func (q problem) perPE() int { return q.count() / q.pes }

// at gives a block's place in the block grid, x fastest; index is its inverse.
func (q problem) at(i int) [3]int {
	return [3]int{i % q.blocks[0], i / q.blocks[0] % q.blocks[1], i / q.blocks[0] / q.blocks[1]}
}

func (q problem) index(at [3]int) int { return at[0] + q.blocks[0]*(at[1]+q.blocks[1]*at[2]) }

// owner is the PE of a block: runs of equal length, in order.
func (q problem) owner(i int) int { return i / q.perPE() }

// part is the cells of one block along one axis: the first of them, counted
// from 0, and how many. Uneven blocks differ by one cell at most.
func part(cells, blocks, i int) (first, n int) {
	first = i * cells / blocks
	return first, (i+1)*cells/blocks - first
}

// neighbour gives the block across a face; false at the grid's boundary.
func (q problem) neighbour(at [3]int, f kernels.Face) ([3]int, bool) {
	step := -1
	if f.High() {
		step = 1
	}
	at[f.Axis()] += step
	return at, at[f.Axis()] >= 0 && at[f.Axis()] < q.blocks[f.Axis()]
}

// geometry is a block's extent and its place in the grid.
func (q problem) geometry(at [3]int) (kernels.Block3D, kernels.Domain) {
	d := kernels.Domain{Global: q.grid}
	var n [3]int
	for axis := range 3 {
		d.Offset[axis], n[axis] = part(q.grid[axis], q.blocks[axis], at[axis])
	}
	return kernels.NewBlock3D(n[0], n[1], n[2]), d
}

// mine makes the blocks of a PE.
func (q problem) mine(pe *bench.PE, p result.Params) (*part3D, error) {
	set, err := kernels.Load(pe.Device)
	if err != nil {
		return nil, err
	}
	space, err := gpu.ParseSpace(p.String("space")) // where fields and packed faces lie
	if err != nil {
		return nil, err
	}
	w := &part3D{problem: q, pe: pe, set: set, space: space}
	total := 0
	for i := range q.count() {
		g, _ := q.geometry(q.at(i))
		total += 2 * g.Bytes()
	}
	set.WorkingSet(total)
	for i := pe.Rank * q.perPE(); i < (pe.Rank+1)*q.perPE(); i++ {
		b, err := newBlock(w, i)
		if b != nil {
			w.blocks = append(w.blocks, b)
		}
		if err != nil {
			_ = w.Close()
			return nil, err
		}
	}
	return w, nil
}
