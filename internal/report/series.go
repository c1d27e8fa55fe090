// Series: the records that differ in size and trial alone.

package report

import (
	"maps"
	"math"
	"slices"
	"sort"
	"strings"

	"gpubench/internal/result"
)

// series is one line of a plot, or one column of a table.
type series struct {
	label string // the varying parameters' values
	first result.Record
	rows  map[int64]*cell // by size; 0 where there is none
}

// name is the label, or where nothing varies the model and the path.
func (s *series) name() string {
	if s.label == "" {
		return text(s.first.Params, "model") + " " + text(s.first.Params, "path")
	}
	return s.label
}

// cell is what is known of one case over its trials.
type cell struct {
	ok     []result.Record
	failed []result.Record // failed or timed out
	skip   []result.Record
}

func (c *cell) add(r result.Record) {
	switch r.Status {
	case result.OK:
		c.ok = append(c.ok, r)
	case result.Skipped:
		c.skip = append(c.skip, r)
	default:
		c.failed = append(c.failed, r)
	}
}

// metric returns the median over trials of the trials' medians, and the bounds
// of the interval; where there is one trial the interval is its own.
func (c *cell) metric(name string) (m result.Metric, ok bool) {
	var medians []float64
	for _, r := range c.ok {
		if v, there := r.Metrics[name]; there {
			m = v
			medians = append(medians, v.Median)
		}
	}
	if len(medians) == 0 {
		return m, false
	}
	if len(medians) > 1 {
		sort.Float64s(medians)
		m.Median = medianOf(medians)
		m.CILow, m.CIHigh = math.NaN(), math.NaN()
	}
	return m, true
}

func medianOf(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[n/2] + sorted[(n-1)/2]) / 2
}

// seriesOf groups one benchmark's records, sorted by their labels' parameters.
func seriesOf(recs []result.Record, by []string) []*series {
	index := map[string]*series{}
	var out []*series
	for _, r := range recs {
		var parts []string
		for _, n := range by {
			if t := text(r.Params, n); t != "-" {
				parts = append(parts, t)
			}
		}
		label := strings.Join(parts, " ")
		s := index[label]
		if s == nil {
			s = &series{label: label, first: r, rows: map[int64]*cell{}}
			index[label] = s
			out = append(out, s)
		}
		size := int64(0)
		if v, ok := r.Params["size_bytes"].(int64); ok {
			size = v
		}
		c := s.rows[size]
		if c == nil {
			c = &cell{}
			s.rows[size] = c
		}
		c.add(r)
	}
	sort.SliceStable(out, func(i, j int) bool { return less(out[i].first.Params, out[j].first.Params, by) })
	return out
}

// libraryStaged is the path of a direct case whose library went through the host.
const libraryStaged = "library-staged"

// unproved is the path of a direct case of which nobody knows what carried it.
const unproved = "unproved"

// byLane has tables call direct only what was: a case whose library went through the host, or of which nobody knows what
// carried it, is of another series.
func byLane(recs []result.Record) []result.Record {
	out := slices.Clone(recs)
	for i, r := range out {
		if text(r.Params, "path") != "direct" || r.PathTaken == nil {
			continue
		}
		path := r.PathTaken.Lane
		switch path {
		case libraryStaged:
		case "unknown":
			path = unproved
		default:
			continue
		}
		out[i].Params = maps.Clone(r.Params)
		out[i].Params["path"] = path
	}
	return out
}

// natural is the order in which values are read where it is not the alphabet.
var natural = map[string]int{"pinned": 1, "pageable": 2, "one": 1, "both": 2, "-": -1,
	"inproc": 1, "mpi": 2, "ucx": 3, "charm": 4, "native": 5, "native-am": 6,
	"host": 1, "staged": 2, "direct": 3, libraryStaged: 4, unproved: 5, "cpu": 1, "emulated": 2, "cuda": 3}

func less(a, b result.Params, by []string) bool {
	for _, n := range by {
		x, xi := a[n].(int64)
		y, yi := b[n].(int64)
		if xi && yi && x != y {
			return x < y
		}
		s, t := text(a, n), text(b, n)
		if s == t {
			continue
		}
		if natural[s] != natural[t] {
			return natural[s] < natural[t]
		}
		return s < t
	}
	return false
}

// sizes lists the rows of all series.
func sizes(all []*series) []int64 {
	set := map[int64]bool{}
	for _, s := range all {
		for n := range s.rows {
			set[n] = true
		}
	}
	var out []int64
	for n := range set {
		out = append(out, n)
	}
	sort.Slice(out, func(i, j int) bool { return out[i] < out[j] })
	return out
}

// metricNames lists the metrics of records, the main one first.
func metricNames(recs []result.Record) []string {
	set := map[string]bool{}
	for _, r := range recs {
		for n := range r.Metrics {
			set[n] = true
		}
	}
	var out []string
	for _, n := range []string{"latency", "bandwidth", "message_rate", "iteration_time", "compute_time", "comm_time"} {
		if set[n] {
			out = append(out, n)
			delete(set, n)
		}
	}
	var rest []string
	for n := range set {
		rest = append(rest, n)
	}
	sort.Strings(rest)
	return append(out, rest...)
}
