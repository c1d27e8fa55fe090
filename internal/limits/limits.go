// Package limits says how near a record came to what the hardware allows. It is pure: benchmarks declare what bounds
// them (Ceiling), the plan turns that into cases of a device alone that are measured first (Bound), and Of gives the
// record's limit once these are known.
package limits

import (
	"math"

	"gpubench/internal/result"
)

// Ceiling is a case of a device alone whose bandwidth, or rate of operations, bounds another's main metric.
type Ceiling struct {
	Name      string        // of the limit, as records have it: "memory copy"
	Benchmark string        // of the device alone: devcopy, stream
	Device    string        // its params.device
	Own       result.Params // its own parameters: those that are not its defaults
	Bytes     int64         // payload that one operation of the bounded case has to move by it, for metrics in seconds; of a rate of operations these
	// Footprint is the memory, in bytes, that the bounded case goes through before it comes back: where the device's last
	// cache may hold it, the ceiling is none. 0: whatever it holds.
	Footprint int64
	// Scale is how much of the metric the ceiling's bandwidth stands for, where that is a rate; 0: 1.
	Scale float64
}

// Bound is a ceiling whose case is planned.
type Bound struct {
	Name  string  `json:"name"`
	ID    string  `json:"id"` // of the ceiling's case
	Bytes int64   `json:"bytes"`
	Scale float64 `json:"scale,omitempty"`
}

// Purpose is the parameter by which the cases that were measured as limits are told from those that were asked for.
const Purpose = "purpose"

// ForLimit is its value; cases that were asked for have none.
const ForLimit = "limit"

// IsLimit says whether a case is measured for others' sake.
func IsLimit(p result.Params) bool { return p[Purpose] == ForLimit }

// TooGood is the fraction of a limit beyond which the limit is wrong: nothing is faster than what it is made of, but
// for noise.
const TooGood = 1.02

// Allowed says whether a record can have a limit: not on a device that is no hardware, not where threads or processes
// take turns.
func Allowed(r *result.Record) bool {
	mps := r.MPS != nil && *r.MPS
	return r.Status == result.OK && r.Params["device"] != "emulated" && !r.Oversubscribed && (r.ProcessesPerDevice <= 1 || mps)
}

// Judge takes the fraction from a limit that the case went beyond.
func Judge(l *result.Limit) *result.Limit {
	if l != nil && l.Fraction > TooGood {
		l.Fraction = math.NaN()
	}
	return l
}

// rates are the metrics of the ceilings' cases: payload, or operations, per second.
var rates = []string{"bandwidth", "flop_rate"}

// rate is the fastest sample of a ceiling's case; 0: it has none.
func rate(c result.Record) float64 {
	for _, name := range rates {
		if m, ok := c.Metrics[name]; ok {
			return m.Max
		}
	}
	return 0
}

// Exceeds says whether a footprint is more than a last cache of so many bytes can do anything for: twice as much, as
// rotating buffers have. Of a cache that is not known it is not.
func Exceeds(footprint, cache int64) bool { return cache > 0 && footprint >= 2*cache }

// Of gives the limit of a record's main metric from the bounds of its case, or nil. measured gives the records of
// ceilings by id. Bounds are ways to do the same: the best counts, and where one of them was not measured there is no
// telling. Of a ceiling's samples the fastest counts: the others show what disturbed it, and not what the hardware
// allows. A time is bounded from below by Bytes over the bandwidth, a rate from above by the bandwidth.
func Of(r *result.Record, metric string, bounds []Bound, measured func(id string) (result.Record, bool)) *result.Limit {
	if len(bounds) == 0 || !Allowed(r) || moved(r) {
		return nil
	}
	m, ok := r.Metrics[metric]
	if !ok || !(m.Median > 0) {
		return nil
	}
	var best *result.Limit
	for _, b := range bounds {
		c, ok := measured(b.ID)
		if !ok || !Allowed(&c) {
			return nil
		}
		l := of(m, b, rate(c))
		if l == nil {
			return nil
		}
		if best == nil || l.Fraction < best.Fraction { // the less is reached, the higher the limit
			best = l
		}
	}
	return Judge(best)
}

// moved says whether PEs turned out to be elsewhere than planned, so that the bounds are another placement's.
func moved(r *result.Record) bool {
	planned, _ := r.Params["placement"].(string)
	return r.PlacementFound != "" && r.PlacementFound != planned
}

func of(m result.Metric, b Bound, rate float64) *result.Limit {
	if b.Scale > 0 {
		rate *= b.Scale
	}
	l := result.Limit{Name: b.Name, Unit: m.Unit}
	switch m.Unit {
	case "s":
		l.Value = float64(b.Bytes) / rate
		l.Fraction = l.Value / m.Median
	case "B/s":
		l.Value = rate
		l.Fraction = m.Median / rate
	default:
		return nil
	}
	if !(l.Value > 0) || math.IsInf(l.Value, 0) {
		return nil
	}
	return &l
}
