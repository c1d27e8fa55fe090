// Buffers: what a PE gives and gets, the values in them, and their checks.

package collective

import (
	"errors"

	"gpubench/gpu"
	"gpubench/internal/bench"
	"gpubench/internal/result"
	"gpubench/internal/suite/slots"
	"gpubench/runtimes/schedule"
)

// buffers is what the bodies of both models share: one PE's side.
type buffers struct {
	*collective
	shape
	pe     *bench.PE
	pen    slots.Pen
	memory []*gpu.Buffer

	sends, recvs []gpu.Memory // slots; operation i uses slot i mod their number
	root         int
	done         int // operations of the last batch, as far as slots go
	ran          int // operations of a batch
	algorithm    schedule.Algorithm
}

func newBuffers(c *collective, pe *bench.PE, p result.Params) (b *buffers, err error) {
	b = &buffers{collective: c, shape: shape{pes: pe.Size, rank: pe.Rank}, pe: pe, algorithm: algorithm(p)}
	if !c.hasData() {
		return b, nil
	}
	b.size = int(c.unit(p))
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	if b.pen, err = slots.NewPen(pe.Device); err != nil {
		return b, err
	}
	space, err := gpu.ParseSpace(p.String("space"))
	if err != nil {
		return b, err
	}
	pages, err := gpu.ParsePages(p.String("pages"))
	if err != nil {
		return b, err
	}
	n := slots.Count(pe, p, 0, c.send(b.shape), c.recv(b.shape))
	for _, side := range []struct {
		to    *[]gpu.Memory
		bytes int
	}{{&b.sends, c.send(b.shape)}, {&b.recvs, c.recv(b.shape)}} {
		var m *gpu.Buffer
		if m, *side.to, err = slots.Make(pe.Device, space, pages, n, side.bytes); err != nil {
			return b, err
		}
		b.memory = append(b.memory, m)
	}
	return b, b.fill(0)
}

// operands are the buffers of operation i. A broadcast has one on each PE: the root's is what it sends.
func (b *buffers) operands(i int) (send, recv gpu.Memory) {
	b.done = min(i+1, max(len(b.sends), 1))
	if !b.hasData() {
		return send, recv
	}
	send, recv = b.sends[i%len(b.sends)], b.recvs[i%len(b.recvs)]
	if b.rooted && b.rank == b.root && !b.reduces {
		return send, send
	}
	return send, recv
}

// fill writes the values of a step into the first slot, of the next step into the second, and so on. Bytes depend on step,
// offset, sender and, where each receiver gets others, on that.
func (b *buffers) fill(step int) error {
	for i, m := range b.sends {
		if b.reduces {
			if err := b.pen.Set.VectorFill(b.pen.Stream, m, 0, step+i, b.rank); err != nil {
				return err
			}
			continue
		}
		n := m.Len / b.size
		for to := range n {
			if err := b.pen.Write(m.Slice(to*b.size, b.size), step+i, b.rank*n+to); err != nil {
				return err
			}
		}
	}
	if b.pen.Stream == nil {
		return nil
	}
	return b.pen.Stream.Sync()
}

// Poison overwrites what is to be received.
func (b *buffers) Poison() error {
	b.done = 0
	for _, m := range b.recvs {
		if err := b.pen.Poison(m); err != nil {
			return err
		}
	}
	if b.pen.Stream == nil {
		return nil
	}
	return b.pen.Stream.Sync()
}

// Inspect checks what a timed batch left: step 0's values.
func (b *buffers) Inspect() (result.Validation, error) { return b.inspect(0) }

func (b *buffers) inspect(step int) (v result.Validation, err error) {
	if !b.hasData() {
		if b.rank == 0 { // a barrier keeps every PE from leaving before any other has come: see the check
			v.Sent = int64(b.ran * (b.pes - 1))
		}
		return v, nil
	}
	if b.rooted && b.reduces != (b.rank == b.root) {
		return v, nil // it is the root alone that gets a sum, and alone that gets no broadcast
	}
	for i := range min(b.done, len(b.recvs)) {
		m := b.recvs[i]
		if b.reduces {
			err = b.inspectSum(&v, m, step+i)
		} else {
			err = b.inspectBlocks(&v, m, step+i)
		}
		if err != nil {
			return v, err
		}
	}
	v.Sent = int64(b.ran)
	if !b.reduces {
		v.Sent *= int64(b.recvs[0].Len / b.size)
	}
	return v, nil
}

// sent is how many messages a batch of n operations of ours sends, each after a barrier of so many.
func (b *buffers) sent(n, barrier int) int64 {
	each := barrier
	if b.hasData() {
		each += b.messages(b.pes, b.algorithm.Rings(b.size, b.pes))
	}
	return int64(n) * int64(each)
}

// inspectSum checks a reduced vector, or this PE's share of it, element by element.
func (b *buffers) inspectSum(v *result.Validation, m gpu.Memory, step int) error {
	first := 0
	if m.Len < b.size {
		first = int(b.shareAt().Addr) / elementBytes
	}
	r, err := b.pen.Set.VectorCheck(b.pen.Stream, m, first, step, b.pes)
	if err != nil {
		return err
	}
	v.Checked++
	if r.Errors > 0 {
		slots.Wrong(v, "PE %d: sum of step %d, offset %d: expected %.0f, found %.17g (%d of %d float64s differ)",
			b.rank, step, r.First*elementBytes, r.Expected, r.Found, r.Errors, m.Len/elementBytes)
	}
	return nil
}

// inspectBlocks checks the blocks of a buffer byte by byte: each PE's, or the root's one.
func (b *buffers) inspectBlocks(v *result.Validation, m gpu.Memory, step int) error {
	n := m.Len / b.size
	for from := range n {
		sender := from // fill gives blocks for all alike the sender's number
		switch {
		case b.rooted:
			sender = b.root
		case b.send(b.shape) > b.size:
			sender = from*n + b.rank
		}
		block := m.Slice(from*b.size, b.size)
		if b.rooted {
			from = b.root
		}
		if err := b.pen.Check(v, block, step, sender, "PE %d: block of PE %d, step %d", b.rank, from, step); err != nil {
			return err
		}
	}
	return nil
}

// checkSteps is how many operations the untimed pass checks, each with values and a root of its own.
const checkSteps = 8

// check is the untimed pass: the same operations, each checked by itself.
func (b *buffers) check(one func() error) (total result.Validation, err error) {
	defer func() { b.root = 0 }()
	for step := 1; step <= checkSteps; step++ {
		b.root = step % b.pes
		if err := errors.Join(b.fill(step), b.Poison(), one()); err != nil {
			return total, err
		}
		v, err := b.inspect(step)
		if err != nil {
			return total, err
		}
		bench.AddValidation(&total, v)
	}
	return total, nil
}

// Probe says which messages carry the data.
func (b *buffers) Probe() (buf gpu.Memory, peer int) {
	if !b.hasData() {
		return gpu.Memory{}, -1
	}
	return b.sends[0], (b.rank + 1) % b.pes
}

func (b *buffers) close() error {
	var errs []error
	for _, m := range b.memory {
		errs = append(errs, m.Free())
	}
	b.memory, b.sends, b.recvs = nil, nil, nil
	if b.pen.Stream != nil {
		errs = append(errs, b.pen.Stream.Close())
		b.pen.Stream = nil
	}
	return errors.Join(errs...)
}

// smallSum is up to how many bytes of host memory a loop here adds up faster than a kernel's launch begins.
const smallSum = 4 << 10

// add adds in to acc, float64 by float64. queued: by a kernel on the stream, which is to be waited for.
func (b *buffers) add(acc, in gpu.Memory) (queued bool, err error) {
	if acc.Space <= gpu.Pinned && acc.Len <= smallSum {
		x, y := gpu.Of[float64](acc), gpu.Of[float64](in)
		for i := range x {
			x[i] += y[i]
		}
		return false, nil
	}
	return true, b.pen.Set.SumInto(b.pen.Stream, acc, in)
}
