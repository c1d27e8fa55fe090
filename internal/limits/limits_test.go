package limits

import (
	"math"
	"testing"

	"gpubench/internal/result"
)

func record(device, unit string, median float64) result.Record {
	return result.Record{Status: result.OK, Params: result.Params{"device": device, "placement": "node"},
		Metrics: map[string]result.Metric{"latency": {Unit: unit, Median: median}, "bandwidth": {Unit: "B/s", Median: median / 2, Max: median}}}
}

func TestOf(t *testing.T) {
	yes, no := true, false
	change := func(f func(r *result.Record)) func(r *result.Record) { return f }
	none := change(func(*result.Record) {})
	for name, c := range map[string]struct {
		unit            string
		measured        float64
		ceilings        []float64 // bandwidths; 0: not measured
		bytes           int64
		scale           float64
		change          func(r *result.Record)
		value, fraction float64 // value 0: no limit; fraction NaN: a wrong one
	}{
		"a time is no less than its bytes over the bandwidth": {"s", 4e-6, []float64{1e9}, 1000, 0, none, 1e-6, 0.25},
		"a rate is no more than the bandwidth":                {"B/s", 4e8, []float64{1e9}, 0, 0, none, 1e9, 0.4},
		"a rate of both ways at once":                         {"B/s", 1e9, []float64{1e9}, 0, 2, none, 2e9, 0.5},
		"of two ways the better counts":                       {"B/s", 4e8, []float64{1e9, 2e9}, 0, 0, none, 2e9, 0.2},
		"for times too":                                       {"s", 4e-6, []float64{2e9, 1e9}, 1000, 0, none, 0.5e-6, 0.125},
		"within noise":                                        {"B/s", 1.019e9, []float64{1e9}, 0, 0, none, 1e9, 1.019},
		"beyond it the limit is wrong":                        {"B/s", 1.021e9, []float64{1e9}, 0, 0, none, 1e9, math.NaN()},
		"one of two was not measured":                         {"B/s", 4e8, []float64{1e9, 0}, 0, 0, none, 0, 0},
		"none is declared":                                    {"B/s", 4e8, nil, 0, 0, none, 0, 0},
		"another kind of figure":                              {"op/s", 4e8, []float64{1e9}, 0, 0, none, 0, 0},
		"nothing to move":                                     {"s", 4e-6, []float64{1e9}, 0, 0, none, 0, 0},
		"no figure":                                           {"s", math.NaN(), []float64{1e9}, 1000, 0, none, 0, 0},
		"emulated": {"s", 4e-6, []float64{1e9}, 1000, 0,
			func(r *result.Record) { r.Params["device"] = "emulated" }, 0, 0},
		"oversubscribed": {"s", 4e-6, []float64{1e9}, 1000, 0, func(r *result.Record) { r.Oversubscribed = true }, 0, 0},
		"failed":         {"s", 4e-6, []float64{1e9}, 1000, 0, func(r *result.Record) { r.Status = result.Failed }, 0, 0},
		"two processes that take turns": {"s", 4e-6, []float64{1e9}, 1000, 0,
			func(r *result.Record) { r.ProcessesPerDevice, r.MPS = 2, &no }, 0, 0},
		"two processes that need not": {"s", 4e-6, []float64{1e9}, 1000, 0,
			func(r *result.Record) { r.ProcessesPerDevice, r.MPS = 2, &yes }, 1e-6, 0.25},
		"where it was planned": {"s", 4e-6, []float64{1e9}, 1000, 0,
			func(r *result.Record) { r.PlacementFound = "node" }, 1e-6, 0.25},
		"elsewhere than planned": {"s", 4e-6, []float64{1e9}, 1000, 0,
			func(r *result.Record) { r.PlacementFound = "remote" }, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := record("cpu", c.unit, c.measured)
			c.change(&r)
			var bounds []Bound
			known := map[string]result.Record{}
			for i, b := range c.ceilings {
				id := string(rune('a' + i))
				bounds = append(bounds, Bound{Name: "memory copy", ID: id, Bytes: c.bytes, Scale: c.scale})
				if b > 0 {
					known[id] = record("cpu", "B/s", b)
				}
			}
			l := Of(&r, "latency", bounds, func(id string) (result.Record, bool) { k, ok := known[id]; return k, ok })
			switch {
			case c.value == 0:
				if l != nil {
					t.Errorf("%+v", *l)
				}
			case l == nil || l.Name != "memory copy" || l.Unit != c.unit || math.Abs(l.Value/c.value-1) > 1e-12:
				t.Errorf("%+v, want %g", l, c.value)
			case math.IsNaN(c.fraction) != math.IsNaN(l.Fraction) || math.Abs(l.Fraction-c.fraction) > 1e-12:
				t.Errorf("fraction %g, want %g", l.Fraction, c.fraction)
			}
		})
	}
}

// A ceiling that was not measured on hardware, or while threads took turns, bounds nothing.
func TestCeilingsMustBeFigures(t *testing.T) {
	r := record("cpu", "B/s", 4e8)
	measured := func(c result.Record) *result.Limit {
		return Of(&r, "latency", []Bound{{ID: "a"}}, func(string) (result.Record, bool) { return c, true })
	}
	if l := measured(record("cpu", "B/s", 1e9)); l == nil {
		t.Fatal("a good ceiling gives no limit")
	}
	for name, change := range map[string]func(c *result.Record){
		"emulated":       func(c *result.Record) { c.Params["device"] = "emulated" },
		"oversubscribed": func(c *result.Record) { c.Oversubscribed = true },
		"failed":         func(c *result.Record) { c.Status = result.Failed },
		"without figure": func(c *result.Record) { c.Metrics = nil },
	} {
		c := record("cpu", "B/s", 1e9)
		change(&c)
		if l := measured(c); l != nil {
			t.Errorf("%s: %+v", name, *l)
		}
	}
}

// A rate of operations bounds as a bandwidth does.
func TestOperationsBound(t *testing.T) {
	r := record("cpu", "s", 4e-6)
	c := record("cpu", "s", 1)
	c.Metrics = map[string]result.Metric{"flop_rate": {Unit: "op/s", Median: 5e9, Max: 1e10}}
	l := Of(&r, "latency", []Bound{{Name: "operations", ID: "a", Bytes: 20000}}, func(string) (result.Record, bool) { return c, true })
	if l == nil || math.Abs(l.Value-2e-6) > 1e-15 || math.Abs(l.Fraction-0.5) > 1e-9 || l.Unit != "s" {
		t.Errorf("%+v", l)
	}
}

// What a cache may hold part of does not exceed it, nor what may be any cache's.
func TestExceeds(t *testing.T) {
	if Exceeds(1<<20, 0) || Exceeds(1<<20, 1<<20) || !Exceeds(2<<20, 1<<20) {
		t.Error("a footprint is taken for more than it is, or for less")
	}
}

func TestPurpose(t *testing.T) {
	p := result.Params{"device": "cpu"}
	if IsLimit(p) || !IsLimit(p.With(Purpose, ForLimit)) {
		t.Error("a case that was asked for is taken for a limit, or the other way round")
	}
}
