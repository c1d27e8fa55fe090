// Tests of the record: the contract's fields, nulls and order, held by a golden
// line, a round trip, and mutations that Check must find.
package result

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

var nan = math.NaN()

func sample() Record {
	r := New("jacobi3d", Params{
		"model": "charm", "transport": "inproc", "device": "cpu", "path": "host", "pes": int64(2),
		"placement": nil, "grid": []int64{64, 64, 64}, "odf": int64(4),
	}, OK, "")
	r.Metrics = map[string]Metric{"iteration_time": {
		Unit: "s", Median: 0.002, Mean: 0.0025, Stddev: 0.0005, Min: 0.001, Max: 0.003,
		P95: nan, P99: nan, CILow: 0.0015, CIHigh: 0.0025, Confidence: 0.95, N: 3,
	}}
	r.Samples = map[string]Samples{"iteration_time": {0.001, 0.002, 0.003}}
	r.Validation = &Validation{Checked: 10, Sent: 20, Answer: &Answer{Sum: 1.5, ExpectedSum: nan, MaxError: 1e-15, AppliedIterations: 110}}
	r.PathTaken = &PathTaken{Lane: "host", HowKnown: "by construction"}
	r.Limit = &Limit{Name: "copy", Value: 1e10, Unit: "B/s", Fraction: 0.5}
	r.Trial = 2
	r.Started = time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC)
	r.ElapsedS = 1.25
	r.EnvID = "0123456789abcdef"
	return r
}

const golden = `{"schema":1,"id":"eb070bb0d37235b8","benchmark":"jacobi3d",` +
	`"params":{"device":"cpu","grid":[64,64,64],"model":"charm","odf":4,"path":"host","pes":2,"placement":null,"transport":"inproc"},` +
	`"status":"ok","reason":null,` +
	`"metrics":{"iteration_time":{"unit":"s","median":0.002,"mean":0.0025,"stddev":0.0005,"min":0.001,"max":0.003,"p95":null,"p99":null,"ci_low":0.0015,"ci_high":0.0025,"confidence":0.95,"n":3}},` +
	`"samples":{"iteration_time":[0.001,0.002,0.003]},` +
	`"validation":{"checked":10,"sent":20,"errors":0,"first_error":null,"sum":1.5,"expected_sum":null,"max_error":1e-15,"applied_iterations":110},` +
	`"path_taken":{"lane":"host","how_known":"by construction","detail":null},` +
	`"limit":{"name":"copy","value":10000000000,"unit":"B/s","fraction":0.5},` +
	`"trial":2,"started":"2026-01-02T03:04:05.0000006Z","elapsed_s":1.25,"oversubscribed":false,"env_id":"0123456789abcdef",` +
	`"staging":null,"clocks":null,"processes_per_device":null,"mps":null,"placement_found":null,"pairs":null,"balancing":null,"launch":null}`

func TestGoldenLine(t *testing.T) {
	b, err := Line(sample())
	if err != nil {
		t.Fatal(err)
	}
	if string(b) != golden+"\n" {
		t.Errorf("got  %swant %s", b, golden)
	}
	if err := Check(b); err != nil {
		t.Errorf("Check: %v", err)
	}
}

func TestEmptyRecordHasNullsNotText(t *testing.T) {
	r := New("pingpong", Params{"model": nil, "transport": "mpi", "device": "cpu", "path": "host", "pes": 2}, Skipped, "no mpirun")
	r.Validation = &Validation{Errors: 1, FirstError: "PE 1: offset 3"}
	r.Clocks = &Clocks{SMMHz: nan, MemoryMHz: 5}
	r.ProcessesPerDevice, r.MPS, r.PlacementFound, r.Pairs = 2, new(bool), Peer, "0-2,1-3"
	r.Launch = &Launch{"graph", "measured: graph 2 µs"}
	r.Balancing = &Balancing{Syncs: 4, Migrations: 7, MovedBytes: 9000, DecideS: 0.5, ImbalanceBefore: 1.75, ImbalanceAfter: 1.25}
	b, err := Line(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"metrics":{}`, `"samples":{}`, `"path_taken":null`, `"limit":null`, `"started":null`,
		`"env_id":null`, `"first_error":"PE 1: offset 3"`, `"sm_mhz":null`, `"throttled":[]`, `"processes_per_device":2`, `"mps":false`, `"placement_found":"peer"`, `"pairs":"0-2,1-3"`,
		`"balancing":{"syncs":4,"migrations":7,"moved_bytes":9000,"decide_s":0.5,"imbalance_before":1.75,"imbalance_after":1.25}`, `"launch":{"chosen":"graph","how":"measured: graph 2 µs"}`, `"model":null`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("no %s in %s", want, b)
		}
	}
	if err := Check(b); err != nil {
		t.Errorf("Check: %v", err)
	}
	// Without a sync point there is no imbalance, and with one there is.
	r.Balancing = &Balancing{ImbalanceBefore: nan, ImbalanceAfter: nan}
	if b, err = Line(r); err != nil || Check(b) != nil || !strings.Contains(string(b), `"imbalance_before":null,"imbalance_after":null`) {
		t.Errorf("no sync point: %s, %v, %v", b, err, Check(b))
	}
	r.Balancing.Syncs = 1
	if b, err = Line(r); err != nil || Check(b) == nil {
		t.Errorf("a sync point without an imbalance passes: %s, %v", b, err)
	}
}

// same compares two records with NaN equal to NaN, by their lines.
func same(t *testing.T, a, b Record) bool {
	t.Helper()
	x, err := Line(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := Line(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(x) == string(y)
}

func TestRoundTrip(t *testing.T) {
	r := sample()
	var q Record
	if err := json.Unmarshal([]byte(golden), &q); err != nil {
		t.Fatal(err)
	}
	if !same(t, r, q) {
		t.Errorf("%+v became %+v", r, q)
	}
	if !math.IsNaN(q.Metrics["iteration_time"].P95) || !math.IsNaN(q.Validation.Answer.ExpectedSum) {
		t.Error("null did not become NaN")
	}
	if !q.Started.Equal(r.Started) || q.Key() != r.Key() || !reflect.DeepEqual(q.Params, r.Params) {
		t.Errorf("%+v", q)
	}
	r.Samples["iteration_time"] = Samples{1, nan, math.Inf(1)} // a failure's samples must be writable
	b, err := Line(r)
	if err != nil || !strings.Contains(string(b), "[1,null,null]") {
		t.Errorf("%s, %v", b, err)
	}
}

func TestCheckFindsMutations(t *testing.T) {
	for name, m := range map[string][2]string{
		"schema not first":       {`{"schema":1,"id"`, `{"trial":0,"schema":1,"id"`},
		"newer schema":           {`"schema":1`, `"schema":2`},
		"unknown field":          {`"trial":2`, `"trial":2,"extra":1`},
		"missing field":          {`"oversubscribed":false,`, ``},
		"text for null":          {`"p95":null`, `"p95":"N/A"`},
		"text for a number":      {`"median":0.002`, `"median":"0.002"`},
		"null status":            {`"status":"ok"`, `"status":null`},
		"unknown status":         {`"status":"ok","reason":null`, `"status":"fine","reason":"x"`},
		"ok with a reason":       {`"reason":null`, `"reason":"because"`},
		"failed without one":     {`"status":"ok"`, `"status":"failed"`},
		"id of another case":     {`"odf":4`, `"odf":8`},
		"missing param":          {`"path":"host",`, ``},
		"unit not a base unit":   {`"unit":"s"`, `"unit":"us"`},
		"interval upside down":   {`"ci_low":0.0015`, `"ci_low":0.5`},
		"errors and ok":          {`"errors":0,"first_error":null`, `"errors":1,"first_error":"x"`},
		"errors without text":    {`"errors":0`, `"errors":1`},
		"unknown lane":           {`"lane":"host"`, `"lane":"teleport"`},
		"sample is text":         {`[0.001,`, `["0.001",`},
		"half an answer":         {`"max_error":1e-15,`, ``},
		"two lines":              {`"trial":2`, "\"trial\":2\n"},
		"time without zone":      {`05.0000006Z`, `05.0000006`},
		"limit without fraction": {`,"fraction":0.5`, ``},
	} {
		t.Run(name, func(t *testing.T) {
			mutant := strings.Replace(golden, m[0], m[1], 1)
			if mutant == golden {
				t.Fatal("the mutation changed nothing")
			}
			if Check([]byte(mutant)) == nil {
				t.Error("Check accepts it")
			}
		})
	}
}

func TestCheckDirectNeedsLane(t *testing.T) {
	r := sample()
	r.Params = r.Params.With("path", "direct").With("device", "emulated")
	r.ID = ID(r.Benchmark, r.Params)
	for lane, ok := range map[string]bool{"copy": true, "ipc": true, "unknown": false, "staged": false} {
		r.PathTaken = &PathTaken{Lane: lane}
		b, err := Line(r)
		if err != nil {
			t.Fatal(err)
		}
		if (Check(b) == nil) != ok {
			t.Errorf("lane %s: %v", lane, Check(b))
		}
	}
}

func TestEnvironment(t *testing.T) {
	type content struct {
		Host string `json:"host"`
		CPUs []int  `json:"cpus_allowed"`
		Big  int64  `json:"memory_bytes"`
	}
	c := content{"node <1>", []int{0, 1}, math.MaxInt64}
	e, err := NewEnvironment(c)
	if err != nil {
		t.Fatal(err)
	}
	same, err := NewEnvironment(map[string]any{"memory_bytes": c.Big, "host": c.Host, "cpus_allowed": c.CPUs})
	if err != nil || same.ID != e.ID {
		t.Errorf("the order of fields changes the id: %v", err)
	}
	other, _ := NewEnvironment(content{"node2", c.CPUs, c.Big})
	if other.ID == e.ID || len(e.ID) != 16 {
		t.Error("the id does not depend on the content")
	}
	b, err := Line(e)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"schema":1,"kind":"environment","env_id":"` + e.ID + `","cpus_allowed":[0,1],"host":"node <1>","memory_bytes":9223372036854775807}` + "\n"
	if string(b) != want {
		t.Errorf("got  %swant %s", b, want)
	}
	if err := Check(b); err != nil {
		t.Error(err)
	}
	if Check([]byte(strings.Replace(string(b), "node", "nude", 1))) == nil {
		t.Error("Check accepts content of another id")
	}
	var back Environment
	var d content
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if err := back.Decode(&d); err != nil || !reflect.DeepEqual(c, d) || back.ID != e.ID {
		t.Errorf("%+v, %v", d, err)
	}
	for _, bad := range []any{3, nil, map[string]any{"kind": "x"}, make(chan int)} {
		if _, err := NewEnvironment(bad); err == nil {
			t.Errorf("%T became an environment", bad)
		}
	}
}
