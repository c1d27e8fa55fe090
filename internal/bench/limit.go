// Limit: what the hardware allows for a case's main metric, and how near the
// case came to it.
package bench

import (
	"math"

	"gpubench/internal/limits"
	"gpubench/internal/result"
	"gpubench/internal/stats"
)

// limit is the record's: of a staged message that of its legs, else what the
// case is told.
func (c *chief) limit(r *result.Record) *result.Limit {
	var l *result.Limit
	if len(c.legs) >= 2 {
		m := c.s.b.Metrics[0].Name
		l = legLimit(m, medians(c.legs), c.s.text("staging") == "pipelined", c.s.b.LongestMessage(r.Params), r.Metrics[m].Median)
	} else if c.s.c.Limit != nil {
		l = c.s.c.Limit(r)
	}
	return limits.Judge(l)
}

// messageLegs are the legs of one message in seconds; NaN where there is none.
type messageLegs struct {
	toHost, toDevice [2]float64 // on the first PE, on the second
	wire             float64
}

func medians(of []legReport) messageLegs {
	median := func(x []float64) float64 {
		if len(x) == 0 {
			return math.NaN()
		}
		return stats.Median(x)
	}
	l := messageLegs{wire: median(of[0].Wire)}
	for pe := range 2 {
		l.toHost[pe], l.toDevice[pe] = median(of[pe].ToHost), median(of[pe].ToDevice)
	}
	return l
}

// way is the legs of a message from one PE to the other; a side in host memory
// has none. NaN: the wire is missing, or both sides are.
func (l messageLegs) way(from, to int) (longest, sum float64) {
	longest, sum = l.wire, l.wire
	copies := 0
	for _, t := range []float64{l.toHost[from], l.toDevice[to]} {
		if !math.IsNaN(t) {
			longest, sum, copies = math.Max(longest, t), sum+t, copies+1
		}
	}
	if copies == 0 {
		return math.NaN(), math.NaN()
	}
	return longest, sum
}

// legLimit is what a staged message's legs allow. A message in one piece takes
// at least all its legs one after the other; of one whose chunks overlap, and
// of messages that follow each other, the longest leg is the least time. nil:
// a leg is missing, or the metric is of another kind.
func legLimit(metric string, l messageLegs, pipelined bool, sizeBytes int64, measured float64) *result.Limit {
	limit := result.Limit{Name: "staged legs"}
	longest, sum := l.way(0, 1)
	switch metric {
	case "latency": // half a round trip: the mean of both ways
		back, backSum := l.way(1, 0)
		if limit.Value = (sum + backSum) / 2; pipelined {
			limit.Value = (longest + back) / 2
		}
		limit.Unit, limit.Fraction = "s", limit.Value/measured
	case "bandwidth":
		limit.Value = float64(sizeBytes) / longest
		if back, _ := l.way(1, 0); !math.IsNaN(back) { // messages go both ways, at best at the same time
			limit.Value = 2 * float64(sizeBytes) / math.Max(longest, back)
		}
		limit.Unit, limit.Fraction = "B/s", measured/limit.Value
	}
	if !(limit.Value > 0) || math.IsInf(limit.Value, 0) || !(measured > 0) {
		return nil
	}
	return &limit
}
