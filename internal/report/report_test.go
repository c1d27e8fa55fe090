package report

import (
	"bytes"
	"encoding/csv"
	"flag"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gpubench/internal/result"
)

var update = flag.Bool("update", false, "write the golden files anew")

// metric is a metric whose numbers are known.
func metric(unit string, v float64) result.Metric {
	return result.Metric{Unit: unit, Median: v, Mean: v * 1.1, Stddev: v / 10, Min: v / 2, Max: v * 2, P95: math.NaN(), P99: math.NaN(),
		CILow: v * 0.9, CIHigh: v * 1.2, Confidence: 0.95, N: 7}
}

func rec(bench, model, path string, status result.Status, over result.Params, metrics map[string]result.Metric) result.Record {
	device := "cpu"
	if path != "host" {
		device = "emulated"
	}
	p := result.Params{"model": model, "transport": "inproc", "device": device, "path": path, "pes": int64(2), "staging": nil,
		"space": map[bool]string{true: "pageable", false: "device"}[path == "host"]}
	if path == "staged" {
		p["staging"] = "pipelined"
	}
	for k, v := range over {
		p[k] = v
	}
	r := result.Record{ID: result.ID(bench, p), Benchmark: bench, Params: p, Status: status, Metrics: metrics}
	if status != result.OK {
		r.Reason = "because"
	}
	if status == result.OK {
		r.Validation = &result.Validation{Checked: 8, Sent: 8}
		lane := map[string]string{"host": "host", "staged": "staged", "direct": "copy"}[path]
		r.PathTaken = &result.PathTaken{Lane: lane}
	}
	return r
}

func fixed() []result.Record {
	var out []result.Record
	for _, size := range []int64{8, 1024} {
		for i, path := range []string{"host", "staged", "direct"} {
			for j, model := range []string{"mpi", "charm"} {
				v := 1e-7 * float64(1+i) * float64(1+j) * (1 + float64(size)/100)
				out = append(out, rec("pingpong", model, path, result.OK, result.Params{"size_bytes": size, "iterations": int64(10)},
					map[string]result.Metric{"latency": metric("s", v)}))
			}
		}
	}
	out = append(out,
		rec("pingpong", "mpi", "host", result.Failed, result.Params{"size_bytes": int64(64)}, nil),
		rec("pingpong", "mpi", "direct", result.Skipped, result.Params{"size_bytes": int64(8), "transport": "mpi"}, nil),
		rec("pingpong", "mpi", "direct", result.Skipped, result.Params{"size_bytes": int64(16), "transport": "mpi"}, nil))
	for j, model := range []string{"mpi", "charm"} {
		r := rec("jacobi3d", model, "host", result.OK,
			result.Params{"grid": []int64{48, 48, 48}, "blocks": []int64{1, 1, 2}, "odf": int64(1), "field": "modes"},
			map[string]result.Metric{"iteration_time": metric("s", 1e-4*float64(1+j)), "compute_time": metric("s", 8e-5), "comm_time": metric("s", 2e-5)})
		r.Validation = &result.Validation{Checked: 110592, Sent: 110592, Answer: &result.Answer{MaxError: 3.5e-16}}
		r.Oversubscribed = j == 1
		out = append(out, r)
	}
	return out
}

func render(t *testing.T, format string, recs []result.Record) string {
	t.Helper()
	var b bytes.Buffer
	r := Formats[format](&b, []string{"a title"})
	for _, x := range recs {
		if err := r.Record(x); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	for _, format := range Names() {
		t.Run(format, func(t *testing.T) {
			golden(t, "run."+format, render(t, format, fixed()))
		})
	}
}

// golden holds what was printed against a file of testdata, or writes that anew.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("this differs from %s:\n%s", file, got)
	}
}

func TestEveryNameHasAFormat(t *testing.T) {
	for _, n := range Names() {
		if Formats[n] == nil {
			t.Errorf("no format %s", n)
		}
	}
	if len(Names()) != len(Formats) {
		t.Error("a format has no name")
	}
}

// Emulated figures never stand bare, failures never look like figures.
func TestFiguresAreWhatTheyLookLike(t *testing.T) {
	text := render(t, "text", fixed())
	for _, want := range []string{"(0.216)", "failed", emulatedNote, "oversubscribed", "skipped: because (2 cases of pingpong)", "13 ok, 1 failed, 2 skipped"} {
		if want == "13 ok, 1 failed, 2 skipped" {
			want = "14 ok, 1 failed, 2 skipped"
		}
		if !strings.Contains(text, want) {
			t.Errorf("the text lacks %q:\n%s", want, text)
		}
	}
}

func TestCSVHasOneRowPerCaseAndMetric(t *testing.T) {
	rows, err := csv.NewReader(strings.NewReader(render(t, "csv", fixed()))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	// 12 pingpong, 1 failed, 2 skipped, 2 × 3 metrics of jacobi3d, and a head.
	if len(rows) != 1+12+1+2+6 {
		t.Errorf("%d rows", len(rows))
	}
}

func TestTrialsAreSummedUpByTheirMedian(t *testing.T) {
	var recs []result.Record
	for trial, v := range []float64{5e-6, 1e-6, 3e-6} {
		r := rec("pingpong", "mpi", "host", result.OK, result.Params{"size_bytes": int64(8)}, map[string]result.Metric{"latency": metric("s", v)})
		r.Trial = trial
		recs = append(recs, r)
	}
	if text := render(t, "osu", recs); !strings.Contains(text, "3.000") {
		t.Errorf("no median of the trials in\n%s", text)
	}
}

func TestJSONLinesComeAtOnce(t *testing.T) {
	var b bytes.Buffer
	r := Formats["jsonl"](&b, nil)
	if err := r.Record(fixed()[0]); err != nil {
		t.Fatal(err)
	}
	c, err := result.Read(&b)
	if err != nil || len(c.Records) != 1 {
		t.Errorf("%d records, %v", len(c.Records), err)
	}
}

// Doubts about the environment stand in the head of what is for reading, once, and not among a script's rows.
func TestWarnings(t *testing.T) {
	for format, want := range map[string]int{"text": 1, "osu": 1, "csv": 0} {
		var b bytes.Buffer
		r := Formats[format](&b, []string{"a title"})
		for range 2 {
			e, err := result.NewEnvironment(map[string]any{"warnings": []string{"PE 1 is far"}})
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Environment(e); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.Record(fixed()[0]); err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(b.String(), "# warning: PE 1 is far\n"); got != want || want > 0 && !strings.HasPrefix(b.String(), "# a title\n# warning") {
			t.Errorf("%s: %d warnings, want %d\n%s", format, got, want, b.String())
		}
	}
}

// A table says on which path its messages went, in its title where no column does.
func TestTitleNamesTheOnlyPath(t *testing.T) {
	latency := map[string]result.Metric{"latency": metric("s", 1e-6)}
	of := func(path string) []result.Record {
		size := result.Params{"size_bytes": int64(8)}
		return []result.Record{rec("pingpong", "mpi", path, result.OK, size, latency), rec("pingpong", "charm", path, result.OK, size, latency)}
	}
	if got := render(t, "text", of("staged")); !strings.Contains(got, "# pingpong over inproc: latency (us), staged, 2 PEs\n# size ") {
		t.Errorf("one path:\n%s", got)
	}
	if got := render(t, "text", append(of("staged"), of("direct")...)); !strings.Contains(got, "# pingpong over inproc: latency (us), 2 PEs\n# size ") {
		t.Errorf("two paths:\n%s", got)
	}
}

// What a direct case is called instead is explained.
func TestNotesSayWhyACaseIsNotDirect(t *testing.T) {
	for lane, want := range map[string]string{
		"copy":           "# direct over inproc went by: copy\n",
		"library-staged": "# library-staged: a direct case whose library was given device memory and went through the host",
		"unknown":        "# unproved: a direct case of which nothing shows",
	} {
		r := rec("pingpong", "mpi", "direct", result.OK, result.Params{"size_bytes": int64(8)}, map[string]result.Metric{"latency": metric("s", 1e-6)})
		r.PathTaken.Lane = lane
		for _, format := range []string{"text", "osu"} {
			got := render(t, format, []result.Record{r})
			if !strings.Contains(got, want) || lane != "copy" && strings.Contains(got, "went by") {
				t.Errorf("%s, %s: want %q in\n%s", lane, format, want, got)
			}
		}
	}
}

// Staged messages that went another way are told of, and not cases without one, whose lane is copy.
func TestNotesOfStagedLanes(t *testing.T) {
	for lane, told := range map[string]bool{"staged": false, "copy": false, "unknown": true} {
		r := rec("stencil2d", "mpi", "staged", result.OK, nil, map[string]result.Metric{"iteration_time": metric("s", 1e-6)})
		r.PathTaken.Lane = lane
		if got := render(t, "text", []result.Record{r}); strings.Contains(got, "# staged over inproc went by: "+lane+"\n") != told {
			t.Errorf("%s: told %v in\n%s", lane, !told, got)
		}
	}
}

// OSU's programs print the mean over the ranks of a collective, and messages a second beside osu_mbw_mr's bandwidth.
func TestOSUsOwnColumns(t *testing.T) {
	over := func(size int64) result.Params { return result.Params{"size_bytes": size} }
	for bench, c := range map[string]struct {
		metrics map[string]result.Metric
		want    string
	}{
		"allreduce": {map[string]result.Metric{"latency": metric("s", 9e-6), "latency_mean": metric("s", 4.5e-6), "bandwidth": metric("B/s", 1e9)},
			"\n# Size         Avg Latency(us)\n8                        4.500\n"},
		"multi_bandwidth": {map[string]result.Metric{"bandwidth": metric("B/s", 16e6), "message_rate": metric("op/s", 2e6)},
			"\n# Size                    MB/s          Messages/s\n8                        16.00             2000000\n"},
		"bandwidth": {map[string]result.Metric{"bandwidth": metric("B/s", 16e6)}, "\n# Size        Bandwidth (MB/s)\n8                        16.00\n"},
	} {
		if got := render(t, "osu", []result.Record{rec(bench, "mpi", "host", result.OK, over(8), c.metrics)}); !strings.Contains(got, c.want) {
			t.Errorf("%s: it lacks\n%s\nit is\n%s", bench, c.want, got)
		}
	}
}
