// Package jacobi3d is the three-dimensional Jacobi benchmark: each interior
// cell becomes the mean of itself and its six neighbours, over a grid cut into
// blocks whose faces travel while their interiors are computed.
//
// The problem is that of the Charm++ and Charm4Py programs (7 points, float64)
// with the start and faces of docs/MEASURING.md: `modes`, whose every cell is
// known in closed form, or `charm`, theirs.
package jacobi3d

import (
	"gpubench/internal/bench"
	"gpubench/internal/result"
	"gpubench/internal/suite/stencil"
	"gpubench/kernels"
)

// Benchmark is jacobi3d.
var Benchmark = &bench.Benchmark{
	Name: "jacobi3d",
	Doc:  "7-point Jacobi iterations on a grid in blocks, faces exchanged while interiors are computed",
	Params: []bench.Param{
		{Name: "grid", Unit: "cells", Doc: "interior cells of a stencil", Default: []int64{192, 192, 192}, Quick: []int64{48, 48, 48},
			Flag: "grid", Len: 3, Min: 1, Max: 1 << 20},
		{Name: "blocks", Doc: "block grid of a stencil; by default that of least surface", Default: []int64(nil),
			Flag: "blocks", Len: 3, Min: 1, Max: 1 << 20},
		{Name: "odf", Doc: "blocks (chares) per PE", Default: int64(1), Flag: "odf", Min: 1, Max: 4096},
		{Name: "field", Doc: "start and faces of the field", Default: "modes", Flag: "field", Values: []string{"modes", "charm"}},
		{Name: "iterations", Doc: "timed iterations in all; warm-up runs on the same field", Default: int64(100)},
	},
	Metrics: []bench.Metric{
		{Name: "iteration_time", Unit: "s", Doc: "time of an iteration: pack, exchange, both parts of the update; mean over a batch, largest PE"},
		{Name: "compute_time", Unit: "s", Lap: lapCompute, Doc: "time of the update kernels in an iteration, by the device's events; largest PE"},
		{Name: "comm_time", Unit: "s", Lap: lapComm, Doc: "time from a block's packed faces to its neighbours' arrival, mean over the PE's blocks; overlaps with compute_time; largest PE"},
	},
	New: map[bench.Model]func(*bench.PE, result.Params) (bench.Body, error){
		bench.MPI:   newMPI,
		bench.Charm: newCharm,
	},
	Settle: stencil.Settle,
	MinPEs: 1,
	// An iteration alone would time the pipeline's filling and draining.
	MinBatch:   minBatch,
	Iterations: counts,
	Memory:     memory,
	Longest:    longest,
}

const (
	lapCompute = "compute"
	lapComm    = "comm"
	minBatch   = 5
)

// counts are those of the Charm++ program, 100 and 10.
func counts(_ int64, quick bool) (timed, warmup int64) {
	if quick {
		return 20, 5
	}
	return 100, 10
}

// memory is two fields with ghost cells, packed faces, and the reference of
// `--field charm`.
func memory(p result.Params) int64 {
	g := p.Ints("grid")
	field := int64(kernels.NewBlock3D(int(g[0]), int(g[1]), int(g[2])).Bytes())
	total := field * 5 / 2
	if p.String("field") == "charm" && cells(p) <= referenceCells {
		total += field * p.Int("pes")
	}
	return total
}

// longest is the largest face of the largest block.
func longest(p result.Params) int64 {
	var n [3]int64
	for i := range n {
		blocks := p.Ints("blocks")[i]
		n[i] = (p.Ints("grid")[i] + blocks - 1) / blocks
	}
	return 8 * max(n[0]*n[1], n[0]*n[2], n[1]*n[2])
}

func cells(p result.Params) int64 {
	g := p.Ints("grid")
	return g[0] * g[1] * g[2]
}
