// What scripts read: CSV, and OSU's two columns.

package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"strconv"

	"gpubench/internal/result"
)

// writeCSV writes one row per case, trial and metric, in base units; an empty
// field is not known. A case without figures has one row with an empty metric.
func writeCSV(w io.Writer, _ []string, recs []result.Record) error {
	seen := map[string]bool{}
	for _, r := range recs {
		for n := range r.Params {
			seen[n] = true
		}
	}
	params := names(seen)
	c := csv.NewWriter(w)
	head := append([]string{"benchmark", "id", "trial", "status"}, params...)
	head = append(head, "lane", "oversubscribed", "checked", "errors",
		"metric", "unit", "median", "mean", "stddev", "min", "max", "p95", "p99", "ci_low", "ci_high", "confidence", "n", "reason")
	if err := c.Write(head); err != nil {
		return err
	}
	for _, r := range recs {
		row := []string{r.Benchmark, r.ID, strconv.Itoa(r.Trial), string(r.Status)}
		for _, n := range params {
			v := ""
			if r.Params.Has(n) {
				v = text(r.Params, n)
			}
			row = append(row, v)
		}
		lane, checked, errors := "", "", ""
		if r.PathTaken != nil {
			lane = r.PathTaken.Lane
		}
		if r.Validation != nil {
			checked, errors = fmt.Sprint(r.Validation.Checked), fmt.Sprint(r.Validation.Errors)
		}
		row = append(row, lane, strconv.FormatBool(r.Oversubscribed), checked, errors)
		metrics := metricNames([]result.Record{r})
		if len(metrics) == 0 {
			metrics = []string{""}
		}
		for _, name := range metrics {
			if err := c.Write(append(append([]string{}, row...), metricFields(name, r)...)); err != nil {
				return err
			}
		}
	}
	c.Flush()
	return c.Error()
}

func metricFields(name string, r result.Record) []string {
	m, ok := r.Metrics[name]
	if !ok {
		return append(make([]string, 13), r.Reason)
	}
	out := []string{name, m.Unit}
	for _, v := range []float64{m.Median, m.Mean, m.Stddev, m.Min, m.Max, m.P95, m.P99, m.CILow, m.CIHigh, m.Confidence} {
		out = append(out, csvNumber(v))
	}
	return append(out, strconv.Itoa(m.N), r.Reason)
}

func csvNumber(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return ""
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// writeOSU writes one block of size and value per series, as OSU's programs do.
func writeOSU(w io.Writer, title []string, recs []result.Record) error {
	for _, t := range title {
		fmt.Fprintf(w, "# %s\n", t)
	}
	recs, _ = asked(byLane(recs))
	benches, groups := byBenchmark(recs)
	for _, b := range benches {
		g := ran(groups[b])
		if len(g) == 0 {
			continue
		}
		metrics := metricNames(g)
		if len(metrics) == 0 {
			continue
		}
		m, _ := firstMetric(g, metrics[0])
		sc := scaleOf(metrics[0], m.Unit)
		by := names(set(append(distinguishing(g), "model", "transport", "device", "path")))
		for _, s := range seriesOf(g, by) {
			fmt.Fprintf(w, "\n# gpubench %s:", b)
			for _, n := range by {
				fmt.Fprintf(w, " %s=%s", n, text(s.first.Params, n))
			}
			first := "Size"
			if !s.first.Params.Has("size_bytes") {
				first = "Grid"
			}
			fmt.Fprintf(w, "\n# %-*s%*s\n", 8, first, 20, osuName[metrics[0]]+" ("+sc.unit+")")
			for _, n := range sizes([]*series{s}) {
				key := fmt.Sprint(n)
				if first == "Grid" {
					key = text(s.first.Params, "grid")
				}
				v := value(s.rows[n], metrics[0], sc)
				fmt.Fprintf(w, "%-10s%20s\n", key, v)
			}
		}
	}
	fmt.Fprintln(w)
	notes(w, recs)
	return writeSummary(w, recs)
}

var osuName = map[string]string{"latency": "Latency", "bandwidth": "Bandwidth", "iteration_time": "Iteration"}
