package cut

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestLeastSurface(t *testing.T) {
	for _, c := range []struct {
		grid, want []int64
		n          int64
		wrong      string
	}{
		{[]int64{64, 64, 64}, []int64{2, 2, 2}, 8, ""},
		{[]int64{64, 64, 64}, []int64{1, 1, 2}, 2, ""},
		{[]int64{100, 10, 10}, []int64{4, 1, 1}, 4, ""},
		{[]int64{64, 64, 64}, []int64{1, 1, 3}, 3, ""},
		{[]int64{64, 64}, []int64{2, 2}, 4, ""},
		{[]int64{100, 10}, []int64{4, 1}, 4, ""},
		{[]int64{1, 1}, nil, 2, "2 blocks do not fit into 1 × 1 cells: use fewer PEs, a smaller --odf or a larger --grid"},
		{[]int64{2, 2, 2}, nil, 3, "3 blocks do not fit into 2 × 2 × 2 cells: use fewer PEs, a smaller --odf or a larger --grid"},
	} {
		got, err := Least(c.grid, c.n)
		if !slices.Equal(got, c.want) || (err == nil) != (c.wrong == "") || err != nil && err.Error() != c.wrong {
			t.Errorf("%d blocks of %v: %v, %v; want %v%s", c.n, c.grid, got, err, c.want, c.wrong)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		grid, blocks []int64
		odf          int64
		wrong        string
	}{
		{[]int64{4, 4}, []int64{3, 4}, 6, ""},
		{[]int64{4, 4}, []int64{4, 5}, 0, "5 blocks along Y, but the grid has 4 cells there: give fewer blocks or a larger --cells"},
		{[]int64{4, 4}, []int64{3, 1}, 0, "3 × 1 = 3 blocks do not divide over 2 PEs: give a multiple of 2"},
		{[]int64{8, 8, 8}, []int64{3, 1, 1}, 0, "3 × 1 × 1 = 3 blocks do not divide over 2 PEs: give a multiple of 2"},
	} {
		odf, err := Check(c.grid, c.blocks, 2, "--cells")
		if odf != c.odf || (err == nil) != (c.wrong == "") || err != nil && err.Error() != c.wrong {
			t.Errorf("%v of %v: %d, %v; want %d%s", c.blocks, c.grid, odf, err, c.odf, c.wrong)
		}
	}
}

// Every cell of an axis lies in the range of one block, whose number is known from the cell; blocks differ by a cell at
// most. Index is At's inverse, and PEs have equal runs of blocks.
func TestEveryCellHasABlock(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cells := rapid.IntRange(1, 60).Draw(t, "cells")
		blocks := rapid.IntRange(1, 2*cells).Draw(t, "blocks") // some without a cell, as a PE may have no point of a task graph
		next := 0
		for i := range blocks {
			first, end := Range(cells, blocks, i)
			if first != next || end-first < cells/blocks || end-first > cells/blocks+1 {
				t.Fatalf("block %d of %d in %d cells is %d to %d, after %d", i, blocks, cells, first, end, next)
			}
			for c := first; c < end; c++ {
				if BlockOf(c, cells, blocks) != i {
					t.Fatalf("cell %d of %d is in block %d of %d, not %d", c, cells, i, blocks, BlockOf(c, cells, blocks))
				}
			}
			next = end
		}
		if next != cells {
			t.Fatalf("%d cells of %d are in blocks", next, cells)
		}
		per := rapid.IntRange(1, 4).Draw(t, "per PE")
		b := Blocks{Along: [3]int{blocks, per, 2}, PEs: blocks}
		for i := range b.Count() {
			if b.Index(b.At(i)) != i || b.Owner(i) != i/(2*per) {
				t.Fatalf("block %d of %+v: at %v, index %d, on PE %d", i, b, b.At(i), b.Index(b.At(i)), b.Owner(i))
			}
		}
	})
}
