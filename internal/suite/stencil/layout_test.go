package stencil

import (
	"testing"

	"pgregory.net/rapid"

	"gpubench/internal/result"
	"gpubench/kernels"
)

// Blocks tile the grid: every cell belongs to one block, and neighbours agree
// on the extent of the face between them.
func TestBlocksTile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := &Problem{Axes: rapid.IntRange(2, 3).Draw(t, "axes")}
		var grid, blocks []int64
		for range q.Axes {
			n := rapid.Int64Range(1, 20).Draw(t, "cells")
			grid, blocks = append(grid, n), append(blocks, rapid.Int64Range(1, n).Draw(t, "blocks"))
		}
		p := result.Params{"field": fieldModes, "pes": int64(1), "pages": "default", "grid": grid, "blocks": blocks}
		l, err := q.layout(p)
		if err != nil {
			t.Fatal(err)
		}
		cells, largest := 0, 0
		for i := range l.Count() {
			at := l.At(i)
			if l.Index(at) != i {
				t.Fatalf("Index(At(%d)) = %d", i, l.Index(at))
			}
			g, d := l.domain(at)
			cells += g.Cells()
			for f := range kernels.Face(kernels.Faces) {
				n, ok := l.neighbour(at, f)
				if !g.Faces().Has(f) {
					if ok {
						t.Fatalf("block %v has a neighbour across %v", at, f)
					}
					continue
				}
				largest = max(largest, g.FaceBytes(f))
				if outer := d.Outer(g).Has(f); outer == ok {
					t.Fatalf("block %v, face %v: neighbour %v, outer %v", at, f, ok, outer)
				}
				if !ok {
					continue
				}
				h, _ := l.geometry(n)
				if g.FaceCells(f) != h.FaceCells(f.Opposite()) {
					t.Fatalf("blocks %v and %v do not agree on a face", at, n)
				}
			}
		}
		if cells != l.cells() {
			t.Fatalf("%d cells in blocks, %d in the grid", cells, l.cells())
		}
		if got := longest(p); got != int64(largest) {
			t.Fatalf("longest message %d B, largest face %d B", got, largest)
		}
		// With the updates alone every block is a grid of its own.
		l.part = partCompute
		for i := range l.Count() {
			if g, d := l.domain(l.At(i)); d.Outer(g) != g.Faces() {
				t.Fatalf("block %d of %v is no grid of its own: %v", i, l.Along, d)
			}
		}
	})
}

func TestLayoutsThatCannotBe(t *testing.T) {
	q := &Problem{Axes: 3}
	p := result.Params{"field": "modes", "pes": int64(2), "path": "host", "pages": "default",
		"grid": []int64{4, 4, 4}, "blocks": []int64{1, 1, 2}}
	if _, err := q.layout(p); err != nil {
		t.Errorf("a good problem: %v", err)
	}
	for _, bad := range []result.Params{
		p.With("blocks", []int64{1, 1, 3}),
		p.With("blocks", []int64{8, 1, 1}),
		p.With("grid", []int64{64, 64, 64}).With("blocks", []int64{64, 64, 4}),
	} {
		if _, err := q.layout(bad); err == nil {
			t.Errorf("blocks %v of %v were taken", bad["blocks"], bad["grid"])
		}
	}
}

// Which metrics a case has.
func TestMetricsOfParts(t *testing.T) {
	for _, c := range []struct {
		p    result.Params
		want string
	}{
		{result.Params{}, "iteration_time compute_time comm_time "},
		{result.Params{"part": nil, "phases": nil}, "iteration_time compute_time comm_time "},
		{result.Params{"part": "compute", "phases": true}, "iteration_time compute_time "},
		{result.Params{"phases": true, "path": "staged"}, "iteration_time compute_time comm_time pack_time copy_time post_time wait_time unpack_time "},
		{result.Params{"part": "comm"}, "iteration_time comm_time "},
		{result.Params{"part": "comm", "phases": true, "path": "host"}, "iteration_time comm_time pack_time post_time wait_time unpack_time "},
	} {
		got := ""
		for _, m := range metrics {
			if m.When == nil || m.When(c.p) {
				got += m.Name + " "
			}
		}
		if got != c.want {
			t.Errorf("%v: %s, want %s", c.p, got, c.want)
		}
	}
}
