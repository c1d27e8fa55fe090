// Package suite is the benchmarks: each one problem and one short body per
// model. A new one is a file or a folder here and a line in All.
package suite

import (
	"gpubench/internal/bench"
	"gpubench/internal/suite/collective"
	"gpubench/internal/suite/jacobi3d"
)

// All lists the benchmarks in the order in which they are shown.
func All() *bench.Registry {
	list := []*bench.Benchmark{pingpong, bandwidth, bibandwidth, multiLatency, multiBandwidth, jacobi3d.Benchmark}
	list = append(list, collective.Benchmarks...)
	return bench.NewRegistry(list...)
}
