// Package suite is the benchmarks: each one problem and one short body per
// model. A new one is a file or a folder here and a line in All.
package suite

import (
	"gpubench/internal/bench"
	"gpubench/internal/suite/collective"
	"gpubench/internal/suite/device"
	"gpubench/internal/suite/jacobi3d"
	"gpubench/internal/suite/pic"
	"gpubench/internal/suite/stencil2d"
	"gpubench/internal/suite/taskbench"
)

// All lists the benchmarks in the order in which they are shown.
func All() *bench.Registry {
	list := []*bench.Benchmark{pingpong, bandwidth, bibandwidth, multiLatency, multiBandwidth}
	list = append(list, collective.Benchmarks...)
	list = append(list, jacobi3d.Benchmark, stencil2d.Benchmark, pic.Benchmark, taskbench.Benchmark, taskbench.METG)
	list = append(list, device.Copies, device.Latencies, device.Streams, device.Flops)
	return bench.NewRegistry(list...)
}
