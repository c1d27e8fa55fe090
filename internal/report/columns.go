// What scripts read: CSV, and OSU's columns.

package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"slices"
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
	head = append(head, "lane", "oversubscribed", "checked", "errors", "limit_name", "limit_value", "limit_unit", "limit_fraction",
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
		row = append(row, limitFields(r.Limit)...)
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

// limitFields are those of the case's main metric; the fraction is empty where the limit is shown to be none.
func limitFields(l *result.Limit) []string {
	if l == nil {
		return make([]string, 4)
	}
	return []string{l.Name, csvNumber(l.Value), l.Unit, csvNumber(l.Fraction)}
}

func csvNumber(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return ""
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// writeOSU writes one block of sizes and values per series, as OSU's programs do.
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
		columns := osuColumns(g, metrics)
		by := names(set(append(distinguishing(g), "model", "transport", "device", "path")))
		first, rowParam := rowsOf(g, by)
		by = without(by, rowParam)
		for _, s := range seriesBy(g, by, rowParam) {
			fmt.Fprintf(w, "\n# gpubench %s:", b)
			for _, n := range by {
				fmt.Fprintf(w, " %s=%s", n, text(s.first.Params, n))
			}
			fmt.Fprintf(w, "\n# %-8s", first)
			for _, c := range columns {
				fmt.Fprintf(w, "%20s", c.head)
			}
			fmt.Fprintln(w)
			for _, n := range sizes([]*series{s}) {
				key := fmt.Sprint(n)
				if first == "Grid" {
					key = text(s.first.Params, "grid")
				}
				fmt.Fprintf(w, "%-10s", key)
				for _, c := range columns {
					fmt.Fprintf(w, "%20s", value(s.rows[n], c.metric, c.scale))
				}
				fmt.Fprintln(w)
			}
		}
	}
	fmt.Fprintln(w)
	notes(w, recs)
	return writeSummary(w, recs)
}

// rowsOf says what the first column of a block is: sizes, else the PEs, or the grid of a stencil that ran on one number of PEs.
func rowsOf(recs []result.Record, by []string) (head, param string) {
	switch {
	case recs[0].Params.Has("size_bytes"):
		return "Size", "size_bytes"
	case recs[0].Params.Has("grid") && !slices.Contains(by, "pes"):
		return "Grid", "size_bytes"
	}
	return "PEs", "pes"
}

// osuColumn is a figure of OSU's programs, by its metric here and the head that it has there.
type osuColumn struct {
	metric, head string
	scale        scale
}

// osuColumns are the figures that OSU's program of the kind prints: of a collective the mean over the ranks (util/osu_util_mpi.c,
// print_stats), of osu_mbw_mr the messages too, of the others one.
func osuColumns(recs []result.Record, metrics []string) []osuColumn {
	column := func(metric, head string) osuColumn {
		m, _ := firstMetric(recs, metric)
		sc := scaleOf(metric, m.Unit)
		if head == "" {
			head = metric
			if n, ok := osuName[metric]; ok {
				head = n
			}
			head += " (" + sc.unit + ")"
		}
		return osuColumn{metric, head, sc}
	}
	switch {
	case slices.Contains(metrics, "latency_mean"):
		return []osuColumn{column("latency_mean", "Avg Latency(us)")}
	case metrics[0] == "bandwidth" && slices.Contains(metrics, "message_rate"):
		return []osuColumn{column("bandwidth", "MB/s"), column("message_rate", "Messages/s")}
	}
	return []osuColumn{column(metrics[0], "")}
}

var osuName = map[string]string{"latency": "Latency", "bandwidth": "Bandwidth", "iteration_time": "Iteration"}
