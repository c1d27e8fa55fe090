package pic

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gpubench/internal/result"
	"gpubench/internal/suite/cut"
	"gpubench/kernels"
)

// As many particles as the Parallel Research Kernels' own program says that it places (MPI1/PIC-static, 1 and 2 ranks).
func TestAsManyAsPRKPlaces(t *testing.T) {
	for _, c := range []struct {
		s    spread
		want int64
	}{
		{spread{kind: "geometric", particles: 100000, cells: 998, rho: 0.99}, 99804},
		{spread{kind: "sinusoidal", particles: 100000, cells: 998}, 99593},
		{spread{kind: "linear", particles: 100000, cells: 998, alpha: 1, beta: 3}, 100157},
		{spread{kind: "patch", particles: 100000, cells: 998, right: 200, bottom: 100, top: 200}, 100005},
		{spread{kind: "geometric", particles: 500, cells: 40, rho: 0.99}, 504},
		{spread{kind: "geometric", particles: 500000, cells: 40, rho: 0.9}, 499799},
		{spread{kind: "patch", particles: 500000, cells: 40, right: 8, bottom: 4, top: 8}, 507476},
	} {
		if got := drawCrowd(c.s).total; got != c.want {
			t.Errorf("%+v: %d particles, want %d", c.s, got, c.want)
		}
	}
	// Where theirs overflow: the limit of a steep start is that all are in the last column, for which there is no reference
	// but the number asked for.
	for _, s := range []spread{{kind: "geometric", particles: 200000, cells: 200, rho: 1000}, {kind: "geometric", particles: 100000, cells: 1200, rho: 2}} {
		c := drawCrowd(s)
		if math.Abs(float64(c.total-s.particles)) > 0.05*float64(s.particles) || float64(c.before[s.cells-10]) > 0.01*float64(s.particles) {
			t.Errorf("%+v: %d particles, %d before the last ten columns", s, c.total, c.before[s.cells-10])
		}
	}
	// Ours: no reference but the number asked for.
	if got := drawCrowd(spread{kind: "uniform", particles: 100000, cells: 200}).total; math.Abs(float64(got)-100000) > 1000 {
		t.Errorf("uniform: %d particles", got)
	}
}

// The form for where PRK's overflows is PRK's where that is finite.
func TestSteepStart(t *testing.T) {
	for _, rho := range []float64{1.5, 2, 30} {
		prk := spread{kind: "geometric", particles: 100000, cells: 200, rho: rho}
		steep := prk
		steep.cells *= 1200
		for back := int64(1); back < 20; back++ { // columns from the right
			a, b := prk.mean(prk.cells-back), steep.mean(steep.cells-back)*1200
			if math.Abs(a-b) > 1e-12*a {
				t.Errorf("rho %g, %d from the right: %g of 200 columns, %g of 240000 in proportion", rho, back, a, b)
			}
		}
	}
}

// At least so many, by the deviations, are placed: never more than the draws give, and nearly as many where there are many cells.
func TestLeast(t *testing.T) {
	for _, c := range []struct {
		s      spread
		nearly float64
	}{
		{spread{kind: "geometric", particles: 100000, cells: 998, rho: 0.99}, 0.98},
		{spread{kind: "sinusoidal", particles: 100000, cells: 998}, 0.98},
		{spread{kind: "linear", particles: 100000, cells: 998, alpha: 1, beta: 3}, 0.98},
		{spread{kind: "patch", particles: 100000, cells: 998, right: 200, bottom: 100, top: 200}, 0.99},
		{spread{kind: "geometric", particles: 500000, cells: 40, rho: 0.9}, 0.95},
		{spread{kind: "patch", particles: 500000, cells: 40, right: 8, bottom: 4, top: 8}, 0.85},
		{spread{kind: "uniform", particles: 100000, cells: 200}, 0.98},
		{spread{kind: "geometric", particles: 1, cells: 40, rho: 0.9}, 0},
	} {
		total := drawCrowd(c.s).total
		if got := c.s.least(); got > total || float64(got) < c.nearly*float64(total) {
			t.Errorf("%+v: at least %d particles, and there are %d", c.s, got, total)
		}
	}
}

// All that are placed bound a step, wherever they are; few particles are bounded by nothing.
func TestCeilings(t *testing.T) {
	for _, c := range []struct {
		more result.Params
		some bool
	}{
		{result.Params{"particles": int64(100000)}, true},
		{result.Params{"particles": int64(100000), "odf": int64(4), "balance": "greedy"}, true},
		{result.Params{"particles": int64(16000)}, false},
	} {
		p := params(998, c.more).With("device", "cpu").With("placement", result.Node)
		if _, err := settle(p); err != nil {
			t.Fatal(err)
		}
		got := ceilings(p)
		if !c.some {
			if got != nil {
				t.Errorf("%v: %+v", c.more, got)
			}
			continue
		}
		all := 32 * drawCrowd(spread{kind: "geometric", particles: 100000, cells: 998, rho: 0.9}).total
		if len(got) != 1 || got[0].Benchmark != "stream" || got[0].Bytes > all || got[0].Bytes < all*98/100 ||
			got[0].Own.Int("size_bytes") != got[0].Bytes/2 {
			t.Errorf("%v: %+v, want copies of %d bytes or a little less", c.more, got, all)
		}
	}
}

func params(cells int64, more result.Params) result.Params {
	p := result.Params{"model": "charm", "pes": int64(2), "odf": int64(1), "pages": "default", "particles": int64(500), "cells": cells,
		"distribution": "geometric", "rho": 0.9, "alpha": 1.0, "beta": 3.0, "patch_x": nil, "patch_y": nil, "speed_x": int64(0),
		"speed_y": int64(1), "blocks": nil, "balance": "none", "balance_every": int64(20)}
	for k, v := range more {
		p[k] = v
	}
	return p
}

// Blocks tile the grid and share out the particles, each once, whatever the decomposition; and where particles can go in
// a step is a neighbour, by the class that the kernel gives it.
func TestBlocksShareParticlesOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := params(int64(2*rapid.IntRange(4, 15).Draw(t, "half the cells")), result.Params{
			"distribution": rapid.SampledFrom([]string{"geometric", "sinusoidal", "linear", "patch", "uniform"}).Draw(t, "distribution"),
			"pes":          rapid.Int64Range(1, 8).Draw(t, "PEs"), "odf": rapid.Int64Range(1, 4).Draw(t, "odf"),
			"speed_x": rapid.Int64Range(0, 2).Draw(t, "k"), "speed_y": rapid.Int64Range(-4, 4).Draw(t, "m")})
		if _, err := settle(p); err != nil {
			t.Skip("does not fit")
		}
		q, err := newProblem(p)
		if err != nil {
			t.Fatal(err)
		}
		c := q.crowd()
		seen := make([]bool, c.total+1)
		for i := range q.Count() {
			at := q.At(i)
			if q.Index(at) != i || q.Owner(i) >= q.PEs {
				t.Fatalf("block %d: at %v, owner %d", i, at, q.Owner(i))
			}
			g := q.geometry(at)
			c.within(int64(g.Left), int64(g.Right), int64(g.Bottom), int64(g.Top), func(x, y int64, n int, first int64) {
				if q.blockOf(x, y) != at {
					t.Fatalf("cell (%d,%d) is in block %v, and was said to be in %v", x, y, at, q.blockOf(x, y))
				}
				for id := first; id < first+int64(n); id++ {
					if seen[id] {
						t.Fatalf("particle %d is there twice", id)
					}
					seen[id] = true
				}
				if fx, fy := c.find(first); fx != x || fy != y {
					t.Fatalf("particle %d is found in (%d,%d), and is in (%d,%d)", first, fx, fy, x, y)
				}
				ex, ey := q.expected(x, y, 1)
				to := q.Index(q.blockOf(ex, ey))
				near := q.neighbours(at)
				found := to == i
				for _, n := range near {
					found = found || n.block == to
				}
				if !found {
					t.Fatalf("from block %v particles go to block %d, which is none of %v", at, to, near)
				}
			})
		}
		for id, there := range seen[1:] {
			if !there {
				t.Fatalf("particle %d of %d is in no block", id+1, c.total)
			}
		}
	})
}

// Two blocks know each other or neither does, and a block knows another once.
func TestNeighboursKnowEachOther(t *testing.T) {
	for across := 1; across < 6; across++ {
		for up := 1; up < 6; up++ {
			q := problem{spread: spread{cells: 60}, Blocks: cut.Blocks{Along: [3]int{across, up, 1}, PEs: 1}}
			known := map[[2]int]int{}
			for i := range q.Count() {
				for _, n := range q.neighbours(q.At(i)) {
					known[[2]int{i, n.block}]++
					if n.block == i || n.class == kernels.PICHere {
						t.Errorf("%d × %d: block %d is its own neighbour", across, up, i)
					}
				}
			}
			for pair, n := range known {
				if n != 1 || known[[2]int{pair[1], pair[0]}] != 1 {
					t.Errorf("%d × %d: %v %d times, back %d", across, up, pair, n, known[[2]int{pair[1], pair[0]}])
				}
			}
		}
	}
}

func TestSettle(t *testing.T) {
	for _, c := range []struct {
		cells  int64
		more   result.Params
		blocks []int64 // where it fits
		wrong  string  // else the flag and a part of what is said
	}{
		{998, nil, []int64{1, 2}, ""},
		{998, result.Params{"pes": int64(4)}, []int64{2, 2}, ""},
		{998, result.Params{"pes": int64(2), "odf": int64(8)}, []int64{4, 4}, ""},
		{998, result.Params{"pes": int64(3)}, []int64{1, 3}, ""}, // as pic.c: the divisor up to the root of n + 1
		{998, result.Params{"blocks": []int64{16, 1}}, []int64{16, 1}, ""},
		{41, nil, nil, "--cells 41 is odd"},
		{200, result.Params{"particles": int64(1), "rho": 0.5}, nil, "--particles of 1 the draws place none in 200 × 200 cells: give more, or a --rho nearer to 1 than 0.5"},
		{8, result.Params{"odf": int64(64)}, nil, "--cells 8 × 16 blocks do not fit into 8 × 8 cells"},
		{40, result.Params{"blocks": []int64{41, 1}}, nil, "--blocks 41 blocks along X, but the grid has 40 cells there: give fewer blocks or a larger --cells"},
		{40, result.Params{"blocks": []int64{3, 1}}, nil, "--blocks 3 × 1 = 3 blocks do not divide over 2 PEs"},
		{40, result.Params{"model": "mpi", "odf": nil, "blocks": []int64{4, 1}}, nil, "--blocks 4 × 1 blocks for 2 ranks: a rank has one block, so give 2"},
		{40, result.Params{"blocks": []int64{8, 1}, "speed_x": int64(2)}, []int64{8, 1}, ""},
		{40, result.Params{"blocks": []int64{8, 1}, "speed_x": int64(3)}, nil, "--speed-x particles would move 7 cells a step, past a whole block of 5"},
		{40, result.Params{"blocks": []int64{1, 8}, "speed_y": int64(-6)}, nil, "--speed-y particles would move 6 cells a step, past"},
		{40, result.Params{"blocks": []int64{2, 1}, "speed_x": int64(19)}, []int64{2, 1}, ""},
		{40, result.Params{"speed_x": int64(20)}, nil, "--speed-x particles would move 41 cells a step, and the grid has 40"},
		{40, result.Params{"balance": "greedy", "iterations": int64(16), "warmup": int64(4)}, []int64{1, 2}, ""},
		{40, result.Params{"balance": "greedy", "iterations": int64(15), "warmup": int64(4)}, nil,
			"--balance-every 20 steps from one sync point to the next, and the case has 19, warm-up included: give 19 at most"},
		{40, result.Params{"iterations": int64(15), "warmup": int64(4)}, []int64{1, 2}, ""}, // without a balancer
		{40, result.Params{"balance": "greedy", "iterations": nil, "seconds": 0.1, "warmup": int64(1)}, []int64{1, 2}, ""},
		{40, result.Params{"distribution": "linear", "alpha": 4.0}, nil, "--beta 3 is less than --alpha 4"},
		{40, result.Params{"distribution": "patch", "patch_x": []int64{5, 4}}, nil, "--patch-x 5,4 is no part of 40 cells"},
		{40, result.Params{"distribution": "patch", "patch_y": []int64{5, 40}}, nil, "--patch-y 5,40 is no part of 40 cells"},
	} {
		p := params(c.cells, c.more)
		flag, err := settle(p)
		switch {
		case err != nil:
			if got := flag + " " + err.Error(); c.wrong == "" || !strings.HasPrefix(got, c.wrong) {
				t.Errorf("%d cells, %v: %s, want %s", c.cells, c.more, got, c.wrong)
			}
		case c.wrong != "":
			t.Errorf("%d cells, %v: no error, want %s", c.cells, c.more, c.wrong)
		case p.Ints("blocks")[0] != c.blocks[0] || p.Ints("blocks")[1] != c.blocks[1]:
			t.Errorf("%d cells, %v: blocks %v, want %v", c.cells, c.more, p.Ints("blocks"), c.blocks)
		}
	}
}

// What does not concern a case is null in it.
func TestSettleForgets(t *testing.T) {
	p := params(40, nil)
	if _, err := settle(p); err != nil || p.Has("alpha") || p.Has("patch_x") || p.Has("balance_every") || !p.Has("rho") {
		t.Errorf("geometric, no balancer: %v, %v", p, err)
	}
	p = params(40, result.Params{"distribution": "patch", "balance": "greedy"})
	if _, err := settle(p); err != nil || p.Has("rho") || p.Ints("patch_x")[1] != 8 || p.Ints("patch_y")[0] != 4 || !p.Has("balance_every") {
		t.Errorf("patch, greedy: %v, %v", p, err)
	}
}

// The rate is of all particles that were placed, not of those asked for.
func TestRate(t *testing.T) {
	p := params(40, nil)
	if _, err := settle(p); err != nil {
		t.Fatal(err)
	}
	q, err := newProblem(p)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := rate(p, 10, 2), float64(q.crowd().total)*5; got != want || want == 2500 {
		t.Errorf("%v particles a second, want %v", got, want)
	}
}
