// What stands in a table's cells, and how a table is aligned.

package report

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"gpubench/internal/result"
)

// given reports whether device memory was given to the transport: what carried it is to be shown.
func given(r result.Record) bool {
	p := text(r.Params, "path")
	return p != "host" && p != "staged"
}

// lane is what carried the messages of a row; in a table of several paths that of the direct ones.
func lane(cells ...*cell) string {
	found := map[string]bool{}
	for _, c := range cells {
		if c == nil {
			continue
		}
		for _, r := range c.ok {
			if r.PathTaken != nil && (len(cells) == 1 || given(r)) {
				found[r.PathTaken.Lane] = true
			}
		}
	}
	if len(found) == 0 {
		return "-"
	}
	return strings.Join(sorted(found), "/")
}

// shown leaves out what only a script wants: means over PEs, and each PE's own.
func shown(metrics []string) []string {
	var out []string
	for _, n := range metrics {
		if !strings.HasSuffix(n, "_mean") && !strings.Contains(n, "_pe") {
			out = append(out, n)
		}
	}
	return out
}

// table aligns columns: the first to the left, so that a head begins with #,
// the others to the right.
func table(w io.Writer, rows [][]string) {
	width := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, c := range row {
			width[i] = max(width[i], utf8.RuneCountInString(c))
		}
	}
	for _, row := range rows {
		line := fmt.Sprintf("%-*s", width[0], row[0])
		for i, c := range row[1:] {
			line += fmt.Sprintf("  %*s", width[i+1], c)
		}
		fmt.Fprintln(w, strings.TrimRight(line, " "))
	}
}

// withoutLast leaves out the last column where it says nothing.
func withoutLast(rows [][]string) [][]string {
	last := len(rows[0]) - 1
	if slices.ContainsFunc(rows[1:], func(row []string) bool { return row[last] != "-" }) {
		return rows
	}
	var out [][]string
	for _, row := range rows {
		out = append(out, row[:last])
	}
	return out
}

// checked is how many cells or messages were compared, and how far off the
// farthest was.
func checked(c *cell) []string {
	if len(c.ok) == 0 || c.ok[0].Validation == nil {
		return []string{"-", "-"}
	}
	v := c.ok[0].Validation
	largest := "-"
	if v.Answer != nil {
		largest = fmt.Sprintf("%.1e", v.Answer.MaxError)
	}
	return []string{fmt.Sprint(v.Checked), largest}
}

// value is one figure, or what happened instead.
func value(c *cell, metric string, sc scale) string {
	if c == nil {
		return ""
	}
	if len(c.failed) > 0 {
		return string(c.failed[0].Status)
	}
	m, ok := c.metric(metric)
	if !ok {
		return "-"
	}
	s := number(m.Median * sc.factor)
	if c.ok[0].Params["device"] == "emulated" {
		return "(" + s + ")"
	}
	return s
}

// searched are the metrics that a search finds: its repetitions give one trial an interval.
var searched = set([]string{"metg"})

// figure is a value as people read it: with its spread, where there are several trials of hardware, or a search of one.
func figure(c *cell, metric string, sc scale) string {
	s := value(c, metric, sc)
	if c == nil || len(c.failed) > 0 || len(c.ok) == 0 || len(c.ok) < 2 && !searched[metric] || c.ok[0].Params["device"] == "emulated" {
		return s
	}
	if m, ok := c.metric(metric); ok {
		s = strings.TrimSpace(s + " " + spread(m))
	}
	return s
}

// spread is how far the interval over trials reaches from the median, on its wider side.
func spread(m result.Metric) string {
	far := max(m.CIHigh-m.Median, m.Median-m.CILow) / m.Median * 100
	if math.IsNaN(far) || math.IsInf(far, 0) {
		return ""
	}
	if far < 9.5 {
		return fmt.Sprintf("±%.1f%%", far)
	}
	return fmt.Sprintf("±%.0f%%", far)
}

// spreadNote explains it.
const spreadNote = "# ±: the wider side of the 95 % interval of the median over trials, by bootstrap of the trials"

// searchNote explains it where there is one trial.
const searchNote = "# ± of metg in one trial: the wider side of the 95 % interval of the median over its search's repetitions"

// searchedOnce says whether tables show intervals of searches.
func searchedOnce(recs []result.Record) bool {
	trials := map[string]int{}
	for _, r := range recs {
		for metric := range r.Metrics {
			if searched[metric] && r.Status == result.OK && r.Params["device"] != "emulated" {
				trials[r.ID]++
			}
		}
	}
	for _, n := range trials {
		if n == 1 {
			return true
		}
	}
	return false
}

// repeated says whether tables show intervals over trials.
func repeated(recs []result.Record) bool {
	seen := map[string]bool{}
	for _, r := range recs {
		if r.Status == result.OK && r.Params["device"] != "emulated" {
			if seen[r.ID] {
				return true
			}
			seen[r.ID] = true
		}
	}
	return false
}

func firstMetric(recs []result.Record, name string) (result.Metric, bool) {
	for _, r := range recs {
		if m, ok := r.Metrics[name]; ok {
			return m, true
		}
	}
	return result.Metric{}, false
}
