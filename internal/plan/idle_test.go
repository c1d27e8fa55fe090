package plan

import (
	"slices"
	"testing"

	"gpubench/internal/result"
)

// A flag that no case takes is noted; where one benchmark was named it is an error, but for a preset's.
func TestFlagsThatNoCaseTakes(t *testing.T) {
	bare := Bench{Name: "bare", Models: []string{"mpi"}, MinPEs: 1}
	null := Bench{Name: "null", Models: []string{"mpi"}, MinPEs: 1, Params: []Param{{Name: "rho", Flag: "rho", Default: 0.5}, {Name: "way", Flag: "way",
		Default: "none", Null: "none", Values: []string{"none", "some"}}}, Settle: func(p result.Params) (string, error) {
		p["rho"] = nil
		return "", nil
	}}
	with := append(slices.Clone(benches), bare, null)
	for _, c := range []struct {
		one, two string // two is named beside
		o        Options
		flag     string // that is idle; "": none
		note     string
	}{
		{"pingpong", "bare", Options{Own: own("odf", int64(2))}, "--odf", "benchmarks"},
		{"jacobi3d", "pingpong", Options{Own: own("odf", int64(2))}, "", ""},
		{"jacobi3d", "pingpong", Options{Own: own("balance", "greedy"), Models: []string{"mpi"}}, "--balance", "cases"},
		{"jacobi3d", "pingpong", Options{Own: own("balance", "greedy")}, "", ""},
		{"jacobi3d", "pingpong", Options{Own: own("balance", "none")}, "", ""},
		{"jacobi3d", "pingpong", Options{Own: own("balance", "none"), Models: []string{"mpi"}}, "--balance", "cases"},
		{"null", "pingpong", Options{Own: own("rho", 0.25)}, "--rho", "cases"},
		{"null", "pingpong", Options{Own: own("way", "none")}, "", ""},
		{"bare", "null", Options{Sizes: []int64{8}}, "-m", "benchmarks"},
		{"bare", "null", Options{Iterations: 5}, "-i", "benchmarks"},
		{"bare", "null", Options{WarmupSet: true}, "-x", "benchmarks"},
		{"bare", "null", Options{Seconds: 1}, "--time", "benchmarks"},
		{"pingpong", "bare", Options{Iterations: 5, WarmupSet: true, Sizes: []int64{8}}, "", ""},
	} {
		c.o.Paths, c.o.Benchmarks = []string{"host"}, []string{c.one}
		_, err := Make(c.o, with, all)
		want := c.flag + ": none of " + c.one + "'s cases takes it beside the other flags: leave it out"
		if c.flag == "" && err != nil || c.flag != "" && (err == nil || err.Error() != want) {
			t.Errorf("%s, %+v: %v", c.one, c.o, err)
		}
		for _, preset := range []bool{false, true} {
			if c.o.Preset = preset; !preset {
				c.o.Benchmarks = []string{c.one, c.two}
			} else {
				c.o.Benchmarks = []string{c.one}
			}
			p, err := Make(c.o, with, all)
			noted := slices.Contains(p.Notes, c.flag+" concerns none of these "+c.note)
			if err != nil || noted != (c.flag != "") {
				t.Errorf("%v, preset %v, %+v: notes %q, %v", c.o.Benchmarks, preset, c.o, p.Notes, err)
			}
		}
	}
	p := must(t, Options{Benchmarks: []string{"pingpong"}, Paths: []string{"host"}, Staging: []string{"simple"}, StagingSpace: "pageable"})
	for _, flag := range []string{"--staging", "--staging-space"} {
		if !slices.Contains(p.Notes, flag+" concerns none of these cases: only the path staged has it") {
			t.Errorf("%s: notes %q", flag, p.Notes)
		}
	}
}
