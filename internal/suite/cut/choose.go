// Which block grid: the one of least surface, or one that the user gave.

package cut

import (
	"fmt"
	"strings"
)

// Least cuts a grid of two or three axes into n blocks, as many along each axis as give the least surface between them;
// n = 0 for any extent fails.
//
// The surface is counted in cells: (bx−1)·Y·Z + (by−1)·X·Z + (bz−1)·X·Y. Of equal surfaces the one that cuts Z before Y
// before X wins, since planes of Z are contiguous in memory.
func Least(grid []int64, n int64) ([]int64, error) {
	cells := [3]int64{1, 1, 1}
	copy(cells[:], grid)
	var best []int64
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
			if b[0] > cells[0] || b[1] > cells[1] || b[2] > cells[2] {
				continue
			}
			s := (b[0]-1)*cells[1]*cells[2] + (b[1]-1)*cells[0]*cells[2] + (b[2]-1)*cells[0]*cells[1]
			if bestSurface < 0 || s < bestSurface {
				best, bestSurface = b[:len(grid)], s
			}
		}
	}
	if bestSurface < 0 {
		return nil, fmt.Errorf("%d blocks do not fit into %s cells: use fewer PEs, a smaller --odf or a larger --grid", n, Times(grid))
	}
	return best, nil
}

// Check tells whether a block grid that the user gave fits a grid of the same axes, which `flag` sets, and the PEs; and
// the blocks per PE that it means.
func Check(grid, blocks []int64, pes int64, flag string) (odf int64, err error) {
	n := int64(1)
	for i, b := range blocks {
		if b > grid[i] {
			return 0, fmt.Errorf("%d blocks along %c, but the grid has %d cells there: give fewer blocks or a larger %s",
				b, "XYZ"[i], grid[i], flag)
		}
		n *= b
	}
	if n%pes != 0 {
		return 0, fmt.Errorf("%s = %d blocks do not divide over %d PEs: give a multiple of %d", Times(blocks), n, pes, pes)
	}
	return n / pes, nil
}

// Times writes extents as "2 × 3".
func Times(n []int64) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(n), " ", " × "), "[]")
}
