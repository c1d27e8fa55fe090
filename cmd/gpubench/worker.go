// A job's processing elements: threads of this process, or this process as one
// rank.

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"sync"

	"github.com/spf13/cobra"

	"gpubench/gpu"
	"gpubench/internal/bench"
	"gpubench/internal/launch"
	"gpubench/internal/machine"
	"gpubench/internal/machine/nvml"
	"gpubench/internal/plan"
	"gpubench/internal/result"
	"gpubench/internal/suite"
	"gpubench/internal/supervise"
	"gpubench/kernels"
	"gpubench/runtimes/transport"
	"gpubench/runtimes/transport/faulty"
	"gpubench/runtimes/transport/inproc"
)

// workOrder is what the PEs of a job are told.
type workOrder struct {
	Job  plan.Job `json:"job"`
	Shim string   `json:"shim,omitempty"` // that the transport loads
}

func newWorker() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use: "_worker", Hidden: true, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var o workOrder
			text, err := os.ReadFile(file)
			if err == nil {
				err = json.Unmarshal(text, &o)
			}
			if err != nil {
				return fail(exitFailed, "read the job: %v", err)
			}
			endWithParent(c.InOrStdin())
			var mu sync.Mutex
			emit := func(e supervise.Event) {
				mu.Lock()
				defer mu.Unlock()
				_ = supervise.WriteEvent(c.OutOrStdout(), e) // a parent that is gone ends us anyway
			}
			if err := runJob(o, emit); err != nil {
				return fail(exitFailed, "%v", err)
			}
			return nil
		},
	}
	c.Flags().StringVar(&file, "job", "", "file of the job")
	return c
}

// endWithParent ends this process when the supervisor's end of stdin closes.
// Launchers pass stdin on to rank 0 alone.
func endWithParent(stdin io.Reader) {
	if job, joined := launch.Joined(os.Getenv); joined && job.Rank != 0 {
		return
	}
	go func() {
		_, _ = io.Copy(io.Discard, stdin)
		os.Exit(exitFailed)
	}()
}

// runJob runs a job's cases on PEs of this process. emit gets PE 0's events.
func runJob(o workOrder, emit func(supervise.Event)) error {
	if transportOf(o.Job.Transport).threads {
		return runThreads(o, emit)
	}
	runtime.LockOSThread()
	dev, err := holdDevice(o.Job.Device)
	var d *opened
	if err == nil {
		d, err = transportOf(o.Job.Transport).open(o.Shim, openOptions{size: int(o.Job.PEs), device: o.direct()})
	}
	if err != nil {
		// Each rank sees the same; who is rank 0 is not known yet.
		emit(supervise.Event{Kind: supervise.Fatal, Text: err.Error()})
		return errors.Join(err, dev.Close())
	}
	err = runRank(o, d, dev.dev, emit)
	return errors.Join(err, dev.Close())
}

// direct reports whether any of the job's cases gives device memory to the transport.
func (o workOrder) direct() bool {
	return slices.ContainsFunc(o.Job.Cases, func(c plan.Case) bool { return c.Params.String("path") == "direct" })
}

// runThreads makes every PE a locked thread.
func runThreads(o workOrder, emit func(supervise.Event)) error {
	n := int(o.Job.PEs)
	budget := machine.NewBudget(cpusAllowed(), n, 0, n*busyThreads(o.Job.Device))
	runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), budget.GOMAXPROCS))
	w := inproc.NewWorld(n)
	errs := make([]error, n)
	var wg sync.WaitGroup
	for rank := range n {
		wg.Add(1)
		go func() {
			defer wg.Done()
			runtime.LockOSThread() // and never unlocked: the thread ends with its PE
			p := &worker{o: o, rank: rank, size: n, local: rank, budget: budget, services: services(), emit: func(supervise.Event) {}}
			if rank == 0 {
				p.emit = emit
			}
			errs[rank] = p.run(func(dev *gpu.Device) (transport.Driver, error) { return w.Driver(rank, dev) })
			if errs[rank] != nil {
				w.Kill(rank) // the others must not wait for it
			}
		}()
	}
	wg.Wait()
	return errors.Join(errs...)
}

// busyThreads is how many threads a PE's device keeps busy beside the PE: the
// emulated one has a worker for each stream, of which one is busy at a time.
func busyThreads(device string) int {
	if device == string(gpu.Emulated) {
		return 1
	}
	return 0
}

// services are what bodies may ask for by name.
func services() map[string]any {
	s := map[string]any{}
	for _, c := range site().Caches {
		if c.Type != "instruction" {
			s[suite.CacheBytes] = c.Bytes // the last one is the largest
		}
	}
	return s
}

// runRank makes this process's main thread a PE. held is the device that stays open with the transport.
func runRank(o workOrder, d *opened, held *gpu.Device, emit func(supervise.Event)) error {
	w, err := newRankWorker(o, d, emit)
	if err != nil {
		return err
	}
	if o.Job.Device != string(gpu.CPU) {
		w.dev = held
	}
	return w.run(func(*gpu.Device) (transport.Driver, error) { return d.Driver, nil })
}

// newRankWorker is the PE of a rank. All ranks call it.
func newRankWorker(o workOrder, d *opened, emit func(supervise.Event)) (*worker, error) {
	caps := d.Caps()
	w := &worker{o: o, rank: caps.Rank, size: caps.Size, local: caps.Places[caps.Rank].LocalRank, emit: func(supervise.Event) {},
		library: d.library, shortCalls: d.shortCalls, services: services()}
	w.services[suite.NativeLoops] = nativeLoops{d.loops, caps.Rank == 0}
	if caps.Rank == 0 {
		w.emit = emit
	}
	var err error
	w.budget, err = shareBudget(d, busyThreads(o.Job.Device))
	runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), w.budget.GOMAXPROCS))
	return w, err
}

// shareBudget divides the CPUs of this host among its ranks, which a launcher
// may have bound each to its own.
func shareBudget(d *opened, busy int) (b machine.Budget, err error) {
	ep, err := transport.New(kept{d.Driver}, transport.Config{})
	if err != nil {
		return b, err
	}
	defer ep.Close()
	own, err := machine.AllowedCPUs()
	if err != nil {
		return b, err
	}
	caps := d.Caps()
	c := bench.NewControl(ep)
	all, err := c.Gather([]byte(own.String()))
	if err != nil {
		return b, err
	}
	text, err := json.Marshal(all)
	if err != nil {
		return b, err
	}
	if text, err = c.Broadcast(text); err != nil {
		return b, err
	}
	if err = json.Unmarshal(text, &all); err != nil {
		return b, err
	}
	var here []machine.CPUSet
	me := 0
	for r, s := range all {
		if caps.Places[r].Host != caps.Places[caps.Rank].Host {
			continue
		}
		set, err := machine.ParseCPUSet(string(s))
		if err != nil {
			return b, err
		}
		if r == caps.Rank {
			me = len(here)
		}
		here = append(here, set)
	}
	b.TeamThreads = machine.TeamThreads(here, me)
	b.Oversubscribed = machine.Oversubscribed(here, b.TeamThreads+busy)
	b.GOMAXPROCS = 2
	return b, nil
}

// worker is one PE.
type worker struct {
	o           workOrder
	rank, size  int
	local       int
	library     string
	shortCalls  bool
	services    map[string]any
	emit        func(supervise.Event)
	dev         *gpu.Device
	budget      machine.Budget
	environment string
	clocks      func() *result.Clocks
}

// run opens what the PE needs, runs the cases, and closes it again.
func (w *worker) run(open func(*gpu.Device) (transport.Driver, error)) (err error) {
	// A case whose PEs cannot even start is failed, with the reason; the event
	// comes from whichever PE finds it first.
	fatal := func(err error) error {
		w.emit(supervise.Event{Kind: supervise.Fatal, Text: err.Error()})
		return err
	}
	if w.dev == nil {
		if w.dev, err = w.openDevice(); err != nil {
			return fatal(err)
		}
		defer func() { err = errors.Join(err, w.dev.Close()) }()
	}
	// Loaded once for all cases, and unloaded before the device is closed. A
	// case that needs what is missing here says so itself.
	if set, err := kernels.Load(w.dev); err == nil {
		defer func() { _ = set.Close() }()
	}
	if w.rank == 0 && w.dev.Driver() == gpu.CUDA {
		if lib, err := nvml.Open(); err == nil {
			defer lib.Close()
			w.clocks = func() *result.Clocks { return clocksOf(lib, w.dev.Info().UUID) }
		}
	}
	d, err := open(w.dev)
	if err != nil {
		return fatal(err)
	}
	faults, err := faulty.Parse(os.Getenv(faulty.Env))
	if err != nil {
		return fatal(fmt.Errorf("%s: %w", faulty.Env, err))
	}
	if !faults.Empty() {
		faults.Device = w.dev
		d = faulty.Wrap(d, faults)
	}
	ep, err := transport.New(d, transport.Config{Device: w.dev, Yield: w.budget.Oversubscribed})
	if err != nil {
		return fatal(err)
	}
	defer func() { err = errors.Join(err, ep.Close()) }()
	pe := &bench.PE{Rank: w.rank, Size: w.size, Device: w.dev, Endpoint: ep, Control: bench.NewControl(ep),
		Oversubscribed: w.budget.Oversubscribed, Services: w.services}
	if err := w.ready(pe); err != nil {
		return fatal(err)
	}
	return w.cases(pe)
}

// cases runs the job's cases in order.
func (w *worker) cases(pe *bench.PE) error {
	all := suite.All()
	for i, c := range w.o.Job.Cases {
		b, ok := all.Lookup(c.Benchmark)
		if !ok {
			return fmt.Errorf("no benchmark %s: the PEs are of another build", c.Benchmark)
		}
		w.emit(supervise.Event{Kind: supervise.Start, Case: i})
		rec, err := bench.Run(pe, b, bench.Case{Params: c.Params, Trial: c.Trial, EnvID: w.environment, Clocks: w.clocks})
		w.emit(supervise.Event{Kind: supervise.Done, Case: i, Record: &rec})
		if err != nil {
			return err
		}
	}
	w.emit(supervise.Event{Kind: supervise.End})
	return nil
}

// openDevice opens and binds this PE's device.
func (w *worker) openDevice() (*gpu.Device, error) {
	opt := gpu.Options{Threads: w.budget.TeamThreads, Wait: gpu.Spin}
	if w.budget.Oversubscribed {
		opt.Wait = gpu.Block
	}
	return openDevice(w.o.Job.Device, w.local, opt)
}
