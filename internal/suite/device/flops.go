// Floating-point operations: what the kernel of compute-bound tasks reaches at most.

package device

import (
	"errors"
	"math"

	"gpubench/gpu"
	"gpubench/internal/bench"
	"gpubench/internal/result"
	"gpubench/internal/suite/slots"
	"gpubench/kernels"
)

// flopsSize is the iterations of a call: on a core 0.1 ms, so that neither a call nor a launch counts.
const flopsSize = 1 << 16

// Flops is flops.
var Flops = &bench.Benchmark{
	Name: "flops",
	Doc:  "float64 operations by the kernel of compute-bound tasks, on cpu by one core",
	Params: []bench.Param{
		{Name: "task_blocks", Doc: "blocks of 64 threads that a task has on a GPU", Default: int64(1), Flag: "task-blocks", Min: 1, Max: 1 << 16},
		{Name: "iterations", Doc: "timed calls in all", Default: int64(50)},
	},
	Metrics: []bench.Metric{{Name: "flop_rate", Unit: "op/s", Value: flopsPerSecond,
		Doc: "x·x + x counted as two operations, of 64 values a block in each of 65536 iterations a call, over the time by the device's events"}},
	New:        map[bench.Model]func(*bench.PE, result.Params) (bench.Body, error){bench.None: newFlops},
	Alone:      true,
	Iterations: func(_ int64, quick bool) (timed, warmup int64) { return counts(8<<20, quick) },
	Memory:     func(p result.Params) int64 { return 2 * p.Int("task_blocks") * kernels.TaskLaneBytes },
	Settle: func(p result.Params) (string, error) {
		if p.String("device") == string(gpu.CPU) && p.Int("task_blocks") > 1 {
			p["task_blocks"] = int64(1) // one core does one after the other
		}
		return "", nil
	},
}

func flopsPerSecond(p result.Params, n int, seconds float64) float64 {
	return float64(n) * flopsSize * float64(kernels.TaskFlops*p.Int("task_blocks")) / seconds
}

// flops is the body.
type flops struct {
	*timer
	blocks  int
	buffers []*gpu.Buffer
	lanes   gpu.Memory // what the calls leave
	out     gpu.Memory // the output that a task has too
	host    gpu.Memory // pinned
	last    int
}

func newFlops(pe *bench.PE, p result.Params) (bench.Body, error) {
	return open(&flops{blocks: int(p.Int("task_blocks"))}, pe, p)
}

func (b *flops) open(pe *bench.PE, _ result.Params) (err error) {
	if b.timer, err = openTimer(pe, false); err != nil {
		return err
	}
	return b.here(func() error {
		for _, m := range []struct {
			space gpu.Space
			n     int
			to    *gpu.Memory
		}{
			{gpu.OnDevice, b.blocks * kernels.TaskLaneBytes, &b.lanes},
			{gpu.OnDevice, 16, &b.out},
			{gpu.Pinned, b.blocks * kernels.TaskLaneBytes, &b.host},
		} {
			buf, err := b.dev.Alloc(m.space, m.n, gpu.DefaultPages)
			if err != nil {
				return err
			}
			b.buffers = append(b.buffers, buf)
			*m.to = buf.Memory()
		}
		return errors.Join(b.call(0), b.stream.Sync()) // the kernel is loaded before it stands behind a gate
	})
}

// call queues one call.
func (b *flops) call(i int) error {
	return b.set.TaskCompute(b.stream, b.out, b.lanes, int64(i), 0, flopsSize, b.blocks)
}

// Batch times n calls.
func (b *flops) Batch(n int, clk *bench.Clock) error {
	b.last = n
	return b.time(n, 1, clk, func(lo, hi int) error {
		for i := lo; i < hi; i++ {
			if err := b.call(i); err != nil {
				return err
			}
		}
		return nil
	})
}

// Poison overwrites the results with NaNs.
func (b *flops) Poison() error {
	b.last = 0
	return b.here(func() error {
		return errors.Join(b.stream.Fill(b.lanes, 0xFF), b.stream.Fill(b.out, 0xFF), b.stream.Sync())
	})
}

// Inspect compares every value that the last call left with a serial reference, and its output.
func (b *flops) Inspect() (v result.Validation, err error) {
	if b.last == 0 {
		return v, nil
	}
	want := kernels.TaskLanes(flopsSize)
	err = b.here(func() error {
		if err := errors.Join(b.stream.Copy(b.host, b.lanes), b.stream.Sync()); err != nil {
			return err
		}
		for i, x := range gpu.Of[float64](b.host) {
			v.Checked++
			if y := want[i%len(want)]; math.Float64bits(x) != math.Float64bits(y) {
				slots.Wrong(&v, "value %d after %d iterations: expected %.17g, found %.17g", i, flopsSize, y, x)
			}
		}
		r, err := b.set.TaskCheck(b.stream, b.out, int64(b.last-1), 0)
		v.Checked++
		if r.Errors > 0 {
			slots.Wrong(&v, "output of the last call, offset %d: expected %#02x, found %#02x (%d of %d bytes differ)",
				r.First, r.Expected, r.Found, r.Errors, b.out.Len)
		}
		return err
	})
	v.Sent = int64(b.last) * v.Checked
	return v, err
}

// Check is another call.
func (b *flops) Check() (result.Validation, error) {
	if err := b.Poison(); err != nil {
		return result.Validation{}, err
	}
	if err := b.Batch(1, &bench.Clock{}); err != nil {
		return result.Validation{}, err
	}
	return b.Inspect()
}

// Close frees all of it.
func (b *flops) Close() error {
	return b.end(func() (err error) {
		for _, m := range b.buffers {
			err = errors.Join(err, m.Free())
		}
		return err
	})
}
