package report

import (
	"math"
	"strings"
	"testing"

	"gpubench/internal/result"
)

// staged is a staged case on hardware, with its legs.
func staged(size int64, trial int, fraction float64, more result.Params) result.Record {
	over := result.Params{"size_bytes": size, "device": "cuda"}
	for k, v := range more {
		over[k] = v
	}
	r := rec("pingpong", "mpi", "staged", result.OK, over, map[string]result.Metric{"latency": metric("s", 9e-6),
		"to_host_time": metric("s", 4e-6), "wire_time": metric("s", 3e-6), "to_device_time": metric("s", float64(size)*1e-9)})
	r.Trial = trial
	r.Limit = &result.Limit{Name: "staged legs", Value: 8e-6, Unit: "s", Fraction: fraction}
	return r
}

// The column of limits is there where a case of the series has one, and only
// then; a fraction beyond a limit is never shown.
func TestLimitsInTheTable(t *testing.T) {
	host := rec("pingpong", "mpi", "host", result.OK, result.Params{"size_bytes": int64(8)}, map[string]result.Metric{"latency": metric("s", 1e-6)})
	lost := staged(64, 0, 0, nil)
	lost.Status, lost.Reason, lost.Metrics, lost.Limit = result.Failed, "because", nil, nil
	recs := []result.Record{host, staged(8, 0, 0.5, nil), staged(8, 1, 0.9, nil), staged(8, 2, 0.7, nil), staged(1024, 0, math.NaN(), nil), lost}
	got := render(t, "text", recs)
	for _, want := range []string{
		"# size   host       staged  of limit\n",
		"8       1.000  9.000 ±0.0%      0.70\n",
		"64                  failed         -\n",
		"1024                 9.000     wrong\n",
		wrongNote + "\n",
		"# legs of staged at 1024 B, each alone and in one piece: to host 4.000 us, wire 3.000 us, to device 1.024 us\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the text lacks %q:\n%s", want, got)
		}
	}
	if got := render(t, "text", fixed()); strings.Contains(got, limitHead) || strings.Contains(got, "legs") || strings.Contains(got, wrongNote) {
		t.Errorf("limits or legs of nothing:\n%s", got)
	}
	apps := fixed()[len(fixed())-2:]
	apps[0].Limit = &result.Limit{Name: "copy", Value: 5e-5, Unit: "s", Fraction: 0.5}
	got = render(t, "text", apps)
	if !strings.Contains(got, "of limit") || !strings.Contains(got, "0.50") {
		t.Errorf("no limit of an application:\n%s", got)
	}
}

// Emulated legs are no figures either.
func TestLegsInParentheses(t *testing.T) {
	r := staged(1024, 0, 0, result.Params{"device": "emulated"})
	r.Limit = nil
	if got := render(t, "text", []result.Record{r}); !strings.Contains(got, "to host (4.000) us, wire (3.000) us, to device (1.024) us") || strings.Contains(got, limitHead) {
		t.Errorf("the text is\n%s", got)
	}
}
