package report

import (
	"encoding/csv"
	"strings"
	"testing"

	"gpubench/internal/result"
	"gpubench/internal/stats"
)

// sweep is a stencil over PEs in three trials, on hardware and on the emulated device.
func sweep() []result.Record {
	var out []result.Record
	for trial := range 3 {
		for i, pes := range []int64{4, 1, 2} {
			for j, path := range []string{"host", "staged"} {
				v := []float64{2e-3, 8e-3, 4e-3}[i] * float64(1+j) * (1 + 0.02*float64(trial))
				over := result.Params{"pes": pes, "grid": []int64{1024, 512}, "blocks": []int64{pes, 1}, "odf": int64(1), "field": "modes",
					"part": nil, "validate": true, "placement": map[bool]any{true: nil, false: "node"}[pes == 1]}
				r := rec("stencil2d", "mpi", path, result.OK, over, map[string]result.Metric{"iteration_time": stats.Metric("s", []float64{v, v * 1.01, v * 0.99}, false)})
				r.Samples = map[string]result.Samples{"iteration_time": {v, v * 1.01, v * 0.99}}
				r.Trial = trial
				r.Oversubscribed = pes == 4
				out = append(out, r)
			}
		}
	}
	return out
}

// A sweep's tables: PEs as rows, what all cases share in the title, what follows from the PEs in no column; below it what
// is derived, of hardware alone.
func TestSweepGolden(t *testing.T) {
	for _, format := range []string{"text", "osu"} {
		golden(t, "sweep."+format, render(t, format, sweep()))
	}
}

// Widths count characters, not bytes: columns stay in line.
func TestColumnsStayInLine(t *testing.T) {
	lines := strings.Split(render(t, "text", sweep()), "\n")
	n := 0
	for i, l := range lines {
		if strings.HasPrefix(l, "# transport") {
			n++
			for _, row := range lines[i+1:] {
				if row == "" {
					break
				}
				if len([]rune(row)) != len([]rune(l)) {
					t.Errorf("%q is not as wide as %q", row, l)
				}
			}
		}
	}
	if n != 2 {
		t.Errorf("%d tables", n)
	}
}

func TestSpreadIsTheWiderSide(t *testing.T) {
	for _, c := range []struct {
		low, median, high float64
		want              string
	}{{98, 100, 103, "±3.0%"}, {80, 100, 101, "±20%"}, {100, 100, 100, "±0.0%"}} {
		if got := spread(result.Metric{CILow: c.low, Median: c.median, CIHigh: c.high}); got != c.want {
			t.Errorf("%v: %s", c, got)
		}
	}
}

// A script finds the limit of a case beside its figures.
func TestCSVHasTheLimit(t *testing.T) {
	rows, err := csv.NewReader(strings.NewReader(render(t, "csv", []result.Record{staged(8, 0, 0.5, nil)}))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for i, name := range rows[0] {
		got[name] = rows[1][i]
	}
	for name, want := range map[string]string{"limit_name": "staged legs", "limit_value": "8e-06", "limit_unit": "s", "limit_fraction": "0.5"} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
}

// Records without samples, as a reader may have cut them, and a sweep over chares per PE.
func TestDerivedGains(t *testing.T) {
	var recs []result.Record
	for _, odf := range []int64{1, 4} {
		recs = append(recs, rec("jacobi3d", "charm", "host", result.OK, result.Params{"grid": []int64{8, 8, 8}, "blocks": []int64{1, odf, 2}, "odf": odf},
			map[string]result.Metric{"iteration_time": metric("s", 4e-3/float64(odf))}))
	}
	got := render(t, "text", recs)
	for _, want := range []string{"# jacobi3d, over-decomposition: grid 8x8x8 pes 2\n", "inproc          cpu  host  charm    4           1.000  4.000\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("the text lacks %q:\n%s", want, got)
		}
	}
}

// Grids are sorted as numbers.
func TestGridsInOrder(t *testing.T) {
	a, b := result.Params{"grid": []int64{64, 64}}, result.Params{"grid": []int64{128, 64}}
	if !less(a, b, []string{"grid"}) || less(b, a, []string{"grid"}) {
		t.Error("128x64 before 64x64")
	}
}

// Rates that people compare by have a table of their own, below the main metric's, without its limits.
func TestSecondMetric(t *testing.T) {
	r := staged(8, 0, 0.5, nil)
	r.Benchmark = "multi_bandwidth"
	r.Metrics = map[string]result.Metric{"bandwidth": metric("B/s", 2e9), "message_rate": metric("op/s", 250e6), "latency_of_none": metric("s", 1)}
	got := render(t, "text", []result.Record{r})
	for _, want := range []string{"bandwidth (MB/s), staged, 2 PEs\n# size  mpi staged  of limit\n8             2000      0.50\n",
		"message_rate (op/s), staged, 2 PEs\n# size  mpi staged\n8        250000000\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("the text lacks %q:\n%s", want, got)
		}
	}
	if strings.Contains(got, "latency_of_none") {
		t.Errorf("a table too many:\n%s", got)
	}
}
