// Package cut is how a grid of cells is cut into blocks, and on which PE each of them starts: the same for all benchmarks
// that have such blocks, and in both models.
package cut

// Blocks is a grid of blocks over PEs.
type Blocks struct {
	Along [3]int // blocks along each axis, 1 along one that is not there
	PEs   int    // their number divides that of the blocks
}

// Count is the number of blocks.
func (b Blocks) Count() int { return b.Along[0] * b.Along[1] * b.Along[2] }

// PerPE is the number of blocks that start on a PE.
func (b Blocks) PerPE() int { return b.Count() / b.PEs }

// At gives a block's place in the block grid, x fastest; Index is its inverse.
func (b Blocks) At(i int) [3]int {
	return [3]int{i % b.Along[0], i / b.Along[0] % b.Along[1], i / b.Along[0] / b.Along[1]}
}

// Index is the number of the block at a place, from 0 on.
func (b Blocks) Index(at [3]int) int { return at[0] + b.Along[0]*(at[1]+b.Along[1]*at[2]) }

// Owner is the PE that a block starts on: runs of equal length, in order.
func (b Blocks) Owner(i int) int { return i / b.PerPE() }

// Range is the cells of block i of so many along an axis: the first of them, and the first after them, counted from 0.
// Uneven blocks differ by one cell at most.
func Range(cells, blocks, i int) (first, end int) {
	return i * cells / blocks, (i + 1) * cells / blocks
}

// BlockOf is the block along an axis whose Range a cell lies in.
func BlockOf(cell, cells, blocks int) int { return ((cell+1)*blocks - 1) / cells }
