package report

import (
	"strings"
	"testing"

	"gpubench/internal/result"
)

// Messages per second have a table of their own behind the main metric's, without its limits and legs.
func TestMessageRates(t *testing.T) {
	var recs []result.Record
	for _, size := range []int64{8, 1024} {
		r := rec("multi_bandwidth", "mpi", "staged", result.OK, result.Params{"size_bytes": size, "device": "cuda"}, map[string]result.Metric{
			"bandwidth": metric("B/s", 2e6*float64(size)), "message_rate": metric("op/s", 2e6), "wire_time": metric("s", 1e-6)})
		r.Limit = &result.Limit{Name: "staged legs", Value: 4e6 * float64(size), Unit: "B/s", Fraction: 0.5}
		recs = append(recs, r)
	}
	got := render(t, "text", recs)
	main, rates, there := strings.Cut(got, "# multi_bandwidth over inproc: message_rate (op/s), staged,")
	if !there || !strings.Contains(main, "# multi_bandwidth over inproc: bandwidth (MB/s), staged,") || strings.Contains(rates, "message_rate") {
		t.Fatalf("not one table each:\n%s", got)
	}
	rates, _, _ = strings.Cut(rates, "\n\n")
	if strings.Count(rates, "2000000") != 2 || strings.Contains(rates, "legs") || strings.Contains(rates, limitHead) || !strings.Contains(main, limitHead) {
		t.Errorf("the rates, or what goes with the main metric:\n%s", got)
	}
}

// Rates of 1e11 and tasks of microseconds are read in units that fit them.
func TestUnits(t *testing.T) {
	for _, c := range []struct{ metric, unit, want string }{
		{"task_time", "s", "us"}, {"metg", "s", "us"}, {"work_rate", "op/s", "Gop/s"}, {"peak_rate", "op/s", "Gop/s"},
		{"peak_rate", "B/s", "MB/s"}, {"particle_rate", "op/s", "Mop/s"}, {"message_rate", "op/s", "op/s"}, {"run_time", "s", "ms"},
	} {
		if got := scaleOf(c.metric, c.unit); got.unit != c.want {
			t.Errorf("%s in %s is shown in %s, want %s", c.metric, c.unit, got.unit, c.want)
		}
	}
	recs := []result.Record{rec("taskbench", "mpi", "host", result.OK, result.Params{"steps": int64(2)}, map[string]result.Metric{
		"task_time": metric("s", 2e-6), "wait_time": metric("s", 3e-7), "task_rate": metric("op/s", 5e5)})}
	if got := render(t, "text", recs); !strings.Contains(got, "task (us)  task_rate (op/s)  wait (us)") {
		t.Errorf("a wait beside a task is not in its unit:\n%s", got)
	}
}
