package suite

import (
	"os"
	"slices"
	"strings"
	"testing"

	"gpubench/internal/bench"
	"gpubench/internal/result"
)

// Defaults are OSU's: 10000 and 100 up to 8 KiB, 1000 and 10 above; windows 100
// and 10, 20 and 2; and a window is 64.
func TestCountsAreOSUs(t *testing.T) {
	for _, c := range []struct {
		f             func(int64, bool) (int64, int64)
		size          int64
		timed, warmup int64
	}{
		{osuLatencyCounts, 8, 10000, 100}, {osuLatencyCounts, 8192, 10000, 100}, {osuLatencyCounts, 8193, 1000, 10},
		{osuBandwidthCounts, 8192, 100, 10}, {osuBandwidthCounts, 1 << 20, 20, 2},
		{bibandwidth.Iterations, 8192, 100, 10}, {bibandwidth.Iterations, 1 << 20, 20, 2},
		{multiLatency.Iterations, 8192, 10000, 100}, {multiLatency.Iterations, 8193, 1000, 10},
		{multiBandwidth.Iterations, 8192, 100, 10}, {multiBandwidth.Iterations, 1 << 20, 100, 10}, // one loop for all sizes
	} {
		if timed, warmup := c.f(c.size, false); timed != c.timed || warmup != c.warmup {
			t.Errorf("%d B: %d and %d, want %d and %d", c.size, timed, warmup, c.timed, c.warmup)
		}
	}
	for _, b := range []*bench.Benchmark{bandwidth, bibandwidth, multiBandwidth} {
		if i := slices.IndexFunc(b.Params, func(p bench.Param) bool { return p.Name == "window" }); i < 0 || b.Params[i].Default != int64(64) {
			t.Errorf("%s has another window", b.Name)
		}
	}
}

// Half a round trip; payload over time.
func TestMetrics(t *testing.T) {
	if v := pingpong.Metrics[0].Value(nil, 4, 8e-6); v != 1e-6 {
		t.Errorf("latency %v, want 1e-6", v)
	}
	p := result.Params{"size_bytes": int64(1000), "window": int64(64)}
	for _, c := range []struct {
		b      *bench.Benchmark
		metric int
		want   float64
	}{
		{bandwidth, 0, 128e6}, {bibandwidth, 0, 256e6}, {multiBandwidth, 0, 128e6}, {multiBandwidth, 1, 128e3},
	} {
		if m := c.b.Metrics[c.metric]; m.Value(p, 2, 1e-3) != c.want {
			t.Errorf("%s of %s is %v, want %v", m.Name, c.b.Name, m.Value(p, 2, 1e-3), c.want)
		}
	}
	for _, m := range append(multiBandwidth.Metrics, multiLatency.Metrics...) {
		if !m.Mean || m.EachPair != (m.Name != "latency") {
			t.Errorf("%s of all pairs: %+v", m.Name, m)
		}
	}
}

func TestEveryBenchmarkIsListed(t *testing.T) {
	want := []string{"pingpong", "bandwidth", "bibandwidth", "multi_latency", "multi_bandwidth",
		"barrier", "bcast", "reduce", "allreduce", "allgather", "alltoall", "reduce_scatter",
		"jacobi3d", "stencil2d", "pic", "taskbench", "metg", "devcopy", "devlatency", "stream", "flops"}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	all := All().All()
	if len(all) != len(want) {
		t.Fatalf("%d benchmarks", len(all))
	}
	for i, b := range all {
		if b.Name != want[i] || len(b.New) < 2 && !b.Alone {
			t.Errorf("benchmark %d is %s with %d models", i, b.Name, len(b.New))
		}
		if !strings.Contains(string(readme), "`"+b.Name+"`") {
			t.Errorf("README does not name %s", b.Name)
		}
	}
}
