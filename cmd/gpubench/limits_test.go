package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gpubench/internal/limits"
	"gpubench/internal/result"
)

// needCPUs skips tests of limits where PEs share a core: such figures have none.
func needCPUs(t *testing.T, n int) {
	t.Helper()
	if cpusAllowed() < n {
		t.Skipf("%d CPUs are allowed, and %d PEs would be more", cpusAllowed(), n)
	}
}

// split parts a run's records, and fails unless limits were measured before what was asked for.
func split(t *testing.T, recs []result.Record) (asLimits, asked []result.Record) {
	t.Helper()
	for _, r := range recs {
		switch {
		case !limits.IsLimit(r.Params):
			asked = append(asked, r)
		case len(asked) > 0:
			t.Errorf("a limit after what it bounds: %s %v", r.Benchmark, r.Params)
		default:
			asLimits = append(asLimits, r)
		}
	}
	allOK(t, recs)
	return asLimits, asked
}

// A run measures first what bounds its cases, says how near they came, and goes on with the limits that it has.
func TestLimitsAreMeasuredFirst(t *testing.T) {
	needCPUs(t, 2)
	dir := t.TempDir()
	args := []string{"run", "bandwidth", "--path", "host", "--model", "mpi", "-m", "1K,64K", "-i", "20", "--quick", "--transport", "inproc", "--limits"}
	got := call(t, append(args, "-o", dir)...)
	if got.code != exitOK {
		t.Fatalf("exit %d\n%s%s", got.code, got.stderr, got.stdout)
	}
	asLimits, asked := split(t, readResults(t, dir).Records)
	if len(asLimits) != 1 || len(asked) != 2 {
		t.Fatalf("%d limits and %d cases, want 1 and 2", len(asLimits), len(asked))
	}
	if l := asLimits[0]; l.Benchmark != "devcopy" || l.Params.Int("size_bytes") != 64<<10 || l.Params.String("direction") != "h2h" || l.Limit != nil {
		t.Errorf("the limit is %s %v, its own %+v", l.Benchmark, l.Params, l.Limit)
	}
	for _, r := range asked {
		l := r.Limit
		switch {
		case r.Params.Int("size_bytes") == 1<<10:
			if l != nil {
				t.Errorf("1 KiB is bounded by no copy: %+v", *l)
			}
		case l == nil || l.Name != "memory copy" || l.Unit != "B/s" || l.Value != asLimits[0].Metrics["bandwidth"].Max: // one way, by one core
			t.Errorf("64 KiB: limit %+v, measured %+v", l, asLimits[0].Metrics["bandwidth"])
		case l.Fraction == l.Fraction && (l.Fraction <= 0 || l.Fraction > limits.TooGood): // NaN: wrong, where others use the cores
			t.Errorf("64 KiB: fraction %g", l.Fraction)
		}
	}
	for _, want := range []string{"of limit", "# limits, measured first: bandwidth (MB/s)", "# 2 cases and 1 limit, 0 left out, 2 PEs", "# 2 ok, 0 failed"} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("%q is missing in:\n%s", want, got.stdout)
		}
	}
	loseLast(t, filepath.Join(dir, resultsFile))
	again := call(t, append(args, "--resume", dir)...)
	if again.code != exitOK || !strings.Contains(again.stderr, "1 cases are done") {
		t.Errorf("exit %d: %s", again.code, again.stderr)
	}
	asLimits, asked = split(t, readResults(t, dir).Records)
	if len(asLimits) != 1 || len(asked) != 2 {
		t.Errorf("after going on: %d limits and %d cases, want 1 and 2", len(asLimits), len(asked))
	}
	for _, r := range asked {
		if (r.Limit != nil) != (r.Params.Int("size_bytes") == 64<<10) {
			t.Errorf("after going on: %v has limit %+v", r.Params, r.Limit)
		}
	}
}

// loseLast damages the last line of a file, as a killed run would.
func loseLast(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, text[:len(text)-40], 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Each kind of case has the limit of what it does; the program measures them without being told.
func TestLimitsOfEachKind(t *testing.T) {
	needCPUs(t, 2)
	for args, want := range map[string]string{
		"pingpong --model charm --path host -m 16K -i 50":                                          "memory copy",
		"jacobi3d --model mpi --path host -n 1 --grid 48,48,48 -i 10":                              "stream copy",
		"jacobi3d --model mpi --path host -n 2 --grid 48,48,48 -i 10":                              "stream copy",
		"jacobi3d --model mpi --path host -n 1 --grid 8,8,8 -i 10":                                 "",
		"pic --model charm --path host -n 2 --odf 2 --balance greedy --balance-every 5 -i 10 -x 2": "stream copy",
		"pingpong --model mpi --path direct,staged --device emulated -m 16K -i 20 --limits":        "",
		"pingpong --model mpi --path host -m 16K -i 50 --limits=false":                             "",
		"jacobi3d --model charm --path direct --device emulated -n 1 --grid 48,48,48 -i 6 -x 1":    "",
	} {
		dir := t.TempDir()
		out, err := process(append([]string{"run", "-o", dir, "--quick", "--transport", "inproc"}, strings.Fields(args)...)...).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", args, err, out)
			continue
		}
		asLimits, asked := split(t, readResults(t, dir).Records)
		if (len(asLimits) > 0) != (want != "") || len(asked) == 0 {
			t.Errorf("%s: %d limits, %d cases", args, len(asLimits), len(asked))
		}
		for _, r := range asked {
			if (r.Limit != nil) != (want != "") || want != "" && r.Limit.Name != want {
				t.Errorf("%s: limit %+v, want %q", args, r.Limit, want)
			}
		}
	}
}

// Devices alone are measured by rank 0 of a launcher's job, once, while the others wait; host memory gets no limits there.
func TestDevicesAloneUnderALauncher(t *testing.T) {
	needMPI(t)
	got := underMPIRun(t, 2, nil, "run", "devcopy", "pingpong", "--device", "emulated", "--path", "host,direct,staged", "--direction", "d2d",
		"--engine", "copy", "--ways", "one", "-m", "16K", "-i", "20", "--model", "mpi", "--format", "jsonl", "--limits")
	if got.code != exitOK {
		t.Fatalf("exit %d\n%s%s", got.code, got.stderr, reasons(got.stdout))
	}
	c, err := result.Read(strings.NewReader(got.stdout))
	if err != nil {
		t.Fatal(err)
	}
	allOK(t, c.Records)
	n := map[string]int{}
	for _, r := range c.Records {
		if limits.IsLimit(r.Params) {
			t.Errorf("a limit: %v", r.Params)
		}
		if r.Status == result.OK {
			n[r.Benchmark]++
		}
	}
	if n["devcopy"] != 1+4 || n["pingpong"] != 2 { // cpu, and pairs of two devices; host and staged
		t.Errorf("%v", n)
	}
}
