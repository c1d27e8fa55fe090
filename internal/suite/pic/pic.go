// Package pic is the particle-in-cell benchmark as the Parallel Research
// Kernels define it: charged particles move through a periodic grid of fixed
// charges whose columns alternate, so that each particle's path is known
// exactly. The grid is cut into blocks, and after every step particles go to
// the block that they are in. How particles are distributed decides how uneven
// the blocks' loads are, and that unevenness travels.
//
// Definition: Georganas, Van der Wijngaart, Mattson, "Design and Implementation
// of a Parallel Research Kernel for Assessing Dynamic Load-Balancing
// Capabilities" (IPDPS 2016), and MPI1/PIC-static/pic.c and
// common/random_draw.c of the Parallel Research Kernels.
package pic

import (
	"gpubench/internal/bench"
	"gpubench/internal/limits"
	"gpubench/internal/result"
	"gpubench/internal/suite/device"
	"gpubench/internal/suite/phases"
	"gpubench/kernels"
	"gpubench/runtimes/charm"
)

var ofCharm = []bench.Model{bench.Charm}

// Benchmark is pic.
var Benchmark = &bench.Benchmark{
	Name: "pic",
	Doc:  "particles in cells of the Parallel Research Kernels: moved through fixed charges, handed on from block to block",
	Params: []bench.Param{
		{Name: "particles", Doc: "particles asked for; the draws place about as many", Default: int64(100000), Quick: int64(20000),
			Flag: "particles", Min: 1, Max: 1 << 40, Scales: true},
		{Name: "cells", Doc: "cells of the grid each way, even", Default: int64(998), Quick: int64(200), Flag: "cells", Min: 2, Max: 1 << 20},
		{Name: "distribution", Doc: "where particles are at the start", Default: "geometric", Flag: "distribution",
			Values: []string{"geometric", "sinusoidal", "linear", "patch", "uniform"}},
		{Name: "rho", Doc: "geometric: a column's particles over those of the one before", Default: 0.99, Flag: "rho", Min: 0.001, Max: 1000},
		{Name: "alpha", Doc: "linear: density falls as beta - alpha x, x from 0 to 1", Default: 1.0, Flag: "alpha"},
		{Name: "beta", Doc: "linear: the density at x = 0", Default: 3.0, Flag: "beta"},
		{Name: "patch_x", Doc: "patch: first and last column; by default 0 and a fifth of the cells", Default: []int64(nil), Flag: "patch-x",
			Len: 2, Max: 1 << 20},
		{Name: "patch_y", Doc: "patch: first and last row; by default a tenth and a fifth of the cells", Default: []int64(nil), Flag: "patch-y",
			Len: 2, Max: 1 << 20},
		{Name: "speed_x", Doc: "k: particles move 2k+1 cells to the right a step", Default: int64(0), Flag: "speed-x", Min: 0, Max: 1 << 18},
		{Name: "speed_y", Doc: "m: particles move m cells up a step", Default: int64(1), Flag: "speed-y", Min: -(1 << 19), Max: 1 << 19},
		{Name: "blocks", Doc: "block grid; by default as even as can be, fewer along x", Default: []int64(nil), Flag: "blocks", Len: 2,
			Min: 1, Max: 1 << 20},
		{Name: "odf", Doc: "blocks (chares) per PE", Default: int64(1), Flag: "odf", Min: 1, Max: 4096, Models: ofCharm},
		{Name: "balance", Doc: "how chares are placed anew at sync points", Default: "none", Flag: "balance", Values: charm.Balancers(),
			Models: ofCharm},
		{Name: "balance_every", Doc: "steps from one sync point to the next, warm-up counted; no more than a case has. Timed steps are rounded up to a multiple", Default: int64(20), Flag: "balance-every", Min: 1, Max: 1 << 30,
			Models: ofCharm},
		phases.Param,
		{Name: "iterations", Doc: "timed steps in all; warm-up moves the particles too", Default: int64(100)},
	},
	Metrics: []bench.Metric{
		{Name: "iteration_time", Unit: "s", Doc: "time of a step: move, pack, exchange, append, and what balancing falls to it; mean over a batch, largest PE"},
		{Name: "particle_rate", Unit: "op/s", Doc: "particles moved a second, over all PEs", Value: rate},
		{Name: "compute_time", Unit: "s", Lap: lapCompute, Doc: "time of the kernels that move and pack in a step, by the device's events; largest PE"},
		{Name: "comm_time", Unit: "s", Lap: lapComm, Doc: "time from a block's packed particles to the arrival of its neighbours', counts first; mean over the PE's blocks; largest PE"},
		{Name: "balance_time", Unit: "s", Lap: lapBalance, Doc: "time at sync points a step: the wait for word of the new places, and the moves; largest PE",
			When: balances},
		phases.Metric(phases.Pack, phases.On, "time of the packing kernels in a step, by the device's events, a part of compute_time; largest PE"),
		phases.Metric(phases.Copy, phases.Copies, "time of the staging copies in a step, both ways, those of blocks that move too, by the device's events; largest PE"),
		phases.Metric(phases.Post, phases.On, "time in the calls that start a step's receives and sends, of numbers and of particles; largest PE"),
		phases.Metric(phases.Wait, phases.On, "time from there to the end of a block's receives and sends, of numbers and of particles, mean over the PE's blocks; largest PE"),
		phases.Metric(phases.Unpack, phases.On, "time of the kernels that append what came in a step, by the device's events; largest PE"),
	},
	New: map[bench.Model]func(*bench.PE, result.Params) (bench.Body, error){
		bench.MPI:   newMPI,
		bench.Charm: newCharm,
	},
	Settle: settle,
	MinPEs: 1,
	// A step alone would time the pipeline's filling and draining.
	MinBatch:   5,
	Period:     period,
	Iterations: counts,
	Memory:     memory,
	Longest:    longest,
	Ceilings:   ceilings,
}

const (
	lapCompute = "compute"
	lapComm    = "comm"
	lapBalance = "balance"
)

// counts: the Parallel Research Kernels leave steps to the user and warm up with one. 100 are the study's.
func counts(_ int64, quick bool) (timed, warmup int64) {
	if quick {
		return 20, 5
	}
	return 100, 10
}

// balances reports whether a case has sync points.
func balances(p result.Params) bool { return p.Has("balance") && p.String("balance") != "none" }

// period: each batch has as many sync points as any other.
func period(p result.Params) int64 {
	if balances(p) {
		return p.Int("balance_every")
	}
	return 1
}

// rate is particles moved a second. All that were placed are moved in each step.
func rate(p result.Params, n int, seconds float64) float64 {
	q, err := newProblem(p)
	if err != nil {
		panic("pic: " + err.Error()) // it has run
	}
	return float64(q.crowd().total) * float64(n) / seconds
}

// memory is particles with the arrays' slack and what is packed of them, and the charges.
func memory(p result.Params) int64 {
	cells := p.Int("cells")
	return p.Int("particles")*kernels.PICBytes*3/2 + 8*cells*cells
}

// ceilings: positions and velocities of all particles are read and written once at least, whoever has how many of them.
func ceilings(p result.Params) []limits.Ceiling {
	q, err := newProblem(p)
	if err != nil {
		panic("pic: " + err.Error()) // it has been settled
	}
	return device.InPlace(p, 4*8*q.least())
}

// longest is guessed: what leaves a block in one step if its particles are spread evenly.
func longest(p result.Params) int64 {
	b := p.Ints("blocks")
	n := p.Int("particles") / (b[0] * b[1])
	width, height := max(1, p.Int("cells")/b[0]), max(1, p.Int("cells")/b[1])
	dx, dy := 2*p.Int("speed_x")+1, max(p.Int("speed_y"), -p.Int("speed_y"))
	return min(n, n*dx/width+n*dy/height) * kernels.PICBytes
}
