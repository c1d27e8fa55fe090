// Limits of records: what bounds a case has been measured before it.

package main

import (
	"gpubench/internal/limits"
	"gpubench/internal/plan"
	"gpubench/internal/result"
	"gpubench/internal/suite"
)

// bounded gives records their limits as they come.
type bounded struct {
	bounds   map[string][]limits.Bound // by case
	measured map[string]result.Record  // by case of a device alone
	metric   map[string]string         // main one of each benchmark
}

// newBounded takes the bounds of a plan, and the limits that an earlier part of the run has measured.
func newBounded(p plan.Plan, done map[result.Key]result.Record) *bounded {
	b := &bounded{bounds: map[string][]limits.Bound{}, measured: map[string]result.Record{}, metric: map[string]string{}}
	for _, j := range p.Jobs {
		for _, c := range j.Cases {
			if len(c.Bounds) > 0 {
				b.bounds[c.ID] = c.Bounds
			}
		}
	}
	for _, r := range done {
		if limits.IsLimit(r.Params) {
			b.measured[r.ID] = r
		}
	}
	for _, x := range suite.All().All() {
		b.metric[x.Name] = x.Metrics[0].Name
	}
	return b
}

// note gives a record its limit unless it has one, and keeps it where it is one.
func (b *bounded) note(r *result.Record) {
	switch {
	case limits.IsLimit(r.Params):
		b.measured[r.ID] = *r
	case r.Limit == nil:
		r.Limit = limits.Of(r, b.metric[r.Benchmark], b.bounds[r.ID], func(id string) (result.Record, bool) {
			m, ok := b.measured[id]
			return m, ok
		})
	}
}
