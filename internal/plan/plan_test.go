package plan

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"gpubench/internal/result"
)

var all = Machine{
	Devices: map[string]Device{
		"cpu":      {Availability: Availability{OK: true}, Count: 1},
		"emulated": {Availability: Availability{OK: true}, Count: 2, MemBytes: 1 << 30},
		"cuda":     {Availability: Availability{Reason: "no libcuda.so.1"}},
	},
	Transports: map[string]Transport{
		"inproc": {Availability: Availability{OK: true}, Direct: map[string]Availability{"emulated": {OK: true}}},
		"mpi":    {Availability: Availability{OK: true}, Direct: map[string]Availability{"emulated": {Reason: "not CUDA-aware"}}},
		"ucx":    {Availability: Availability{Reason: "not built"}},
	},
	MemBytes: 8 << 30,
	Hosts:    result.Together,
}

var gridOf3 = Param{Name: "grid", Flag: "grid", Default: []int64{192, 192, 192}, Quick: []int64{48, 48, 48}, Len: 3, Min: 1, Max: 1 << 20, Scales: true}

var benches = []Bench{
	{
		Name: "pingpong", Params: []Param{{Name: "size_bytes"}, {Name: "iterations"}}, Models: []string{"mpi", "charm"},
		Native: map[string][]string{"native": {"mpi"}}, MinPEs: 2, MaxPEs: 2,
		Iterations: func(size int64, _ bool) (int64, int64) {
			if size > 8192 {
				return 1000, 10
			}
			return 10000, 100
		},
		Memory: func(p result.Params) int64 { return 4 * p.Int("size_bytes") },
	},
	{
		Name: "jacobi3d", Params: []Param{gridOf3, {Name: "odf", Flag: "odf", Default: int64(1), Min: 1, Max: 4096},
			{Name: "balance", Flag: "balance", Default: "none", Null: "none", Values: []string{"none", "greedy"}, Models: []string{"charm"}},
			{Name: "iterations"}}, Models: []string{"mpi", "charm"}, MinPEs: 1,
		// Blocks of one column each.
		Settle: func(p result.Params) (string, error) {
			n := p.Int("pes") * p.Int("odf")
			if x := p.Ints("grid")[0]; n > x {
				return "--grid", fmt.Errorf("%d blocks do not fit into %d columns", n, x)
			}
			p["blocks"] = []int64{n, 1, 1}
			return "", nil
		},
		Iterations: func(int64, bool) (int64, int64) { return 100, 10 },
		Memory: func(p result.Params) int64 {
			g := p.Ints("grid")
			return 16 * g[0] * g[1] * g[2]
		},
	},
}

func must(t *testing.T, o Options) Plan {
	t.Helper()
	p, err := Make(o, benches, all)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func count(p Plan, match func(result.Params) bool) int {
	n := 0
	for _, j := range p.Jobs {
		for _, c := range j.Cases {
			if match(c.Params) {
				n++
			}
		}
	}
	return n
}

func TestEveryCombination(t *testing.T) {
	p := must(t, Options{Benchmarks: []string{"pingpong"}, Transports: []string{"inproc", "mpi"}, Sizes: []int64{8, 64}})
	// 2 models × 2 sizes × (inproc: 3 paths, mpi: 2 paths).
	if got := p.Cases(); got != 2*2*5 {
		t.Errorf("%d cases, want 20", got)
	}
	if len(p.Skipped) != 4 {
		t.Errorf("%d skipped, want the 4 direct ones over mpi", len(p.Skipped))
	}
	for _, c := range p.Skipped {
		if c.Skip != "direct over mpi: not CUDA-aware" {
			t.Errorf("skipped with %q", c.Skip)
		}
	}
	if n := count(p, func(q result.Params) bool {
		return (q.String("path") == "host") != (q.String("device") == "cpu")
	}); n != 0 {
		t.Errorf("%d cases in which host and cpu do not go together", n)
	}
	ids := map[string]bool{}
	for _, j := range p.Jobs {
		for _, c := range j.Cases {
			if ids[c.ID] {
				t.Errorf("case %s is planned twice", c.ID)
			}
			ids[c.ID] = true
		}
	}
}

func TestOSUCounts(t *testing.T) {
	p := must(t, Options{Benchmarks: []string{"pingpong"}, Models: []string{"mpi"}, Paths: []string{"host"}, Sizes: []int64{8, 1 << 20}})
	for _, j := range p.Jobs {
		for _, c := range j.Cases {
			want := int64(10000)
			if c.Params.Int("size_bytes") > 8192 {
				want = 1000
			}
			if c.Params.Int("iterations") != want {
				t.Errorf("%v: want %d iterations", c.Params, want)
			}
		}
	}
}

func TestPlacement(t *testing.T) {
	for _, c := range []struct {
		pes           int64
		devices       int
		private       bool
		hosts         result.Spread
		onHost, onGPU any
	}{
		{2, 2, false, result.Together, "node", "peer"},
		{2, 1, false, result.Together, "node", "same_gpu"},
		{2, 1, true, result.Together, "node", nil}, // one visible to each, or one for both
		{2, 4, false, result.Together, "node", "peer"},
		{4, 4, false, result.Together, "node", "peer"},
		{4, 2, false, result.Together, "node", nil}, // two pairs share a device, the others do not
		{4, 1, false, result.Together, "node", "same_gpu"},
		{1, 2, false, result.Together, nil, nil},
		{2, 2, false, result.Apart, "remote", "remote"},
		{2, 1, true, result.Apart, "remote", "remote"},
		{8, 4, false, result.Unclear, nil, nil},
	} {
		m := all
		m.Hosts = c.hosts
		m.Devices = map[string]Device{"cpu": all.Devices["cpu"],
			"emulated": {Availability: Availability{OK: true}, Count: c.devices, Private: c.private}}
		p, err := Make(Options{Benchmarks: []string{"jacobi3d"}, PEs: []int64{c.pes}, Device: "emulated", Own: own("grid", []int64{8, 8, 8})}, benches, m)
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range p.Jobs {
			for _, k := range j.Cases {
				want := c.onGPU
				if k.Params.String("path") == "host" {
					want = c.onHost
				}
				if got := k.Params["placement"]; got != want {
					t.Errorf("%+v, %s: placement %v, want %v", c, k.Params.String("path"), got, want)
				}
			}
		}
	}
}

func TestTrialsAreFreshLaunchesInAnotherOrder(t *testing.T) {
	o := Options{Benchmarks: []string{"pingpong"}, Models: []string{"mpi"}, Paths: []string{"host"}, Trials: 3, Random: true, Seed: 5}
	p := must(t, o)
	if len(p.Jobs) != 3 {
		t.Fatalf("%d jobs, want one per trial", len(p.Jobs))
	}
	order := func(j Job) string {
		s := ""
		for _, c := range j.Cases {
			s += c.ID
		}
		return s
	}
	if order(p.Jobs[0]) == order(p.Jobs[1]) {
		t.Error("two trials in the same random order")
	}
	again := must(t, o)
	for i := range p.Jobs {
		if order(p.Jobs[i]) != order(again.Jobs[i]) {
			t.Error("the same seed gave another order")
		}
	}
	// Each alone, as a launcher starts them.
	for i := range p.Jobs {
		o.Trials, o.Trial = 0, i
		alone := must(t, o)
		if len(alone.Jobs) != 1 || alone.Jobs[0].Trial != i || order(alone.Jobs[0]) != order(p.Jobs[i]) {
			t.Errorf("trial %d alone is not what it is among others", i)
		}
		for _, c := range alone.Jobs[0].Cases {
			if c.Trial != i {
				t.Fatalf("a case of trial %d says %d", i, c.Trial)
			}
		}
	}
}

func TestSkippedCasesNameTheirTrial(t *testing.T) {
	p := must(t, Options{Benchmarks: []string{"pingpong"}, Transports: []string{"inproc", "ucx"}, Paths: []string{"host"}, Trial: 4})
	if len(p.Skipped) == 0 {
		t.Fatal("nothing was skipped")
	}
	for _, c := range p.Skipped {
		if c.Trial != 4 {
			t.Errorf("trial %d", c.Trial)
		}
	}
}

func TestResumeLeavesOutByTrial(t *testing.T) {
	p := must(t, Options{Benchmarks: []string{"pingpong"}, Models: []string{"mpi"}, Paths: []string{"host"}, Sizes: []int64{8, 16}, Trials: 2})
	first := p.Jobs[0].Cases[0].Key()
	left := p.Without(func(k result.Key) bool { return k == first })
	if left.Cases() != p.Cases()-1 {
		t.Errorf("left %d of %d", left.Cases(), p.Cases())
	}
}

func TestUsageErrors(t *testing.T) {
	for _, c := range []struct {
		name string
		o    Options
		want string
	}{
		{"unknown", Options{Benchmarks: []string{"pingpnog"}}, "did you mean pingpong?"},
		{"three PEs", Options{Benchmarks: []string{"pingpong"}, PEs: []int64{3}}, "-n: pingpong needs exactly 2 PEs, got 3"},
		{"more blocks than cells", Options{Benchmarks: []string{"jacobi3d"}, Own: own("grid", []int64{1, 1, 1})}, "--grid: 2 blocks do not fit into 1 columns"},
		{"a grid of two dimensions", Options{Benchmarks: []string{"jacobi3d"}, Own: own("grid", []int64{8, 8})}, `--grid: jacobi3d: "8,8" has 2 numbers: give 3, X,Y,Z`},
		{"staged on cpu", Options{Device: "cpu", Paths: []string{"staged"}}, "--path: staged needs a device"},
		{"no cuda", Options{Device: "cuda"}, "--device: cuda cannot be used here: no libcuda.so.1"},
		{"device space on host path", Options{Paths: []string{"host"}, Space: "device"}, "--space: device lies in device memory"},
		{"host space on staged path", Options{Paths: []string{"staged"}, Space: "pinned"}, "--space: pinned lies in host memory"},
		{"bad space", Options{Space: "texture"}, `--space: "texture" is no memory space`},
		{"nothing", Options{Transports: []string{"ucx"}}, "nothing that was asked for can run here: transport ucx: not built"},
		{"over memory", Options{Benchmarks: []string{"pingpong"}, Models: []string{"mpi"}, Paths: []string{"host"}, Sizes: []int64{MaxMessage}, Device: "cpu"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := all
			if c.name == "over memory" {
				m.MemBytes = 1 << 30
				c.want = "needs 8.0 GiB of memory, and 1.0 GiB are available"
			}
			_, err := Make(c.o, benches, m)
			var u *UsageError
			if !errors.As(err, &u) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want a usage error with %q", err, c.want)
			}
		})
	}
}

func TestParse(t *testing.T) {
	if got, _, err := ParseSizes("8:64"); err != nil || fmt.Sprint(got) != "[8 16 32 64]" {
		t.Errorf("8:64 = %v, %v", got, err)
	}
	if got, _, err := ParseSizes("0:3"); err != nil || fmt.Sprint(got) != "[0 1 2 3]" {
		t.Errorf("0:3 = %v, %v", got, err)
	}
	if got, _, err := ParseSizes("1,64K,1"); err != nil || fmt.Sprint(got) != "[1 65536]" {
		t.Errorf("list = %v, %v", got, err)
	}
	for _, bad := range []string{"", "x", "-1", "8:4", "1:", "3G", "9999999999999999999", "1K2", ":", "1,,2", "8:x"} {
		if got, _, err := ParseSizes(bad); err == nil {
			t.Errorf("ParseSizes(%q) = %v, want an error", bad, got)
		}
	}
	for n, want := range map[int64]string{0: "0", 7: "7", 1024: "1K", 1536: "1536", 4 << 20: "4M", 1 << 30: "1G"} {
		if got := FormatSize(n); got != want {
			t.Errorf("FormatSize(%d) = %s, want %s", n, got, want)
		}
		if back, err := ParseSize(want); err != nil || back != n {
			t.Errorf("ParseSize(%s) = %d, %v", want, back, err)
		}
	}
}

func FuzzParseSizes(f *testing.F) {
	for _, s := range []string{"1:4M", "0", "8,64K", "1G", "-3", "k", "1:2:3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		sizes, _, err := ParseSizes(s)
		if err != nil {
			return
		}
		for _, v := range sizes {
			if v < 0 || v > MaxMessage {
				t.Errorf("ParseSizes(%q) let %d through", s, v)
			}
		}
	})
}

// A given chunk size is part of pipelined cases alone, and of their ids; a
// size that is to be found is not.
func TestChunk(t *testing.T) {
	o := Options{Benchmarks: []string{"pingpong"}, Models: []string{"mpi"}, Staging: []string{"pipelined", "simple"}, Sizes: []int64{8}}
	ids := map[int64][]string{}
	for _, chunk := range []int64{0, 65536} {
		o.Chunk = chunk
		for _, j := range must(t, o).Jobs {
			for _, c := range j.Cases {
				if want := chunk > 0 && c.Params["staging"] == "pipelined"; c.Params.Has("chunk_bytes") != want {
					t.Errorf("--chunk %d: %v", chunk, c.Params)
				}
				if c.Params["staging"] == "pipelined" {
					ids[chunk] = append(ids[chunk], c.ID)
				}
			}
		}
	}
	if len(ids[0]) != 1 || len(ids[65536]) != 1 || ids[0][0] == ids[65536][0] {
		t.Errorf("ids %v", ids)
	}
	o.Paths = []string{"host"}
	if p := must(t, o); !strings.Contains(strings.Join(p.Notes, "\n"), "--chunk concerns none of these cases") {
		t.Errorf("notes %q", p.Notes)
	}
}
