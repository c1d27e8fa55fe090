// Collectives by NCCL, in the rank model: queued on a stream, whose end is waited for as any other's.

package collective

import (
	"errors"
	"fmt"
	"time"

	"gpubench/gpu"
	"gpubench/gpu/nccl"
	"gpubench/internal/bench"
	"gpubench/runtimes/mpi"
	"gpubench/runtimes/transport"
)

// gpus are one PE's side of NCCL's collectives. NCCL has no barrier: that is comm's.
type gpus struct {
	*buffers
	comm  *mpi.Comm
	nccl  *nccl.Comm
	done  *gpu.Event // behind an operation
	id    nccl.ID    // here, for a gpu.Memory does not keep it alive
	name  string     // the library, its version and file
	ended int64      // operations
	given bool       // an operation did not end: NCCL is not waited for any more
}

var _ mpi.Collectives = (*gpus)(nil)

// newGPUs joins all PEs; PE 0 makes the communicator's name, which goes by a message. errors.ErrUnsupported where there is
// no NCCL, or two PEs share a GPU.
func newGPUs(b *buffers, comm *mpi.Comm) (*gpus, error) {
	g := &gpus{buffers: b, comm: comm}
	lib, err := nccl.Open(b.pe.Device.Driver())
	if err != nil {
		return nil, err
	}
	version, err := lib.Version()
	if err != nil {
		return nil, err
	}
	g.name = fmt.Sprintf("NCCL %s (%s)", version, lib.File())
	if b.rank == 0 {
		if g.id, err = lib.NewID(); err != nil {
			return nil, err
		}
	}
	if err := comm.Bcast(gpu.HostMemory(g.id[:]), 0); err != nil {
		return nil, err
	}
	if g.nccl, err = lib.Join(g.id, b.pes, b.rank); err != nil {
		return nil, err
	}
	if g.done, err = b.pe.Device.NewEvent(false); err != nil {
		return nil, errors.Join(err, g.nccl.Close(true))
	}
	return g, nil
}

// wait returns when what was queued is done. It is bounded, and asks NCCL now and then whether something has gone wrong.
func (g *gpus) wait(queued error) error {
	if queued != nil {
		return queued
	}
	if err := g.pen.Stream.Record(g.done); err != nil {
		return err
	}
	const asks = 1000 // queries between two questions to NCCL
	for began, n := bench.Now(), 1; ; n++ {
		done, err := g.done.Query()
		if done && err == nil {
			g.ended++
		}
		if done || err != nil {
			return err
		}
		if n%asks == 0 {
			err = g.nccl.Failed()
			if waited, most := time.Duration(bench.Now()-began), g.pe.Endpoint.Deadline(); err == nil && most >= 0 && waited > most {
				err = fmt.Errorf("nccl: not complete after %v: %w", waited.Round(time.Millisecond), transport.ErrDeadline)
			}
			if err != nil {
				g.given = true
				return err
			}
		}
		g.pe.Endpoint.Relax()
	}
}

func (g *gpus) Barrier() error { return g.comm.Barrier() }

func (g *gpus) Bcast(buf gpu.Memory, root int) error {
	return g.wait(g.nccl.Bcast(g.pen.Stream, buf, root))
}

func (g *gpus) Reduce(send, recv gpu.Memory, _ mpi.Op, root int) error {
	return g.wait(g.nccl.Reduce(g.pen.Stream, send, recv, root))
}

func (g *gpus) Allreduce(send, recv gpu.Memory, _ mpi.Op) error {
	return g.wait(g.nccl.Allreduce(g.pen.Stream, send, recv))
}

func (g *gpus) Allgather(send, recv gpu.Memory) error {
	return g.wait(g.nccl.Allgather(g.pen.Stream, send, recv))
}

func (g *gpus) Alltoall(send, recv gpu.Memory) error {
	return g.wait(g.nccl.Alltoall(g.pen.Stream, send, recv))
}

func (g *gpus) ReduceScatter(send, recv gpu.Memory, _ mpi.Op) error {
	return g.wait(g.nccl.ReduceScatter(g.pen.Stream, send, recv))
}

func (g *gpus) close() error { return errors.Join(g.nccl.Close(g.given), g.done.Close()) }
