// What it costs to give a device work and to hear that it is done.

package device

import (
	"errors"

	"gpubench/gpu"
	"gpubench/internal/bench"
	"gpubench/internal/result"
	"gpubench/internal/suite/phases"
	"gpubench/internal/suite/slots"
	"gpubench/kernels"
)

// What devlatency times.
const (
	opLaunch  = "launch"
	opEnqueue = "enqueue"
	opEvent   = "event"
	opGraph   = "graph"
	opSync    = "sync"
)

// Latencies is devlatency.
var Latencies = &bench.Benchmark{
	Name: "devlatency",
	Doc:  "kernel launch, event, graph and synchronisation latency of a device",
	Params: []bench.Param{
		{Name: "operation", Flag: "latency-of", Doc: "what of a device is timed", Default: opLaunch,
			Values: []string{opLaunch, opEnqueue, opEvent, opGraph, opSync}, All: true},
		{Name: "nodes", Flag: "graph-nodes", Doc: "empty kernels in a graph", Default: int64(16), Min: 1, Max: kernels.GateDepth},
		{Name: "iterations", Doc: "timed operations in all", Default: int64(2000)},
	},
	Metrics: []bench.Metric{{Name: "latency", Unit: "s", Doc: "launch: an empty kernel's launch and the wait for the stream; " +
		"enqueue: the launch call alone, behind a gate; event: record to seen by polling; graph: launch of a graph of empty " +
		"kernels and the wait for it; sync: waiting for an idle stream. On the host's clock, mean over a batch"}},
	New:        map[bench.Model]func(*bench.PE, result.Params) (bench.Body, error){bench.None: newLatency},
	Alone:      true,
	Iterations: func(_ int64, quick bool) (timed, warmup int64) { return counts(8, quick) },
	Settle: func(p result.Params) (string, error) {
		if p.String("operation") != opGraph {
			p["nodes"] = nil
		}
		return "", nil
	},
}

// latency is the body.
type latency struct {
	*timer
	operation string
	event     *gpu.Event
	graph     *gpu.Graph
	word      *gpu.Buffer // pinned: what the stream did before the operation shows here
	nodes     int         // of the graph
	ran       int         // timed operations so far
}

func newLatency(pe *bench.PE, p result.Params) (bench.Body, error) {
	return open(&latency{operation: p.String("operation")}, pe, p)
}

func (b *latency) open(pe *bench.PE, p result.Params) (err error) {
	if b.timer, err = openTimer(pe, true); err != nil {
		return err
	}
	return b.here(func() error {
		if b.word, err = b.dev.Alloc(gpu.Pinned, 8, gpu.DefaultPages); err != nil {
			return err
		}
		// The kernel is loaded before it stands behind a gate.
		if err = errors.Join(b.set.Nothing(b.stream), b.stream.Sync()); err != nil {
			return err
		}
		if b.event, err = b.dev.NewEvent(false); err != nil || b.operation != opGraph {
			return err
		}
		b.nodes = int(p.Int("nodes"))
		b.graph, err = b.stream.Capture(func() error {
			for range b.nodes {
				if err := b.set.Nothing(b.stream); err != nil {
					return err
				}
			}
			return nil
		})
		return err
	})
}

// once is one operation, to its end.
func (b *latency) once() error {
	switch b.operation {
	case opLaunch:
		if err := b.set.Nothing(b.stream); err != nil {
			return err
		}
	case opGraph:
		if err := b.graph.Launch(b.stream); err != nil {
			return err
		}
	case opEvent:
		if err := b.stream.Record(b.event); err != nil {
			return err
		}
		for {
			if done, err := b.event.Query(); done || err != nil {
				return err
			}
		}
	}
	return b.stream.Sync()
}

// Work is kernels, records of events or waits.
func (b *latency) Work(n int) (least int64, of string) {
	switch b.operation {
	case opGraph:
		return int64(n) * int64(b.nodes), "kernels"
	case opEvent:
		return int64(n), "records of an event"
	case opSync:
		return int64(n), "waits"
	}
	return int64(n), "kernels"
}

// Done is those that the stream was given.
func (b *latency) Done() int64 {
	switch given := b.stream.Given(); b.operation {
	case opEvent:
		return given.Records
	case opSync:
		return given.Waits
	default:
		return given.Work
	}
}

// Batch times n operations.
func (b *latency) Batch(n int, clk *bench.Clock) error {
	b.ran += n
	if b.operation == opEnqueue {
		return b.here(func() error { return b.enqueue(n, clk) })
	}
	return b.here(func() error {
		clk.Start()
		for range n {
			if err := b.once(); err != nil {
				return err
			}
		}
		clk.Stop()
		return nil
	})
}

// enqueue times launch calls alone: the gate keeps the device from taking them meanwhile. On `cpu` a launch returns
// when the kernel is done.
func (b *latency) enqueue(n int, clk *bench.Clock) error {
	total := int64(0)
	for left := n; left > 0; left -= kernels.GateDepth {
		if err := b.gate.Hold(b.stream); err != nil {
			return err
		}
		var err error
		start := bench.Now()
		for i := 0; i < min(left, kernels.GateDepth) && err == nil; i++ {
			err = b.set.Nothing(b.stream)
		}
		total += bench.Now() - start
		opened := b.gate.Open()
		if err = errors.Join(err, b.stream.Sync(), opened); err != nil {
			return err
		}
	}
	clk.SetElapsed(phases.Duration(float64(total) * 1e-9))
	return nil
}

// checks is how many operations the untimed pass looks at.
const checks = 20

// Check shows that an operation's end is one: what the stream did before it can be seen by the host.
func (b *latency) Check() (v result.Validation, err error) {
	v.Sent = int64(b.ran)
	err = b.here(func() error {
		word := b.word.Slice(0, 4)
		for i := range uint32(checks) {
			gpu.Of[uint32](word)[0] = 0
			if err := b.stream.Fill32(word, i+1); err != nil {
				return err
			}
			if b.operation == opEnqueue {
				err = b.enqueue(1, &bench.Clock{})
			} else {
				err = b.once()
			}
			if err != nil {
				return err
			}
			v.Checked++
			v.Sent++
			if found := gpu.Of[uint32](word)[0]; found != i+1 {
				slots.Wrong(&v, "%s number %d was over before what was queued before it: expected %d, found %d", b.operation, i, i+1, found)
			}
		}
		return nil
	})
	return v, err
}

// Close frees all of it.
func (b *latency) Close() error {
	return b.end(func() (err error) {
		if b.graph != nil {
			err = b.graph.Close()
		}
		if b.event != nil {
			err = errors.Join(err, b.event.Close())
		}
		if b.word != nil {
			err = errors.Join(err, b.word.Free())
		}
		return err
	})
}
