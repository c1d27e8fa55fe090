package stencil

import (
	"slices"
	"strings"
	"testing"

	"gpubench/internal/result"
)

// What flags say and what follows from it.
func TestSettle(t *testing.T) {
	for _, c := range []struct {
		grid, blocks any
		odf          int64
		want         []int64
		wantODF      int64
		wrong        string
	}{
		{[]int64{64, 64, 64}, nil, 1, []int64{1, 1, 2}, 1, ""},
		{[]int64{64, 64, 64}, nil, 4, []int64{2, 2, 2}, 4, ""},
		{[]int64{64, 64, 64}, []int64{4, 2, 1}, 1, []int64{4, 2, 1}, 4, ""},
		{[]int64{64, 64}, nil, 4, []int64{2, 4}, 4, ""},
		{[]int64{64, 64}, nil, 1, []int64{1, 2}, 1, ""},
		{[]int64{64, 64}, []int64{3, 2}, 1, []int64{3, 2}, 3, ""},
		{[]int64{1, 1, 1}, nil, 1, nil, 0, "--grid: 2 blocks do not fit into 1 × 1 × 1 cells"},
		{[]int64{1, 1}, nil, 1, nil, 0, "--grid: 2 blocks do not fit into 1 × 1 cells"},
		{[]int64{4, 4, 4}, []int64{8, 1, 1}, 1, nil, 0, "--blocks: 8 blocks along X, but the grid has 4 cells there"},
		{[]int64{8, 8, 8}, []int64{3, 1, 1}, 1, nil, 0, "--blocks: 3 × 1 × 1 = 3 blocks do not divide over 2 PEs"},
	} {
		p := result.Params{"grid": c.grid, "blocks": c.blocks, "odf": c.odf, "pes": int64(2), "field": fieldModes}
		flag, err := Settle(p)
		if c.wrong != "" {
			if err == nil || !strings.HasPrefix(flag+": "+err.Error(), c.wrong) {
				t.Errorf("%v: %s: %v, want %q", c, flag, err, c.wrong)
			}
			continue
		}
		if err != nil || !slices.Equal(p.Ints("blocks"), c.want) || p.Int("odf") != c.wantODF {
			t.Errorf("%v: blocks %v, odf %d, %v", c, p["blocks"], p["odf"], err)
		}
	}
}

// The parts of an iteration are checked with the modes.
func TestPartNeedsModes(t *testing.T) {
	p := result.Params{"grid": []int64{8, 8}, "blocks": nil, "odf": int64(1), "pes": int64(2), "part": "comm", "field": "study"}
	if flag, err := Settle(p); err == nil || flag != "--part" {
		t.Errorf("%s: %v", flag, err)
	}
	if flag, err := Settle(p.With("field", fieldModes)); err != nil {
		t.Errorf("%s: %v", flag, err)
	}
}
