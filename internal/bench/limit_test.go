package bench

import (
	"math"
	"testing"

	"gpubench/internal/limits"
	"gpubench/internal/result"
)

func TestLegLimit(t *testing.T) {
	nan := math.NaN()
	// To the host 2 and 4 µs on PEs 0 and 1, the wire 3, to the device 5 and 1.
	all := messageLegs{toHost: [2]float64{2e-6, 4e-6}, wire: 3e-6, toDevice: [2]float64{5e-6, 1e-6}}
	oneWay := messageLegs{toHost: [2]float64{2e-6, nan}, wire: 3e-6, toDevice: [2]float64{nan, 1e-6}}
	hostPE1 := messageLegs{toHost: [2]float64{2e-6, nan}, wire: 1e-6, toDevice: [2]float64{5e-6, nan}}
	toHostPE1 := messageLegs{toHost: [2]float64{2e-6, nan}, wire: 1e-6, toDevice: [2]float64{nan, nan}}
	for name, c := range map[string]struct {
		metric          string
		legs            messageLegs
		pipelined       bool
		measured        float64
		value, fraction float64 // value 0: no limit
	}{
		"simple latency is no less than the sum":         {"latency", all, false, 15e-6, (6e-6 + 12e-6) / 2, 9. / 15},
		"pipelined latency is no less than the longest":  {"latency", all, true, 8e-6, (3e-6 + 5e-6) / 2, 4. / 8},
		"bandwidth is no more than the slowest allows":   {"bandwidth", oneWay, true, 150e6, 600 / 3e-6, 0.75},
		"and no more so for simple staging":              {"bandwidth", oneWay, false, 150e6, 600 / 3e-6, 0.75},
		"a side in host memory has no legs":              {"latency", hostPE1, false, 9e-6, (3e-6 + 6e-6) / 2, 0.5},
		"nor do they count when pipelined":               {"latency", hostPE1, true, 7e-6, (2e-6 + 5e-6) / 2, 0.5},
		"to one in host memory the wire or the copy":     {"bandwidth", toHostPE1, true, 150e6, 600 / 2e-6, 0.5},
		"both ways at once, the slower way counts":       {"bandwidth", all, true, 120e6, 2 * 600 / 5e-6, 0.5},
		"both ways, one side in host memory":             {"bandwidth", hostPE1, true, 60e6, 2 * 600 / 5e-6, 0.25},
		"the wire is missing":                            {"latency", messageLegs{toHost: all.toHost, wire: nan, toDevice: all.toDevice}, false, 1e-6, 0, 0},
		"all copies are missing":                         {"bandwidth", messageLegs{toHost: [2]float64{nan, nan}, wire: 1e-6, toDevice: [2]float64{nan, nan}}, true, 1e6, 0, 0},
		"of one way all are missing":                     {"latency", oneWay, false, 1e-6, 0, 0},
		"a leg that took no time by its clock":           {"bandwidth", messageLegs{toHost: [2]float64{0, nan}, toDevice: [2]float64{nan, nan}}, true, 1e6, 0, 0},
		"nothing measured":                               {"latency", all, false, nan, 0, 0},
		"another metric":                                 {"message_rate", all, false, 1e6, 0, 0},
		"faster than its legs, which limit reports null": {"latency", all, false, 6e-6, 9e-6, 1.5},
	} {
		t.Run(name, func(t *testing.T) {
			l := legLimit(c.metric, c.legs, c.pipelined, 600, c.measured)
			if c.value == 0 {
				if l != nil {
					t.Errorf("%+v", *l)
				}
				return
			}
			unit := map[string]string{"latency": "s", "bandwidth": "B/s"}[c.metric]
			if l == nil || l.Name != "staged legs" || l.Unit != unit || math.Abs(l.Value/c.value-1) > 1e-12 || math.Abs(l.Fraction/c.fraction-1) > 1e-12 {
				t.Errorf("%+v, want %g %s, fraction %g", l, c.value, unit, c.fraction)
			}
		})
	}
}

// TestLimitOfARecord: no limit where nothing limits by hardware, and no
// fraction of a limit that is wrong.
func TestLimitOfARecord(t *testing.T) {
	legs := []legReport{{ToHost: []float64{2e-6}, Wire: []float64{3e-6}, ToDevice: []float64{5e-6}},
		{ToHost: []float64{4e-6}, ToDevice: []float64{1e-6}}}
	for name, c := range map[string]struct {
		device   string
		over     bool
		shared   int
		mps      bool
		measured float64
		fraction float64 // 0: no limit; NaN: a wrong one
	}{
		"a GPU":                          {"cuda", false, 1, false, 18e-6, 0.5},
		"at the limit":                   {"cuda", false, 1, false, 9e-6, 1},
		"within noise":                   {"cuda", false, 1, false, 9e-6 / 1.019, 1.019},
		"beyond it":                      {"cuda", false, 1, false, 9e-6 / 1.021, math.NaN()},
		"emulated":                       {"emulated", false, 1, false, 18e-6, 0},
		"oversubscribed":                 {"cuda", true, 1, false, 18e-6, 0},
		"two processes that take turns":  {"cuda", false, 2, false, 18e-6, 0},
		"two processes that need not":    {"cuda", false, 2, true, 18e-6, 0.5},
		"it is not known how many share": {"cuda", false, 0, false, 18e-6, 0.5},
	} {
		t.Run(name, func(t *testing.T) {
			p := params(2, result.Params{"device": c.device, "path": "staged", "staging": "simple", "size_bytes": int64(600)})
			k := newChief(&session{pe: &PE{Size: 2}, b: &Benchmark{Metrics: []Metric{{Name: "latency", Unit: "s"}}}, c: Case{Params: p, MPS: &c.mps}})
			k.legs = legs
			r := result.Record{Status: result.OK, MPS: &c.mps, Params: p, Oversubscribed: c.over, ProcessesPerDevice: c.shared, Metrics: map[string]result.Metric{"latency": {Median: c.measured}}}
			var l *result.Limit
			if limits.Allowed(&r) {
				l = k.limit(&r)
			}
			switch {
			case c.fraction == 0:
				if l != nil {
					t.Errorf("%+v", *l)
				}
			case l == nil || l.Value != 9e-6 || math.IsNaN(c.fraction) != math.IsNaN(l.Fraction):
				t.Errorf("%+v, want fraction %g", l, c.fraction)
			case !math.IsNaN(c.fraction) && math.Abs(l.Fraction-c.fraction) > 1e-9:
				t.Errorf("%+v, want fraction %g", l, c.fraction)
			}
		})
	}
}
