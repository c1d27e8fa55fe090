package report

import (
	"strings"
	"testing"

	"gpubench/internal/result"
)

// A search's figure has an interval in one trial, and a note that says of what; other figures have none, nor has the
// emulated device.
func TestSearchesShowTheirInterval(t *testing.T) {
	found := func(device string, trial int) result.Record {
		m := metric("s", 1e-6)
		m.CILow, m.CIHigh, m.Confidence, m.N = 0.9e-6, 1.2e-6, 0.95, 15
		rate := metric("op/s", 5e9)
		rate.CILow, rate.CIHigh = 4e9, 6e9
		r := rec("metg", "mpi", "host", result.OK, result.Params{"steps": int64(10), "device": device},
			map[string]result.Metric{"metg": m, "peak_rate": rate})
		r.Trial = trial
		return r
	}
	for _, c := range []struct {
		recs         []result.Record
		want, refuse string
	}{
		{[]result.Record{found("cpu", 0)}, "1.000 ±20%              5.000  ", spreadNote},
		{[]result.Record{found("cpu", 0)}, searchNote + "\n", spreadNote},
		{[]result.Record{found("cpu", 0), found("cpu", 1)}, "1.000 ±0.0%", searchNote},
		{[]result.Record{found("emulated", 0)}, "(1.000)", "±"},
		{fixed(), "jacobi3d", "±"},
	} {
		got := render(t, "text", c.recs)
		if !strings.Contains(got, c.want) || strings.Contains(got, c.refuse) {
			t.Errorf("want %q and not %q:\n%s", c.want, c.refuse, got)
		}
	}
}
