package derive

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"gpubench/internal/result"
	"gpubench/internal/stats"
)

// rec is a record of one trial whose samples are v and its neighbours.
func rec(trial int, v float64, over result.Params) result.Record {
	p := result.Params{"model": "mpi", "transport": "inproc", "device": "cpu", "path": "host", "pes": int64(1), "placement": nil,
		"grid": []int64{64, 64}, "blocks": []int64{1, 1}, "odf": int64(1), "part": nil, "validate": true}
	for k, x := range over {
		p[k] = x
	}
	r := result.New("stencil2d", p, result.OK, "")
	r.Trial = trial
	s := result.Samples{v * 0.99, v, v * 1.01, v * 0.995, v * 1.005} // enough for an interval
	r.Samples = map[string]result.Samples{Times[0]: s}
	r.Metrics = map[string]result.Metric{Times[0]: stats.Metric("s", s, false)}
	return r
}

func at(pes int64, grid ...int64) result.Params {
	p := result.Params{"pes": pes, "blocks": []int64{1, pes}, "placement": "node"}
	if pes == 1 {
		p["placement"] = nil
	}
	if len(grid) > 0 {
		p["grid"] = grid
	}
	return p
}

// figures writes a table's rows with three digits, without intervals.
func figures(t Table) string {
	var b strings.Builder
	for _, r := range t.Rows {
		fmt.Fprintf(&b, "%s=%v:", t.Axis, r.Params[t.Axis])
		for _, f := range r.Figures {
			fmt.Fprintf(&b, " %.3g", f.Estimate)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func only(t *testing.T, recs []result.Record, kind string) Table {
	t.Helper()
	tables, _ := Of(recs)
	if len(tables) != 1 || tables[0].Kind != kind {
		t.Fatalf("tables %+v, want one of %s", tables, kind)
	}
	return tables[0]
}

func TestStrongScaling(t *testing.T) {
	recs := []result.Record{rec(0, 2, at(4)), rec(0, 8, at(1)), rec(0, 3.2, at(2)), rec(0, 7, at(1, 48, 48))}
	got := only(t, recs, "strong scaling")
	if want := "pes=1: 8 1 1\npes=2: 3.2 2.5 1.25\npes=4: 2 4 1\n"; figures(got) != want {
		t.Errorf("got\n%swant\n%s", figures(got), want)
	}
	if f := got.Rows[1].Figures[1]; !(f.Low < 2.5 && 2.5 < f.High) || f.Low < 2.4 || f.High > 2.6 {
		t.Errorf("interval %+v of samples 1 %% apart", f)
	}
}

// The fewest PEs need not be one.
func TestEfficiencyAgainstTheFewestPEs(t *testing.T) {
	got := only(t, []result.Record{rec(0, 6, at(6)), rec(0, 4, at(12))}, "strong scaling")
	if want := "pes=6: 6 1 1\npes=12: 4 1.5 0.75\n"; figures(got) != want {
		t.Errorf("got\n%s", figures(got))
	}
}

// Weak scaling is seen by sizes that grow with the PEs, among others that do not.
func TestWeakScaling(t *testing.T) {
	recs := []result.Record{rec(0, 1, at(1)), rec(0, 1.25, at(2, 128, 64)), rec(0, 2, at(4, 128, 128))}
	got := only(t, recs, "weak scaling")
	if want := "pes=1: 1 1 1\npes=2: 1.25 1.6 0.8\npes=4: 2 2 0.5\n"; figures(got) != want {
		t.Errorf("got\n%s", figures(got))
	}
	recs = append(recs, rec(0, 0.5, at(2)))
	tables, _ := Of(recs)
	if len(tables) != 2 || len(tables[0].Rows) != 2 || len(tables[1].Rows) != 3 {
		t.Errorf("both at once: %+v", tables)
	}
	counted := func(pes, n int64) result.Record {
		return rec(0, 1, result.Params{"pes": pes, "particles": n, "grid": nil, "blocks": nil})
	}
	only(t, []result.Record{counted(1, 1000), counted(3, 3000)}, "weak scaling")
}

// Of task graphs the time is a run's, and the size the points of a timestep.
func TestScalingOfRuns(t *testing.T) {
	graph := func(pes, width int64, v float64) result.Record {
		r := rec(0, v, result.Params{"pes": pes, "width": width, "grid": nil, "blocks": nil})
		r.Samples = map[string]result.Samples{"run_time": r.Samples[Times[0]]}
		r.Metrics = map[string]result.Metric{"run_time": r.Metrics[Times[0]], "task_time": {Unit: "s", Median: 1}}
		return r
	}
	got := only(t, []result.Record{graph(1, 8, 6), graph(2, 8, 4)}, "strong scaling")
	if want := "pes=1: 6 1 1\npes=2: 4 1.5 0.75\n"; figures(got) != want || got.Columns[0].Name != "run_time" {
		t.Errorf("%+v\n%s", got.Columns, figures(got))
	}
	got = only(t, []result.Record{graph(1, 4, 6), graph(2, 8, 7.5)}, "weak scaling")
	if want := "pes=1: 6 1 1\npes=2: 7.5 1.6 0.8\n"; figures(got) != want {
		t.Errorf("got\n%s", figures(got))
	}
}

func TestGains(t *testing.T) {
	k := func(odf int64, v float64) result.Record {
		return rec(0, v, result.Params{"model": "charm", "pes": int64(2), "odf": odf, "blocks": []int64{odf, 2}})
	}
	got := only(t, []result.Record{k(4, 8), k(1, 10), k(16, 20)}, "over-decomposition")
	if want := "odf=1: 10 1\nodf=4: 8 1.25\nodf=16: 20 0.5\n"; figures(got) != want {
		t.Errorf("got\n%s", figures(got))
	}
	b := func(balance string, every any, v float64) result.Record {
		return rec(0, v, result.Params{"balance": balance, "balance_every": every})
	}
	recs := []result.Record{b("greedy", int64(10), 5), b("none", nil, 10), b("greedy", int64(20), 4), b("refine", int64(10), 20)}
	got = only(t, recs, "balancing")
	if want := "balance=greedy: 5 2\nbalance=greedy: 4 2.5\nbalance=none: 10 1\nbalance=refine: 20 0.5\n"; sorted(figures(got)) != sorted(want) {
		t.Errorf("got\n%s", figures(got))
	}
	if tables, _ := Of([]result.Record{recs[0], recs[3]}); len(tables) != 0 {
		t.Errorf("a gain over nothing: %+v", tables)
	}
}

// A case that was over before its first sync point balanced nothing: its gain is none of balancing's.
func TestNoGainWithoutASyncPoint(t *testing.T) {
	b := func(balance string, v float64, syncs int64) result.Record {
		r := rec(0, v, result.Params{"balance": balance, "balance_every": int64(20)})
		if balance != "none" {
			r.Balancing = &result.Balancing{Syncs: syncs}
		}
		return r
	}
	got := only(t, []result.Record{b("none", 10, 0), b("greedy", 5, 3), b("refine", 8, 0)}, "balancing")
	if want := "balance=greedy: 5 2\nbalance=none: 10 1\n"; figures(got) != want {
		t.Errorf("got\n%swant\n%s", figures(got), want)
	}
	if tables, _ := Of([]result.Record{b("none", 10, 0), b("greedy", 5, 0)}); len(tables) != 0 {
		t.Errorf("a table of one case: %+v", tables)
	}
}

func sorted(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		for j := i + 1; j < len(lines); j++ {
			if lines[j] < lines[i] {
				lines[i], lines[j] = lines[j], lines[i]
			}
		}
	}
	return strings.Join(lines, "\n")
}

func TestOverlap(t *testing.T) {
	part := func(name any, v float64, per ...float64) result.Record {
		r := rec(0, v, result.Params{"part": name, "pes": int64(2)})
		for pe, x := range per {
			r.Samples[peName(Times[0], pe)] = result.Samples{x, x, x}
		}
		return r
	}
	recs := []result.Record{part(nil, 11), part("compute", 10), part("comm", 4)}
	got := only(t, recs, "overlap")
	if want := "part=<nil>: 11 1 0.75 NaN NaN\n"; figures(got) != want {
		t.Errorf("got\n%s", figures(got))
	}
	// One PE waits for 2 of 4, the other for nothing.
	recs = []result.Record{part(nil, 12, 12, 9), part("compute", 10, 10, 10), part("comm", 4, 4, 2)}
	if want := "part=<nil>: 12 2 0.5 1 0.75\n"; figures(only(t, recs, "overlap")) != want {
		t.Errorf("got\n%s", figures(only(t, recs, "overlap")))
	}
	// Parts have no scaling of their own, and one PE has nobody to wait for.
	alone := []result.Record{rec(0, 3, result.Params{"part": nil}), rec(0, 2, result.Params{"part": "compute"}), rec(0, 1, result.Params{"part": "comm"})}
	tables, _ := Of(append(alone, recs...))
	if len(tables) != 2 || len(tables[0].Rows) != 2 || len(tables[1].Rows) != 1 {
		t.Errorf("parts among others: %+v", tables)
	}
	for i := range recs {
		some := append(append([]result.Record{}, recs[:i]...), recs[i+1:]...)
		if tables, _ := Of(some); len(tables) != 0 {
			t.Errorf("overlap without part %v: %+v", recs[i].Params["part"], tables)
		}
	}
}

// A share is left out where runs differ by more than there is communication.
func TestOverlapOfAlmostNothing(t *testing.T) {
	for _, c := range []struct {
		comm float64
		told bool
	}{{20, true}, {0.1, false}} {
		var recs []result.Record
		for trial := range 6 {
			noise := float64(trial%3) - 1
			for _, x := range []struct {
				part any
				v    float64
			}{{nil, 101 + noise}, {"compute", 100 - noise}, {"comm", c.comm}} {
				recs = append(recs, rec(trial, x.v, result.Params{"part": x.part, "pes": int64(2)}))
			}
		}
		share := only(t, recs, "overlap").Rows[0].Figures[2].Estimate
		if math.IsNaN(share) == c.told {
			t.Errorf("communication of %g: hidden share %g", c.comm, share)
		}
	}
}

// Trials are what intervals draw from: ten that agree and ten that do not have the same samples within.
func TestIntervalsGoByTrials(t *testing.T) {
	width := func(spread float64) float64 {
		var recs []result.Record
		for trial := range 10 {
			off := 1 + spread*float64(trial%3-1)
			recs = append(recs, rec(trial, 8*off, at(1)), rec(trial, 4, at(2)))
		}
		f := only(t, recs, "strong scaling").Rows[1].Figures[1]
		if math.Abs(f.Estimate-2) > 0.01 {
			t.Errorf("estimate %v", f.Estimate)
		}
		return f.High - f.Low
	}
	if calm, wild := width(0), width(0.2); !(wild > calm+0.1) {
		t.Errorf("widths %v and %v", calm, wild)
	}
}

// What counts for correctness alone has no figures, as base neither, and is counted.
func TestNothingOfEmulatedOrOversubscribed(t *testing.T) {
	over := rec(0, 1, at(4))
	over.Oversubscribed = true
	recs := []result.Record{rec(0, 8, at(1)), rec(0, 4, at(2)), over}
	for pes := int64(1); pes <= 4; pes *= 2 {
		p := at(pes)
		p["device"], p["path"] = "emulated", "staged"
		recs = append(recs, rec(0, 1, p))
	}
	failed := rec(0, 1, at(8))
	failed.Status = result.Failed
	tables, left := Of(append(recs, failed))
	if len(tables) != 1 || figures(tables[0]) != "pes=1: 8 1 1\npes=2: 4 2 1\n" || left != (Left{3, 1}) {
		t.Errorf("%+v, left %+v", tables, left)
	}
	recs[0].Oversubscribed = true
	if tables, _ := Of(recs[:3]); len(tables) != 0 {
		t.Errorf("figures against an oversubscribed case: %+v", tables)
	}
}
