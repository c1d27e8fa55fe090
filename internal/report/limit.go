// How near the limit a case came, and what a staged message is made of.

package report

import (
	"fmt"
	"io"
	"math"
	"slices"
	"sort"
	"strings"

	"gpubench/internal/result"
)

// limitHead is the column of fractions: 1.00 is at the limit.
const limitHead = "of limit"

// wrongNote explains the word in that column.
const wrongNote = "# wrong: such a case went more than 2 % beyond its limit, which is therefore none"

// wrongLimit says whether a record shows its limit to be wrong.
func wrongLimit(r result.Record) bool { return r.Limit != nil && math.IsNaN(r.Limit.Fraction) }

// limited says whether any case of the series has a limit.
func (s *series) limited() bool {
	for _, c := range s.rows {
		if slices.ContainsFunc(c.ok, func(r result.Record) bool { return r.Limit != nil }) {
			return true
		}
	}
	return false
}

// ofLimit is the fraction of its limit that a case came to, the median over its
// trials; a limit that the case went beyond is wrong.
func ofLimit(c *cell) string {
	if c == nil {
		return ""
	}
	var fractions []float64
	for _, r := range c.ok {
		if r.Limit == nil {
			continue
		}
		if wrongLimit(r) {
			return "wrong"
		}
		fractions = append(fractions, r.Limit.Fraction)
	}
	if len(fractions) == 0 {
		return "-"
	}
	sort.Float64s(fractions)
	return fmt.Sprintf("%.2f", medianOf(fractions))
}

// legNames are the metrics of a staged message's legs, in the order in which it
// takes them.
var legNames = []string{"to_host_time", "wire_time", "to_device_time"}

// legs writes what the series' largest message is made of. The legs were
// measured alone: no sum is shown, since pipelined ones overlap.
func legs(w io.Writer, s *series) {
	all := sizes([]*series{s})
	slices.Reverse(all)
	for _, n := range all {
		var parts []string
		for _, name := range legNames {
			if m, ok := s.rows[n].metric(name); ok {
				sc := scaleOf(name, m.Unit)
				parts = append(parts, fmt.Sprintf("%s %s %s", strings.ReplaceAll(strings.TrimSuffix(name, "_time"), "_", " "), value(s.rows[n], name, sc), sc.unit))
			}
		}
		if len(parts) > 0 {
			fmt.Fprintf(w, "# legs of %s at %d B, each alone and in one piece: %s\n", s.name(), n, strings.Join(parts, ", "))
			return
		}
	}
}
