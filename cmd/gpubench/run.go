// gpubench run: plan, start PEs, keep what they find.

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"gpubench/gpu"
	"gpubench/internal/launch"
	"gpubench/internal/leap"
	"gpubench/internal/limits"
	"gpubench/internal/plan"
	"gpubench/internal/report"
	"gpubench/internal/result"
	"gpubench/internal/suite"
	"gpubench/internal/supervise"
	"gpubench/runtimes/transport/faulty"
)

func newRun() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:   "run [BENCH...]",
		Short: "Run benchmarks over every combination of the flags that can run here",
		Long: `Runs the named benchmarks (default: all) over every combination of the flags
below that can run here, and says what it left out and why.`,
		Example: `  gpubench run --quick
  gpubench run pingpong --transport inproc,mpi -m 8:1M -o results
  gpubench run jacobi3d -n 4 --grid 256,256,256 --odf 1,4
  gpubench run jacobi3d -n 1,2,4 --scaling weak --grid 128,128,128
  gpubench run --preset espm21-latency-cpu --trials 3
  mpirun -n 2 gpubench run bandwidth --path host`,
		RunE: func(c *cobra.Command, args []string) error {
			args, preset, err := f.applyPreset(c.Context(), c.Flags(), args)
			if err != nil {
				return err
			}
			o, s, err := f.options(args, c.Flags().Visit)
			if err != nil {
				return err
			}
			r := &runCommand{o: o, s: s, preset: preset, stdout: c.OutOrStdout(), stderr: c.ErrOrStderr()}
			return r.run(c.Context())
		},
	}
	f.add(c.Flags())
	c.SetUsageFunc(runUsage)
	return c
}

// runCommand is one call of run.
type runCommand struct {
	o              plan.Options
	s              settings
	preset         []string // what --preset came to, for people
	stdout, stderr io.Writer
}

func (r *runCommand) run(ctx context.Context) error {
	if err := checkEnvironment(); err != nil {
		return err
	}
	if job, joined := launch.Joined(os.Getenv); joined {
		return r.joined(ctx, job)
	}
	if n := launch.Unranked(os.Getenv); n > 0 {
		return &plan.UsageError{Text: fmt.Sprintf("srun started %d tasks and told none of them its rank: give srun --mpi=pmix (or pmi2), start gpubench with mpirun, or as one task", n)}
	}
	if err := checkTemp(); err != nil {
		return err
	}
	p, err := r.plan(ctx)
	if err != nil {
		return err
	}
	jobs, out, err := r.prepare(p)
	if err != nil {
		return err
	}
	return r.carryOut(ctx, jobs, out, supervise.Config{Start: r.startJob})
}

// checkEnvironment checks the variables that no flag stands for.
func checkEnvironment() error {
	if _, err := faulty.Parse(os.Getenv(faulty.Env)); err != nil {
		return &plan.UsageError{Flag: faulty.Env, Text: err.Error()}
	}
	if err := gpu.CheckEnv(); err != nil {
		return &plan.UsageError{Text: err.Error()}
	}
	if v := os.Getenv(leap.EnvShortCalls); v != "" && v != "0" && v != "1" {
		return &plan.UsageError{Flag: leap.EnvShortCalls, Text: fmt.Sprintf("%q is neither 0 nor 1", v)}
	}
	return nil
}

// checkTemp sees that jobs can be written down for their PEs.
func checkTemp() error {
	f, err := os.CreateTemp("", "gpubench-job-*.json")
	if err == nil {
		_, err = f.WriteString("{}")
		err = errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	if err != nil {
		return &plan.UsageError{Flag: "TMPDIR", Text: fmt.Sprintf("%v: name a folder that can be written", err)}
	}
	return nil
}

// plan asks the machine and makes the plan.
func (r *runCommand) plan(ctx context.Context) (plan.Plan, error) {
	m := probe(ctx, transportNames())
	if _, joined := launch.Joined(os.Getenv); !joined {
		m.Pairing = pairableHere
	}
	if a := plan.Ask(r.o, m); a.Direct() {
		for _, t := range a.Transports {
			probeDirect(ctx, m, t, a.Device)
			probeCollectives(ctx, m, r.o, t, a.Device)
		}
	}
	if err := ctx.Err(); err != nil {
		return plan.Plan{}, ended(context.Cause(ctx))
	}
	return plan.Make(r.o, planBenches(), m)
}

// planBenches tells the plan of the suite's benchmarks.
func planBenches() []plan.Bench {
	var out []plan.Bench
	for _, b := range suite.All().All() {
		p := plan.Bench{Name: b.Name, Native: b.Native, Models: modelsOf(b),
			MinPEs: int64(b.MinPEs), MaxPEs: int64(b.MaxPEs), Iterations: b.Iterations, Memory: b.Memory, Settle: b.Settle,
			Alone: b.Alone, Everywhere: b.Everywhere, Ceilings: b.Ceilings}
		for _, x := range b.Params {
			if x.Flag != "" || plan.IsAxis(x.Name) {
				p.Params = append(p.Params, ownParam(x))
			}
		}
		out = append(out, p)
	}
	return out
}

// prepare opens what the run writes to, notes what is left out, and returns the
// jobs that are to be run.
func (r *runCommand) prepare(p plan.Plan) ([]plan.Job, *sink, error) {
	out, err := r.openSink()
	if err != nil {
		return nil, nil, err
	}
	var before []result.Record
	out.limits = newBounded(p, out.done)
	known := false // in whatever trial
	ids := map[string]bool{}
	for k, rec := range out.done {
		if !limits.IsLimit(rec.Params) {
			ids[k.ID] = true
		}
	}
	left := p.Without(func(k result.Key) bool {
		known = known || ids[k.ID]
		rec, ok := out.done[k]
		if ok && !limits.IsLimit(rec.Params) {
			before = append(before, rec)
		}
		return ok
	})
	title := r.title(p)
	switch {
	case len(before) > 0:
		title = append(title, fmt.Sprintf("%d of the cases were done before, in %s", len(before), r.s.output))
		fmt.Fprintf(r.stderr, "gpubench: %d cases are done in %s already\n", len(before), r.s.output)
	case len(ids) > 0 && !known:
		fmt.Fprintf(r.stderr, "gpubench: none of the %d cases done in %s is one of this run's: to go on with that run give its flags again\n", len(ids), r.s.output)
	}
	out.report = report.Formats[r.s.format](r.stdout, title)
	for _, rec := range before {
		out.report.Before(rec)
	}
	out.progress = newProgress(r.stderr, left.Cases()+left.Limits())
	for _, skipped := range p.Skipped {
		rec := result.Record{ID: skipped.ID, Benchmark: skipped.Benchmark, Params: skipped.Params,
			Status: result.Skipped, Reason: skipped.Skip, Trial: skipped.Trial}
		if err := out.keep(rec); err != nil {
			return nil, nil, fail(exitFailed, "%v", err)
		}
	}
	return left.Jobs, out, nil
}

// carryOut runs jobs and keeps what comes of them.
func (r *runCommand) carryOut(ctx context.Context, jobs []plan.Job, out *sink, c supervise.Config) error {
	c.Sink, c.Timeout, c.OnStart = out, r.s.timeout, out.progress.start
	c.OnAgain = func(how string) {
		out.progress.clear()
		fmt.Fprintf(r.stderr, "gpubench: the PEs ended before their first case, and are started once more: %s\n", how)
	}
	err := supervise.Run(ctx, jobs, c)
	out.progress.clear()
	return r.finish(out, err)
}

// finish writes the report and settles the exit status.
func (r *runCommand) finish(out *sink, runErr error) error {
	err := out.report.Close()
	if err == nil && out.w != nil {
		err = out.w.Close()
	}
	switch {
	case runErr != nil:
		return ended(runErr)
	case err != nil:
		return fail(exitFailed, "%v", err)
	case out.deaf != nil:
		return fail(exitFailed, "%v; the records are in %s", out.deaf, r.s.output)
	case out.count[result.Failed]+out.count[result.Timeout] > 0:
		return fail(exitFailed, "%s", report.Totals(out.count))
	case r.s.strict && out.count[result.Skipped] > 0:
		return fail(exitFailed, "--strict: %s", report.Totals(out.count))
	}
	return nil
}

// ended gives a run's error its exit status.
func ended(err error) error {
	var sig *signalError
	if errors.As(err, &sig) {
		return fail(sig.status(), "%v; finished cases are kept", err)
	}
	return fail(exitFailed, "%v", err)
}

// sink keeps what a run finds out: on disk, in the report, as progress.
type sink struct {
	w        *result.Writer
	report   report.Report
	progress *progress
	count    map[result.Status]int
	deaf     error                        // stdout's: records go to disk alone from then on
	done     map[result.Key]result.Record // by --resume
	// environments of those, by where they ran
	environments map[string]map[string]bool
	limits       *bounded
	stderr       io.Writer
}

// resultsFile is where records go in an output folder.
const resultsFile = "results.jsonl"

func (r *runCommand) openSink() (*sink, error) {
	s := &sink{count: map[result.Status]int{}, done: map[result.Key]result.Record{}, environments: map[string]map[string]bool{}, stderr: r.stderr}
	if r.s.output == "" {
		return s, nil
	}
	flag := "-o"
	if r.s.resume {
		flag = "--resume"
	}
	path := filepath.Join(r.s.output, resultsFile)
	if r.s.resume {
		c, err := result.ReadFile(path)
		if err != nil {
			return nil, &plan.UsageError{Flag: flag, Text: fmt.Sprintf("%v: give the folder of a run that was begun with -o", err)}
		}
		// Skipped ones run again: a job that ended early skipped them.
		for _, rec := range c.Latest() {
			if rec.Status == result.OK {
				s.done[rec.Key()] = rec
				if w := where(rec); s.environments[w] == nil {
					s.environments[w] = map[string]bool{}
				}
				s.environments[where(rec)][rec.EnvID] = true
			}
		}
		for _, d := range c.Damaged {
			fmt.Fprintf(r.stderr, "gpubench: %s: %v; it is left out\n", path, d)
		}
	} else if st, err := os.Stat(path); err == nil && st.Size() > 0 {
		fmt.Fprintf(r.stderr, "gpubench: %s holds another run's records already, which stay: to go on with that run give --resume %s\n", path, r.s.output)
	}
	err := os.MkdirAll(r.s.output, 0o777)
	if err == nil {
		s.w, err = result.Open(path)
	}
	if err != nil {
		return nil, &plan.UsageError{Flag: flag, Text: fmt.Sprintf("%v: give a folder that can be written", err)}
	}
	return s, nil
}

func (s *sink) Environment(e result.Environment) error {
	if s.w != nil {
		if err := s.w.WriteEnvironment(e); err != nil {
			return err
		}
	}
	return s.tell(func() error { return s.report.Environment(e) })
}

// tell reports to stdout. With records on disk a run goes on without it.
func (s *sink) tell(say func() error) error {
	if s.deaf != nil {
		return nil
	}
	err := say()
	if err != nil && s.w != nil {
		s.deaf, err = err, nil
	}
	return err
}

func (s *sink) Record(r result.Record) error {
	s.compare(r)
	s.limits.note(&r)
	err := s.keep(r)
	s.progress.record(r)
	return err
}

// compare says once for a transport and device that cases done before ran in another environment: a library's settings
// may have changed since, and tables show both.
func (s *sink) compare(r result.Record) {
	where := where(r)
	before := s.environments[where]
	if r.EnvID == "" || len(before) == 0 || before[r.EnvID] {
		return
	}
	delete(s.environments, where)
	fmt.Fprintf(s.stderr, "gpubench: the cases over %s that were done before ran in another environment than now (library, its settings, devices or machine): their records name it by env_id\n", where)
}

// where is what an environment belongs to.
func where(r result.Record) string {
	if r.Params["transport"] == nil {
		return "no transport on " + r.Params.String("device")
	}
	return r.Params.String("transport") + " on " + r.Params.String("device")
}

// keep writes a record to disk first: what stdout does is another matter.
func (s *sink) keep(r result.Record) error {
	if !limits.IsLimit(r.Params) { // nobody asked for those
		s.count[r.Status]++
	}
	if s.w != nil {
		if err := s.w.Write(r); err != nil {
			return err
		}
	}
	return s.tell(func() error { return s.report.Record(r) })
}

// title is what describes the run in text formats.
func (r *runCommand) title(p plan.Plan) []string {
	what := plural(p.Cases(), "case")
	if n := p.Limits(); n > 0 {
		what += " and " + plural(n, "limit")
	}
	lines := []string{headline(), fmt.Sprintf("%s, %d left out, %s, seed %d", what, len(p.Skipped), pesOf(p), r.o.Seed)}
	return append(append(lines, r.preset...), p.Notes...)
}

// pesOf is how many PEs the jobs of a plan have.
func pesOf(p plan.Plan) string {
	var counts []int64
	for _, j := range p.Jobs {
		if !j.Alone {
			counts = append(counts, j.PEs)
		}
	}
	if len(counts) == 0 {
		counts = []int64{1}
	}
	slices.Sort(counts)
	var texts []string
	for _, n := range slices.Compact(counts) {
		texts = append(texts, fmt.Sprint(n))
	}
	if len(texts) == 1 {
		return plural(int(counts[0]), "PE")
	}
	return strings.Join(texts, ", ") + " PEs"
}

// startJob starts a job's PEs: threads of a child, or an mpirun of children.
func (r *runCommand) startJob(_ context.Context, job plan.Job) (supervise.Process, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	order := workOrder{Job: job, Deadline: deadlineOf(r.s.timeout)}
	var l launch.Launcher
	t := transportOf(job.Transport)
	if !t.threads {
		if l, order.Shim, err = t.launcher(); err != nil {
			return nil, err
		}
	}
	file, err := writeOrder(order)
	if err != nil {
		return nil, err
	}
	argv := []string{exe, "_worker", "--job", file}
	cmd := exec.Command(argv[0], argv[1:]...)
	if !t.threads {
		cmd = l.Command(int(job.PEs), argv...)
	}
	p, err := supervise.Exec(cmd)
	if err != nil {
		_ = os.Remove(file)
		return nil, err
	}
	return &withFile{Process: p, file: file}, nil
}

// writeOrder puts a job where its PEs can read it.
func writeOrder(o workOrder) (path string, err error) {
	f, err := os.CreateTemp("", "gpubench-job-*.json")
	if err != nil {
		return "", err
	}
	err = json.NewEncoder(f).Encode(o)
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return f.Name(), err
}

// withFile removes a job's file when its PEs have read it, or are gone.
type withFile struct {
	supervise.Process
	file string
	once sync.Once
	out  chan supervise.Event
}

// Events passes the PEs' events on. The first comes when all PEs are there.
func (p *withFile) Events() <-chan supervise.Event {
	p.once.Do(func() {
		p.out = make(chan supervise.Event)
		go func() {
			defer close(p.out)
			for e := range p.Process.Events() {
				_ = os.Remove(p.file)
				p.out <- e
			}
		}()
	})
	return p.out
}

func (p *withFile) Kill() {
	go func() { // nobody listens any more
		for range p.Events() {
		}
	}()
	p.Process.Kill()
	_ = os.Remove(p.file)
}
