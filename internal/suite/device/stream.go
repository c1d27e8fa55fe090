// Streams through memory: copy and triad by kernel, what memory gives a computation at most.

package device

import (
	"errors"
	"fmt"

	"gpubench/gpu"
	"gpubench/internal/bench"
	"gpubench/internal/result"
	"gpubench/internal/suite/slots"
)

// Operations of a stream.
const (
	opCopy  = "copy"
	opTriad = "triad"
)

// Streams is stream.
var Streams = &bench.Benchmark{
	Name: "stream",
	Doc:  "copy and triad through a device's memory by kernel, on cpu by all cores (STREAM)",
	Params: []bench.Param{
		{Name: "size_bytes", Unit: "B", Doc: "bytes of an array", Default: int64(64 << 20), Quick: int64(4 << 20)},
		{Name: "operation", Flag: "stream-op", Doc: "a = b or a = b + scalar c, float64", Default: opCopy,
			Values: []string{opCopy, opTriad}, All: true},
		{Name: "iterations", Doc: "timed passes in all", Default: int64(50)},
	},
	Metrics: []bench.Metric{
		{Name: "bandwidth", Unit: "B/s", Value: bytesPerSecond,
			Doc: "payload: bytes of the array that is written, over the time by the device's events"},
		{Name: "traffic_bandwidth", Unit: "B/s", Value: trafficPerSecond,
			Doc: "bytes read and written as STREAM counts them: 2 arrays a copy, 3 a triad; no write-allocate"},
	},
	New:        map[bench.Model]func(*bench.PE, result.Params) (bench.Body, error){bench.None: newStream},
	Alone:      true,
	Iterations: counts,
	Memory:     func(p result.Params) int64 { return 3 * p.Int("size_bytes") },
	Settle: func(p result.Params) (string, error) {
		if p.Int("size_bytes")%8 != 0 {
			return "-m", fmt.Errorf("arrays are of float64s, and %d bytes are no whole number of them: give multiples of 8", p.Int("size_bytes"))
		}
		return "", nil
	},
}

// arraysOf is how many arrays an operation reads and writes.
func arraysOf(operation string) int {
	if operation == opTriad {
		return 3
	}
	return 2
}

func trafficPerSecond(p result.Params, n int, seconds float64) float64 {
	return float64(arraysOf(p.String("operation"))) * bytesPerSecond(p, n, seconds)
}

// scalar of the triad, as STREAM has it.
const scalar = 3

// chunk is how much of an array is written and checked at once, by way of the host; a multiple of 8.
const chunk = 4 << 20

// stream is the body: a = b or a = b + scalar·c.
type stream struct {
	*timer
	operation string
	arrays    []*gpu.Buffer
	a, b, c   []gpu.Memory // slots of them
	host      *gpu.Buffer  // pinned
	last      int
}

func newStream(pe *bench.PE, p result.Params) (bench.Body, error) {
	return open(&stream{operation: p.String("operation")}, pe, p)
}

func (b *stream) open(pe *bench.PE, p result.Params) (err error) {
	if b.timer, err = openTimer(pe, false); err != nil {
		return err
	}
	size := int(p.Int("size_bytes"))
	n, stride := slotsOf(pe, p, size, b.side), slots.Stride(size)
	return b.here(func() error {
		for _, list := range []*[]gpu.Memory{&b.a, &b.b, &b.c}[:arraysOf(b.operation)] {
			buf, all, err := slots.Make(b.dev, gpu.OnDevice, gpu.DefaultPages, n, size)
			if err != nil {
				return err
			}
			b.arrays, *list = append(b.arrays, buf), all
		}
		if b.host, err = b.dev.Alloc(gpu.Pinned, chunk, gpu.DefaultPages); err != nil {
			return err
		}
		if n > 1 && b.dev.Driver() == gpu.CPU { // what is stored is not read again before the cache has lost it
			b.set.WorkingSet(2 * n * stride)
		}
		for which, array := range b.arrays[1:] {
			if err := b.write(array.Memory(), which+1, stride); err != nil {
				return err
			}
		}
		return errors.Join(b.pass(0), b.stream.Sync()) // the kernel is loaded before it stands behind a gate
	})
}

// value is element i of array number which: no period that a wrong offset could hide in, and exact in the triad.
func value(which, i int) float64 { return float64(i*which%8191 + which) }

// want is what element i of the result must be.
func (b *stream) want(i int) float64 {
	if b.operation == opTriad {
		return value(1, i) + scalar*value(2, i)
	}
	return value(1, i)
}

// write fills all slots of an array, which begin every stride bytes.
func (b *stream) write(m gpu.Memory, which, stride int) error {
	for off := 0; off < m.Len; off += chunk {
		h := b.host.Slice(0, min(chunk, m.Len-off))
		for i, x := 0, gpu.Of[float64](h); i < len(x); i++ {
			x[i] = value(which, (off+8*i)%stride/8)
		}
		if err := errors.Join(b.stream.Copy(m.Slice(off, h.Len), h), b.stream.Sync()); err != nil {
			return err
		}
	}
	return nil
}

// Work is a pass's kernel.
func (b *stream) Work(n int) (least int64, of string) { return int64(n), "passes" }

// Batch times n passes.
func (b *stream) Batch(n int, clk *bench.Clock) error {
	b.last = n
	return b.time(n, 1, clk, func(lo, hi int) error {
		for i := lo; i < hi; i++ {
			if err := b.pass(i % len(b.a)); err != nil {
				return err
			}
		}
		return nil
	})
}

// pass queues one pass over a slot.
func (b *stream) pass(slot int) error {
	if b.operation == opTriad {
		return b.set.Triad(b.stream, b.a[slot], b.b[slot], b.c[slot], scalar)
	}
	return b.set.Copy(b.stream, b.a[slot], b.b[slot])
}

// Poison overwrites the results with NaNs.
func (b *stream) Poison() error {
	b.last = 0
	return b.here(func() error {
		return errors.Join(b.stream.Fill(b.arrays[0].Memory(), 0xFF), b.stream.Sync())
	})
}

// Inspect compares every element with its value.
func (b *stream) Inspect() (v result.Validation, err error) {
	err = b.here(func() error {
		for s, m := range b.a[:min(len(b.a), b.last)] {
			for off := 0; off < m.Len; off += chunk {
				h := b.host.Slice(0, min(chunk, m.Len-off))
				if err := errors.Join(b.stream.Copy(h, m.Slice(off, h.Len)), b.stream.Sync()); err != nil {
					return err
				}
				for i, x := range gpu.Of[float64](h) {
					if want := b.want(off/8 + i); x != want {
						slots.Wrong(&v, "%s, array %d, element %d: expected %v, found %v", b.operation, s, off/8+i, want, x)
					}
				}
			}
			v.Checked += int64(m.Len / 8)
		}
		v.Sent = int64(b.last) * int64(b.a[0].Len/8)
		return nil
	})
	return v, err
}

// Check is another pass over all slots.
func (b *stream) Check() (result.Validation, error) {
	if err := b.Poison(); err != nil {
		return result.Validation{}, err
	}
	if err := b.Batch(len(b.a), &bench.Clock{}); err != nil {
		return result.Validation{}, err
	}
	return b.Inspect()
}

// Close frees all of it.
func (b *stream) Close() error {
	return b.end(func() (err error) {
		b.set.WorkingSet(0)
		for _, a := range append(b.arrays, b.host) {
			if a != nil {
				err = errors.Join(err, a.Free())
			}
		}
		return err
	})
}
