// A run inside a job that mpirun or srun started: this process is one rank, and
// rank 0 plans and writes.

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"time"

	"gpubench/gpu"
	"gpubench/internal/bench"
	"gpubench/internal/launch"
	"gpubench/internal/plan"
	"gpubench/internal/supervise"
	"gpubench/runtimes/transport"
)

// joined runs this rank's part.
func (r *runCommand) joined(ctx context.Context, job launch.Job) error {
	if err := r.fit(job); err != nil {
		return err
	}
	// Children are started before MPI is, by rank 0 alone.
	var jobs []plan.Job
	var out *sink
	var planErr error
	if job.Rank == 0 {
		var p plan.Plan
		if p, planErr = r.plan(ctx); planErr == nil {
			jobs, out, planErr = r.prepare(p)
		}
	}
	opened := make(chan error)
	orders := make(chan []plan.Job, 1)
	events := make(chan (chan supervise.Event), 1)
	ended := make(chan error, 1)
	go func() {
		// MPI's calls all come from the thread that started it.
		runtime.LockOSThread()
		w, err := r.join(job)
		opened <- err
		if err != nil {
			return
		}
		ended <- w.run(orders, events)
		close(ended)
	}()
	if err := <-opened; err != nil {
		if job.Rank != 0 {
			time.Sleep(linger) // rank 0 says what befell all; this may have befallen this one alone
			return fail(exitUsage, "PE %d: %v", job.Rank, err)
		}
		return err
	}
	orders <- jobs // rank 0's count
	if job.Rank != 0 {
		return r.follow(ctx, ended)
	}
	if planErr != nil {
		<-ended
		return planErr
	}
	start := func(context.Context, plan.Job) (supervise.Process, error) {
		return &here{events: <-events, ended: ended}, nil
	}
	err := r.carryOut(ctx, jobs, out, supervise.Config{Start: start, Once: true})
	if err == nil {
		if e := <-ended; e != nil { // MPI is finalized
			err = fail(exitFailed, "%v", e)
		}
	}
	return err
}

// fit checks the flags against the launcher's job.
func (r *runCommand) fit(job launch.Job) error {
	if len(r.o.Transports) == 0 {
		r.o.Transports = []string{"mpi"}
	}
	for _, t := range r.o.Transports {
		if transportOf(t).threads {
			return &plan.UsageError{Flag: "--transport", Text: t + " has its PEs in one process, but a launcher started this one among others: start gpubench without it, or give --transport mpi"}
		}
	}
	if len(r.o.PEs) > 1 {
		return &plan.UsageError{Flag: "-n", Text: fmt.Sprintf("a launch has one number of PEs, here %d: leave out -n, and launch again for each", job.Size)}
	}
	if len(r.o.PEs) == 1 && job.Size > 0 && int(r.o.PEs[0]) != job.Size {
		return &plan.UsageError{Flag: "-n", Text: fmt.Sprintf("%d PEs were asked for, but the launcher started %d: leave out -n, or start as many", r.o.PEs[0], job.Size)}
	}
	if r.o.Trials > 1 {
		return &plan.UsageError{Flag: "--trials", Text: "a trial is a fresh launch, and the launcher made this one: start it again for each, with --trial 0, --trial 1 and so on, or let gpubench start the PEs"}
	}
	r.o.PEs, r.o.Launched = []int64{int64(job.Size)}, true
	return nil
}

// linger is how long other ranks leave rank 0 to write after something failed:
// a launcher ends all ranks when one has.
const linger = 2 * time.Second

// follow waits for a rank's part other than 0's.
func (r *runCommand) follow(ctx context.Context, ended <-chan error) error {
	select {
	case err := <-ended:
		if err != nil {
			time.Sleep(linger)
			return fail(exitFailed, "")
		}
		return nil
	case <-ctx.Done():
		time.Sleep(linger)
		var sig *signalError
		if errors.As(context.Cause(ctx), &sig) {
			return fail(sig.status(), "")
		}
		return fail(exitFailed, "")
	}
}

// world is this process as one rank of a launcher's job.
type world struct {
	met *meeting
	dev held // so that UCX and MPI find its context
	of  map[string]*opened
	all []*opened // in the order of their opening; ranks agree over the first

	deadline time.Duration // of a wait for one message
}

// join opens the device and then each transport that was asked for. All ranks do, from the same flags.
func (r *runCommand) join(job launch.Job) (*world, error) {
	w := &world{met: &meeting{}, of: map[string]*opened{}, deadline: deadlineOf(r.s.timeout)}
	device, direct := r.deviceHere()
	var some []transportEntry // MPI first: see meeting
	for _, name := range r.o.Transports {
		if t := transportOf(name); t.meets {
			some = append(some, t)
		} else {
			some = append([]transportEntry{t}, some...)
		}
	}
	var err error
	if w.dev, err = holdDevice(device, w.met, some[0].meets); err != nil {
		flag := "--device"
		if w.met.err != nil { // the meeting is the transport's
			flag = "--transport " + some[0].name
		}
		return nil, &plan.UsageError{Flag: flag, Text: err.Error()}
	}
	for _, t := range some {
		shim, err := t.shim(job)
		var d *opened
		if err == nil {
			d, err = t.open(shim, openOptions{size: int(r.o.PEs[0]), device: direct, met: w.met})
		}
		if err != nil {
			return nil, &plan.UsageError{Flag: "--transport " + t.name, Text: err.Error()}
		}
		w.of[t.name] = d
		w.all = append(w.all, d)
	}
	return w, nil
}

// deviceHere is the device that this rank's jobs may use beside cpu, and whether device memory may be given to a
// transport. Whether it is, rank 0 finds out.
func (r *runCommand) deviceHere() (device string, direct bool) {
	m := plan.Machine{Devices: map[string]plan.Device{}}
	for _, d := range gpu.Drivers {
		if r.o.Device == string(d) || d == gpu.CUDA && (r.o.Device == "" || r.o.Device == "auto") && hasCUDA() {
			m.Devices[string(d)] = plan.Device{Availability: plan.Availability{OK: true}}
		}
	}
	a := plan.Ask(r.o, m)
	if !a.OffHost() {
		return string(gpu.CPU), false
	}
	return a.Device, a.Direct()
}

// hasCUDA reports whether there is a device that the CUDA driver shows.
func hasCUDA() bool {
	n, err := gpu.Count(gpu.CUDA)
	return err == nil && n > 0
}

// run carries out all jobs. Rank 0 hands out its own; the others get them from it.
func (w *world) run(orders <-chan []plan.Job, events chan<- (chan supervise.Event)) (err error) {
	jobs, err := w.share(<-orders)
	if err != nil {
		return err
	}
	for _, job := range jobs {
		ch := make(chan supervise.Event)
		if job.Alone {
			if err := w.aside(job, ch, events); err != nil {
				return err
			}
			continue
		}
		d := w.of[job.Transport]
		if d.Caps().Rank == 0 {
			events <- ch
		}
		keep := *d
		keep.Driver = kept{d.Driver}
		err := runRank(workOrder{Job: job, Launched: true, Deadline: w.deadline}, &keep, w.dev.dev, func(e supervise.Event) { ch <- e })
		close(ch)
		if err != nil {
			return err
		}
	}
	for i := len(w.all) - 1; i >= 0; i-- {
		err = errors.Join(err, w.all[i].Close())
	}
	return errors.Join(err, w.dev.Close(), w.met.Close())
}

// aside has rank 0 run a job of a device alone, while the others sleep.
func (w *world) aside(job plan.Job, ch chan supervise.Event, events chan<- (chan supervise.Event)) error {
	var err error
	if w.all[0].Caps().Rank == 0 {
		events <- ch
		err = runAlone(workOrder{Job: job, Deadline: w.deadline}, w.dev.dev, func(e supervise.Event) { ch <- e })
		close(ch)
	}
	ep, openErr := transport.New(kept{w.all[0].Driver}, transport.Config{})
	if openErr != nil {
		return errors.Join(err, openErr)
	}
	defer ep.Close()
	c := bench.NewControl(ep)
	c.SetPatience(asideLimit)
	_, waitErr := c.Broadcast(nil)
	return errors.Join(err, waitErr)
}

// asideLimit is how long the other ranks sleep at most; what a case may take is the supervisor's affair.
const asideLimit = 240 * time.Hour

// kept is a driver that its endpoint does not close.
type kept struct{ transport.Driver }

func (kept) Close() error { return nil }

// Unwrap gives the driver that stays open.
func (k kept) Unwrap() transport.Driver { return k.Driver }

// share gives every rank rank 0's jobs.
func (w *world) share(jobs []plan.Job) ([]plan.Job, error) {
	ep, err := transport.New(kept{w.all[0].Driver}, transport.Config{})
	if err != nil {
		return nil, err
	}
	defer ep.Close()
	text, err := json.Marshal(jobs)
	if err != nil {
		return nil, err
	}
	if text, err = bench.NewControl(ep).Broadcast(text); err != nil {
		return nil, err
	}
	// Not into jobs: rank 0's supervisor reads those at the same time.
	var mine []plan.Job
	err = json.Unmarshal(text, &mine)
	return mine, err
}

// here is a job that runs on this process: it cannot be ended but with it.
type here struct {
	events chan supervise.Event
	ended  <-chan error
}

func (h *here) Events() <-chan supervise.Event { return h.events }
func (h *here) Tail() string                   { return "" }

// Wait gives the error of a job that ended early.
func (h *here) Wait() error {
	select {
	case err := <-h.ended:
		return err
	case <-time.After(linger):
		return nil
	}
}

// Kill only stops listening: the process ends when the run's records are
// written, and its launcher ends the other ranks.
func (h *here) Kill() {
	go func() {
		for range h.events {
		}
	}()
}
