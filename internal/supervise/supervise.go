// Package supervise runs jobs so that a case may die and a run does not: it
// owns time limits, restarts and what is left of a job whose PEs were lost. It
// knows cases and records, never a device or a transport.
package supervise

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gpubench/internal/plan"
	"gpubench/internal/result"
)

// Event is what a job's rank 0 reports while it runs.
type Event struct {
	Kind        Kind                `json:"event"`
	PIDs        []int               `json:"pids,omitempty"`        // Ready: the job's processes
	Case        int                 `json:"case"`                  // Start, Done: index into the job's cases
	Record      *result.Record      `json:"record,omitempty"`      // Done
	Environment *result.Environment `json:"environment,omitempty"` // Ready
	Text        string              `json:"text,omitempty"`        // Fatal: why the PEs cannot run
}

// Kind is the kind of an event.
type Kind string

// A job reports Ready once, then Start and Done for each case, then End. Fatal
// says that no case of it can run.
const (
	Ready Kind = "ready"
	Start Kind = "start"
	Done  Kind = "done"
	End   Kind = "end"
	Fatal Kind = "fatal"
)

// Process is a set of PEs that run a job's cases in order.
type Process interface {
	Events() <-chan Event // closed when the PEs are gone
	Kill()                // ends the PEs; returns when they are gone
	Wait() error          // how they ended, after Events is closed
	Tail() string         // the end of what they wrote to stderr
}

// Sink keeps what a run finds out.
type Sink interface {
	Environment(result.Environment) error
	Record(result.Record) error
}

// Config is how jobs are run.
type Config struct {
	Start   func(ctx context.Context, job plan.Job) (Process, error)
	Sink    Sink
	Timeout time.Duration // per case
	StartUp time.Duration // for the PEs to report Ready; default one minute
	// Once tells that lost PEs cannot be started again (a user's launcher
	// started them): the rest of the cases are skipped.
	Once bool
	// OnStart, where set, is told of each case before it runs.
	OnStart func(c plan.Case)
	// OnAgain, where set, is told how PEs ended that are started once more, since they ended before their first case.
	OnAgain func(how string)
}

// Run runs the jobs one after the other. It returns the sink's error, or the
// context's cause when that ended the run; a case that fails is a record, not
// an error.
func Run(ctx context.Context, jobs []plan.Job, c Config) error {
	if c.StartUp == 0 {
		c.StartUp = time.Minute
	}
	for _, job := range jobs {
		r := &runner{c: c, job: job, left: indices(len(job.Cases))}
		if err := r.run(ctx); err != nil {
			return err
		}
	}
	return nil
}

// runner runs one job to its end, on fresh PEs as often as it takes.
type runner struct {
	c    Config
	job  plan.Job
	left []int // indices of the cases without a record
}

func indices(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func (r *runner) run(ctx context.Context) error {
	again := false // PEs that ended before their first case get one more try
	for len(r.left) > 0 {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		before := len(r.left)
		end, err := r.launch(ctx)
		if err != nil {
			return err
		}
		switch {
		case len(r.left) == 0:
		case end.fatal != "":
			return r.rest(result.Failed, end.fatal)
		case len(r.left) == before && end.died && !again && !r.c.Once:
			again = true // launchers fail now and then, for a lost socket or a port that is taken
			if r.c.OnAgain != nil {
				r.c.OnAgain(end.how)
			}
		case len(r.left) == before:
			return r.rest(result.Failed, "the PEs ended before the first case: "+end.how)
		case r.c.Once:
			return r.rest(result.Skipped, "the job ended before this case ("+end.how+"); --resume completes the run")
		}
	}
	return nil
}

// rest gives every case that is left the same record.
func (r *runner) rest(s result.Status, reason string) error {
	for len(r.left) > 0 {
		if err := r.verdict(r.left[0], s, reason, time.Time{}); err != nil {
			return err
		}
	}
	return nil
}

// verdict writes the record of a case that the PEs could not report.
func (r *runner) verdict(i int, s result.Status, reason string, started time.Time) error {
	c := r.job.Cases[i]
	rec := result.Record{ID: c.ID, Benchmark: c.Benchmark, Params: c.Params, Trial: c.Trial, Status: s, Reason: reason}
	if !started.IsZero() {
		rec.Started = started
		rec.ElapsedS = time.Since(started).Seconds()
	}
	return r.keep(i, rec)
}

func (r *runner) keep(i int, rec result.Record) error {
	for k, v := range r.left {
		if v == i {
			r.left = append(r.left[:k:k], r.left[k+1:]...)
			break
		}
	}
	return r.c.Sink.Record(rec)
}

// ending is how a launch ended.
type ending struct {
	fatal, how string
	died       bool // by themselves, and in no case
}

// launch starts PEs for the cases that are left and follows them.
func (r *runner) launch(ctx context.Context) (end ending, err error) {
	now := r.job
	now.Cases = nil
	order := append([]int{}, r.left...)
	for _, i := range order {
		now.Cases = append(now.Cases, r.job.Cases[i])
	}
	p, err := r.c.Start(ctx, now)
	if err != nil {
		return ending{fatal: err.Error()}, nil
	}
	defer p.Kill()
	w := &watch{r: r, p: p, order: order, current: -1}
	w.limit(r.c.StartUp)
	defer w.timer.Stop()
	for {
		select {
		case <-ctx.Done():
			p.Kill()
			return ending{}, context.Cause(ctx)
		case <-w.timer.C:
			return w.overdue()
		case e, ok := <-p.Events():
			if !ok {
				return w.gone()
			}
			if err := w.event(e); err != nil {
				return ending{}, err
			}
			if w.fatal != "" {
				return ending{fatal: w.fatal}, nil
			}
		}
	}
}

// farewell is how long PEs may take to close after their last case.
const farewell = 10 * time.Second

// watch follows one launch.
type watch struct {
	r       *runner
	p       Process
	order   []int // case indices in the order the PEs know them
	current int   // index into the runner's job, -1 between cases
	started time.Time
	timer   *time.Timer
	fatal   string
}

func (w *watch) limit(d time.Duration) {
	if w.timer != nil {
		w.timer.Stop()
	}
	w.timer = time.NewTimer(d)
}

func (w *watch) event(e Event) error {
	switch e.Kind {
	case Ready:
		w.limit(w.r.c.StartUp)
		if e.Environment != nil {
			return w.r.c.Sink.Environment(*e.Environment)
		}
	case Start, Done:
		if e.Case < 0 || e.Case >= len(w.order) || (e.Kind == Done && e.Record == nil) {
			return errors.New("supervise: the PEs reported a case that they were not given")
		}
		i := w.order[e.Case]
		if e.Kind == Start {
			w.current, w.started = i, time.Now()
			w.limit(w.r.c.Timeout)
			if w.r.c.OnStart != nil {
				w.r.c.OnStart(w.r.job.Cases[i])
			}
			return nil
		}
		w.current = -1
		w.limit(w.r.c.StartUp)
		rec, c := *e.Record, w.r.job.Cases[i]
		rec.ID, rec.Benchmark, rec.Params, rec.Trial = c.ID, c.Benchmark, c.Params, c.Trial
		return w.r.keep(i, rec)
	case Fatal:
		w.fatal = e.Text
	case End:
		w.limit(farewell) // for what a transport does when it is closed
	}
	return nil
}

// overdue ends PEs that took too long.
func (w *watch) overdue() (ending, error) {
	w.p.Kill()
	if len(w.r.left) == 0 {
		return ending{}, nil
	}
	if w.current < 0 {
		return ending{how: fmt.Sprintf("they did not start a case within %v", w.r.c.StartUp)}, nil
	}
	reason := fmt.Sprintf("over its time limit of %v", w.r.c.Timeout)
	return ending{how: "a case was over its time limit"},
		w.r.verdict(w.current, result.Timeout, reason, w.started)
}

// gone settles a case whose PEs died.
func (w *watch) gone() (ending, error) {
	if len(w.r.left) == 0 {
		return ending{}, nil
	}
	how := Ending(w.p.Wait(), w.p.Tail())
	if w.current < 0 {
		return ending{how: how, died: true}, nil
	}
	return ending{how: how}, w.r.verdict(w.current, result.Failed, "the PEs were lost: "+how, w.started)
}
