// The rank model's body.

package collective

import (
	"errors"
	"math/bits"
	"time"

	"gpubench/gpu"
	"gpubench/internal/bench"
	"gpubench/internal/result"
	"gpubench/internal/suite/slots"
	"gpubench/runtimes/mpi"
)

type ranks struct {
	*buffers
	comm *mpi.Comm
	by   mpi.Collectives // comm's own, the library's or NCCL's
	gpus *gpus           // nil: not by NCCL
	op   mpi.Op

	library bool // by is the MPI library's
}

var (
	_ bench.Guard   = (*ranks)(nil)
	_ bench.Carried = (*ranks)(nil)
	_ bench.Counted = (*ranks)(nil)
)

func newMPI(c *collective, pe *bench.PE, p result.Params) (bench.Body, error) {
	buf, err := newBuffers(c, pe, p)
	if err != nil {
		return nil, err
	}
	b := &ranks{buffers: buf, comm: mpi.World(pe.Endpoint)}
	b.by = b.comm
	b.comm.SetAlgorithm(b.algorithm)
	switch p.String("collective") {
	case library:
		b.by, b.library = mpi.NewLibrary(pe.Endpoint), true
	case byNCCL:
		if b.gpus, err = newGPUs(buf, b.comm); err != nil {
			return nil, errors.Join(err, b.Close())
		}
		b.by = b.gpus
	}
	b.op = mpi.Op{Size: elementBytes, Native: mpi.NativeSumFloat64, Combine: func(acc, in gpu.Memory) error {
		queued, err := b.add(acc, in)
		if queued && err == nil {
			err = b.pen.Stream.Sync()
		}
		return err
	}}
	return b, nil
}

func (b *ranks) Batch(n int, clk *bench.Clock) error {
	var took int64
	b.ran = n
	for i := range n {
		send, recv := b.operands(i)
		if b.hasData() {
			if err := b.by.Barrier(); err != nil {
				return err
			}
		}
		began := bench.Now()
		if err := b.collective.mpi(b.by, send, recv, b.op, b.root); err != nil {
			return err
		}
		took += bench.Now() - began
	}
	clk.SetElapsed(time.Duration(took))
	clk.Lap(lapOperation, time.Duration(took))
	return nil
}

// Work is our own collectives' messages; of others the calls, the barrier's where it is theirs too.
func (b *ranks) Work(n int) (least int64, of string) {
	switch {
	case b.library && b.hasData():
		return int64(2*n) * int64(b.pes), "calls of the library"
	case b.library:
		return int64(n) * int64(b.pes), "calls of the library"
	case b.gpus != nil:
		return int64(n) * int64(b.pes), "operations of NCCL"
	}
	return b.sent(n, b.pes*bits.Len(uint(b.pes-1))), "messages"
}

// Done is those that this PE has sent, or made.
func (b *ranks) Done() int64 {
	s := b.pe.Endpoint.Stats()
	switch {
	case b.library:
		return s.Collectives[0].Messages + s.Collectives[1].Messages + s.Collectives[2].Messages
	case b.gpus != nil:
		return b.gpus.ended
	}
	return s.Away.Messages
}

func (b *ranks) Check() (result.Validation, error) {
	if b.hasData() {
		return b.check(func() error { return b.Batch(1, &bench.Clock{}) })
	}
	var v result.Validation
	for late := range min(b.pes, checkSteps) {
		if err := b.checkBarrier(&v, late); err != nil {
			return v, err
		}
	}
	return v, nil
}

// Tags of the barrier's check.
const (
	tagEnter = iota + 1
	tagLeft
)

// lateBy is how long one PE keeps the others waiting in the barrier's check.
const lateBy = 5 * time.Millisecond

// checkBarrier has one PE come late: the others tell it when they enter and when they have left, and it must hear of nobody
// who has left before it enters.
func (b *ranks) checkBarrier(v *result.Validation, late int) error {
	nothing := gpu.Memory{}
	if b.rank != late {
		if err := b.comm.Send(nothing, late, tagEnter); err != nil {
			return err
		}
		if err := b.by.Barrier(); err != nil {
			return err
		}
		return b.comm.Send(nothing, late, tagLeft)
	}
	if err := b.hear(tagEnter); err != nil {
		return err
	}
	for began := time.Now(); time.Since(began) < lateBy; {
		st, left, err := b.comm.Iprobe(mpi.AnySource, tagLeft)
		if err != nil {
			return err
		}
		if left {
			slots.Wrong(v, "PE %d: PE %d has left a barrier that PE %d has not entered", b.rank, st.Source, b.rank)
			break
		}
		b.pe.Endpoint.Relax() // the others may need this core to leave
	}
	v.Checked += int64(b.pes - 1)
	v.Sent += int64(b.pes - 1)
	if err := b.by.Barrier(); err != nil {
		return err
	}
	return b.hear(tagLeft)
}

// hear takes a message of every other PE.
func (b *ranks) hear(tag int) error {
	for range b.pes - 1 {
		if _, err := b.comm.Recv(gpu.Memory{}, mpi.AnySource, tag); err != nil {
			return err
		}
	}
	return nil
}

// Probe says which messages carry the data: none of the transport's where NCCL moves it.
func (b *ranks) Probe() (buf gpu.Memory, peer int) {
	if b.gpus != nil {
		return gpu.Memory{}, bench.Elsewhere
	}
	return b.buffers.Probe()
}

// Carrier is NCCL, where it moves the data.
func (b *ranks) Carrier() string { return b.gpus.name }

// Close frees the buffers.
func (b *ranks) Close() error {
	var err error
	if b.gpus != nil {
		err = b.gpus.close()
	}
	return errors.Join(err, b.comm.Free(), b.close())
}
