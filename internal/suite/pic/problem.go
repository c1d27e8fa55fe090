// The problem: how the grid is cut, which PE has which blocks, and who is next to whom.

package pic

import (
	"fmt"

	"gpubench/gpu"
	"gpubench/internal/bench"
	"gpubench/internal/result"
	"gpubench/internal/suite/cut"
	"gpubench/internal/suite/phases"
	"gpubench/kernels"
)

// problem is what all PEs and both models agree on.
type problem struct {
	spread
	cut.Blocks
	k, m   int64
	pages  gpu.Pages
	phases bool
}

// settle makes the decomposition out of the flags, sets to null what does not concern the distribution or the balancer,
// and says what does not go together.
func settle(p result.Params) (flag string, err error) {
	cells := p.Int("cells")
	if cells%2 != 0 {
		return "--cells", fmt.Errorf("%d is odd: columns of charges alternate round the grid, so give an even number", cells)
	}
	if flag, err = settleSpread(p, cells); err != nil {
		return flag, err
	}
	if !balances(p) {
		p["balance_every"] = nil
	} else if flag, err = settlePeriod(p); err != nil {
		return flag, err
	}
	if flag, err = settleBlocks(p, cells); err != nil {
		return flag, err
	}
	return settleSpeed(p, cells)
}

// settlePeriod: the loop rounds timed steps up to whole periods, but not to many times what was asked for.
func settlePeriod(p result.Params) (flag string, err error) {
	if !p.Has("iterations") {
		return "", nil
	}
	steps := p.Int("iterations") + p.Int("warmup")
	if every := p.Int("balance_every"); every > steps {
		return "--balance-every", fmt.Errorf("%d steps from one sync point to the next, and the case has %d, warm-up included: give %d at most, more -i, or --balance none",
			every, steps, steps)
	}
	return "", nil
}

// settleSpread wants a particle at least.
func settleSpread(p result.Params, cells int64) (flag string, err error) {
	if flag, err = settleShape(p, cells); err != nil {
		return flag, err
	}
	if s := newSpread(p); s.none() {
		return "--particles", s.noneError()
	}
	return "", nil
}

// noneError says that no particle is placed, and what to change.
func (s *spread) noneError() error {
	hint := "give more"
	if s.kind == "geometric" {
		hint += fmt.Sprintf(", or a --rho nearer to 1 than %g", s.rho)
	}
	return fmt.Errorf("of %d the draws place none in %d × %d cells: %s", s.particles, s.cells, s.cells, hint)
}

// settleShape is about the parameters of the distribution alone.
func settleShape(p result.Params, cells int64) (flag string, err error) {
	kind := p.String("distribution")
	if kind != "geometric" {
		p["rho"] = nil
	}
	if kind != "linear" {
		p["alpha"], p["beta"] = nil, nil
	} else if a, b := p.Float("alpha"), p.Float("beta"); b < 0 || b < a || b == 0 && a == 0 {
		return "--beta", fmt.Errorf("%g is less than --alpha %g, or negative: the density would be; give --beta of at least --alpha and 0", b, a)
	}
	if kind != "patch" {
		p["patch_x"], p["patch_y"] = nil, nil
		return "", nil
	}
	// In proportion as in the Parallel Research Kernels' own runs, 0 200 100 200 of 1000 cells.
	for _, f := range []struct {
		name, flag string
		first      int64
	}{{"patch_x", "--patch-x", 0}, {"patch_y", "--patch-y", cells / 10}} {
		if !p.Has(f.name) {
			p[f.name] = []int64{f.first, cells / 5}
		}
		if v := p.Ints(f.name); v[0] > v[1] || v[1] >= cells {
			return f.flag, fmt.Errorf("%d,%d is no part of %d cells: give first and last, from 0 to %d", v[0], v[1], cells, cells-1)
		}
	}
	return "", nil
}

// settleBlocks: by default the number of blocks along x is the largest divisor up to the root, as in pic.c.
func settleBlocks(p result.Params, cells int64) (flag string, err error) {
	pes := p.Int("pes")
	if p.Has("blocks") {
		b := p.Ints("blocks")
		odf, err := cut.Check([]int64{cells, cells}, b, pes, "--cells")
		switch {
		case err != nil:
			return "--blocks", err
		case p.String("model") == string(bench.Charm):
			p["odf"] = odf
		case odf != 1:
			return "--blocks", fmt.Errorf("%s blocks for %d ranks: a rank has one block, so give %d", cut.Times(b), pes, pes)
		}
		return "", nil
	}
	n := pes
	if p.Has("odf") {
		n *= p.Int("odf")
	}
	across := int64(1)
	for d := int64(2); d*d <= n+1; d++ {
		if n%d == 0 {
			across = d
		}
	}
	if n/across > cells {
		return "--cells", fmt.Errorf("%d × %d blocks do not fit into %d × %d cells: give more cells, fewer PEs or a smaller --odf", across, n/across, cells, cells)
	}
	p["blocks"] = []int64{across, n / across}
	return "", nil
}

// settleSpeed: particles go to the next block at most. Of up to three blocks along an axis each is next to every other.
func settleSpeed(p result.Params, cells int64) (flag string, err error) {
	b := p.Ints("blocks")
	for _, f := range []struct {
		flag   string
		speed  int64 // cells a step
		blocks int64
	}{{"--speed-x", 2*p.Int("speed_x") + 1, b[0]}, {"--speed-y", max(p.Int("speed_y"), -p.Int("speed_y")), b[1]}} {
		if f.speed >= cells {
			return f.flag, fmt.Errorf("particles would move %d cells a step, and the grid has %d: give less speed or more --cells", f.speed, cells)
		}
		if width := cells / f.blocks; f.blocks > 3 && f.speed > width {
			return f.flag, fmt.Errorf("particles would move %d cells a step, past a whole block of %d: give less speed, fewer blocks or more --cells", f.speed, width)
		}
	}
	return "", nil
}

func newProblem(p result.Params) (problem, error) {
	q := problem{spread: newSpread(p), k: p.Int("speed_x"), m: p.Int("speed_y"), phases: phases.On(p)}
	b := p.Ints("blocks")
	q.Blocks = cut.Blocks{Along: [3]int{int(b[0]), int(b[1]), 1}, PEs: int(p.Int("pes"))}
	var err error
	q.pages, err = gpu.ParsePages(p.String("pages"))
	return q, err
}

func newSpread(p result.Params) spread {
	s := spread{kind: p.String("distribution"), particles: p.Int("particles"), cells: p.Int("cells")}
	switch s.kind {
	case "geometric":
		s.rho = p.Float("rho")
	case "linear":
		s.alpha, s.beta = p.Float("alpha"), p.Float("beta")
	case "patch":
		x, y := p.Ints("patch_x"), p.Ints("patch_y")
		s.left, s.right, s.bottom, s.top = x[0], x[1], y[0], y[1]
	}
	return s
}

func (q *problem) crowd() *crowd { return drawCrowd(q.spread) }

// geometry is a block's cells.
func (q *problem) geometry(at [3]int) kernels.PICBlock {
	g := kernels.PICBlock{Cells: int(q.cells), X: at[0], Y: at[1], Across: q.Along[0], Up: q.Along[1]}
	g.Left, g.Right = cut.Range(g.Cells, g.Across, g.X)
	g.Bottom, g.Top = cut.Range(g.Cells, g.Up, g.Y)
	return g
}

// blockOf is the block that a cell lies in.
func (q *problem) blockOf(x, y int64) [3]int {
	n := int(q.cells)
	return [3]int{cut.BlockOf(int(x), n, q.Along[0]), cut.BlockOf(int(y), n, q.Along[1])}
}

// neighbour is a block next to another.
type neighbour struct {
	class int // that particles going there have
	block int // its index
}

// neighbours are the other blocks that particles of a block can go to, each once, in order of their classes.
func (q *problem) neighbours(at [3]int) []neighbour {
	var list []neighbour
	for dy := -1; dy <= 1; dy++ {
		for dx := -1; dx <= 1; dx++ {
			if away(dx, q.Along[0]) && away(dy, q.Along[1]) && (dx != 0 || dy != 0) {
				to := [3]int{(at[0] + dx + q.Along[0]) % q.Along[0], (at[1] + dy + q.Along[1]) % q.Along[1]}
				list = append(list, neighbour{3*(1+dy) + 1 + dx, q.Index(to)})
			}
		}
	}
	return list
}

// away reports whether particles can be d blocks away along an axis of that many: of two blocks the other one is always
// called 1 away.
func away(d, blocks int) bool { return d == 0 || d == 1 && blocks > 1 || d == -1 && blocks > 2 }

// expected is where a particle that started in a cell is after so many steps.
func (q *problem) expected(x, y, steps int64) (ex, ey int64) {
	return modulo(x+steps*(2*q.k+1), q.cells), modulo(y+steps*q.m, q.cells)
}

func modulo(a, n int64) int64 { return ((a % n) + n) % n }
