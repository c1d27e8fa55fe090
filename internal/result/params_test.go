// Tests of parameters: exact JSON, stable ids, getters that do not guess.
package result

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestIDIsStable(t *testing.T) {
	// These ids stand in users' files: a change of them is a new schema.
	p := Params{
		"model": "mpi", "transport": "inproc", "device": "cpu", "path": "host", "pes": int64(2),
		"size_bytes": int64(8), "seconds": 0.5, "validate": true, "grid": []int64{37, 53, 29}, "staging": nil,
	}
	canonical, err := p.encode(false)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"device":"cpu","grid":[37,53,29],"model":"mpi","path":"host","pes":2,"seconds":0.5,"size_bytes":8,"transport":"inproc","validate":true}`
	if string(canonical) != want {
		t.Errorf("canonical form\n got %s\nwant %s", canonical, want)
	}
	if got := ID("pingpong", p); got != "64dcaa080d8db767" {
		t.Errorf("ID = %s", got)
	}
	if ID("pingpong", p.With("staging", nil)) != ID("pingpong", p) || ID("pingpong", p.With("new", nil)) != ID("pingpong", p) {
		t.Error("a null parameter changes the id")
	}
	if ID("bandwidth", p) == ID("pingpong", p) || ID("pingpong", p.With("size_bytes", 9)) == ID("pingpong", p) {
		t.Error("different cases share an id")
	}
	if ID("pingpong", p.With("size_bytes", 8)) != ID("pingpong", p) {
		t.Error("int and int64 give different ids")
	}
}

func drawParams(t *rapid.T) Params {
	value := rapid.OneOf(
		rapid.Just[any](nil),
		rapid.String().AsAny(),
		rapid.Int64().AsAny(),
		rapid.Bool().AsAny(),
		rapid.Float64().Filter(func(f float64) bool { return !math.IsInf(f, 0) && !math.IsNaN(f) }).AsAny(),
		rapid.SliceOf(rapid.Int64()).AsAny(),
	)
	return rapid.MapOf(rapid.String(), value).Draw(t, "params")
}

func TestParamsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawParams(t)
		b, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var q Params
		if err := json.Unmarshal(b, &q); err != nil {
			t.Fatal(err)
		}
		for name, v := range p {
			if n, ok := v.([]int64); ok && len(n) == 0 {
				p[name] = []int64{}
			}
			// JSON has no invalid UTF-8; names and texts of ours are ASCII.
			if s, ok := v.(string); ok && strings.ContainsRune(s, '\uFFFD') {
				t.Skip()
			}
			if strings.ContainsRune(name, '\uFFFD') {
				t.Skip()
			}
		}
		if !reflect.DeepEqual(map[string]any(p), map[string]any(q)) {
			t.Fatalf("%#v became %#v by %s", p, q, b)
		}
		if ID("b", p) != ID("b", q) {
			t.Fatal("the id changed on the way")
		}
	})
}

func TestNumbersAreExact(t *testing.T) {
	p := Params{"big": int64(math.MaxInt64), "two": 2.0, "tiny": 5e-324, "third": 1.0 / 3, "huge": 1e300}
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"big":9223372036854775807,"huge":1e+300,"third":0.3333333333333333,"tiny":5e-324,"two":2.0}`; string(b) != want {
		t.Errorf("got %s\nwant %s", b, want)
	}
}

func TestBadParams(t *testing.T) {
	for _, v := range []any{math.NaN(), math.Inf(1), uint8(1), []string{"a"}, struct{}{}, map[string]any{}} {
		p := Params{"x": v}
		if _, err := json.Marshal(p); err == nil {
			t.Errorf("%T %v was written", v, v)
		}
		if p.Check() == nil {
			t.Errorf("Check accepts %T %v", v, v)
		}
	}
	for _, s := range []string{`{"x":{}}`, `{"x":[1,"a"]}`, `{"x":[1.5]}`, `{"x":9223372036854775808}`, `{"x":1e999}`, `[]`, `3`} {
		var p Params
		if err := json.Unmarshal([]byte(s), &p); err == nil {
			t.Errorf("%s was read as %v", s, p)
		}
	}
}

func TestGetters(t *testing.T) {
	p := Params{"s": "a", "i": 3, "f": 2.5, "b": true, "n": []int{1, 2}, "null": nil}
	if p.String("s") != "a" || p.Int("i") != 3 || p.Float("f") != 2.5 || p.Float("i") != 3 || !p.Bool("b") ||
		!reflect.DeepEqual(p.Ints("n"), []int64{1, 2}) {
		t.Error("a getter lies")
	}
	if p.String("null") != "" || p.Int("null") != 0 || p.Float("null") != 0 || p.Ints("null") != nil || p.Has("null") || !p.Has("s") || p.Has("none") {
		t.Error("null is not empty")
	}
	for name, get := range map[string]func(){
		"missing":    func() { p.Int("none") },
		"other type": func() { p.Int("s") },
		"truth":      func() { p.Bool("i") },
		"fraction":   func() { p.Int("f") },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			get()
		})
	}
	if q := p.With("i", 4); q.Int("i") != 4 || p.Int("i") != 3 {
		t.Error("With changes its receiver")
	}
}
