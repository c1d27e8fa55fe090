package suite

import (
	"testing"

	"gpubench/internal/result"
)

// Defaults are OSU's: 10000 and 100 up to 8 KiB, 1000 and 10 above; windows 100
// and 10, 20 and 2.
func TestCountsAreOSUs(t *testing.T) {
	for _, c := range []struct {
		f             func(int64, bool) (int64, int64)
		size          int64
		timed, warmup int64
	}{
		{osuLatencyCounts, 8, 10000, 100}, {osuLatencyCounts, 8192, 10000, 100}, {osuLatencyCounts, 8193, 1000, 10},
		{osuBandwidthCounts, 8192, 100, 10}, {osuBandwidthCounts, 1 << 20, 20, 2},
	} {
		if timed, warmup := c.f(c.size, false); timed != c.timed || warmup != c.warmup {
			t.Errorf("%d B: %d and %d, want %d and %d", c.size, timed, warmup, c.timed, c.warmup)
		}
	}
}

// Half a round trip; payload over time.
func TestMetrics(t *testing.T) {
	if v := pingpong.Metrics[0].Value(nil, 4, 8e-6); v != 1e-6 {
		t.Errorf("latency %v, want 1e-6", v)
	}
	p := result.Params{"size_bytes": int64(1000), "window": int64(64)}
	if v := bandwidth.Metrics[0].Value(p, 2, 1e-3); v != 128e6 {
		t.Errorf("bandwidth %v, want 128e6", v)
	}
}

func TestEveryBenchmarkIsListed(t *testing.T) {
	want := []string{"pingpong", "bandwidth", "jacobi3d", "taskbench", "metg"}
	all := All().All()
	if len(all) != len(want) {
		t.Fatalf("%d benchmarks", len(all))
	}
	for i, b := range all {
		if b.Name != want[i] || len(b.New) < 2 {
			t.Errorf("benchmark %d is %s with %d models", i, b.Name, len(b.New))
		}
	}
}
