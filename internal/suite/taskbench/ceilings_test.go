package taskbench

import (
	"testing"

	"gpubench/internal/result"
)

// What a task is bounded by: its operations in one place, or its share of all copies through one memory.
func TestCeilings(t *testing.T) {
	base := result.Params{"device": "cpu", "placement": result.Node, "pattern": "no_comm", "width": int64(4), "steps": int64(10), "graphs": int64(1),
		"radix": nil, "period": nil, "fraction": nil, "imbalance": nil, "scratch_bytes": nil, "scratch_pieces": nil,
		"task_blocks": int64(2), "pes": int64(2), "task_size": int64(100)}
	for _, c := range []struct {
		own    result.Params
		limit  string
		amount int64
	}{
		{result.Params{"task_kernel": computeBound}, "operations", 100 * 128 * 2},
		{result.Params{"task_kernel": computeBound, "task_size": int64(0)}, "", 0},
		{result.Params{"task_kernel": loadImbalance, "imbalance": 0.0}, "operations", 100 * 128 * 2},
		{result.Params{"task_kernel": loadImbalance, "imbalance": 1.0, "steps": int64(1 << 20)}, "", 0}, // too many draws
		{result.Params{"task_kernel": memoryBound, "scratch_bytes": int64(1 << 28), "scratch_pieces": int64(16)}, "stream copy", 2 * 100 << 23},
		{result.Params{"task_kernel": busyWait}, "", 0},
		{result.Params{"task_kernel": empty}, "", 0},
	} {
		p := base
		for k, v := range c.own {
			p = p.With(k, v)
		}
		list := ceilings(p)
		switch {
		case c.limit == "" && len(list) > 0:
			t.Errorf("%v: %+v", c.own, list)
		case c.limit != "" && (len(list) != 1 || list[0].Name != c.limit || list[0].Bytes != c.amount):
			t.Errorf("%v: %+v, want %s of %d", c.own, list, c.limit, c.amount)
		}
	}
	p := base.With("task_kernel", memoryBound).With("scratch_bytes", int64(1<<20)).With("scratch_pieces", int64(16))
	if list := ceilings(p); len(list) != 1 || list[0].Footprint != 1<<20 {
		t.Errorf("the plan is not told what a cache may hold: %+v", list)
	}
}
