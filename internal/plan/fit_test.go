package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"gpubench/internal/result"
)

// Where several are run, one that a flag of all does not suit is left out with a note; one that was named alone is an error.
func TestOneOfAllDoesNotFit(t *testing.T) {
	barrier := Bench{Name: "barrier", Models: []string{"mpi"}, MinPEs: 2, Iterations: benches[0].Iterations,
		Settle: func(p result.Params) (string, error) {
			if p.String("path") != "host" {
				return "--path", errors.New("a barrier carries no data: give host")
			}
			return "", nil
		}}
	with := append(slices.Clone(benches), barrier)
	p, err := Make(Options{Paths: []string{"staged"}}, with, all)
	if err != nil || p.Cases() == 0 || !slices.Contains(p.Notes, "barrier is left out: --path: a barrier carries no data: give host") {
		t.Errorf("%v: %d cases, notes %q", err, p.Cases(), p.Notes)
	}
	for _, c := range p.Skipped {
		if c.Benchmark == "barrier" {
			t.Errorf("skipped as well: %+v", c)
		}
	}
	if _, err := Make(Options{Benchmarks: []string{"barrier"}, Paths: []string{"staged"}}, with, all); err == nil {
		t.Error("a benchmark that was named alone fits nothing, and no error")
	}
	two := Options{Benchmarks: []string{"barrier", "pingpong"}, Paths: []string{"staged"}}
	if p, err := Make(two, with, all); err != nil || p.Cases() == 0 || reasons(p, "barrier") != "--path: a barrier carries no data: give host" {
		t.Errorf("named beside another: %v, %d cases, skipped %+v", err, p.Cases(), p.Skipped)
	}
	two.Benchmarks, two.Paths, two.PEs = []string{"barrier", "jacobi3d"}, []string{"host"}, []int64{1}
	if p, err := Make(two, with, all); err != nil || p.Cases() == 0 || reasons(p, "barrier") != "-n: at least 2 PEs are needed, got 1" {
		t.Errorf("with too few PEs beside another: %v, %d cases, skipped %+v", err, p.Cases(), p.Skipped)
	}
	two.PEs = []int64{1, 2}
	if p, err := Make(two, with, all); err != nil || len(p.Skipped) > 0 || !slices.Contains(p.Notes, "barrier left out: it needs at least 2 PEs, and -n is 1") {
		t.Errorf("with too few PEs and enough: %v, notes %q, skipped %+v", err, p.Notes, p.Skipped)
	}
	two.Benchmarks, two.Paths, two.PEs = []string{"barrier"}, nil, nil
	if p, err := Make(two, with, all); err != nil || p.Cases() != 1 || len(p.Skipped) > 0 {
		t.Errorf("paths by default that it has not: %v, %d cases, skipped %+v", err, p.Cases(), p.Skipped)
	}
	// Where nothing can run, the error names all that were asked for.
	_, err = Make(Options{Benchmarks: []string{"barrier", "pingpong"}, PEs: []int64{1}}, with, all)
	if err == nil || !strings.Contains(err.Error(), "-n: at least 2 PEs are needed, got 1 (barrier)") ||
		!strings.Contains(err.Error(), "-n: exactly 2 PEs are needed, got 1 (pingpong)") {
		t.Errorf("nothing can run: %v", err)
	}
}

// reasons are those of a benchmark's skipped cases, each once.
func reasons(p Plan, benchmark string) string {
	var out []string
	for _, c := range p.Skipped {
		if c.Benchmark == benchmark && !slices.Contains(out, c.Skip) {
			out = append(out, c.Skip)
		}
	}
	return strings.Join(out, "; ")
}

// A size that a benchmark cannot have is no case if it came out of a range, and a skipped one if it was named; a benchmark left
// without any was asked for in vain.
func TestSizesThatDoNotFit(t *testing.T) {
	sum := Bench{Name: "sum", Params: []Param{{Name: "size_bytes"}, {Name: "iterations"}}, Models: []string{"mpi"}, MinPEs: 2,
		Iterations: benches[0].Iterations, Settle: func(p result.Params) (string, error) {
			if n := p.Int("size_bytes"); n%8 != 0 {
				return "-m", fmt.Errorf("give multiples of 8, not %d", n)
			}
			return "", nil
		}}
	both := []string{"sum", "pingpong"}
	for _, c := range []struct {
		benchmarks  []string
		sizes       string // "": by default
		ran         int    // of sum
		skipped, is string // reasons, the error
	}{
		{[]string{"sum"}, "", 20, "", ""},
		{[]string{"sum"}, "1:16", 2, "", ""},
		{[]string{"sum"}, "7,8", 1, "-m: give multiples of 8, not 7", ""},
		{[]string{"sum"}, "4:16,4", 2, "-m: give multiples of 8, not 4", ""},
		{[]string{"sum"}, "7", 0, "", "-m: give multiples of 8, not 7"},
		{[]string{"sum"}, "1:4", 0, "", "-m: give multiples of 8, not 4"},
		{both, "7", 0, "-m: give multiples of 8, not 7", ""},
		{both, "1:2", 0, "-m: give multiples of 8, not 1; -m: give multiples of 8, not 2", ""},
		{both, "1:16", 2, "", ""},
		{nil, "7", 0, "", ""},
	} {
		o := Options{Benchmarks: c.benchmarks, Models: []string{"mpi"}, Paths: []string{"host"}}
		if c.sizes != "" {
			var err error
			if o.Sizes, o.Named, err = ParseSizes(c.sizes); err != nil {
				t.Fatal(err)
			}
		}
		p, err := Make(o, append([]Bench{sum}, benches...), all)
		ran := 0
		for _, j := range p.Jobs {
			for _, k := range j.Cases {
				if k.Benchmark == "sum" {
					ran++
				}
			}
		}
		text := ""
		if err != nil {
			text = err.Error()
		}
		if text != c.is || err == nil && (ran != c.ran || reasons(p, "sum") != c.skipped) {
			t.Errorf("%v of %q: error %q, %d cases, skipped %q", c.benchmarks, c.sizes, text, ran, reasons(p, "sum"))
		}
		if noted := strings.Contains(fmt.Sprint(p.Notes), "sum is left out"); noted != (c.benchmarks == nil) {
			t.Errorf("%v of %q: notes %q", c.benchmarks, c.sizes, p.Notes)
		}
	}
}

// A benchmark that flags do not fit ends a run that names it, and is left out of one of all benchmarks.
func TestMisfitOfOneOfAll(t *testing.T) {
	barrier := benches[0]
	barrier.Name = "barrier"
	barrier.Settle = func(p result.Params) (string, error) {
		if p.String("path") != "host" {
			return "--path", errors.New("no data: give host")
		}
		return "", nil
	}
	o := Options{Paths: []string{"staged"}}
	p, err := Make(o, []Bench{barrier, benches[1]}, all)
	if err != nil || p.Cases() == 0 || len(p.Skipped) > 0 {
		t.Errorf("all: %v, %d cases, %d skipped", err, p.Cases(), len(p.Skipped))
	}
	o.Benchmarks = []string{"barrier"}
	if _, err = Make(o, []Bench{barrier, benches[1]}, all); err == nil {
		t.Error("a barrier that was asked for by name was left out without an error")
	}
}
