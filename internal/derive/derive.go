// Figures that follow from several cases together: speed-up, overlap, gains.

// Package derive works out what cases say together that none says alone: speed-up and efficiency over PEs, the gain by
// more chares per PE or by balancing, and how much of the communication a whole iteration hides. It is pure: records in,
// figures out. Records themselves stay facts; nothing derived is ever written into one.
//
// Emulated and oversubscribed cases have no figures here: they count for correctness alone.
package derive

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"gpubench/internal/result"
	"gpubench/internal/stats"
)

// Times are the metrics that figures are derived from, of each case the first that it has: seconds of one iteration, or of
// one run, of a problem that is the same, or known to be larger. Latencies and rates of messages are no such thing.
var Times = []string{"iteration_time", "run_time"}

// Problem names the parameters that say how large a problem is: what grows in weak scaling. A list of whole numbers is
// taken as its product.
var Problem = []string{"grid", "particles", "width"}

// Column is one derived figure of a table.
type Column struct {
	Name string
	Unit string // s, or 1 for ratios
}

// Table is what cases of one benchmark say together in one respect.
type Table struct {
	Benchmark string
	Kind      string // strong scaling, weak scaling, over-decomposition, balancing, overlap
	Note      string // how the figures are defined
	Axis      string // the parameter that tells the rows of a series apart
	Columns   []Column
	Rows      []Row
}

// Row is one case of a table, or in a table of overlap the whole iteration's.
type Row struct {
	Params  result.Params
	Figures []stats.Interval // one for each column; NaN ends are not known
}

// Left counts the cases that would have had figures.
type Left struct{ Emulated, Oversubscribed int }

// kase is a case with its samples of the time, a list for each trial.
type kase struct {
	id        string
	params    result.Params
	metric    string // of Times
	trials    [][]float64
	perPE     [][][]float64 // by PE, then as trials; empty where not measured
	emulated  bool
	oversubsc bool
	unsynced  bool // it was to balance, and was over before its first sync point
}

func (c *kase) usable() bool { return !c.emulated && !c.oversubsc }

// comparison is one respect in which cases are held against each other.
type comparison struct {
	kind, note, axis string
	follow           []string // parameters that differ with the axis, and tell no series from another
	columns          []Column // behind the time's
	// size is what else tells series apart, and whether a case takes part; nil: nothing, all do.
	size func(p result.Params) (string, bool)
	// rows gives a series' rows; the cases are usable, and come in the axis's order.
	rows func(series []*kase) []Row
}

// comparisons lists them in the order in which they are shown.
var comparisons = []comparison{
	{kind: "strong scaling", axis: "pes", follow: []string{"blocks", "placement"}, columns: scalingColumns, rows: strong,
		note: "speed-up T1/Tn and efficiency T1 n1 / (Tn n) against the fewest PEs n1"},
	{kind: "weak scaling", axis: "pes", follow: append([]string{"blocks", "placement"}, Problem...), columns: scalingColumns,
		size: perPE, rows: weak,
		note: "problem grows with the PEs: speed-up (n/n1) T1/Tn and efficiency T1/Tn against the fewest PEs n1"},
	{kind: "over-decomposition", axis: "odf", follow: []string{"blocks"}, columns: gainColumns, rows: odf,
		note: "gain T1/Tk of k chares per PE against the fewest"},
	{kind: "balancing", axis: "balance", follow: []string{"balance_every"}, columns: gainColumns, rows: balancing,
		note: "gain of the time without balancing over that with it"},
	{kind: "overlap", axis: "part", columns: overlapColumns, rows: overlap,
		note: "of whole T, computation alone C, communication alone M: exposed max(0, T - C), hidden 1 - exposed/M"},
}

// Of derives all that the records allow. Records of one case and trial are expected once.
func Of(recs []result.Record) ([]Table, Left) {
	var out []Table
	left := map[string]*kase{}
	names, byBenchmark := cases(recs)
	for _, name := range names {
		for _, c := range comparisons {
			t := Table{Benchmark: name, Kind: c.kind, Note: c.note, Axis: c.axis,
				Columns: append([]Column{{byBenchmark[name][0].metric, "s"}}, c.columns...)}
			for _, s := range c.series(byBenchmark[name]) {
				var some []*kase
				for _, k := range s {
					if k.usable() {
						some = append(some, k)
					} else {
						left[k.id] = k
					}
				}
				t.Rows = append(t.Rows, c.rows(some)...)
			}
			if len(t.Rows) > 0 {
				out = append(out, t)
			}
		}
	}
	var l Left
	for _, k := range left {
		if k.emulated {
			l.Emulated++
		} else {
			l.Oversubscribed++
		}
	}
	return out, l
}

// cases puts the trials of a case together, by benchmark.
func cases(recs []result.Record) (names []string, byBenchmark map[string][]*kase) {
	recs = slices.Clone(recs)
	sort.SliceStable(recs, func(i, j int) bool { return recs[i].Trial < recs[j].Trial })
	byBenchmark = map[string][]*kase{}
	index := map[string]*kase{}
	for _, r := range recs {
		i := slices.IndexFunc(Times, func(name string) bool { _, ok := r.Metrics[name]; return ok })
		if r.Status != result.OK || i < 0 {
			continue
		}
		metric := Times[i]
		k := index[r.ID]
		if k == nil {
			k = &kase{id: r.ID, params: r.Params, metric: metric}
			index[r.ID] = k
			if byBenchmark[r.Benchmark] == nil {
				names = append(names, r.Benchmark)
			}
			byBenchmark[r.Benchmark] = append(byBenchmark[r.Benchmark], k)
		}
		samples := []float64(r.Samples[metric])
		if len(samples) == 0 {
			samples = []float64{r.Metrics[metric].Median}
		}
		k.trials = append(k.trials, samples)
		for pe := 0; len(r.Samples[peName(metric, pe)]) > 0; pe++ {
			if pe == len(k.perPE) {
				k.perPE = append(k.perPE, nil)
			}
			k.perPE[pe] = append(k.perPE[pe], r.Samples[peName(metric, pe)])
		}
		k.emulated = k.emulated || r.Params["device"] == "emulated"
		k.oversubsc = k.oversubsc || r.Oversubscribed
		k.unsynced = k.unsynced || r.Balancing != nil && r.Balancing.Syncs == 0
	}
	sort.Strings(names)
	return names, byBenchmark
}

func peName(metric string, pe int) string { return fmt.Sprintf("%s_pe%d", metric, pe) }

// series groups cases that differ along the axis alone, and leaves out those that nothing can be held against.
func (c comparison) series(all []*kase) [][]*kase {
	index := map[string]int{}
	var out [][]*kase
	for _, k := range all {
		key, ok := c.key(k.params)
		if !ok {
			continue
		}
		i, known := index[key]
		if !known {
			i = len(out)
			index[key] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], k)
	}
	var some [][]*kase
	for _, s := range out {
		values := map[string]bool{}
		for _, k := range s {
			values[fmt.Sprint(k.params[c.axis])] = true
		}
		if len(values) < 2 {
			continue
		}
		sort.SliceStable(s, func(i, j int) bool {
			x, y := s[i].params[c.axis], s[j].params[c.axis]
			a, aNumber := x.(int64)
			b, bNumber := y.(int64)
			switch {
			case aNumber && bNumber && a != b:
				return a < b
			case aNumber != bNumber:
				return bNumber // null comes first
			case fmt.Sprint(x) != fmt.Sprint(y):
				return fmt.Sprint(x) < fmt.Sprint(y)
			}
			return s[i].id < s[j].id
		})
		some = append(some, s)
	}
	return some
}

// key is what the cases of a series have in common. Parts of an iteration are held against the whole alone.
func (c comparison) key(p result.Params) (string, bool) {
	if c.axis != "part" && p["part"] != nil {
		return "", false
	}
	var b strings.Builder
	if c.size != nil {
		s, ok := c.size(p)
		if !ok {
			return "", false
		}
		b.WriteString(s)
	}
	var names []string
	for n, v := range p {
		if v != nil && n != c.axis && !slices.Contains(c.follow, n) {
			names = append(names, n)
		}
	}
	sort.Strings(names)
	for _, n := range names {
		fmt.Fprintf(&b, " %s=%v", n, p[n])
	}
	return b.String(), true
}
