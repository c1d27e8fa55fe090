// Library: the collectives of the MPI library that carries the messages.
package mpi

import (
	"fmt"

	"gpubench/gpu"
	"gpubench/runtimes/transport"
)

// Collectives are those of a communicator: our own trees and rings (*Comm) or the library's (*Library).
type Collectives interface {
	Barrier() error
	Bcast(buf gpu.Memory, root int) error
	Reduce(send, recv gpu.Memory, op Op, root int) error
	Allreduce(send, recv gpu.Memory, op Op) error
	Allgather(send, recv gpu.Memory) error
	Alltoall(send, recv gpu.Memory) error
	ReduceScatter(send, recv gpu.Memory, op Op) error
}

var (
	_ Collectives = (*Comm)(nil)
	_ Collectives = (*Library)(nil)
)

// Library is the collectives of the library under the transport, over all PEs of the Endpoint: MPI_Iallreduce and so on,
// waited for at once, so that deadlines hold and a dead rank is noticed. It takes host memory, no buffer twice, and the
// operations that have a Native one. On a transport over no such library every call is transport.ErrUnsupported.
type Library struct{ ep *transport.Endpoint }

// NewLibrary returns the collectives of the library under ep.
func NewLibrary(ep *transport.Endpoint) *Library { return &Library{ep} }

// Barrier is MPI_Ibarrier.
func (l *Library) Barrier() error {
	return l.ep.Collective(transport.Collective{Kind: transport.Barrier})
}

// Bcast is MPI_Ibcast.
func (l *Library) Bcast(buf gpu.Memory, root int) error {
	return l.ep.Collective(transport.Collective{Kind: transport.Bcast, Recv: buf, Root: root})
}

// Reduce is MPI_Ireduce. Ranks other than root may leave recv empty.
func (l *Library) Reduce(send, recv gpu.Memory, op Op, root int) error {
	if l.ep.Rank() == root {
		op.check(send, recv)
	}
	return l.reduce(transport.Collective{Kind: transport.Reduce, Send: send, Recv: recv, Root: root}, op)
}

// Allreduce is MPI_Iallreduce.
func (l *Library) Allreduce(send, recv gpu.Memory, op Op) error {
	op.check(send, recv)
	return l.reduce(transport.Collective{Kind: transport.Allreduce, Send: send, Recv: recv}, op)
}

// Allgather is MPI_Iallgather.
func (l *Library) Allgather(send, recv gpu.Memory) error {
	checkBlocks(l.ep.Size(), send, recv)
	return l.ep.Collective(transport.Collective{Kind: transport.Allgather, Send: send, Recv: recv})
}

// Alltoall is MPI_Ialltoall.
func (l *Library) Alltoall(send, recv gpu.Memory) error {
	checkAlltoall(l.ep.Size(), send, recv)
	return l.ep.Collective(transport.Collective{Kind: transport.Alltoall, Send: send, Recv: recv})
}

// ReduceScatter is MPI_Ireduce_scatter, with the shares of Comm.ReduceScatter.
func (l *Library) ReduceScatter(send, recv gpu.Memory, op Op) error {
	checkShare(op, send, recv, l.ep.Size(), l.ep.Rank())
	return l.reduce(transport.Collective{Kind: transport.ReduceScatter, Send: send, Recv: recv}, op)
}

func (l *Library) reduce(c transport.Collective, op Op) error {
	if op.Native != NativeSumFloat64 {
		return fmt.Errorf("mpi: %v with an operation that the library does not know: %w", c.Kind, transport.ErrUnsupported)
	}
	return l.ep.Collective(c)
}
