// Team: one member's side of collectives over channels.

// Package team is collectives among the chares of an array for data of any length and memory space: broadcasts and
// reductions along binomial trees, rings for long data, and what is built from them. charm's own Contribute and Broadcast
// copy values of some bytes; device memory and megabytes need channels.
//
// Every member calls the same collectives in the same order from a threaded method, with the same lengths and roots. While
// it waits its PE runs others.
package team

import (
	"fmt"

	"gpubench/gpu"
	"gpubench/runtimes/charm"
	"gpubench/runtimes/schedule"
	"gpubench/runtimes/transport"
)

// Op combines elements. It is associative and commutative.
type Op struct {
	Size int // bytes of an element: buffers hold whole ones, and are cut between them
	// Combine does acc[i] = acc[i] op in[i] and returns when acc may be sent; t is for waiting for a kernel's event.
	Combine func(t *charm.Thread, acc, in gpu.Memory) error
}

// Team is one member's side. It belongs to the member's PE.
type Team struct {
	rank, size int
	connect    func(pe *charm.PE, peer int) *charm.Channel
	ch         []*charm.Channel // by member, made when first used
	dev        *gpu.Device
	buffer     *gpu.Buffer // scratch, kept and grown from call to call
	host       []byte      // scratch where there is no device
	algorithm  schedule.Algorithm
}

// New gives self's side of the team of all elements of a one-dimensional array, numbered as they are. The members' channels
// are on the given port. dev is where scratch memory comes from; nil: it is pageable.
func New[C any](pe *charm.PE, self charm.Elem[C], all charm.Array[C], port int, dev *gpu.Device) *Team {
	n := all.Shape().Len()
	return &Team{
		rank: self.Index(pe)[0], size: n, ch: make([]*charm.Channel, n), dev: dev,
		connect: func(pe *charm.PE, peer int) *charm.Channel { return charm.Connect(pe, self, all.At(peer), port) },
	}
}

// SetAlgorithm chooses how Bcast, Reduce and Allreduce carry data from now on, on all members alike. The other collectives
// have one algorithm each.
func (m *Team) SetAlgorithm(a schedule.Algorithm) { m.algorithm = a }

// Rank is this member's number, from 0 to Size-1.
func (m *Team) Rank() int { return m.rank }

// Size is the number of members.
func (m *Team) Size() int { return m.size }

// Bcast copies root's buf to all members' buf.
func (m *Team) Bcast(t *charm.Thread, buf gpu.Memory, root int) error {
	m.checkRoot(root)
	if m.algorithm.Rings(buf.Len, m.size) {
		return m.bcastRing(t, buf, root)
	}
	return m.bcastTree(t, buf, root)
}

// Reduce combines all members' send into root's recv, which the others may leave empty.
func (m *Team) Reduce(t *charm.Thread, send, recv gpu.Memory, op Op, root int) error {
	m.checkRoot(root)
	if m.rank == root {
		op.check(send, recv)
	} else {
		op.check(send, send)
	}
	if m.algorithm.Rings(send.Len, m.size) {
		return m.reduceRing(t, send, recv, op, root)
	}
	return m.reduceTree(t, send, recv, op, root)
}

// Allreduce combines all members' send into every member's recv, bit by bit the same: a reduction that ends in a
// broadcast, or for long vectors a ring.
func (m *Team) Allreduce(t *charm.Thread, send, recv gpu.Memory, op Op) error {
	op.check(send, recv)
	if m.algorithm.Rings(send.Len, m.size) {
		return m.allreduceRing(t, send, recv, op)
	}
	if m.rank != 0 {
		if err := m.reduceTree(t, send, gpu.Memory{}, op, 0); err != nil {
			return err
		}
	} else if err := m.reduceTree(t, send, recv, op, 0); err != nil {
		return err
	}
	return m.bcastTree(t, recv, 0)
}

// ReduceScatter combines all members' send and leaves each one's share of the result in its recv: shares are as equal as
// can be, the first ones have one element more. A ring.
func (m *Team) ReduceScatter(t *charm.Thread, send, recv gpu.Memory, op Op) error {
	p := m.cut(send, op.Size)
	if own := p.At(m.rank); send.Len%op.Size != 0 || recv.Len != own.Len {
		panic(fmt.Sprintf("team: reduce-scatter of %d B, elements of %d B: member %d's share is %d B, not %d",
			send.Len, op.Size, m.rank, own.Len, recv.Len))
	}
	longest := p.At(0).Len
	all, err := m.temp(send.Space, send.Len+longest)
	if err != nil {
		return err
	}
	acc, in := all.Slice(0, send.Len), all.Slice(send.Len, longest)
	if err := m.move(t, acc, send); err != nil {
		return err
	}
	p = m.cut(acc, op.Size)
	// The ring leaves member r with piece r+1: shifted by one it is its own.
	if err := m.ringReduce(t, &p, in, op, -1); err != nil {
		return err
	}
	return m.move(t, recv, p.At(m.rank))
}

// Allgather puts all members' send one after the other into every member's recv: a ring.
func (m *Team) Allgather(t *charm.Thread, send, recv gpu.Memory) error {
	if recv.Len != send.Len*m.size {
		panic(fmt.Sprintf("team: %d members' blocks of %d B in %d B", m.size, send.Len, recv.Len))
	}
	p := m.cut(recv, 1)
	// From where it lies: a copy just made would still be in this core's cache.
	if err := m.ringGather(t, &p, send, m.rank, 0); err != nil {
		return err
	}
	return m.move(t, p.At(m.rank), send)
}

// Alltoall sends block r of send to member r and puts what member r sends into block r of recv: n−1 rounds, in each of which
// every member sends to one and receives from another.
func (m *Team) Alltoall(t *charm.Thread, send, recv gpu.Memory) error {
	if send.Len != recv.Len || send.Len%m.size != 0 {
		panic(fmt.Sprintf("team: all-to-all of %d B into %d B over %d members", send.Len, recv.Len, m.size))
	}
	n := send.Len / m.size
	if err := m.move(t, recv.Slice(m.rank*n, n), send.Slice(m.rank*n, n)); err != nil {
		return err
	}
	for k := 1; k < m.size; k++ {
		to, from := m.mod(m.rank+k), m.mod(m.rank-k)
		if err := m.exchange(t, send.Slice(to*n, n), to, recv.Slice(from*n, n), from); err != nil {
			return err
		}
	}
	return nil
}

// Close frees the scratch memory. No collective may be under way.
func (m *Team) Close() error {
	if m.buffer == nil {
		return nil
	}
	b := m.buffer
	m.buffer = nil
	return b.Free()
}

// temp returns n bytes of scratch in a space. The next call gives the same bytes.
func (m *Team) temp(space gpu.Space, n int) (gpu.Memory, error) {
	switch {
	case m.dev == nil && space != gpu.Pageable:
		return gpu.Memory{}, fmt.Errorf("team: %v memory, and no device to take scratch from: %w", space, transport.ErrUnsupported)
	case m.dev == nil:
		if len(m.host) < n {
			m.host = make([]byte, n)
		}
		return gpu.HostMemory(m.host[:n]), nil
	}
	if m.buffer == nil || m.buffer.Len() < n || m.buffer.Memory().Space != space {
		if err := m.Close(); err != nil {
			return gpu.Memory{}, err
		}
		b, err := m.dev.Alloc(space, max(n, 1), gpu.DefaultPages)
		if err != nil {
			return gpu.Memory{}, fmt.Errorf("team: scratch buffer: %w", err)
		}
		m.buffer = b
	}
	return m.buffer.Slice(0, n), nil
}

func (m *Team) checkRoot(root int) {
	if root < 0 || root >= m.size {
		panic(fmt.Sprintf("team: root %d of %d members", root, m.size))
	}
}

func (op Op) check(send, recv gpu.Memory) {
	if op.Size < 1 || send.Len != recv.Len || send.Len%op.Size != 0 {
		panic(fmt.Sprintf("team: reduction of %d B into %d B, elements of %d B", send.Len, recv.Len, op.Size))
	}
}
