// The tables that a person reads.

package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"gpubench/internal/derive"
	"gpubench/internal/result"
)

// Emulation shows that a path works, not how fast it is.
const emulatedNote = "# (…) on the emulated device: the path works; the time is no measurement of any hardware"

func writeText(w io.Writer, title []string, recs []result.Record) error {
	for _, t := range title {
		fmt.Fprintf(w, "# %s\n", t)
	}
	recs, asLimits := asked(byLane(recs))
	benches, groups := byBenchmark(recs)
	derived, left := derive.Of(recs)
	for _, b := range benches {
		g := ran(groups[b])
		switch {
		case len(g) == 0:
		case alone(g[0]) && g[0].Params.Has("direction"):
			pairs(w, b, g)
		case alone(g[0]):
			figures(w, b, g)
		case g[0].Params.Has("size_bytes"):
			matrix(w, b, g)
		default:
			list(w, b, g)
		}
		for _, t := range derived {
			if t.Benchmark == b {
				derivedTable(w, t)
			}
		}
	}
	limitTable(w, asLimits)
	fmt.Fprintln(w)
	if repeated(recs) {
		fmt.Fprintln(w, spreadNote)
	}
	if searchedOnce(recs) {
		fmt.Fprintln(w, searchNote)
	}
	if slices.ContainsFunc(recs, overComputes) {
		fmt.Fprintln(w, overNote)
	}
	notes(w, recs)
	if note := leftNote(left); note != "" {
		fmt.Fprintln(w, note)
	}
	return writeSummary(w, recs)
}

// ran leaves out skipped cases: they are listed with their reasons below.
func ran(recs []result.Record) []result.Record {
	var out []result.Record
	for _, r := range recs {
		if r.Status != result.Skipped {
			out = append(out, r)
		}
	}
	return out
}

// matrix is a table of sizes against series, one per transport and metric that people compare by.
func matrix(w io.Writer, bench string, recs []result.Record) {
	metrics := metricNames(recs)
	if len(metrics) == 0 {
		metrics = []string{""}
	}
	by := distinguishing(recs)
	for _, transport := range valuesOf(recs, "transport") {
		var some []result.Record
		for _, r := range recs {
			if text(r.Params, "transport") == transport {
				some = append(some, r)
			}
		}
		for i, metric := range metrics {
			if i == 0 || slices.Contains(compared, metric) {
				matrixOf(w, fmt.Sprintf("%s over %s", bench, transport), some, by, metric, i == 0)
			}
		}
	}
}

// compared are metrics beside the main one that have a table of their own.
var compared = []string{"message_rate", "bus_bandwidth"}

// matrixOf is the table of one metric over one transport. Limits and legs are the main metric's.
func matrixOf(w io.Writer, title string, some []result.Record, by []string, metric string, main bool) {
	all := seriesOf(some, without(by, "transport", "device"))
	if len(all) < len(seriesOf(some, by)) { // a path on two devices
		all = seriesOf(some, without(by, "transport"))
	}
	m, _ := firstMetric(some, metric)
	sc := scaleOf(metric, m.Unit)
	what := ""
	if metric != "" {
		what = fmt.Sprintf(" %s (%s),", metric, sc.unit)
	}
	if paths := valuesOf(some, "path"); len(paths) == 1 { // no column says it
		what += " " + paths[0] + ","
	}
	if !slices.Contains(by, "pes") {
		what += " " + text(some[0].Params, "pes") + " PEs"
	}
	fmt.Fprintf(w, "\n# %s:%s%s\n", title, strings.TrimSuffix(what, ","), near(some))
	limited := func(s *series) bool { return main && s.limited() }
	head := []string{"# size"}
	for _, s := range all {
		head = append(head, s.name())
		if limited(s) {
			head = append(head, limitHead)
		}
	}
	laned := slices.ContainsFunc(some, given)
	if laned {
		head = append(head, "lane")
	}
	rows := [][]string{head}
	for _, n := range sizes(all) {
		row := []string{fmt.Sprint(n)}
		var cells []*cell
		for _, s := range all {
			row = append(row, figure(s.rows[n], metric, sc))
			if limited(s) {
				row = append(row, ofLimit(s.rows[n]))
			}
			cells = append(cells, s.rows[n])
		}
		if laned {
			row = append(row, lane(cells...))
		}
		rows = append(rows, row)
	}
	table(w, rows)
	if !main {
		return
	}
	for _, s := range all {
		legs(w, s)
	}
}

// list is a table of cases against metrics.
func list(w io.Writer, bench string, recs []result.Record) {
	metrics := shown(metricNames(recs))
	by := rowNames(recs)
	fmt.Fprintf(w, "\n# %s:%s\n", bench, constants(recs, by))
	head := append([]string{"# " + by[0]}, by[1:]...)
	scales := scalesOf(recs, metrics)
	for i, name := range metrics {
		head = append(head, fmt.Sprintf("%s (%s)", strings.TrimSuffix(name, "_time"), scales[i].unit))
	}
	all := seriesOf(recs, by)
	limited := slices.ContainsFunc(all, (*series).limited)
	if limited {
		head = append(head, limitHead)
	}
	rows := [][]string{append(head, "lane", "checked", "largest error")}
	for _, s := range all {
		for _, c := range s.rows {
			var row []string
			for _, n := range by {
				row = append(row, text(s.first.Params, n))
			}
			for i, name := range metrics {
				row = append(row, figure(c, name, scales[i]))
			}
			if limited {
				row = append(row, ofLimit(c))
			}
			rows = append(rows, append(append(row, lane(c)), checked(c)...))
		}
	}
	table(w, withoutLast(rows))
}

// scalesOf are the scales of a table's metrics, the main one first: where that is read in µs, so are the times beside it.
func scalesOf(recs []result.Record, metrics []string) []scale {
	var out []scale
	for _, name := range metrics {
		m, _ := firstMetric(recs, name)
		sc := scaleOf(name, m.Unit)
		if m.Unit == "s" && len(out) > 0 && out[0].unit == "us" {
			sc = out[0]
		}
		out = append(out, sc)
	}
	return out
}

// near says how near the PEs' devices are, where all cases with one agree: one device is no way between two.
func near(recs []result.Record) string {
	found := map[string]bool{}
	for _, r := range recs {
		if text(r.Params, "device") != "cpu" {
			p := text(r.Params, "placement")
			if r.PlacementFound != "" {
				p = r.PlacementFound
			}
			found[p] = true
		}
	}
	if len(found) != 1 {
		return ""
	}
	return map[string]string{"same_gpu": " on one device", "peer": " on two devices", "remote": " on two hosts"}[sorted(found)[0]]
}

// notes say what the figures do not.
func notes(w io.Writer, recs []result.Record) {
	if slices.ContainsFunc(recs, wrongLimit) {
		fmt.Fprintln(w, wrongNote)
	}
	shown, emulated, over, both := 0, 0, 0, 0 // cases; on the emulated device, oversubscribed, both
	lanes := map[string]map[string]bool{}
	notDirect := map[string]bool{}
	for _, r := range recs {
		if r.Status != result.OK {
			continue
		}
		shown++
		if r.Oversubscribed {
			over++
		}
		if r.Params["device"] == "emulated" {
			emulated++
			if r.Oversubscribed {
				both++
			}
		}
		path := text(r.Params, "path")
		if whyNotDirect[path] != "" {
			notDirect[path] = true
			continue
		}
		if r.PathTaken != nil && path != "host" && !alone(r) && r.PathTaken.Lane != path && !still(r) {
			k := path + " over " + text(r.Params, "transport")
			if lanes[k] == nil {
				lanes[k] = map[string]bool{}
			}
			lanes[k][r.PathTaken.Lane] = true
		}
	}
	if emulated > 0 {
		fmt.Fprintln(w, emulatedNote)
	}
	if over > 0 {
		which := fmt.Sprintf("%d of %d cases", over, shown)
		switch {
		case over == shown:
			which = "all cases"
		case over == both && over == emulated:
			which = "those on the emulated device"
		}
		fmt.Fprintf(w, "# oversubscribed, with more threads than CPUs: %s; such figures count for correctness alone\n", which)
	}
	for _, k := range sorted(lanes) {
		fmt.Fprintf(w, "# %s went by: %s\n", k, strings.Join(sorted(lanes[k]), ", "))
	}
	for _, k := range sorted(notDirect) {
		fmt.Fprintf(w, "# %s: %s\n", k, whyNotDirect[k])
	}
}

// still reports a staged case none of whose messages carried data, on one PE or of updates alone: its lane is copy.
func still(r result.Record) bool {
	return text(r.Params, "path") == "staged" && r.PathTaken.Lane == "copy"
}

// overComputes reports whether a stencil's comm_time has the update of the interior in it: on cpu the PE does that itself.
func overComputes(r result.Record) bool {
	_, comm := r.Metrics["comm_time"]
	return comm && r.Params.Has("grid") && r.Params["part"] == nil && r.Params["device"] == "cpu"
}

const overNote = "# comm on cpu: from packed faces to the arrival of the neighbours', and with it the update of the interior in between"

// whyNotDirect explains the paths of direct cases that byLane gave another name.
var whyNotDirect = map[string]string{
	libraryStaged: "a direct case whose library was given device memory and went through the host: not device-direct",
	unproved:      "a direct case of which nothing shows whether it went from device to device or through the host",
}

// writeSummary counts the cases and gives the reasons of those that are not ok.
func writeSummary(w io.Writer, recs []result.Record) error {
	count := map[result.Status]int{}
	type group struct {
		n     int
		first result.Record
		mixed bool // of several benchmarks
	}
	reasons := map[string]*group{}
	for _, r := range recs {
		count[r.Status]++
		if r.Status == result.OK {
			continue
		}
		line := fmt.Sprintf("%s: %s", r.Status, r.Reason)
		if reasons[line] == nil {
			reasons[line] = &group{first: r}
		}
		reasons[line].n++
		reasons[line].mixed = reasons[line].mixed || r.Benchmark != reasons[line].first.Benchmark
	}
	for _, line := range sorted(reasons) {
		g := reasons[line]
		which := fmt.Sprintf("%d cases", g.n)
		switch {
		case g.n == 1:
			which = g.first.Benchmark + " " + where(g.first.Params)
		case !g.mixed:
			which += " of " + g.first.Benchmark
		}
		fmt.Fprintf(w, "# %s (%s)\n", line, which)
	}
	_, err := fmt.Fprintf(w, "# %s\n", Totals(count))
	return err
}

// Totals writes how many cases ended how.
func Totals(count map[result.Status]int) string {
	s := fmt.Sprintf("%d ok, %d failed", count[result.OK], count[result.Failed])
	if n := count[result.Timeout]; n > 0 {
		s += fmt.Sprintf(", %d over their time limit", n)
	}
	return s + fmt.Sprintf(", %d skipped", count[result.Skipped])
}

// where names a case among its kin.
func where(p result.Params) string {
	s := "on " + text(p, "device")
	if p["transport"] != nil {
		s = fmt.Sprintf("%s over %s, %s %s", text(p, "model"), text(p, "transport"), text(p, "path"), s)
	}
	if p.Has("size_bytes") {
		s += ", " + text(p, "size_bytes") + " B"
	}
	return s
}
