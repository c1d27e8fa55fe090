package report

import (
	"slices"
	"strings"
	"testing"

	"gpubench/internal/limits"
	"gpubench/internal/result"
)

// ofDevice is a case of a device alone.
func ofDevice(bench, device string, own result.Params, metrics map[string]result.Metric) result.Record {
	p := result.Params{"model": nil, "transport": nil, "path": nil, "device": device, "pes": int64(1)}
	for k, v := range own {
		p[k] = v
	}
	return result.Record{ID: result.ID(bench, p), Benchmark: bench, Params: p, Status: result.OK, Metrics: metrics,
		Validation: &result.Validation{Checked: 8, Sent: 8}, PathTaken: &result.PathTaken{Lane: "copy"}}
}

func copyOf(direction string, from, to, space any, ways string, size int64, rate float64) result.Record {
	return ofDevice("devcopy", "cuda", result.Params{"direction": direction, "from": from, "to": to, "host_space": space, "ways": ways,
		"engine": "copy", "size_bytes": size}, map[string]result.Metric{"bandwidth": metric("B/s", rate), "latency": metric("s", float64(size)/rate)})
}

// Copies are matrices whose rows are sources: the host stands beside the devices, and what is small has its time too.
func TestCopiesAreMatrices(t *testing.T) {
	one, two := int64(1), int64(0)
	lost := copyOf("d2d", one, two, nil, "one", 1<<20, 1)
	lost.Status, lost.Reason, lost.Metrics = result.Failed, "because", nil
	got := render(t, "text", []result.Record{
		copyOf("h2d", nil, int64(0), "pinned", "one", 1<<20, 50e9), copyOf("h2d", nil, int64(1), "pinned", "one", 1<<20, 51e9),
		copyOf("d2h", int64(10), nil, "pinned", "one", 1<<20, 52e9), copyOf("d2d", int64(0), int64(1), nil, "one", 1<<20, 300e9), lost,
		copyOf("h2d", nil, int64(0), "pageable", "one", 1<<20, 9e9), copyOf("h2d", nil, int64(0), "pinned", "both", 1<<20, 90e9),
		copyOf("h2d", nil, int64(0), "pinned", "one", 4096, 4.096e9), copyOf("d2d", int64(0), int64(1), nil, "both", 1<<20, 600e9),
	})
	for _, want := range []string{
		"\n# devcopy on cuda: bandwidth (MB/s), copy, pinned host memory, one way, 1048576 B; rows are sources\n" +
			"# from   host       0       1\n" +
			"host            50000   51000\n" +
			"0                      300000\n" +
			"1              failed\n" +
			"10      52000\n",
		"\n# devcopy on cuda: bandwidth (MB/s), copy, pageable host memory, one way, 1048576 B; rows are sources\n# from     0\nhost    9000\n",
		"\n# devcopy on cuda: bandwidth (MB/s), copy, pinned host memory, both ways at once, 1048576 B; rows are sources\n" +
			"# from       0       1\n" +
			"host     90000\n" +
			"0               600000\n" +
			"1       600000\n",
		"\n# devcopy on cuda: latency (us), copy, pinned host memory, one way, 4096 B; rows are sources\n# from      0\nhost    1.000\n",
		"# failed: because (devcopy on cuda, 1048576 B)\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the text lacks\n%s\nit is\n%s", want, got)
		}
	}
	if n := strings.Count(got, "latency (us)"); n != 1 {
		t.Errorf("%d matrices of times, want that of 4 KiB alone:\n%s", n, got)
	}
}

// Copies within devices name no host memory but that of the matrix in which they stand.
func TestCopiesWithinDevicesNameNoHostMemory(t *testing.T) {
	d2d := copyOf("d2d", int64(0), int64(1), nil, "one", 1<<20, 300e9)
	both := copyOf("d2d", int64(0), int64(1), nil, "both", 1<<20, 290e9)
	pinned, pageable := copyOf("h2d", nil, int64(0), "pinned", "one", 1<<20, 50e9), copyOf("h2d", nil, int64(0), "pageable", "one", 1<<20, 9e9)
	for _, c := range []struct {
		recs  []result.Record
		heads []string // of the matrices, in order, after the engine
	}{
		{[]result.Record{d2d, both}, []string{"one way", "both ways at once"}},
		{[]result.Record{d2d, pageable}, []string{"pageable host memory, one way"}},
		{[]result.Record{d2d, pageable, pinned}, []string{"pinned host memory, one way", "pageable host memory, one way"}},
		{[]result.Record{both, pageable}, []string{"both ways at once", "pageable host memory, one way"}},
	} {
		got := render(t, "text", c.recs)
		var heads []string
		for _, line := range strings.Split(got, "\n") {
			if rest, ok := strings.CutPrefix(line, "# devcopy on cuda: bandwidth (MB/s), copy, "); ok {
				heads = append(heads, strings.TrimSuffix(rest, ", 1048576 B; rows are sources"))
			}
		}
		if !slices.Equal(heads, c.heads) || !strings.Contains(got, "300000") && !strings.Contains(got, "290000") {
			t.Errorf("matrices %q, want %q:\n%s", heads, c.heads, got)
		}
	}
}

func TestFiguresOfADevice(t *testing.T) {
	got := render(t, "text", []result.Record{
		ofDevice("devlatency", "cuda", result.Params{"operation": "launch", "nodes": nil}, map[string]result.Metric{"latency": metric("s", 2e-6)}),
		ofDevice("devlatency", "cuda", result.Params{"operation": "graph", "nodes": int64(16)}, map[string]result.Metric{"latency": metric("s", 20e-6)}),
		ofDevice("devlatency", "emulated", result.Params{"operation": "launch", "nodes": nil}, map[string]result.Metric{"latency": metric("s", 3e-6)}),
	})
	want := "\n# devlatency\n" +
		"# device  nodes  operation  latency (us)  checked\n" +
		"emulated      -     launch       (3.000)        8\n" +
		"cuda          -     launch         2.000        8\n" +
		"cuda         16      graph         20.00        8\n"
	if !strings.Contains(got, want) {
		t.Errorf("the text lacks\n%s\nit is\n%s", want, got)
	}
}

// Limits stand in a table of their own and count for nothing; one that failed says why, and is in no column of OSU's.
func TestLimitsAreNotWhatWasAskedFor(t *testing.T) {
	limit := func(size int64, rate float64) result.Record {
		r := copyOf("h2h", nil, nil, "pageable", "one", size, rate)
		r.Params = r.Params.With(limits.Purpose, limits.ForLimit).With("device", "cpu")
		return r
	}
	lost := limit(65536, 1)
	lost.Status, lost.Reason, lost.Metrics = result.Failed, "because", nil
	stream := ofDevice("stream", "cuda", result.Params{"operation": "copy", "size_bytes": int64(65536), limits.Purpose: limits.ForLimit},
		map[string]result.Metric{"bandwidth": metric("B/s", 2e12)})
	ping := rec("pingpong", "mpi", "host", result.OK, result.Params{"size_bytes": int64(8192)}, map[string]result.Metric{"latency": metric("s", 1e-6)})
	ping.Limit = &result.Limit{Name: "memory copy", Value: 2.5e-7, Unit: "s", Fraction: 0.25}
	again := lost
	again.Params = lost.Params.With("size_bytes", int64(131072))
	flops := ofDevice("flops", "cpu", result.Params{"task_blocks": int64(1), limits.Purpose: limits.ForLimit},
		map[string]result.Metric{"flop_rate": metric("op/s", 9e10)})
	recs := []result.Record{limit(8192, 4e9), lost, again, stream, flops, ping}
	got := render(t, "text", recs)
	for _, want := range []string{
		"# limits, measured first: bandwidth (MB/s) of a device alone\n",
		"# size  devcopy cpu h2h copy one  stream cuda copy\n",
		"8192                        4000\n",
		"65536                     failed           2000000\n",
		"131072                    failed\n",
		"# limit by devcopy failed: because (2 cases)\n",
		"\n# limits, measured first: flops\n# device  flop_rate (Gop/s)  checked\ncpu                   90.00        8\n",
		"8192       1.000      0.25\n",
		"# 1 ok, 0 failed, 0 skipped\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the text lacks\n%s\nit is\n%s", want, got)
		}
	}
	if got := render(t, "osu", recs); strings.Contains(got, "devcopy") || !strings.Contains(got, "# 1 ok, 0 failed") {
		t.Errorf("OSU's columns have limits:\n%s", got)
	}
}
