// How a grid is cut into blocks.

// Package stencil is what the stencil benchmarks share.
package stencil

import (
	"fmt"

	"gpubench/internal/result"
	"gpubench/internal/suite/phases"
)

// Blocks cuts a grid into n blocks, as many along each axis as give the least
// surface between them; n = 0 for any extent fails.
//
// The surface is counted in cells: (bx−1)·Y·Z + (by−1)·X·Z + (bz−1)·X·Y. Of
// equal surfaces the one that cuts Z before Y before X wins, since planes of
// Z are contiguous in memory.
func Blocks(grid [3]int64, n int64) ([3]int64, error) {
	var best [3]int64
	bestSurface := int64(-1)
	for bx := int64(1); bx <= n; bx++ {
		if n%bx != 0 {
			continue
		}
		for by := int64(1); by <= n/bx; by++ {
			if (n/bx)%by != 0 {
				continue
			}
			b := [3]int64{bx, by, n / bx / by}
			if b[0] > grid[0] || b[1] > grid[1] || b[2] > grid[2] {
				continue
			}
			s := (b[0]-1)*grid[1]*grid[2] + (b[1]-1)*grid[0]*grid[2] + (b[2]-1)*grid[0]*grid[1]
			if bestSurface < 0 || s < bestSurface {
				best, bestSurface = b, s
			}
		}
	}
	if bestSurface < 0 {
		return best, fmt.Errorf("%d blocks do not fit into %d × %d × %d cells: use fewer PEs, a smaller --odf or a larger --grid",
			n, grid[0], grid[1], grid[2])
	}
	return best, nil
}

// CheckBlocks tells whether a block grid that the user gave fits grid and PEs,
// and the chares per PE that it means.
func CheckBlocks(grid, blocks [3]int64, pes int64) (odf int64, err error) {
	for i, axis := range []string{"X", "Y", "Z"} {
		if blocks[i] > grid[i] {
			return 0, fmt.Errorf("%d blocks along %s, but the grid has %d cells there: give fewer blocks or a larger --grid",
				blocks[i], axis, grid[i])
		}
	}
	n := blocks[0] * blocks[1] * blocks[2]
	if n%pes != 0 {
		return 0, fmt.Errorf("%d × %d × %d = %d blocks do not divide over %d PEs: give a multiple of %d",
			blocks[0], blocks[1], blocks[2], n, pes, pes)
	}
	return n / pes, nil
}

// Settle makes a stencil's decomposition out of its flags: `blocks` where it is
// not given is that of least surface for `odf` blocks a PE, and else says what
// `odf` is. It returns the flag to mend, also where parameters contradict each
// other.
func Settle(p result.Params) (flag string, err error) {
	if part(p) != "" && p.String("field") != fieldModes {
		return "--part", fmt.Errorf("%s can be checked with the field modes alone: leave out --field %s", part(p), p.String("field"))
	}
	if l := launch(p); phases.On(p) && (l == launchGraph || l == launchAuto) {
		return "--phases", fmt.Errorf("a graph has no phases that could be timed: leave out --launch %s", l)
	}
	grid, blocks, pes, axes := [3]int64{1, 1, 1}, [3]int64{1, 1, 1}, p.Int("pes"), len(p.Ints("grid"))
	copy(grid[:], p.Ints("grid"))
	if p.Has("blocks") {
		copy(blocks[:], p.Ints("blocks"))
		odf, err := CheckBlocks(grid, blocks, pes)
		p["odf"] = odf
		return "--blocks", err
	}
	blocks, err = Blocks(grid, pes*p.Int("odf"))
	p["blocks"] = blocks[:axes]
	return "--grid", err
}
