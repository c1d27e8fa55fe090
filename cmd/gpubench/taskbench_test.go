package main

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"

	"gpubench/internal/limits"
	"gpubench/internal/result"
	"gpubench/internal/suite/taskbench/graph"
)

const taskArgs = "taskbench --device emulated --task-size 5 -i 2 -x 1 "

// allPatterns is --pattern with all of them.
func allPatterns() string {
	var names []string
	for _, p := range graph.Patterns {
		names = append(names, string(p))
	}
	return strings.Join(names, ",")
}

// Task graphs are right input by input: patterns, widths that are no powers of two or less than the PEs, models, transports,
// paths, kernels, several graphs, outputs longer than a header.
func TestTaskBenchIsRight(t *testing.T) {
	needMPI(t)
	need(t, "ucx")
	for _, c := range []struct {
		args  string
		cases int
		long  bool // not under -short
	}{
		{"-n 1,2,3,4 --path host --steps 7 --width 1,3,6,8 --pattern " + allPatterns(), 4 * 4 * 11 * 2, false},
		{"-n 3 --path host --steps 7 --width 2,4,5,7 --radix 4 --period 2 --pattern " + allPatterns(), 4 * 11 * 2, true},
		{"-n 2 --path host --steps 4 --width 3 --graphs 3 --output-bytes 17,4K --pattern stencil_1d,dom,random_nearest", 2 * 3 * 2, false},
		{"-n 2 --path host --steps 6 --task-kernel empty,busy_wait,memory_bound,load_imbalance --scratch-bytes 4K", 4 * 2, false},
		{"-n 2 --path staged,direct --steps 5 --width 3 --pattern fft,stencil_1d_periodic --output-bytes 16,2K", 2 * 2 * 2 * 2, false},
		{"-n 1 --path staged --steps 5 --width 2 --scratch-bytes 4K --task-kernel empty,busy_wait,memory_bound,load_imbalance --task-blocks 2", 4 * 2, true},
		{"-n 2 --transport mpi,ucx --path host --steps 6 --width 5 --pattern tree,all_to_all,spread --output-bytes 16,64K", 2 * 3 * 2 * 2, true},
		{"-n 2 --transport ucx --path staged --steps 5 --width 3 --output-bytes 4K", 2, true},
		// More points than a process has mappings of memory.
		{"-n 1 --path host --steps 2 --width 70000", 2, true},
	} {
		if c.long && testing.Short() {
			continue
		}
		t.Run(c.args, func(t *testing.T) {
			recs := records(t, exitOK, strings.Fields(taskArgs+c.args)...)
			if n := count(recs, func(r result.Record) bool { return r.Status == result.OK }); n != c.cases {
				t.Errorf("%d cases are ok, want %d", n, c.cases)
			}
			for _, r := range recs {
				checkedEach(t, r)
			}
		})
	}
}

// Graphs too short for a message between PEs are right on every path, and no lane is claimed for what none carried.
func TestTaskBenchWithoutMessages(t *testing.T) {
	recs := records(t, exitOK, strings.Fields(taskArgs+"-n 3 --width 6 --path staged,direct --steps 1,2 --pattern stencil_1d,tree")...)
	allOK(t, recs)
	for _, r := range recs {
		want := "copy"
		if steps := r.Params.Int("steps"); steps == 2 && r.Params.String("pattern") == "stencil_1d" && r.Params.String("path") == "staged" {
			want = "staged"
		}
		if r.PathTaken == nil || r.PathTaken.Lane != want {
			t.Errorf("%v: lane %+v, want %s", r.Params, r.PathTaken, want)
		}
	}
}

// checkedEach fails unless every input and output of the untimed pass's two runs was checked, by the graph's own count.
func checkedEach(t *testing.T, r result.Record) {
	t.Helper()
	p, inputs, tasks := r.Params, 0, 0
	for i := range int(p.Int("graphs")) {
		g := graph.Graph{Index: i, Pattern: graph.Pattern(p.String("pattern")), Width: int(p.Int("width")), Steps: int(p.Int("steps")),
			Radix: int(p.Int("radix")), Period: int(p.Int("period")), Fraction: p.Float("fraction")}
		tasks += g.Tasks()
		for step := range g.Steps {
			first, n := g.Window(step)
			for point := first; point < first+n; point++ {
				inputs += len(g.Inputs(step, point))
			}
		}
	}
	inputs += tasks // their outputs
	if k := p.String("task_kernel"); k != "empty" && k != "memory_bound" {
		inputs += tasks // what their kernels left
	}
	v := r.Validation
	if v == nil || v.Errors != 0 || v.Checked != v.Sent || v.Checked < int64(2*inputs) {
		t.Errorf("%v: %+v, want %d checked at least", p, v, 2*inputs)
	}
}

// Phases of a timestep are parts of it, in both models and on both sides of a device.
func TestTaskBenchPhases(t *testing.T) {
	recs := records(t, exitOK, strings.Fields("taskbench --device emulated -n 2 --path host,staged --phases --steps 50 --task-size 500 --output-bytes 4K -i 4 -x 1")...)
	allOK(t, recs)
	if len(recs) != 4 {
		t.Errorf("%d cases", len(recs))
	}
	for _, r := range recs {
		staged := r.Params.String("path") == "staged"
		for _, name := range []string{"compute_time", "post_time", "wait_time", "copy_time"} {
			if m, ok := r.Metrics[name]; ok != (staged || name != "copy_time") || ok && !(m.Median > 0) {
				t.Errorf("%v: %s is %+v, there: %v", r.Params, name, m, ok)
			}
		}
		// One point a PE, and on the host all three on its clock.
		for pe := 0; pe < 2 && !staged; pe++ {
			for i, run := range r.Samples["run_time"] {
				sum := 0.0
				for _, name := range []string{"compute_time", "post_time", "wait_time"} {
					sum += r.Samples[fmt.Sprintf("%s_pe%d", name, pe)][i]
				}
				if step := run / 50; !(sum > 0 && sum <= step) {
					t.Errorf("%v: the phases of PE %d come to %g s, a timestep of batch %d to %g", r.Params, pe, sum, i, step)
				}
			}
		}
	}
}

// What bounds a task is measured first: its operations on one core; copies that a cache may hold have no limit.
func TestTaskBenchLimits(t *testing.T) {
	needCPUs(t, 2)
	args := "taskbench --model mpi --path host -n 2 --steps 20 --task-size 4000 --task-kernel compute_bound,memory_bound,busy_wait --scratch-bytes 64K -i 10 -x 1 --limits"
	asLimits, asked := split(t, records(t, exitOK, strings.Fields(args)...))
	if len(asLimits) != 1 || asLimits[0].Benchmark != "flops" || len(asked) != 3 {
		t.Fatalf("%d limits and %d cases", len(asLimits), len(asked))
	}
	for _, r := range asked {
		l := r.Limit
		if r.Params.String("task_kernel") != "compute_bound" {
			if l != nil {
				t.Errorf("%v: limit %+v", r.Params, *l)
			}
			continue
		}
		want := 4000 * 128 / asLimits[0].Metrics["flop_rate"].Max
		if l == nil || l.Name != "operations" || l.Unit != "s" || math.Abs(l.Value/want-1) > 1e-9 {
			t.Errorf("limit %+v, want %g s", l, want)
		} else if l.Fraction == l.Fraction && (l.Fraction <= 0 || l.Fraction > limits.TooGood) { // NaN: wrong, where others use the cores
			t.Errorf("fraction %g", l.Fraction)
		}
	}
}

// A damaged or a lost input makes the case failed, and the reason names PE, task and offset.
func TestTaskBenchFaultsAreFound(t *testing.T) {
	flips := "flip:30"
	for n := 31; n < 90; n += 3 {
		flips += fmt.Sprintf(",flip:%d", n)
	}
	for _, c := range []struct {
		name, value, args string
		want              []string
	}{
		{"GPUBENCH_FAULT", flips, "--model mpi --path host", []string{"PE", "task (", "input from point", "offset", "expected", "found"}},
		{"GPUBENCH_FAULT", flips, "--model charm --path host", []string{"PE", "offset", "expected", "found"}},
		{"GPUBENCH_FAULT", "truncate:70", "--model mpi --path host", []string{"PE", "task (", "offset", "expected", "found"}},
		{"GPUBENCH_EMU_FLIP", "copy:150-", "--model mpi --path direct --output-bytes 2K --task-kernel empty", []string{"PE", "task (", "offset", "expected", "found"}},
	} {
		t.Run(c.value+" "+c.args, func(t *testing.T) {
			t.Setenv(c.name, c.value)
			args := taskArgs + "-n 2 --steps 20 --pattern stencil_1d_periodic --timeout 30s " + c.args
			if strings.Contains(c.args, "--task-kernel empty") {
				args = strings.Replace(args, "--task-size 5 ", "", 1)
			}
			for _, r := range records(t, exitFailed, strings.Fields(args)...) {
				for _, w := range c.want {
					if r.Status != result.Failed || !strings.Contains(r.Reason, w) {
						t.Errorf("%s, and the reason lacks %q: %s", r.Status, w, r.Reason)
					}
				}
			}
		})
	}
}

// METG is found in one command, in both models: on cpu, and where a device's thread has a CPU of its own.
func TestMETGIsFound(t *testing.T) {
	findMETG(t, "--path host --task-kernel compute_bound,memory_bound --scratch-bytes 16K", 4)
	if !testing.Short() && runtime.NumCPU() > 1 {
		findMETG(t, "--device emulated --path direct", 2)
	}
}

// findMETG looks for an interval that holds it, a curve on either side of 50 %, and the untimed pass.
func findMETG(t *testing.T, args string, cases int) {
	t.Helper()
	var recs []result.Record
	found := 0
	for try := 0; try < 4 && found == 0; try++ {
		recs = records(t, exitOK, strings.Fields("metg -n 1 --steps 40 --width 2 --repetitions 5 "+args)...)
		for _, r := range recs {
			if r.Status == result.Skipped && strings.Contains(r.Reason, "other programs use these CPUs") {
				continue // other tests do
			}
			found++
			checkedEach(t, r)
			m, e := r.Metrics["metg"], r.Samples["curve_efficiency"]
			if r.Status != result.OK || !(m.Median > 0 && m.CILow <= m.Median && m.Median <= m.CIHigh) || m.N != 5 || m.Unit != "s" {
				t.Errorf("%v: %s %s %+v", r.Params, r.Status, r.Reason, m)
			} else if len(e) < 3 || e[0] >= 0.5 || len(e) != len(r.Samples["curve_granularity"]) || r.Metrics["peak_rate"].Median <= 0 {
				t.Errorf("%v: efficiencies %v, peak %+v", r.Params, e, r.Metrics["peak_rate"])
			}
		}
	}
	if found == 0 {
		t.Errorf("%s: no METG in four runs", args)
	}
	if len(recs) != cases {
		t.Errorf("%d records", len(recs))
	}
}

// Where PEs share cores there is no METG, and the reason says so; without a kernel that works the command line is wrong.
func TestMETGThatCannotBe(t *testing.T) {
	recs := records(t, exitOK, strings.Fields("metg --model mpi --path staged --device emulated -n 4 --steps 5")...)
	if len(recs) != 1 || recs[0].Status != result.Skipped || !strings.Contains(recs[0].Reason, "more threads run than there are CPUs") {
		t.Errorf("%+v", recs)
	}
	got := call(t, strings.Fields("run metg --task-kernel empty")...)
	if got.code != exitUsage || !strings.Contains(got.stderr, "--task-kernel") {
		t.Errorf("exit %d: %s", got.code, got.stderr)
	}
}

func TestTaskBenchFlagsThatDoNotFit(t *testing.T) {
	for args, want := range map[string]string{
		"--pattern random_spread":                        "--pattern",
		"--output-bytes 8":                               "--output-bytes",
		"--task-kernel memory_bound --scratch-bytes 100": "give a multiple of 256",
		"--imbalance 3":                                  "--imbalance",
	} {
		got := call(t, append([]string{"run", "taskbench", "--path", "host"}, strings.Fields(args)...)...)
		if got.code != exitUsage || !strings.Contains(got.stderr, want) {
			t.Errorf("%s: exit %d, %s", args, got.code, got.stderr)
		}
	}
}
