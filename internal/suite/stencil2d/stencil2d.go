// Package stencil2d is the two-dimensional stencil benchmark: each interior
// cell becomes the mean of itself and its four neighbours, over a grid cut into
// blocks whose faces travel while their interiors are computed.
//
// The problem is that of the study's programs (UIUC-PPL/charm4py-mpi4py-compare,
// branch espm2_2021, stencil/kernels.py: 5 points, float64, 100 iterations after
// 10), with the start and faces of docs/MEASURING.md: `modes`, whose every cell
// is known in closed form, or `study`, theirs: 1 inside, 255 at the low side of
// both axes and 1 at the high side. Their GPU kernel adds 1/5 where it means to
// multiply by it; here it is multiplied by.
package stencil2d

import (
	"gpubench/internal/suite/stencil"
	"gpubench/kernels"
)

// Benchmark is stencil2d. The study's grids, 73728² and 24576² cells, are for
// whole nodes; the default is one for any machine.
var Benchmark = stencil.New(&stencil.Problem{
	Name:     "stencil2d",
	Doc:      "5-point stencil iterations on a grid in blocks, faces exchanged while interiors are computed",
	Axes:     2,
	Grid:     []int64{2048, 2048},
	Quick:    []int64{256, 256},
	Update:   (*kernels.Set).Stencil2D,
	Shell:    (*kernels.Set).Stencil2DShell,
	Constant: stencil.Constant{Field: "study", Interior: 1, Low: 255, High: 1},
})
