package plan

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"gpubench/internal/limits"
	"gpubench/internal/result"
)

// ofDevices is a benchmark of a device alone, as devcopy and stream are.
var ofDevices = Bench{
	Name: "devcopy", Alone: true, Models: nil,
	Params: []Param{
		{Name: "size_bytes", Default: int64(64 << 20), Quick: int64(1 << 20)},
		{Name: "engine", Flag: "engine", Default: "copy", Values: []string{"copy", "kernel"}, All: true},
		{Name: "host_space", Flag: "host-space", Default: "pinned", Values: []string{"pinned", "pageable"}, All: true},
		{Name: "to", Flag: "to", Default: int64(0), Max: 63, Devices: true},
		{Name: "iterations"},
	},
	Iterations: func(int64, bool) (int64, int64) { return 50, 5 },
	Memory:     func(p result.Params) int64 { return 2 * p.Int("size_bytes") },
	Settle: func(p result.Params) (string, error) {
		if p.String("device") == "cpu" {
			p["host_space"], p["to"] = "pageable", nil
			return "", nil
		}
		if p.String("engine") == "kernel" && p.String("host_space") == "pageable" {
			return "--host-space", errors.New("a kernel reaches pinned memory alone")
		}
		return "", nil
	},
}

func withDevices() []Bench {
	bounded := benches[0]
	bounded.Ceilings = func(p result.Params) []limits.Ceiling {
		if p.String("path") != "host" || p.Int("size_bytes") < 8192 {
			return nil
		}
		return []limits.Ceiling{
			{Name: "memory copy", Benchmark: "devcopy", Device: "cpu", Own: result.Params{"size_bytes": p.Int("size_bytes")}, Bytes: 7},
			{Name: "memory copy", Benchmark: "devcopy", Device: "cpu", Own: result.Params{"size_bytes": p.Int("size_bytes"), "engine": "kernel"}, Bytes: 7},
		}
	}
	return []Bench{bounded, benches[1], ofDevices}
}

func TestCasesOfADeviceAlone(t *testing.T) {
	for _, c := range []struct {
		o       Options
		want    int
		skipped int
		reason  string
	}{
		// cpu: 2 engines, all else settles to one; emulated: 2 devices × (copy with 2 spaces, kernel with 1).
		{Options{}, 2 + 6, 0, ""},
		{Options{Paths: []string{"host"}}, 2, 0, ""},
		{Options{Device: "cpu"}, 2, 0, ""},
		{Options{Paths: []string{"direct"}}, 6, 0, ""},
		{Options{PEs: []int64{3}, Transports: []string{"ucx"}, Models: []string{"charm"}}, 8, 0, ""}, // none of its business
		{Options{Buffers: []string{"same", "rotate"}}, 16, 0, ""},
		{Options{Sizes: []int64{8, 64}, Paths: []string{"direct"}}, 12, 0, ""},
		// What was asked for and cannot be is told.
		{Options{Paths: []string{"direct"}, Own: own("host-space", "pageable")}, 2, 2, "--host-space: a kernel reaches pinned memory alone"},
		{Options{Paths: []string{"direct"}, Own: own("to", int64(1), int64(5))}, 3, 3, "--to 5: the devices of emulated are 0 to 1"},
		{Options{Paths: []string{"direct"}, Sizes: []int64{8, 1 << 30}}, 6, 6, "needs 2.0 GiB of device memory, and a device has 1.0 GiB"},
	} {
		c.o.Benchmarks = []string{"devcopy"}
		p, err := Make(c.o, withDevices(), all)
		if err != nil {
			t.Errorf("%+v: %v", c.o, err)
			continue
		}
		if p.Cases() != c.want || len(p.Skipped) != c.skipped {
			t.Errorf("%+v: %d cases and %d skipped, want %d and %d", c.o, p.Cases(), len(p.Skipped), c.want, c.skipped)
		}
		for _, s := range p.Skipped {
			if s.Skip != c.reason {
				t.Errorf("%+v: skipped with %q, want %q", c.o, s.Skip, c.reason)
			}
		}
		for _, j := range p.Jobs {
			if !j.Alone || j.PEs != 1 || j.Transport != "inproc" {
				t.Errorf("a job with %d PEs over %s, alone: %v", j.PEs, j.Transport, j.Alone)
			}
			for _, k := range j.Cases {
				for _, name := range []string{"model", "transport", "path"} {
					if v, there := k.Params[name]; v != nil || !there {
						t.Errorf("%s is %v", name, v)
					}
				}
				if k.Params.Int("pes") != 1 || k.Params.String("device") != j.Device {
					t.Errorf("%v in a job of %s", k.Params, j.Device)
				}
			}
		}
	}
	_, err := Make(Options{Benchmarks: []string{"devcopy"}, Paths: []string{"direct"},
		Own: map[string][]any{"engine": {"kernel"}, "host-space": {"pageable"}}}, withDevices(), all)
	if u := (*UsageError)(nil); !errors.As(err, &u) || u.Flag != "--host-space" {
		t.Errorf("nothing fits: %v", err)
	}
}

func TestSizesOfADeviceAlone(t *testing.T) {
	for quick, want := range map[bool]int64{false: 64 << 20, true: 1 << 20} {
		p, err := Make(Options{Benchmarks: []string{"devcopy"}, Quick: quick}, withDevices(), all)
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range p.Jobs {
			for _, c := range j.Cases {
				if c.Params.Int("size_bytes") != want {
					t.Errorf("quick %v: %d B, want %d", quick, c.Params.Int("size_bytes"), want)
				}
			}
		}
	}
}

// order is what a plan runs, in order: limits by size, others by their names.
func order(p Plan) (out []string) {
	for _, j := range p.Jobs {
		for _, c := range j.Cases {
			if limits.IsLimit(c.Params) {
				out = append(out, fmt.Sprintf("limit %s %d", c.Params.String("engine"), c.Params.Int("size_bytes")))
			} else {
				out = append(out, fmt.Sprintf("%s %d %d", c.Benchmark, c.Trial, c.Params.Int("size_bytes")))
			}
		}
	}
	return out
}

// What bounds cases is planned once, before all others, in whatever order those are.
func TestLimitsComeFirst(t *testing.T) {
	o := Options{Benchmarks: []string{"pingpong"}, Paths: []string{"host"}, Sizes: []int64{8, 8192, 65536}, Limits: true, Random: true, Seed: 3, Trials: 2}
	p, err := Make(o, withDevices(), all)
	if err != nil {
		t.Fatal(err)
	}
	got := order(p)
	if want := "limit copy 8192, limit kernel 8192, limit copy 65536, limit kernel 65536"; len(got) != 4+2*2*3 || strings.Join(got[:4], ", ") != want &&
		strings.Join(got[:4], ", ") != "limit copy 65536, limit kernel 65536, limit copy 8192, limit kernel 8192" {
		t.Errorf("%q", got)
	}
	if p.Cases() != 12 || p.Limits() != 4 {
		t.Errorf("%d cases and %d limits", p.Cases(), p.Limits())
	}
	ids := map[string]bool{}
	for _, c := range p.Jobs[0].Cases {
		ids[c.ID] = true
		if c.Params["iterations"] != nil || c.Params.Float("seconds") != limitSeconds || c.Skip != "" {
			t.Errorf("a limit with %v", c.Params)
		}
	}
	for _, j := range p.Jobs[1:] {
		for _, c := range j.Cases {
			if n := len(c.Bounds); (n == 2) != (c.Params.Int("size_bytes") >= 8192) {
				t.Errorf("%d B have %d bounds", c.Params.Int("size_bytes"), n)
			}
			for _, b := range c.Bounds {
				if !ids[b.ID] || b.Name != "memory copy" || b.Bytes != 7 {
					t.Errorf("a bound that is not planned: %+v", b)
				}
			}
		}
	}
	// A run that goes on measures those alone that it still needs.
	times := map[result.Key]int{}
	left := p.Without(func(k result.Key) bool {
		times[k]++
		return !ids[k.ID] && !strings.HasPrefix(k.ID, firstOf(p, 65536).ID)
	})
	for k, n := range times {
		if n != 1 {
			t.Errorf("%v was asked for %d times", k, n)
		}
	}
	if got := order(left); strings.Join(got, ", ") != "limit copy 65536, limit kernel 65536, pingpong 0 65536, pingpong 1 65536" {
		t.Errorf("what is left: %q", got)
	}
	if left := left.Without(func(k result.Key) bool { return ids[k.ID] }); left.Limits() != 0 || left.Cases() != 2 {
		t.Errorf("limits that are known are measured again: %q", order(left))
	}
}

func firstOf(p Plan, size int64) Case {
	for _, j := range p.Jobs {
		for _, c := range j.Cases {
			if !limits.IsLimit(c.Params) && c.Params.Int("size_bytes") == size {
				return c
			}
		}
	}
	panic("no such case")
}

// Where no figure can have a limit none is measured.
func TestNoLimits(t *testing.T) {
	base := Options{Benchmarks: []string{"pingpong"}, Paths: []string{"host"}, Sizes: []int64{65536}, Limits: true}
	two := all
	two.CPUs = 2
	one := all
	one.CPUs = 1
	none := all
	none.MemBytes = 1 << 19
	with := func(f func(o *Options)) Options {
		o := base
		f(&o)
		return o
	}
	for name, c := range map[string]struct {
		o    Options
		m    Machine
		want int
	}{
		"as many CPUs as PEs":              {base, two, 2},
		"not asked for":                    {with(func(o *Options) { o.Limits = false }), two, 0},
		"fewer CPUs than PEs":              {base, one, 0},
		"a launcher's ranks":               {with(func(o *Options) { o.Launched = true }), two, 0},
		"no hardware":                      {with(func(o *Options) { o.Paths = []string{"direct"}; o.Device = "emulated" }), two, 0},
		"short messages":                   {with(func(o *Options) { o.Sizes = []int64{64} }), two, 0},
		"a limit that needs too much":      {with(func(o *Options) { o.Sizes = []int64{1 << 18} }), none, 0},
		"which is small enough":            {with(func(o *Options) { o.Sizes = []int64{1 << 16} }), none, 2},
		"another kind of benchmark":        {Options{Benchmarks: []string{"jacobi3d"}, Paths: []string{"host"}, Limits: true}, two, 0},
		"what was asked for is no one":     {Options{Benchmarks: []string{"devcopy"}, Paths: []string{"host"}, Limits: true}, two, 0},
		"a footprint that a cache holds":   {base, cached(1 << 20), 0},
		"one that no cache is known for":   {base, cached(0), 0},
		"one that is more than a cache is": {base, cached(1 << 19), 2},
	} {
		bs := withDevices()
		if strings.Contains(name, "cache") {
			bs[0].Ceilings = walking(bs[0].Ceilings)
		}
		bs[0].Memory = nil
		bs[2].Memory = func(p result.Params) int64 { return 4 * p.Int("size_bytes") }
		if name == "a limit that needs too much" { // twice as much as there is
			bs[2].Memory = func(p result.Params) int64 { return 4 << 20 }
		}
		p, err := Make(c.o, bs, c.m)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if p.Limits() != c.want {
			t.Errorf("%s: %d limits, want %d", name, p.Limits(), c.want)
		}
	}
}

// cached is a machine whose CPU has such a last cache.
func cached(n int64) Machine {
	m := all
	m.Devices = maps.Clone(all.Devices)
	cpu := m.Devices["cpu"]
	cpu.CacheBytes = n
	m.Devices["cpu"] = cpu
	return m
}

// walking gives ceilings a footprint of 1 MiB.
func walking(ceilings func(result.Params) []limits.Ceiling) func(result.Params) []limits.Ceiling {
	return func(p result.Params) []limits.Ceiling {
		list := ceilings(p)
		for i := range list {
			list[i].Footprint = 1 << 20
		}
		return list
	}
}

// The id of a limit is the same whatever else the run has, so that a run that goes on finds it.
func TestLimitsKeepTheirIDs(t *testing.T) {
	ids := func(sizes ...int64) map[string]bool {
		p, err := Make(Options{Benchmarks: []string{"pingpong"}, Paths: []string{"host"}, Sizes: sizes, Limits: true, Validate: true}, withDevices(), all)
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]bool{}
		for _, c := range p.Jobs[0].Cases {
			out[c.ID] = true
		}
		return out
	}
	few, many := ids(65536), ids(8192, 16384, 32768, 65536, 131072)
	for id := range few {
		if !many[id] {
			t.Errorf("limit %s has another id in a longer run", id)
		}
	}
}

// A suite of which no message can go is wrong flags, though devices alone could be measured; asked for by name they are.
func TestDevicesAloneAreNoSuite(t *testing.T) {
	o := Options{Transports: []string{"ucx"}, Paths: []string{"host"}}
	if _, err := Make(o, withDevices(), all); err == nil || !strings.Contains(err.Error(), "transport ucx: not built") {
		t.Errorf("%v", err)
	}
	for _, b := range withDevices() {
		if b.Alone {
			o.Benchmarks = append(o.Benchmarks, b.Name)
		}
	}
	if p, err := Make(o, withDevices(), all); err != nil || p.Cases() == 0 {
		t.Errorf("%d cases, %v", p.Cases(), err)
	}
}
