package collective

import (
	"math"
	"strings"
	"testing"

	"gpubench/internal/bench"
	"gpubench/internal/result"
)

func find(t *testing.T, name string) *bench.Benchmark {
	t.Helper()
	for _, b := range Benchmarks {
		if b.Name == name {
			return b
		}
	}
	t.Fatalf("no benchmark %s", name)
	return nil
}

// Bandwidths are nccl-tests' (doc/PERFORMANCE.md): S/t, and that times 2(n−1)/n, (n−1)/n or 1, where S is the larger of what
// a PE gives and gets.
func TestBandwidths(t *testing.T) {
	for _, c := range []struct {
		name        string
		total       float64 // of 1000 B a PE
		ofTotal     float64 // of 1000 B in all
		bus4        float64 // factor at 4 PEs
		withoutData bool
	}{
		{name: "barrier", withoutData: true}, {name: "bcast", total: 1000, bus4: 1}, {name: "reduce", total: 1000, bus4: 1},
		{name: "allreduce", total: 1000, bus4: 1.5}, {name: "reduce_scatter", total: 1000, bus4: 0.75},
		{name: "allgather", total: 4000, ofTotal: 1000, bus4: 0.75}, {name: "alltoall", total: 4000, ofTotal: 1000, bus4: 0.75},
	} {
		b := find(t, c.name)
		if c.withoutData {
			if len(b.Metrics) != 1 {
				t.Errorf("%s has %d metrics", c.name, len(b.Metrics))
			}
			continue
		}
		for sizeIs, total := range map[string]float64{"per_pe": c.total, "total": c.ofTotal} {
			if total == 0 {
				continue
			}
			p := result.Params{"pes": int64(4), "size_bytes": int64(1000), "size_is": sizeIs}
			if got := b.Metrics[1].Value(p, 10, 1e-3); math.Abs(got/(total*1e4)-1) > 1e-12 {
				t.Errorf("%s, %s: bandwidth %v, want %v", c.name, sizeIs, got, total*1e4)
			}
			if got := b.Metrics[2].Value(p, 10, 1e-3); math.Abs(got/(total*c.bus4*1e4)-1) > 1e-12 {
				t.Errorf("%s, %s: bus bandwidth %v, want %v", c.name, sizeIs, got, total*c.bus4*1e4)
			}
		}
	}
}

// Counts are OSU's for collectives: 1000 and 100 up to 8 KiB, 100 and 10 above.
func TestCountsAreOSUs(t *testing.T) {
	for size, want := range map[int64][2]int64{0: {1000, 100}, 8192: {1000, 100}, 8193: {100, 10}} {
		if timed, warmup := counts(size, false); [2]int64{timed, warmup} != want {
			t.Errorf("%d B: %d and %d, want %v", size, timed, warmup, want)
		}
	}
}

// What a case takes: both buffers of each PE, the scratch of sums, and staging.
func TestMemory(t *testing.T) {
	const size = 1 << 30
	for _, c := range []struct {
		name, path string
		want       int64 // in units of size
	}{{"alltoall", "host", 4 * 2 * 4}, {"allgather", "host", 4 * 5}, {"bcast", "host", 4 * 2}, {"allreduce", "host", 4 * 4}, {"bcast", "staged", 4 * 4}} {
		p := result.Params{"size_bytes": int64(size), "size_is": "per_pe", "pes": int64(4), "path": c.path}
		if got := find(t, c.name).Memory(p); got != c.want*size {
			t.Errorf("%s, %s: %d GiB, want %d", c.name, c.path, got>>30, c.want)
		}
	}
}

// What does not go together is said with the flag and the mend; what does is left alone.
func TestSettle(t *testing.T) {
	base := result.Params{"model": "mpi", "transport": "mpi", "path": "host", "space": "pageable", "pes": int64(3),
		"size_bytes": int64(8), "size_is": "per_pe", "collective": "own"}
	for _, c := range []struct {
		name       string
		with       result.Params
		flag, text string
	}{
		{"allreduce", result.Params{}, "", ""},
		{"allreduce", result.Params{"collective": "library"}, "", ""},
		{"allreduce", result.Params{"collective": "library", "model": "charm"}, "--model", "give mpi"},
		{"bcast", result.Params{"collective": "library", "transport": "ucx"}, "--collective", "--transport mpi"},
		{"bcast", result.Params{"collective": "library", "path": "direct"}, "", ""},
		{"bcast", result.Params{"collective": "library", "path": "staged", "staging": "pipelined"}, "", ""},
		{"barrier", result.Params{"path": "staged"}, "--path", "host"},
		{"bcast", result.Params{"collective": "nccl"}, "--collective", "--path direct"},
		{"bcast", result.Params{"collective": "nccl", "path": "direct"}, "", ""},
		{"bcast", result.Params{"collective": "nccl", "path": "direct", "model": "charm"}, "--model", "give mpi"},
		{"barrier", result.Params{"collective": "nccl", "path": "direct"}, "--collective", "NCCL has no barrier"},
		{"reduce_scatter", result.Params{"collective": "nccl", "path": "direct"}, "-m", "multiples of 24"},
		{"allreduce", result.Params{"collective": "nccl", "path": "direct"}, "", ""},
		{"reduce", result.Params{"size_bytes": int64(12)}, "-m", "multiples of 8"},
		{"reduce_scatter", result.Params{"size_bytes": int64(1)}, "-m", "multiples of 8"},
		{"alltoall", result.Params{"size_bytes": int64(2)}, "", ""},
		{"alltoall", result.Params{"size_bytes": int64(2), "size_is": "total"}, "-m", "nothing to send for 3 PEs"},
		{"bcast", result.Params{"size_bytes": int64(0)}, "-m", "nothing to send"},
		{"alltoall", result.Params{"collective": "tree"}, "none", "alltoall has no tree: give --collective own"},
		{"allgather", result.Params{"collective": "tree"}, "none", "give --collective own or ring"},
		{"allgather", result.Params{"collective": "ring"}, "", ""},
		{"bcast", result.Params{"collective": "tree", "model": "charm"}, "", ""},
		{"allgather", result.Params{"space": "device:pinned"}, "--space", "one space"},
	} {
		p := base
		for k, v := range c.with {
			p = p.With(k, v)
		}
		flag, err := find(t, c.name).Settle(p)
		if flag == "" && err != nil {
			flag = "none"
		}
		if flag != c.flag || (err != nil) != (c.flag != "") || err != nil && !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s %v: %q, %v", c.name, c.with, flag, err)
		}
	}
}
