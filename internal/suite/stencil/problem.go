// What a stencil benchmark brings, and the parameters and metrics that all of
// them have.

package stencil

import (
	"gpubench/gpu"
	"gpubench/internal/bench"
	"gpubench/internal/limits"
	"gpubench/internal/result"
	"gpubench/internal/suite/device"
	"gpubench/internal/suite/phases"
	"gpubench/kernels"
)

// Problem is one stencil: each interior cell becomes the mean of itself and its
// neighbours along the axes. Decomposition, exchange, bodies, timing and checks
// are the package's.
type Problem struct {
	Name, Doc   string
	Axes        int     // 2 or 3
	Grid, Quick []int64 // default interior cells along each axis
	Everywhere  bool    // as bench.Benchmark's

	// Update does one iteration over a box of a block, and Shell over what the
	// box of kernels.Block3D.Inner leaves.
	Update func(k *kernels.Set, s *gpu.Stream, in, out gpu.Memory, g kernels.Block3D, region kernels.Box) error
	Shell  func(k *kernels.Set, s *gpu.Stream, in, out gpu.Memory, g kernels.Block3D, m kernels.Mask) error

	// Constant is the start other than the modes.
	Constant Constant
}

// Constant is a start with one value inside, and one on the grid's outer faces
// at the low and at the high side of the axes.
type Constant struct {
	Field               string // the value of --field
	Interior, Low, High float64
}

// The values of --field that all have, and of --part.
const (
	fieldModes = "modes"

	partCompute = "compute"
	partComm    = "comm"
)

// The laps of an iteration that are in every case.
const (
	lapCompute = "compute"
	lapComm    = "comm"
)

// minBatch keeps an iteration alone from timing the pipeline's filling and
// draining.
const minBatch = 5

// New makes the benchmark of a problem.
func New(q *Problem) *bench.Benchmark {
	return &bench.Benchmark{
		Name:    q.Name,
		Doc:     q.Doc,
		Params:  q.params(),
		Metrics: metrics,
		New: map[bench.Model]func(*bench.PE, result.Params) (bench.Body, error){
			bench.MPI:   q.newRanks,
			bench.Charm: q.newChares,
		},
		Settle:     Settle,
		MinPEs:     1,
		Everywhere: q.Everywhere,
		MinBatch:   minBatch,
		Iterations: counts,
		Memory:     q.memory,
		Longest:    longest,
		Ceilings:   ceilings,
	}
}

// ceilings: where cells are updated, each is read and written once at least.
func ceilings(p result.Params) []limits.Ceiling {
	if !computes(p) {
		return nil
	}
	bytes := int64(8)
	for _, n := range p.Ints("grid") {
		bytes *= n
	}
	return device.Through(p, bytes)
}

func (q *Problem) params() []bench.Param {
	return []bench.Param{
		{Name: "grid", Unit: "cells", Doc: "interior cells of a stencil", Default: q.Grid, Quick: q.Quick,
			Flag: "grid", Len: q.Axes, Min: 1, Max: 1 << 20, Scales: true},
		{Name: "blocks", Doc: "grid of blocks; by default that of least surface, of pic as even as can be", Default: []int64(nil),
			Flag: "blocks", Len: q.Axes, Min: 1, Max: 1 << 20},
		{Name: "odf", Doc: "blocks (chares) per PE", Default: int64(1), Flag: "odf", Min: 1, Max: 4096},
		{Name: "field", Doc: "start and faces of the field", Default: fieldModes, Flag: "field",
			Values: []string{fieldModes, q.Constant.Field}},
		{Name: "part", Doc: "what of an iteration is done: all (the whole), only the updates, or only the exchange of faces",
			Default: "all", Null: "all", Flag: "part", Values: []string{"all", partCompute, partComm}},
		{Name: "launch", Doc: "how a block's kernels are launched: all faces in one launch (fused), one for each, unpack to pack in a graph, or what is found to be fastest (auto)",
			Default: launchFused, Null: launchFused, Flag: "launch", Values: []string{launchFused, launchSeparate, launchGraph, launchAuto}},
		phases.Param,
		{Name: "iterations", Doc: "timed iterations in all; warm-up runs on the same field", Default: int64(100)},
	}
}

var metrics = []bench.Metric{
	{Name: "iteration_time", Unit: "s", Doc: "time of an iteration: pack, exchange, both parts of the update, or the part asked for; mean over a batch, largest PE"},
	{Name: "compute_time", Unit: "s", Lap: lapCompute, When: computes, Doc: "time of the update kernels in an iteration, by the device's events, with --launch graph of those in the graph; largest PE"},
	{Name: "comm_time", Unit: "s", Lap: lapComm, When: exchanges, Doc: "time from a block's packed faces to its neighbours' arrival, mean over the PE's blocks; overlaps with compute_time; largest PE"},
	phases.Metric(phases.Pack, exchangePhases, "time of the packing kernels in an iteration, by the device's events; largest PE"),
	phases.Metric(phases.Copy, copies, "time of the staging copies in an iteration, both ways, by the device's events; they run while faces are posted and waited for; largest PE"),
	phases.Metric(phases.Post, exchangePhases, "time in the calls that start an iteration's receives and sends; largest PE"),
	phases.Metric(phases.Wait, exchangePhases, "time from the start of the interior's update, which follows the posting, to the end of a block's receives and sends, mean over the PE's blocks; largest PE"),
	phases.Metric(phases.Unpack, exchangePhases, "time of the unpacking kernels in an iteration, by the device's events; largest PE"),
}

// part is the part of an iteration that a case is about; "" is the whole.
func part(p result.Params) string {
	if !p.Has("part") {
		return ""
	}
	return p.String("part")
}

// launch is how kernels are launched.
func launch(p result.Params) string {
	if !p.Has("launch") {
		return launchFused
	}
	return p.String("launch")
}

func computes(p result.Params) bool       { return part(p) != partComm }
func exchanges(p result.Params) bool      { return part(p) != partCompute }
func exchangePhases(p result.Params) bool { return phases.On(p) && exchanges(p) }
func copies(p result.Params) bool         { return exchanges(p) && phases.Copies(p) }

// counts are those of the Charm++ program and of the study's, 100 and 10.
func counts(_ int64, quick bool) (timed, warmup int64) {
	if quick {
		return 20, 5
	}
	return 100, 10
}

// memory is two fields with ghost cells, packed faces, and the reference of a
// constant start.
func (q *Problem) memory(p result.Params) int64 {
	grid := axes(p.Ints("grid"))
	g := newBlock(q.Axes == 2, grid)
	total := int64(g.Bytes()) * 5 / 2
	if p.String("field") != fieldModes {
		total += 2 * 8 * min(int64(g.Cells()), referenceCells) * p.Int("pes")
	}
	return total
}

// longest is the largest face of the largest block.
func longest(p result.Params) int64 {
	grid, blocks := axes(p.Ints("grid")), axes(p.Ints("blocks"))
	var n [3]int64
	for i := range n {
		n[i] = int64((grid[i] + blocks[i] - 1) / blocks[i])
	}
	if len(p.Ints("grid")) == 2 {
		return 8 * max(n[0], n[1])
	}
	return 8 * max(n[0]*n[1], n[0]*n[2], n[1]*n[2])
}

// axes is a list of two or three numbers as three: 1 along an axis that is not
// there.
func axes(list []int64) [3]int {
	n := [3]int{1, 1, 1}
	for i, x := range list {
		n[i] = int(x)
	}
	return n
}

// newBlock is a block of so many cells, flat or not.
func newBlock(flat bool, n [3]int) kernels.Block3D {
	if flat {
		return kernels.NewBlock2D(n[0], n[1])
	}
	return kernels.NewBlock3D(n[0], n[1], n[2])
}
