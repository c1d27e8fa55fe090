// Tables of what several cases say together.

package report

import (
	"fmt"
	"io"
	"math"
	"slices"
	"sort"
	"strings"

	"gpubench/internal/derive"
	"gpubench/internal/result"
	"gpubench/internal/stats"
)

// derivedTable writes one table of derived figures, a row for each case.
func derivedTable(w io.Writer, t derive.Table) {
	rows := slices.Clone(t.Rows)
	recs := make([]result.Record, len(rows))
	for i, r := range rows {
		recs[i] = result.Record{Params: r.Params}
	}
	by := rowNames(recs)
	sort.SliceStable(rows, func(i, j int) bool { return less(rows[i].Params, rows[j].Params, by) })
	fmt.Fprintf(w, "\n# %s, %s:%s\n# %s\n", t.Benchmark, t.Kind, constants(recs, by), t.Note)
	lines := [][]string{append([]string{"# " + by[0]}, by[1:]...)}
	var shown []int // columns with a figure in some row
	for i, c := range t.Columns {
		if !slices.ContainsFunc(rows, func(r derive.Row) bool { return !math.IsNaN(r.Figures[i].Estimate) }) {
			continue
		}
		shown = append(shown, i)
		head := strings.TrimSuffix(c.Name, "_time")
		if c.Unit != "1" {
			head += " (" + scaleOf(c.Name, c.Unit).unit + ")"
		}
		lines[0] = append(lines[0], head)
	}
	for _, r := range rows {
		var line []string
		for _, n := range by {
			line = append(line, text(r.Params, n))
		}
		for _, i := range shown {
			line = append(line, withEnds(r.Figures[i], scaleOf(t.Columns[i].Name, t.Columns[i].Unit).factor))
		}
		lines = append(lines, line)
	}
	table(w, lines)
}

// withEnds is an estimate with its interval, where that is known.
func withEnds(i stats.Interval, factor float64) string {
	s := number(i.Estimate * factor)
	if math.IsNaN(i.Low) || math.IsNaN(i.High) {
		return s
	}
	return fmt.Sprintf("%s [%s, %s]", s, number(i.Low*factor), number(i.High*factor))
}

// leftNote says of how many cases nothing is derived.
func leftNote(l derive.Left) string {
	var parts []string
	if l.Emulated > 0 {
		parts = append(parts, fmt.Sprintf("%d on the emulated device", l.Emulated))
	}
	if l.Oversubscribed > 0 {
		parts = append(parts, fmt.Sprintf("%d oversubscribed", l.Oversubscribed))
	}
	if len(parts) == 0 {
		return ""
	}
	return "# nothing is derived of cases that count for correctness alone: " + strings.Join(parts, ", ")
}
