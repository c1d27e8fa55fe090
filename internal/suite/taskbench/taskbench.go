// Package taskbench is Task Bench: a task graph of many small tasks in timesteps, each of which takes in what tasks of the
// timestep before have put out; and METG, the smallest task that such a graph can be made of and still keep the PEs busy.
//
// Definitions are those of StanfordLegion/task-bench (core/core.cc, core/core_kernel.cc, mpi/nonblock.cc) and of Slaughter et
// al., "Task Bench: A Parameterized Benchmark for Evaluating Parallel Runtime Performance", SC 2020. docs/MEASURING.md says
// what is timed and where ours differ.
package taskbench

import (
	"fmt"
	"slices"
	"sync"

	"gpubench/internal/bench"
	"gpubench/internal/result"
	"gpubench/internal/suite/phases"
	"gpubench/internal/suite/taskbench/graph"
	"gpubench/kernels"
)

// Kernels of tasks.
const (
	empty         = "empty"
	busyWait      = "busy_wait"
	computeBound  = "compute_bound"
	memoryBound   = "memory_bound"
	loadImbalance = "load_imbalance"
)

// Benchmark is taskbench.
var Benchmark = &bench.Benchmark{
	Name: "taskbench",
	Doc:  "a task graph: tasks in timesteps that take in what tasks of the timestep before have put out (Task Bench)",
	Params: append(params(),
		bench.Param{Name: "task_size", Doc: "size of a task: iterations of its kernel", Default: int64(1024), Flag: "task-size", Max: 1e9},
		phases.Param,
		bench.Param{Name: "iterations", Doc: "timed runs of the graphs in all", Default: int64(100)}),
	Metrics: []bench.Metric{
		{Name: "task_time", Unit: "s", Value: granularity, Doc: "granularity: time of a run, times PEs, over tasks"},
		{Name: "task_rate", Unit: "op/s", Value: taskRate, Doc: "tasks per second, all PEs together"},
		{Name: "run_time", Unit: "s", Doc: "time of one run of all graphs, mean over a batch"},
		{Name: "work_rate", Unit: "op/s", Value: workRate, When: func(p result.Params) bool { return works(p) && !inBytes(p) },
			Doc: "floating-point operations (busy_wait: iterations) per second in tasks' kernels, all PEs together"},
		{Name: "copy_rate", Unit: "B/s", Value: workRate, When: inBytes,
			Doc: "bytes of scratch per second that memory-bound tasks read or write, all PEs together"},
		phase(lapCompute, phases.On, "time of a PE's tasks in a timestep, on a device by its events; mean over a batch, largest PE"),
		phase(phases.Copy, phases.Copies, "time of the staging copies in a timestep, both ways, by the device's events; largest PE"),
		phase(phases.Post, phases.On, "time in the calls that start a timestep's sends and receives; largest PE"),
		phase(phases.Wait, phases.On, "time from there to the end of a timestep's messages, in the message-driven model mean over the PE's points; largest PE"),
	},
	New:        bodies,
	MinPEs:     1,
	Settle:     settle,
	Iterations: func(_ int64, quick bool) (timed, warmup int64) { return pick(quick, 20, 100), pick(quick, 2, 5) },
	Memory:     memory,
	Longest:    func(p result.Params) int64 { return p.Int("output_bytes") },
	Ceilings:   ceilings,
}

// METG is metg.
var METG = &bench.Benchmark{
	Name: "metg",
	Doc:  "METG(50 %): the smallest granularity of a task graph at which half of the PEs' peak work rate is left (Task Bench)",
	Params: append(params(),
		bench.Param{Name: "repetitions", Doc: "repetitions of the task sizes on either side of 50 %, and of the peak",
			Default: int64(15), Quick: int64(5), Flag: "repetitions", Min: 5, Max: 1000}),
	Metrics: []bench.Metric{
		{Name: "metg", Unit: "s", Doc: "granularity (time of a run × PEs / tasks) where the work rate is half of its peak, linear between task sizes"},
		{Name: "peak_rate", Unit: "op/s", Doc: "work rate at the largest task size: operations, iterations or bytes per second, all PEs together"},
	},
	New:    bodies,
	MinPEs: 1,
	Settle: func(p result.Params) (string, error) {
		if p.String("task_kernel") == empty {
			return "--task-kernel", fmt.Errorf("METG needs a kernel that works: give %s, %s, %s or %s", computeBound, memoryBound, busyWait, loadImbalance)
		}
		return settle(p)
	},
	Search:  newSearch,
	Memory:  memory,
	Longest: Benchmark.Longest,
}

var bodies = map[bench.Model]func(*bench.PE, result.Params) (bench.Body, error){
	bench.MPI:   newMPI,
	bench.Charm: newCharm,
}

// params are those that both benchmarks have. Defaults are Task Bench's where it has some that run.
func params() []bench.Param {
	var patterns []string
	for _, p := range graph.Patterns {
		patterns = append(patterns, string(p))
	}
	return []bench.Param{
		{Name: "pattern", Doc: "what tasks depend on in the timestep before", Default: string(graph.Stencil1D), Flag: "pattern", Values: patterns},
		{Name: "task_kernel", Doc: "what tasks do", Default: computeBound, Flag: "task-kernel",
			Values: []string{empty, busyWait, computeBound, memoryBound, loadImbalance}},
		{Name: "steps", Doc: "timesteps", Default: int64(1000), Quick: int64(100), Flag: "steps", Min: 1, Max: 1e7},
		{Name: "width", Doc: "points of a timestep; 0: one per PE", Default: int64(0), Flag: "width", Max: 1 << 20, Scales: true},
		{Name: "output_bytes", Unit: "B", Doc: "what a task puts out, and a dependence carries", Default: int64(16), Flag: "output-bytes", Min: 16, Max: 1 << 30},
		{Name: "graphs", Doc: "graphs that run at once, alike but for their draws", Default: int64(1), Flag: "graphs", Min: 1, Max: maxGraphs},
		{Name: "radix", Doc: "dependencies of a task in nearest, spread and random_nearest", Default: int64(3), Flag: "radix", Max: 1 << 20},
		{Name: "period", Doc: "timesteps after which spread and random_nearest repeat", Default: int64(3), Flag: "period", Min: 1, Max: 1 << 10},
		{Name: "fraction", Doc: "share of the nearest points that random_nearest takes", Default: 0.25, Flag: "fraction", Max: 1},
		{Name: "imbalance", Doc: "load_imbalance: tasks' sizes are spread over this share of the size, around it", Default: 1.0, Flag: "imbalance", Max: 2},
		{Name: "scratch_bytes", Unit: "B", Doc: "memory_bound: scratch memory of a point", Default: int64(1 << 20), Flag: "scratch-bytes", Min: 16, Max: 1 << 40},
		{Name: "scratch_pieces", Doc: "memory_bound: pieces of the scratch, of which each iteration copies one", Default: int64(16), Flag: "scratch-pieces", Min: 1, Max: 1 << 20},
		{Name: "task_blocks", Doc: "blocks of 64 threads that a task has on a GPU", Default: int64(1), Flag: "task-blocks", Min: 1, Max: 1 << 16},
	}
}

// maxGraphs keeps a graph's number, with the point's, in one word of an output.
const maxGraphs = 1 << 10

// settle sets the width, makes null what does not concern the case, and checks that the rest fits together.
func settle(p result.Params) (flag string, err error) {
	if p.Int("width") == 0 {
		p["width"] = p.Int("pes")
	}
	pattern, kernel := graph.Pattern(p.String("pattern")), p.String("task_kernel")
	drop := func(unless bool, names ...string) {
		for _, name := range names {
			if !unless {
				p[name] = nil
			}
		}
	}
	drop(slices.Contains([]graph.Pattern{graph.Nearest, graph.Spread, graph.RandomNearest}, pattern), "radix")
	drop(slices.Contains([]graph.Pattern{graph.Spread, graph.RandomNearest}, pattern), "period")
	drop(pattern == graph.RandomNearest, "fraction")
	drop(kernel == loadImbalance, "imbalance")
	drop(kernel == memoryBound, "scratch_bytes", "scratch_pieces")
	if kernel == empty {
		drop(p["task_size"] == nil, "task_size")
	}
	if kernel == memoryBound && p.Int("scratch_bytes")%(16*p.Int("scratch_pieces")) != 0 {
		return "--scratch-bytes", fmt.Errorf("%d B do not divide into %d pieces of two halves of words: give a multiple of %d",
			p.Int("scratch_bytes"), p.Int("scratch_pieces"), 16*p.Int("scratch_pieces"))
	}
	return "", nil
}

// works tells that tasks do something that has a rate.
func works(p result.Params) bool { return p.String("task_kernel") != empty }

func inBytes(p result.Params) bool { return p.String("task_kernel") == memoryBound }

// graphs are those of a case.
func graphs(p result.Params) []graph.Graph {
	gs := make([]graph.Graph, p.Int("graphs"))
	for i := range gs {
		gs[i] = graph.Graph{
			Index: i, Pattern: graph.Pattern(p.String("pattern")), Width: int(p.Int("width")), Steps: int(p.Int("steps")),
			Radix: int(p.Int("radix")), Period: int(p.Int("period")), Fraction: p.Float("fraction"),
		}
	}
	return gs
}

// lapCompute is the phase of tasks.
const lapCompute = "compute"

// phase is a phase's time in a timestep.
func phase(lap string, when func(result.Params) bool, doc string) bench.Metric {
	m := phases.Metric(lap, when, doc)
	m.Value = func(p result.Params, n int, seconds float64) float64 {
		return seconds / float64(n) / float64(p.Int("steps"))
	}
	return m
}

// tasks is how many a run has.
func tasks(p result.Params) float64 {
	return float64(p.Int("graphs")) * float64(graphs(p)[0].Tasks())
}

func granularity(p result.Params, n int, seconds float64) float64 {
	return seconds / float64(n) * float64(p.Int("pes")) / tasks(p)
}

func taskRate(p result.Params, n int, seconds float64) float64 {
	return float64(n) * tasks(p) / seconds
}

func workRate(p result.Params, n int, seconds float64) float64 {
	return float64(n) * work(p, p.Int("task_size")) / seconds
}

// work is what all kernels of a run do: floating-point operations, of busy_wait iterations, of memory_bound bytes.
func work(p result.Params, size int64) float64 {
	blocks := p.Int("task_blocks")
	switch p.String("task_kernel") {
	case busyWait:
		return tasks(p) * float64(size)
	case memoryBound:
		return tasks(p) * float64(size) * float64(p.Int("scratch_bytes")/p.Int("scratch_pieces"))
	case computeBound:
		return tasks(p) * float64(size) * float64(kernels.TaskFlops*blocks)
	case loadImbalance:
		return imbalancedSum(graphs(p), size, p.Float("imbalance")) * float64(kernels.TaskFlops*blocks)
	}
	return 0
}

// sums keeps what a million draws came to: each sample asks again.
var sums sync.Map

// imbalancedSum is the iterations of all tasks under load imbalance.
func imbalancedSum(gs []graph.Graph, size int64, imbalance float64) float64 {
	type key struct {
		g         graph.Graph
		graphs    int
		size      int64
		imbalance float64
	}
	k := key{gs[0], len(gs), size, imbalance}
	if known, ok := sums.Load(k); ok {
		return known.(float64)
	}
	sum := 0.0
	for i, g := range gs {
		for t := range g.Steps {
			first, n := g.Window(t)
			for point := first; point < first+n; point++ {
				sum += float64(graph.Imbalanced(size, imbalance, graph.Uniform(i, t, point)))
			}
		}
	}
	sums.Store(k, sum)
	return sum
}

// memory is outputs, inputs and scratch of all points.
func memory(p result.Params) int64 {
	g := graphs(p)[0]
	inputs := 0
	for set := range g.Sets() {
		inputs = max(inputs, len(g.Dependencies(set, g.Width/2)))
	}
	perPoint := int64(2+inputs)*p.Int("output_bytes") + p.Int("scratch_bytes")
	return p.Int("graphs") * int64(g.Width) * perPoint
}

func pick(quick bool, short, long int64) int64 {
	if quick {
		return short
	}
	return long
}
