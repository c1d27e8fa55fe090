// Collectives: what callers see, checks, and the choice of algorithm. All
// ranks of a communicator call the same collectives in the same order with the
// same lengths, roots and operations.
package mpi

import (
	"fmt"
	"unsafe"

	"gpubench/gpu"
	"gpubench/runtimes/schedule"
	"gpubench/runtimes/transport"
)

// SetAlgorithm chooses how Bcast, Reduce and Allreduce carry data from now on, on
// all ranks alike. The other collectives have one algorithm each.
func (c *Comm) SetAlgorithm(a schedule.Algorithm) { c.algorithm = a }

// Barrier returns when all ranks have called it: log2 n rounds in which every
// rank tells the one 2^k above it (dissemination).
func (c *Comm) Barrier() error {
	for d := 1; d < c.size; d *= 2 {
		err := c.exchange(gpu.Memory{}, (c.rank+d)%c.size, gpu.Memory{}, (c.rank-d+c.size)%c.size)
		if err != nil {
			return err
		}
	}
	return nil
}

// Bcast copies root's buf to all ranks' buf: a binomial tree, or for long
// buffers a scatter and a ring.
func (c *Comm) Bcast(buf gpu.Memory, root int) error {
	c.checkRoot(root)
	if c.algorithm.Rings(buf.Len, c.size) {
		return c.bcastRing(buf, root)
	}
	return c.bcastTree(buf, root)
}

// Reduce combines all ranks' send into root's recv, which the others may leave
// empty. send and recv may be the same buffer, and do not overlap otherwise.
func (c *Comm) Reduce(send, recv gpu.Memory, op Op, root int) error {
	c.checkRoot(root)
	if c.rank == root {
		op.check(send, recv)
	} else {
		op.check(send, send)
	}
	if c.algorithm.Rings(send.Len, c.size) {
		return c.reduceRing(send, recv, op, root)
	}
	return c.reduceTree(send, recv, op, root)
}

// Allreduce combines all ranks' send into every rank's recv, bit by bit the
// same on all. send and recv may be the same buffer, and do not overlap
// otherwise.
func (c *Comm) Allreduce(send, recv gpu.Memory, op Op) error {
	op.check(send, recv)
	if err := c.move(recv, send); err != nil || c.size == 1 {
		return err
	}
	if c.algorithm.Rings(send.Len, c.size) {
		return c.allreduceRing(recv, op)
	}
	return c.allreduceDoubling(recv, op)
}

// ReduceScatter combines all ranks' send and leaves rank r's share of the result
// in its recv (Share says where it lies): a ring.
func (c *Comm) ReduceScatter(send, recv gpu.Memory, op Op) error {
	checkShare(op, send, recv, c.size, c.rank)
	p := c.cut(send, op.Size)
	longest := p.At(0).Len
	all, err := c.temp(send.Space, send.Len+longest)
	if err != nil {
		return err
	}
	acc, in := all.Slice(0, send.Len), all.Slice(send.Len, longest)
	if err := c.move(acc, send); err != nil {
		return err
	}
	p = c.cut(acc, op.Size)
	// The ring leaves rank r with piece r+1: shifted by one it is its own.
	if err := c.ringReduce(&p, in, op, -1); err != nil {
		return err
	}
	return c.move(recv, p.At(c.rank))
}

// Gather puts all ranks' send one after the other into root's recv, which the
// others may leave empty.
func (c *Comm) Gather(send, recv gpu.Memory, root int) error {
	c.checkRoot(root)
	if c.rank != root {
		return c.ep.Send(transport.CtxCollective, send, root, c.tag)
	}
	checkBlocks(c.size, send, recv)
	c.pending = c.pending[:0]
	var failed error
	for from := range c.size {
		if from == root {
			continue
		}
		r, err := c.ep.Irecv(transport.CtxCollective, recv.Slice(from*send.Len, send.Len), from, c.tag)
		if err != nil {
			failed = err
			break
		}
		c.pending = append(c.pending, r)
	}
	if failed != nil {
		for _, r := range c.pending {
			c.withdraw(r)
		}
		return failed
	}
	if err := c.move(recv.Slice(root*send.Len, send.Len), send); err != nil {
		failed = err
	}
	for i, r := range c.pending { // one by one: each length is to be checked
		from := i
		if from >= root {
			from++
		}
		if err := c.took(r, send.Len, from); err != nil && failed == nil {
			failed = err
		}
	}
	return failed
}

// Allgather puts all ranks' send one after the other into every rank's recv: a
// ring. send may be this rank's own block of recv.
func (c *Comm) Allgather(send, recv gpu.Memory) error {
	checkBlocks(c.size, send, recv)
	p := c.cut(recv, 1)
	// From where it lies: a copy just made would still be in this core's cache.
	if err := c.ringGather(&p, send, c.rank, 0); err != nil {
		return err
	}
	return c.move(p.At(c.rank), send)
}

// Alltoall sends block r of send to rank r and puts what rank r sends into
// block r of recv: n−1 rounds, in each of which every rank sends to one and
// receives from another.
func (c *Comm) Alltoall(send, recv gpu.Memory) error {
	checkAlltoall(c.size, send, recv)
	n := send.Len / c.size
	if err := c.move(recv.Slice(c.rank*n, n), send.Slice(c.rank*n, n)); err != nil {
		return err
	}
	for k := 1; k < c.size; k++ {
		to, from := (c.rank+k)%c.size, (c.rank-k+c.size)%c.size
		if err := c.exchange(send.Slice(to*n, n), to, recv.Slice(from*n, n), from); err != nil {
			return err
		}
	}
	return nil
}

// allreduceInts combines whole numbers in place.
func (c *Comm) allreduceInts(x []int64, op Op) error {
	m := gpu.HostMemory(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), len(x)*8))
	return c.Allreduce(m, m, op)
}

func (c *Comm) checkRoot(root int) {
	if root < 0 || root >= c.size {
		panic(fmt.Sprintf("mpi: root %d of %d ranks", root, c.size))
	}
}

func checkBlocks(ranks int, one, all gpu.Memory) {
	if all.Len != one.Len*ranks {
		panic(fmt.Sprintf("mpi: %d ranks' blocks of %d B in %d B", ranks, one.Len, all.Len))
	}
}

func checkAlltoall(ranks int, send, recv gpu.Memory) {
	if send.Len != recv.Len || send.Len%ranks != 0 {
		panic(fmt.Sprintf("mpi: all-to-all of %d B into %d B over %d ranks", send.Len, recv.Len, ranks))
	}
}

func (op Op) check(send, recv gpu.Memory) {
	if op.Size < 1 || send.Len != recv.Len || send.Len%op.Size != 0 {
		panic(fmt.Sprintf("mpi: reduction of %d B into %d B, elements of %d B", send.Len, recv.Len, op.Size))
	}
}
