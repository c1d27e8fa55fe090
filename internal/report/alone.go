// Devices alone: copies as matrices whose rows are sources, other figures as lists, and what was measured as limits.

package report

import (
	"fmt"
	"io"
	"slices"
	"sort"

	"gpubench/internal/limits"
	"gpubench/internal/result"
)

// alone says whether a record is of a device alone: no model, no transport.
func alone(r result.Record) bool {
	return r.Params["transport"] == nil && r.Params["model"] == nil
}

// asked parts the records that were asked for from those that were measured as limits.
func asked(recs []result.Record) (wanted, asLimits []result.Record) {
	for _, r := range recs {
		if limits.IsLimit(r.Params) {
			asLimits = append(asLimits, r)
		} else {
			wanted = append(wanted, r)
		}
	}
	return wanted, asLimits
}

// smallCopy is up to which size a copy's time is shown too: beyond, its bandwidth says it all.
const smallCopy = 64 << 10

// pairs writes copies as matrices, one for each way of copying and size.
func pairs(w io.Writer, bench string, recs []result.Record) {
	by := []string{"device", "engine", "host_space", "ways", "pages", "buffers", "size_bytes"}
	for _, group := range groupsOf(besideHost(recs, without(by, "host_space")), by) {
		p := group[0].Params
		metrics := []string{"bandwidth"}
		if size, _ := p["size_bytes"].(int64); size <= smallCopy {
			metrics = append(metrics, "latency")
		}
		for _, name := range metrics {
			if _, ok := firstMetric(group, name); !ok && name != metrics[0] {
				continue // all failed, which one matrix tells
			}
			sc := scaleOf(name, map[string]string{"bandwidth": "B/s", "latency": "s"}[name])
			host := ""
			if p.Has("host_space") {
				host = " " + text(p, "host_space") + " host memory,"
			}
			fmt.Fprintf(w, "\n# %s on %s: %s (%s), %s,%s %s, %s B; rows are sources\n", bench, text(p, "device"), name, sc.unit,
				text(p, "engine"), host, waysWords[text(p, "ways")], text(p, "size_bytes"))
			table(w, pairRows(group, name, sc))
		}
	}
}

// besideHost puts copies within devices, for which the host's memory is null, into the matrix of those alike that touch the
// host: of pinned memory before pageable. Where there are none they have a matrix of their own.
func besideHost(recs []result.Record, alike []string) []result.Record {
	some := slices.Clone(recs)
	for _, group := range groupsOf(recs, alike) {
		host := valuesOf(group, "host_space") // null first
		if len(host) < 2 || host[0] != "-" {
			continue
		}
		for i, r := range some {
			if r.Params["host_space"] == nil && sameIn(r.Params, group[0].Params, alike) {
				some[i].Params = r.Params.With("host_space", host[1])
			}
		}
	}
	return some
}

// sameIn says whether cases agree in these parameters.
func sameIn(p, q result.Params, names []string) bool {
	return !slices.ContainsFunc(names, func(n string) bool { return text(p, n) != text(q, n) })
}

var waysWords = map[string]string{"one": "one way", "both": "both ways at once"}

// end is a device, or the host.
func end(p result.Params, name string) string {
	if p[name] == nil {
		return "host"
	}
	return text(p, name)
}

func pairRows(recs []result.Record, metric string, sc scale) [][]string {
	cells := map[[2]string]*cell{}
	var from, to []string
	note := func(list []string, v string) []string {
		if slices.Contains(list, v) {
			return list
		}
		return append(list, v)
	}
	put := func(r result.Record, f, t string) {
		k := [2]string{f, t}
		if cells[k] == nil {
			cells[k] = &cell{}
		}
		cells[k].add(r)
		from, to = note(from, f), note(to, t)
	}
	for _, r := range recs {
		f, t := end(r.Params, "from"), end(r.Params, "to")
		put(r, f, t)
		if r.Params["ways"] == "both" && r.Params["direction"] == "d2d" { // one case of each pair, from either end the same
			put(r, t, f)
		}
	}
	for _, list := range [][]string{from, to} { // the host first, devices by number
		sort.Slice(list, func(i, j int) bool {
			a, b := list[i], list[j]
			if (a == "host") != (b == "host") {
				return a == "host"
			}
			return len(a) < len(b) || len(a) == len(b) && a < b
		})
	}
	rows := [][]string{append([]string{"# from"}, to...)}
	for _, f := range from {
		row := []string{f}
		for _, t := range to {
			row = append(row, value(cells[[2]string{f, t}], metric, sc))
		}
		rows = append(rows, row)
	}
	return rows
}

// groupsOf parts records by parameters, in their order.
func groupsOf(recs []result.Record, by []string) [][]result.Record {
	index := map[string]int{}
	var out [][]result.Record
	for _, r := range recs {
		key := ""
		for _, n := range by {
			key += text(r.Params, n) + " "
		}
		i, ok := index[key]
		if !ok {
			i = len(out)
			index[key] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], r)
	}
	sort.SliceStable(out, func(i, j int) bool { return less(out[i][0].Params, out[j][0].Params, by) })
	return out
}

// figures is a table of cases of devices alone against metrics.
func figures(w io.Writer, bench string, recs []result.Record) {
	by := append([]string{"device"}, without(distinguishing(recs), "device", "transport", "path", "model")...)
	if recs[0].Params.Has("size_bytes") {
		by = append(by, "size_bytes")
	}
	metrics := metricNames(recs)
	head := append([]string{"# " + by[0]}, by[1:]...)
	for _, name := range metrics {
		m, _ := firstMetric(recs, name)
		head = append(head, fmt.Sprintf("%s (%s)", name, scaleOf(name, m.Unit).unit))
	}
	rows := [][]string{append(head, "checked")}
	for _, group := range groupsOf(recs, by) {
		c := &cell{}
		var row []string
		for _, n := range by {
			row = append(row, text(group[0].Params, n))
		}
		for _, r := range group {
			c.add(r)
		}
		for _, name := range metrics {
			m, _ := firstMetric(group, name)
			row = append(row, value(c, name, scaleOf(name, m.Unit)))
		}
		rows = append(rows, append(row, checked(c)[0]))
	}
	fmt.Fprintf(w, "\n# %s\n", bench)
	table(w, rows)
}

// limitTable shows what fractions of limits are held against.
func limitTable(w io.Writer, recs []result.Record) {
	some := ran(recs)
	sized := slices.DeleteFunc(slices.Clone(some), func(r result.Record) bool { return !r.Params.Has("size_bytes") })
	if len(sized) > 0 {
		bandwidths(w, sized)
	}
	benches, groups := byBenchmark(slices.DeleteFunc(slices.Clone(some), func(r result.Record) bool { return r.Params.Has("size_bytes") }))
	for _, b := range benches {
		figures(w, "limits, measured first: "+b, groups[b])
	}
	reasons := map[string]int{}
	for _, r := range some {
		if r.Status != result.OK {
			reasons[fmt.Sprintf("# limit by %s %s: %s", r.Benchmark, r.Status, r.Reason)]++
		}
	}
	for _, line := range sorted(reasons) {
		fmt.Fprintf(w, "%s (%d cases)\n", line, reasons[line])
	}
}

// bandwidths is the table of limits that are bandwidths by size.
func bandwidths(w io.Writer, some []result.Record) {
	for i, r := range some {
		some[i].Params = r.Params.With("benchmark", r.Benchmark)
	}
	all := seriesOf(some, []string{"benchmark", "device", "direction", "engine", "operation", "from", "to", "ways"})
	sc := scaleOf("bandwidth", "B/s")
	head := []string{"# size"}
	for _, s := range all {
		head = append(head, s.name())
	}
	rows := [][]string{head}
	for _, n := range sizes(all) {
		row := []string{fmt.Sprint(n)}
		for _, s := range all {
			row = append(row, value(s.rows[n], "bandwidth", sc))
		}
		rows = append(rows, row)
	}
	fmt.Fprintf(w, "\n# limits, measured first: bandwidth (%s) of a device alone\n", sc.unit)
	table(w, rows)
}
