// Package report turns records into what a person or a script reads: text
// tables, JSON lines, CSV, and OSU's columns. It knows records alone;
// scaling of base units to µs or GB/s happens here and nowhere else.
package report

import (
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"

	"gpubench/internal/result"
)

// Report takes a run's findings as they come and writes them.
type Report interface {
	Environment(result.Environment) error
	Record(result.Record) error
	// Before takes a record of an earlier run that this one goes on with: tables show it too.
	Before(result.Record)
	// Close writes what could not be written before all was known.
	Close() error
}

// Formats are the reports by the names that --format takes.
var Formats = map[string]func(w io.Writer, title []string) Report{
	"text":  func(w io.Writer, title []string) Report { return &collected{w: w, title: title, write: writeText} },
	"osu":   func(w io.Writer, title []string) Report { return &collected{w: w, title: title, write: writeOSU} },
	"csv":   func(w io.Writer, _ []string) Report { return &collected{w: w, write: writeCSV} },
	"jsonl": func(w io.Writer, _ []string) Report { return &lines{w: w} },
}

// Names lists the formats in a fixed order.
func Names() []string { return []string{"text", "jsonl", "csv", "osu"} }

// lines writes each finding as a JSON line at once.
type lines struct{ w io.Writer }

func (l *lines) Environment(e result.Environment) error { return l.put(e) }
func (l *lines) Record(r result.Record) error           { return l.put(r) }
func (l *lines) Before(result.Record)                   {}
func (l *lines) Close() error                           { return nil }

func (l *lines) put(v any) error {
	b, err := result.Line(v)
	if err == nil {
		_, err = l.w.Write(b)
	}
	return err
}

// collected keeps the records until all are known: tables need all rows.
type collected struct {
	w     io.Writer
	title []string
	recs  []result.Record
	write func(w io.Writer, title []string, recs []result.Record) error
}

// Environment keeps what is doubtful about it, once.
func (c *collected) Environment(e result.Environment) error {
	list, _ := e.Content["warnings"].([]any)
	for _, w := range list {
		line := fmt.Sprintf("warning: %v", w)
		if !slices.Contains(c.title, line) {
			c.title = append(c.title, line)
		}
	}
	return nil
}
func (c *collected) Record(r result.Record) error {
	c.recs = append(c.recs, r)
	return nil
}
func (c *collected) Before(r result.Record) { c.recs = append(c.recs, r) }
func (c *collected) Close() error           { return c.write(c.w, c.title, c.recs) }

// scale is how a metric is shown: people read µs and GB/s, records keep s and
// B/s.
type scale struct {
	unit   string
	factor float64
}

func scaleOf(metric, unit string) scale {
	switch metric = strings.TrimSuffix(metric, "_mean"); {
	case metric == "latency", metric == "task_time", metric == "metg", slices.Contains(legNames, metric):
		return scale{"us", 1e6}
	case metric == "work_rate" && unit == "op/s", metric == "peak_rate" && unit == "op/s", metric == "flop_rate":
		return scale{"Gop/s", 1e-9}
	case metric == "particle_rate":
		return scale{"Mop/s", 1e-6}
	case unit == "s":
		return scale{"ms", 1e3}
	case unit == "B/s":
		return scale{"MB/s", 1e-6}
	}
	return scale{unit, 1}
}

// number writes a value with three or four digits.
func number(v float64) string {
	switch a := max(v, -v); {
	case a != a:
		return "-"
	case a >= 1000:
		return fmt.Sprintf("%.0f", v)
	case a >= 100:
		return fmt.Sprintf("%.1f", v)
	case a >= 10:
		return fmt.Sprintf("%.2f", v)
	case a < 0.01 && a > 0:
		return fmt.Sprintf("%.3g", v)
	case a < 0.1 && a > 0:
		return fmt.Sprintf("%.4f", v)
	}
	return fmt.Sprintf("%.3f", v)
}

// order is how parameters are shown and sorted; others follow by name.
var order = []string{"transport", "device", "path", "model", "loop", "staging", "staging_space", "chunk_bytes", "space",
	"pages", "buffers", "placement", "pes", "grid", "blocks", "odf", "field", "window"}

// hidden parameters tell no series from another that the rest does not.
var hidden = map[string]bool{"iterations": true, "warmup": true, "seconds": true, "validate": true, "size_bytes": true,
	"loop": true} // the model's name says it

// text writes a parameter's value; null is a dash.
func text(p result.Params, name string) string {
	switch v := p[name].(type) {
	case nil:
		if loop, native := p["loop"].(string); name == "model" && native {
			return loop // one that is whole in C, and of no model
		}
		return "-"
	case []int64:
		s := make([]string, len(v))
		for i, x := range v {
			s[i] = fmt.Sprint(x)
		}
		return strings.Join(s, "x")
	default:
		return fmt.Sprint(v)
	}
}

// varying returns the parameters that differ between the records, in order.
func varying(recs []result.Record) []string {
	seen := map[string]map[string]bool{}
	for _, r := range recs {
		for name := range r.Params {
			if hidden[name] {
				continue
			}
			if seen[name] == nil {
				seen[name] = map[string]bool{}
			}
		}
	}
	for name, values := range seen {
		for _, r := range recs {
			values[text(r.Params, name)] = true
		}
	}
	var out []string
	for _, name := range names(seen) {
		if len(seen[name]) > 1 {
			out = append(out, name)
		}
	}
	return out
}

// names sorts parameter names: the known ones first, in their order.
func names[V any](set map[string]V) []string {
	rank := map[string]int{}
	for i, n := range order {
		rank[n] = i + 1 - len(order)
	}
	var out []string
	for n := range set {
		out = append(out, n)
	}
	sort.Slice(out, func(i, j int) bool {
		if rank[out[i]] != rank[out[j]] {
			return rank[out[i]] < rank[out[j]]
		}
		return out[i] < out[j]
	})
	return out
}

// byBenchmark groups records in the order in which benchmarks first appear.
func byBenchmark(recs []result.Record) (order []string, groups map[string][]result.Record) {
	groups = map[string][]result.Record{}
	for _, r := range recs {
		if groups[r.Benchmark] == nil {
			order = append(order, r.Benchmark)
		}
		groups[r.Benchmark] = append(groups[r.Benchmark], r)
	}
	sort.Strings(order)
	// Messages before applications, as one reads them.
	sort.SliceStable(order, func(i, j int) bool {
		return groups[order[i]][0].Params.Has("size_bytes") && !groups[order[j]][0].Params.Has("size_bytes")
	})
	return order, groups
}
