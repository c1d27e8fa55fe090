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
	"time"

	"github.com/spf13/cobra"

	"gpubench/gpu"
	"gpubench/internal/bench"
	"gpubench/internal/launch"
	"gpubench/internal/machine"
	"gpubench/internal/machine/nvml"
	"gpubench/internal/plan"
	"gpubench/internal/result"
	"gpubench/internal/suite"
	"gpubench/internal/suite/device"
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
	// Deadline is how long a PE waits for one message; 0: transport.DefaultDeadline.
	Deadline time.Duration `json:"deadline,omitempty"`
	// Launched says that the user's launcher started the PEs: where they run is its affair.
	Launched bool `json:"-"`
}

// deadlineOf is how long a PE waits for one message where a case may take so long in all; of the default limit it is
// transport.DefaultDeadline. It leaves time to say who waits for what: chares are asked when nothing has come for so long,
// and judged when nothing has come for as long again.
func deadlineOf(timeout time.Duration) time.Duration { return timeout / 5 }

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
	met := &meeting{}
	t := transportOf(o.Job.Transport)
	dev, err := holdDevice(o.Job.Device, met, t.meets)
	var d *opened
	if err == nil {
		d, err = t.open(o.Shim, openOptions{size: int(o.Job.PEs), device: o.direct(), met: met})
	}
	if err != nil {
		// Each rank sees the same; who is rank 0 is not known yet.
		emit(supervise.Event{Kind: supervise.Fatal, Text: err.Error()})
		return errors.Join(err, dev.Close(), met.Close())
	}
	err = runRank(o, d, dev.dev, emit)
	return errors.Join(err, dev.Close(), met.Close())
}

// direct reports whether any of the job's cases gives device memory to the transport.
func (o workOrder) direct() bool {
	return slices.ContainsFunc(o.Job.Cases, func(c plan.Case) bool {
		return c.Params.String("path") == "direct" && c.Params["collective"] != plan.ByNCCL
	})
}

// runThreads makes every PE a locked thread.
func runThreads(o workOrder, emit func(supervise.Event)) error {
	n := int(o.Job.PEs)
	team := machine.Cores(cpusAllowed(), max(n, int(o.Job.MostPEs)))
	budget := machine.NewBudget(cpusAllowed(), n, team, n*busyThreads(o.Job.Device))
	runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), budget.GOMAXPROCS))
	err := loadForNCCL(o.Job.Device)
	var seat machine.Seat
	if err == nil {
		seat, err = seatOf(o.Job.Device)
	}
	if err != nil {
		emit(supervise.Event{Kind: supervise.Fatal, Text: err.Error()})
		return err
	}
	seats := slices.Repeat([]machine.Seat{seat}, n) // threads of one process see the same
	choice := machine.Assign(seats)
	w := inproc.NewWorld(n)
	errs := make([]error, n)
	var wg sync.WaitGroup
	for rank := range n {
		wg.Add(1)
		go func() {
			defer wg.Done()
			runtime.LockOSThread() // and never unlocked: the thread ends with its PE
			p := &worker{o: o, rank: rank, size: n, seats: seats, choice: choice, budget: budget, services: services(), emit: func(supervise.Event) {}}
			if rank == 0 {
				p.emit = emit
			}
			p.kill = func() { w.Kill(rank) }
			errs[rank] = p.run(func(dev *gpu.Device) (transport.Driver, error) { return w.Driver(rank, dev) })
			if errs[rank] != nil {
				w.Kill(rank) // the others must not wait for it
			}
		}()
	}
	wg.Wait()
	return errors.Join(errs...)
}

// runAlone runs a job of a device alone on this thread, which holds a device for a launcher's job.
func runAlone(o workOrder, held *gpu.Device, emit func(supervise.Event)) error {
	seat, err := seatOf(o.Job.Device)
	if err != nil {
		emit(supervise.Event{Kind: supervise.Fatal, Text: err.Error()})
		return err
	}
	seats := []machine.Seat{seat}
	p := &worker{o: o, size: 1, seats: seats, choice: machine.Assign(seats), services: services(), emit: emit,
		budget: machine.NewBudget(cpusAllowed(), 1, 0, busyThreads(o.Job.Device))}
	if o.Job.Device != string(gpu.CPU) {
		p.dev = held
	}
	w := inproc.NewWorld(1)
	return p.run(func(dev *gpu.Device) (transport.Driver, error) { return w.Driver(0, dev) })
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
	if n := lastCache(site().Caches); n > 0 {
		s[bench.CacheBytes] = n
	}
	return s
}

// lastCache is the bytes of the last cache for data, 0 where none is known.
func lastCache(caches []machine.Cache) (bytes int64) {
	for _, c := range caches {
		if c.Type != "instruction" {
			bytes = c.Bytes // the last one is the largest
		}
	}
	return bytes
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
	w := &worker{o: o, rank: caps.Rank, size: caps.Size, emit: func(supervise.Event) {},
		library: d.library, shortCalls: d.shortCalls, services: services()}
	w.services[suite.NativeLoops] = d.native(o.Deadline)
	if caps.Rank == 0 {
		w.emit = emit
	}
	var err error
	if w.seats, err = shareSeats(o.Job.Device, overControl(d.Driver)); err != nil {
		return w, err
	}
	w.choice = machine.Assign(w.seats)
	w.budget = rankBudget(w.seats, w.rank, int(o.Job.MostPEs), busyThreads(o.Job.Device))
	runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), w.budget.GOMAXPROCS))
	return w, nil
}

// worker is one PE.
type worker struct {
	o           workOrder
	rank, size  int
	seats       []machine.Seat // of all PEs
	choice      []int          // of their devices, as machine.Assign gives it
	library     string
	shortCalls  bool
	services    map[string]any
	emit        func(supervise.Event)
	dev         *gpu.Device
	budget      machine.Budget
	environment string
	kill        func() // tells the process's other PEs that this one is lost; nil for a rank, whose end they notice
	found       found  // on PE 0
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
	others := &device.Pool{}
	w.services[device.Others] = others
	defer func() { err = errors.Join(err, others.Close()) }()
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
	faults, err := faulty.FromEnv()
	if err != nil {
		return fatal(err)
	}
	if !faults.Empty() {
		faults.Device, faults.Die = w.dev, w.kill
		d = faulty.Wrap(d, faults)
	}
	ep, err := transport.New(d, transport.Config{Device: w.dev, Deadline: w.o.Deadline, Yield: w.budget.Oversubscribed})
	if err != nil {
		return fatal(err)
	}
	defer func() {
		if err != nil && w.kill != nil {
			w.kill() // before it closes: one that has closed is only done, and nobody's wait would end
		}
		err = errors.Join(err, ep.Close())
	}()
	pe := &bench.PE{Rank: w.rank, Size: w.size, Device: w.dev, Endpoint: ep, Control: bench.NewControl(ep),
		Oversubscribed: w.budget.Oversubscribed, Services: w.services}
	w.services[suite.Pairings] = w.partners
	if err := w.ready(pe); err != nil {
		return fatal(err)
	}
	return w.cases(pe)
}

// cases runs the job's cases in order.
func (w *worker) cases(pe *bench.PE) error {
	all := suite.All()
	longest := longestStaged(w.o.Job)
	for i, c := range w.o.Job.Cases {
		b, ok := all.Lookup(c.Benchmark)
		if !ok {
			return fmt.Errorf("no benchmark %s: the PEs are of another build", c.Benchmark)
		}
		w.emit(supervise.Event{Kind: supervise.Start, Case: i})
		rec, err := bench.Run(pe, b, bench.Case{Params: c.Params, Trial: c.Trial, EnvID: w.environment, Clocks: w.clocks,
			LongestStaged: longest, MPS: w.found.mps, PlacementFound: w.found.placement})
		w.emit(supervise.Event{Kind: supervise.Done, Case: i, Record: &rec})
		if err != nil {
			return err
		}
	}
	w.emit(supervise.Event{Kind: supervise.End})
	return nil
}

// longestStaged is what a chunk size that is not given is measured with.
func longestStaged(job plan.Job) (longest int64) {
	all := suite.All()
	for _, c := range job.Cases {
		if b, ok := all.Lookup(c.Benchmark); ok && c.Params["staging"] == "pipelined" {
			longest = max(longest, b.LongestMessage(c.Params))
		}
	}
	return longest
}

// openDevice opens and binds this PE's device, where none is held.
func (w *worker) openDevice() (*gpu.Device, error) {
	opt := gpu.Options{Threads: w.budget.TeamThreads, Wait: gpu.Spin}
	if w.budget.Oversubscribed {
		opt.Wait = gpu.Block
	}
	return openDevice(w.o.Job.Device, w.choice[w.rank], opt)
}
