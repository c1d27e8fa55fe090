package plan

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"gpubench/internal/result"
)

func own(flag string, values ...any) map[string][]any { return map[string][]any{flag: values} }

func TestParseOwn(t *testing.T) {
	grid2 := Param{Name: "grid", Flag: "grid", Default: []int64{64, 64}, Len: 2, Min: 1, Max: 1 << 20}
	whole := Param{Name: "odf", Flag: "odf", Default: int64(1), Min: 1, Max: 4096}
	size := Param{Name: "output_bytes", Flag: "output-bytes", Default: int64(16), Bytes: true, Min: 1, Max: 1 << 30}
	real := Param{Name: "rho", Flag: "rho", Default: 0.5, Min: 0, Max: 1}
	word := Param{Name: "field", Flag: "field", Default: "modes", Values: []string{"modes", "charm"}}
	truth := Param{Name: "phases", Flag: "phases", Default: false, Null: false}
	for _, c := range []struct {
		params []Param
		text   string
		want   []any
		wrong  string
	}{
		{[]Param{whole}, "1,4, 8,4", []any{int64(1), int64(4), int64(8)}, ""},
		{[]Param{whole}, "0", nil, "0 is out of range: give 1 to 4096"},
		{[]Param{whole}, "1,,2", nil, "has an empty place"},
		{[]Param{whole}, "many", nil, `"many" is no whole number: give 1 to 4096`},
		{[]Param{size}, "1K,64", []any{int64(1024), int64(64)}, ""},
		{[]Param{size}, "2G", nil, "is out of range: give 1 to 1G"},
		{[]Param{real}, "0.25,1", []any{0.25, 1.0}, ""},
		{[]Param{real}, "1.5", nil, "1.5 is out of range: give 0 to 1"},
		{[]Param{real}, "NaN", nil, "is no number"},
		{[]Param{word}, "charm,modes", []any{"charm", "modes"}, ""},
		{[]Param{word}, "charms", nil, "did you mean charm?"},
		{[]Param{truth}, "true,false", []any{true, false}, ""},
		{[]Param{truth}, "maybe", nil, "neither true nor false"},
		{[]Param{gridOf3, grid2}, "8, 9,10", []any{[]int64{8, 9, 10}}, ""},
		{[]Param{gridOf3, grid2}, "8,9", []any{[]int64{8, 9}}, ""},
		{[]Param{gridOf3}, "8,9", nil, `"8,9" has 2 numbers: give 3, X,Y,Z`},
		{[]Param{gridOf3}, "0,1,1", nil, "0 is out of range: each of X,Y,Z is 1 to 1048576"},
		{[]Param{gridOf3, grid2}, "0,9", nil, "0 is out of range: each of X,Y is 1 to 1048576"},
		{[]Param{gridOf3, grid2}, "8", nil, `"8" has one number: give 3, X,Y,Z`},
		{[]Param{gridOf3}, "a,b,c", nil, `"a" is no whole number: give X,Y,Z as in 64,64,64`},
		{[]Param{gridOf3}, "1,2,99999999", nil, "out of range"},
	} {
		got, err := ParseOwn(c.params, c.text)
		switch {
		case c.wrong == "" && (err != nil || !reflect.DeepEqual(got, c.want)):
			t.Errorf("%q = %v, %v, want %v", c.text, got, err, c.want)
		case c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)):
			t.Errorf("%q = %v, %v, want an error with %q", c.text, got, err, c.wrong)
		}
	}
}

// A parameter of one model alone makes one case of the other, whatever its values.
func TestParametersOfOneModel(t *testing.T) {
	p := must(t, Options{Benchmarks: []string{"jacobi3d"}, Paths: []string{"host"}, Own: own("balance", "none", "greedy")})
	for model, want := range map[string]int{"mpi": 1, "charm": 2} {
		if n := count(p, func(q result.Params) bool { return q.String("model") == model }); n != want {
			t.Errorf("%d cases of %s, want %d", n, model, want)
		}
	}
	none := must(t, Options{Benchmarks: []string{"jacobi3d"}, Paths: []string{"host"}})
	if n := count(none, func(q result.Params) bool { return q["balance"] != nil }); n != 0 {
		t.Errorf("%d cases name the value that stands for null", n)
	}
}

// Where some combinations fit, the others are skipped with the reason.
func TestSomeCombinationsFit(t *testing.T) {
	p := must(t, Options{Benchmarks: []string{"jacobi3d"}, Paths: []string{"host"}, PEs: []int64{1, 2},
		Own: map[string][]any{"grid": {[]int64{8, 8, 8}}, "odf": {int64(1), int64(8)}}})
	if p.Cases() != 6 || len(p.Skipped) != 2 {
		t.Fatalf("%d cases, %d skipped, want 6 and 2", p.Cases(), len(p.Skipped))
	}
	for _, c := range p.Skipped {
		if c.Skip != "--grid: 16 blocks do not fit into 8 columns" {
			t.Errorf("skipped with %q", c.Skip)
		}
	}
	if len(p.Jobs) != 2 {
		t.Errorf("%d jobs, want one for each number of PEs", len(p.Jobs))
	}
}

// A value that only one model has makes no case of the other, not even a skipped one; with that other model alone it is an
// error, or of one named among others a skipped case. Where it is another flag that does not suit, the error names that.
func TestValueOfOneModel(t *testing.T) {
	b := Bench{Name: "sum", Models: []string{"mpi", "charm"}, MinPEs: 2, Iterations: benches[0].Iterations,
		Params: []Param{{Name: "by", Flag: "by", Default: "us", Values: []string{"us", "them"}}},
		Settle: func(p result.Params) (string, error) {
			switch {
			case p.String("by") != "them":
			case p.String("model") == "charm":
				return "--model", errors.New("theirs is of the rank model: give mpi")
			case p.String("transport") != "mpi":
				return "--by", errors.New("theirs is over mpi: give --transport mpi")
			}
			return "", nil
		}}
	with := append(slices.Clone(benches), b)
	o := Options{Benchmarks: []string{"sum"}, Paths: []string{"host"}, Transports: []string{"mpi"}, Own: own("by", "us", "them")}
	p, err := Make(o, with, all)
	if err != nil || p.Cases() != 3 || len(p.Skipped) != 0 || len(p.Notes) != 0 {
		t.Errorf("%v: %d cases, %+v skipped, notes %q", err, p.Cases(), p.Skipped, p.Notes)
	}
	o.Own, o.Models = own("by", "them"), []string{"charm"}
	if _, err = Make(o, with, all); err == nil || err.Error() != "--model: theirs is of the rank model: give mpi" {
		t.Errorf("of the other model alone: %v", err)
	}
	o.Benchmarks = []string{"sum", "pingpong"}
	if p, err = Make(o, with, all); err != nil || p.Cases() == 0 || len(p.Skipped) == 0 || p.Skipped[0].Skip != "--model: theirs is of the rank model: give mpi" {
		t.Errorf("named beside another: %v, skipped %+v", err, p.Skipped)
	}
	o.Benchmarks, o.Models, o.Transports = []string{"sum"}, nil, []string{"inproc"}
	if _, err = Make(o, with, all); err == nil || err.Error() != "--by: theirs is over mpi: give --transport mpi" {
		t.Errorf("over another transport: %v", err)
	}
}

func FuzzParseOwn(f *testing.F) {
	f.Add("64,64,64")
	f.Add("1,2")
	f.Add("1,4,8")
	f.Fuzz(func(t *testing.T, s string) {
		values, err := ParseOwn([]Param{gridOf3}, s)
		for _, v := range values {
			if err == nil && gridOf3.accepts(v) != nil {
				t.Errorf("ParseOwn(%q) let %v through", s, v)
			}
		}
		values, err = ParseOwn([]Param{{Flag: "n", Default: int64(1), Min: 1, Max: 9}}, s)
		for _, v := range values {
			if n := v.(int64); err == nil && (n < 1 || n > 9) {
				t.Errorf("ParseOwn(%q) let %d through", s, n)
			}
		}
	})
}

// A tour of all benchmarks goes over all transports with those alone that are for it; what is named goes everywhere.
func TestQuickTransports(t *testing.T) {
	two := []Bench{benches[0], benches[1]}
	two[0].Everywhere = true
	a, b := two[0].Name, two[1].Name
	for _, c := range []struct {
		o    Options
		want map[string]int // transports of each benchmark; this machine has two
	}{
		{Options{Quick: true}, map[string]int{a: 2, b: 1}},
		{Options{Quick: true, Benchmarks: []string{b}}, map[string]int{b: 2}},
		{Options{Quick: true, Transports: []string{"inproc", "mpi"}}, map[string]int{a: 2, b: 2}},
		{Options{}, map[string]int{a: 1, b: 1}},
	} {
		c.o.Paths = []string{"host"}
		p, err := Make(c.o, two, all)
		if err != nil {
			t.Fatal(err)
		}
		over := map[string]map[string]bool{a: {}, b: {}}
		for _, j := range p.Jobs {
			for _, k := range j.Cases {
				over[k.Benchmark][j.Transport] = true
			}
		}
		for name, set := range over {
			if len(set) != c.want[name] {
				t.Errorf("%+v: %s over %v, want %d transports", c.o, name, set, c.want[name])
			}
		}
	}
}

// What a benchmark has not, whatever the other flags are, is no case beside what it has, and an error that names no flag alone.
func TestNoSuchCase(t *testing.T) {
	b := benches[0]
	b.Params = append(slices.Clone(b.Params), Param{Name: "collective", Default: "own", Flag: "collective", Values: []string{"own", "tree"}})
	b.Settle = func(p result.Params) (string, error) {
		if p.String("collective") == "tree" {
			return "", errors.New("has no tree")
		}
		return "", nil
	}
	o := Options{Benchmarks: []string{b.Name}, Paths: []string{"host"}, Own: map[string][]any{"collective": {"own", "tree"}}}
	p, err := Make(o, []Bench{b}, all)
	o.Own["collective"] = []any{"own"}
	alone, failed := Make(o, []Bench{b}, all)
	if err != nil || failed != nil || p.Cases() == 0 || p.Cases() != alone.Cases() || len(p.Skipped) > 0 {
		t.Errorf("%v, %v: %d cases and %d, %d skipped", err, failed, p.Cases(), alone.Cases(), len(p.Skipped))
	}
	o.Own["collective"] = []any{"tree"}
	if _, err := Make(o, []Bench{b}, all); err == nil || err.Error() != "has no tree" {
		t.Errorf("alone: %v", err)
	}
}

// With --quick a benchmark may have one size of its own; sizes that are asked for count all the same.
func TestQuickSize(t *testing.T) {
	b := benches[0]
	b.Params = []Param{{Name: "size_bytes", Quick: int64(64 << 10)}, {Name: "iterations"}}
	for _, c := range []struct {
		o    Options
		want int
	}{
		{Options{Quick: true}, 1}, {Options{}, len(defaultSizes)}, {Options{Quick: true, Sizes: []int64{8, 16, 32}}, 3},
	} {
		c.o.Benchmarks, c.o.Models, c.o.Transports, c.o.Paths = []string{b.Name}, []string{"mpi"}, []string{"inproc"}, []string{"host"}
		p, err := Make(c.o, []Bench{b}, all)
		if err != nil || p.Cases() != c.want {
			t.Errorf("%+v: %d cases, %v, want %d", c.o, p.Cases(), err, c.want)
		}
	}
}
