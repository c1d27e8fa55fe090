package main

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"gpubench/internal/derive"
	"gpubench/internal/plan"
	"gpubench/internal/preset"
	"gpubench/internal/result"
	"gpubench/internal/suite"
	"gpubench/internal/supervise"
)

// parsed reads a command line of run as run does.
func parsed(t *testing.T, args ...string) (plan.Options, []string, error) {
	t.Helper()
	var f runFlags
	s := pflag.NewFlagSet("run", pflag.ContinueOnError)
	s.SetOutput(io.Discard)
	f.add(s)
	if err := s.Parse(args); err != nil {
		t.Fatal(err)
	}
	benchmarks, title, err := f.applyPreset(context.Background(), s, s.Args())
	if err != nil {
		return plan.Options{}, nil, err
	}
	o, _, err := f.options(benchmarks, s.Visit)
	return o, title, err
}

// everything is a machine that can run all there is.
func everything() plan.Machine {
	yes := plan.Availability{OK: true}
	m := plan.Machine{Devices: map[string]plan.Device{"cpu": {Availability: yes, Count: 1}, "cuda": {Availability: yes, Count: 8, MemBytes: 1 << 40}},
		Transports: map[string]plan.Transport{}, MemBytes: 1 << 50, Hosts: result.Together}
	for _, t := range transportNames() {
		m.Transports[t] = plan.Transport{Availability: yes, Direct: map[string]plan.Availability{"cuda": yes}}
	}
	return m
}

// Each preset names benchmarks and flags that there are, as published and shrunk, and every one of its flags concerns what
// it runs; its command line, typed, is the same plan.
func TestPresetsMakePlans(t *testing.T) {
	for _, p := range preset.All {
		for _, scale := range [][]string{{"-n", "2"}, {"--scale", "auto", "--device", "emulated"}, {"--scale", "0.001"}} {
			o, title, err := parsed(t, append([]string{"--preset", p.Name, "--seed", "1"}, scale...)...)
			if err != nil {
				t.Errorf("%s %v: %v", p.Name, scale, err)
				continue
			}
			o.Device = ""
			got, err := plan.Make(o, planBenches(), everything())
			if err != nil {
				t.Errorf("%s %v: %v", p.Name, scale, err)
				continue
			}
			if len(got.Notes) > 0 || len(got.Skipped) > 0 {
				t.Errorf("%s %v: notes %q, %d left out", p.Name, scale, got.Notes, len(got.Skipped))
			}
			_, command, _ := strings.Cut(title[0], "gpubench run ")
			typed, _, err := parsed(t, strings.Fields(command)...)
			if err != nil {
				t.Errorf("%s: its command: %v", p.Name, err)
				continue
			}
			typed.Device = ""
			if again, err := plan.Make(typed, planBenches(), everything()); err != nil || again.Cases() != got.Cases() || again.Jobs[0].Cases[0].ID != got.Jobs[0].Cases[0].ID {
				t.Errorf("%s %v: typed it is another plan (%d cases, not %d): %v", p.Name, scale, again.Cases(), got.Cases(), err)
			}
		}
	}
}

func TestFlagsBesideAPreset(t *testing.T) {
	o, title, err := parsed(t, "--preset", "espm21-latency-cpu", "-m", "8", "--time", "1s", "--trial", "3", "--transport", "inproc")
	if err != nil || o.Sizes[0] != 8 || o.Seconds != 1 || o.Iterations != 0 || o.Trial != 3 || o.Trials != 0 || o.Warmup != 60 || o.Transports[0] != "inproc" {
		t.Errorf("%+v, %v", o, err)
	}
	if want := "--message-size 8"; !strings.Contains(title[0], want) || strings.Contains(title[0], "16:4M") {
		t.Errorf("%q does not show what is run", title[0])
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--preset", "espm21-latency-gpu", "bandwidth"}, "--preset: espm21-latency-gpu runs pingpong and no bandwidth"},
		{[]string{"--preset", "espm21-latency"}, `"espm21-latency" is not known: give espm21-latency-cpu,`},
		{[]string{"--scale", "auto"}, "--scale: it shrinks a preset: give --preset"},
		{[]string{"--preset", "espm21-latency-cpu", "--scale", "0"}, `--scale: "0" is no scale`},
		{[]string{"--preset", "espm21-latency-cpu", "--scale", "NaN"}, `--scale: "NaN" is no scale`},
		{[]string{"--preset", "espm21-stencil2d-strong-cpu"}, "espm21-stencil2d-strong-cpu asks for 6144 PEs, and there is room for"},
	} {
		if _, _, err := parsed(t, c.args...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.args, err, c.want)
		}
	}
}

// smallest shrinks a preset as far as it goes: one short trial, the ends of long lists, and of message sizes a small and a
// large one.
func smallest(p preset.Preset) []string {
	args := []string{"--preset", p.Name, "--scale", "1e-5", "--trials", "1", "-i", "16", "-x", "1"}
	for _, s := range p.Settings {
		switch ends := strings.Split(s.Value, ","); {
		case s.Flag == "message-size":
			args = append(args, "-m", "16,64K")
		case s.Rule == preset.Period:
			args = append(args, "--"+s.Flag, "1,16")
		case len(ends) > 3 && s.Rule != preset.PEs:
			args = append(args, "--"+s.Flag, ends[0]+","+ends[len(ends)-1])
		}
	}
	return args
}

// whole checks that a preset's run has all its benchmarks in all its models, over each transport, and every answer checked.
func whole(t *testing.T, p preset.Preset, transports []string, recs []result.Record) {
	t.Helper()
	allOK(t, recs)
	models := []string{"mpi", "charm"}
	for _, s := range p.Settings {
		if s.Flag == "model" {
			models = []string{s.Value}
		}
	}
	for _, b := range p.Benchmarks {
		for _, transport := range transports {
			for _, m := range models {
				if count(recs, func(r result.Record) bool {
					return r.Status == result.OK && r.Benchmark == b && r.Params.String("transport") == transport && r.Params.String("model") == m
				}) == 0 {
					t.Errorf("no %s in model %s over %s", b, m, transport)
				}
			}
		}
	}
	if n := count(recs, func(r result.Record) bool { return r.Status == result.OK }); n != len(recs) {
		t.Errorf("%d of %d records are ok", n, len(recs))
	}
}

// Every preset runs, shrunk as far as it goes, and ends with all answers checked.
func TestPresetsRun(t *testing.T) {
	if testing.Short() {
		t.Skip("a run for each preset")
	}
	for _, p := range preset.All {
		t.Run(p.Name, func(t *testing.T) {
			whole(t, p, []string{"inproc"}, records(t, exitOK, append(smallest(p), "--transport", "inproc", "--device", "emulated")...))
		})
	}
}

// The same between processes, as the study ran, device memory given to MPI and to UCX as well. The cases of all presets run
// in one launch for each transport and device: thirteen runs would be as many starts of everything.
func TestPresetsRunBetweenProcesses(t *testing.T) {
	for _, setting := range cudaAware(t) {
		name, value, _ := strings.Cut(setting, "=")
		t.Setenv(name, value)
	}
	m := everything()
	m.Devices["emulated"] = plan.Device{Availability: plan.Availability{OK: true}, Count: 2}
	for _, transport := range m.Transports {
		transport.Direct["emulated"] = plan.Availability{OK: true}
	}
	var jobs []plan.Job
	of := map[string][]string{} // by preset: its cases
	for _, p := range preset.All {
		o, _, err := parsed(t, append(smallest(p), "--transport", "mpi,ucx", "-n", "2", "--device", "emulated")...)
		if err != nil {
			t.Fatal(err)
		}
		got, err := plan.Make(o, planBenches(), m)
		if err != nil || len(got.Skipped) > 0 {
			t.Fatalf("%s: %v, %d left out", p.Name, err, len(got.Skipped))
		}
		for _, j := range got.Jobs {
			for _, c := range j.Cases {
				of[p.Name] = append(of[p.Name], c.ID)
			}
			i := slices.IndexFunc(jobs, func(k plan.Job) bool { return k.Transport == j.Transport && k.Device == j.Device && k.PEs == j.PEs })
			if i < 0 {
				jobs = append(jobs, j)
				continue
			}
			jobs[i].Cases = append(jobs[i].Cases, j.Cases...)
		}
	}
	r := runCommand{s: settings{timeout: time.Minute}}
	kept := recordsByID{}
	if err := supervise.Run(t.Context(), jobs, supervise.Config{Start: r.startJob, Sink: kept, Timeout: r.s.timeout}); err != nil {
		t.Fatal(err)
	}
	for _, p := range preset.All {
		t.Run(p.Name, func(t *testing.T) {
			var recs []result.Record
			for _, id := range of[p.Name] {
				if _, ran := kept[id]; !ran {
					t.Fatalf("no record of case %s", id)
				}
				recs = append(recs, kept[id])
			}
			whole(t, p, []string{"mpi", "ucx"}, recs)
		})
	}
}

// recordsByID is a sink that keeps records in memory.
type recordsByID map[string]result.Record

func (recordsByID) Environment(result.Environment) error { return nil }

func (k recordsByID) Record(r result.Record) error {
	k[r.ID] = r
	return nil
}

// Under a launcher the number of PEs is the launch's, and the preset's numbers and trials stay out of its way; launches in
// folders of their own make one table.
func TestPresetUnderALauncher(t *testing.T) {
	needMPI(t)
	dir := t.TempDir()
	got := underMPIRun(t, 2, nil, "run", "--preset", "gpudirect-jacobi3d-strong", "--scale", "1e-5", "--transport", "mpi", "--path", "host",
		"-i", "12", "--trial", "1", "-o", dir)
	if got.code != exitOK {
		t.Fatalf("exit %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	for _, r := range readResults(t, dir).Records {
		if r.Status != result.OK || r.Params.Int("pes") != 2 || r.Trial != 1 {
			t.Errorf("%s %v, trial %d: %s", r.Status, r.Params, r.Trial, r.Reason)
		}
	}
	if got = call(t, "report", dir); !strings.Contains(got.stdout, "# 2 ok, 0 failed, 0 skipped") {
		t.Errorf("%s%s", got.stdout, got.stderr)
	}
}

// What weak scaling makes larger is what derived figures take for a problem's size.
func TestProblemSizesAreKnown(t *testing.T) {
	seen := map[string]bool{}
	for _, b := range suite.All().All() {
		for _, p := range b.Params {
			if p.Scales != slices.Contains(derive.Problem, p.Name) {
				t.Errorf("%s: %s scales: %t; derive.Problem is %v", b.Name, p.Name, p.Scales, derive.Problem)
			}
			seen[p.Name] = seen[p.Name] || p.Scales
		}
	}
	for _, name := range derive.Problem {
		if !seen[name] {
			t.Errorf("no benchmark has a size %s", name)
		}
	}
}
