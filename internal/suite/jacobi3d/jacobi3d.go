// Package jacobi3d is the three-dimensional Jacobi benchmark: each interior
// cell becomes the mean of itself and its six neighbours, over a grid cut into
// blocks whose faces travel while their interiors are computed.
//
// The problem is that of the Charm++ and Charm4Py programs (7 points, float64)
// with the start and faces of docs/MEASURING.md: `modes`, whose every cell is
// known in closed form, or `charm`, theirs.
package jacobi3d

import (
	"gpubench/internal/suite/stencil"
	"gpubench/kernels"
)

// Benchmark is jacobi3d.
var Benchmark = stencil.New(&stencil.Problem{
	Name:       "jacobi3d",
	Doc:        "7-point Jacobi iterations on a grid in blocks, faces exchanged while interiors are computed",
	Axes:       3,
	Grid:       []int64{192, 192, 192},
	Quick:      []int64{48, 48, 48},
	Everywhere: true,
	Update:     (*kernels.Set).Jacobi3D,
	Shell:      (*kernels.Set).Jacobi3DShell,
	Constant:   stencil.Constant{Field: "charm", Interior: 0, Low: 1, High: 1},
})
