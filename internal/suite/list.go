// Package suite is the benchmarks: each one problem and one short body per
// model. A new one is a file or a folder here and a line in All.
package suite

import (
	"gpubench/internal/bench"
	"gpubench/internal/suite/device"
	"gpubench/internal/suite/jacobi3d"
)

// All lists the benchmarks in the order in which they are shown.
func All() *bench.Registry {
	return bench.NewRegistry(pingpong, bandwidth, bibandwidth, multiLatency, multiBandwidth, jacobi3d.Benchmark,
		device.Copies, device.Latencies, device.Streams)
}
