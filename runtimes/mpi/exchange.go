// Exchange: the steps that collectives are made of.
package mpi

import (
	"fmt"

	"gpubench/gpu"
	"gpubench/runtimes/transport"
)

// exchange sends out to a rank and receives in from another at once.
func (c *Comm) exchange(out gpu.Memory, to int, in gpu.Memory, from int) error {
	c.both = [...]Message{SendOf(out, to, c.tag), RecvOf(in, from, c.tag)}
	if err := c.ep.Exchange(transport.CtxCollective, c.both[:]); err != nil {
		return err
	}
	return c.whole(c.both[1].Status.Len, in.Len, from)
}

// give and take are one direction of exchange.
func (c *Comm) give(out gpu.Memory, to int) error {
	return c.ep.Send(transport.CtxCollective, out, to, c.tag)
}

func (c *Comm) take(in gpu.Memory, from int) error {
	st, err := c.ep.Recv(transport.CtxCollective, in, from, c.tag)
	if err != nil {
		return err
	}
	return c.whole(st.Len, in.Len, from)
}

// took ends a receive of n bytes.
func (c *Comm) took(r Request, n, from int) error {
	st, err := c.ep.Wait(r)
	if err != nil {
		return err
	}
	return c.whole(st.Len, n, from)
}

func (c *Comm) whole(got, want, from int) error {
	if got != want {
		return &transport.Error{
			Op: "recv in a collective", Rank: c.rank, Peer: from, Tag: c.tag, Kind: transport.ErrArgument,
			Detail: fmt.Sprintf("%d B came where %d B were expected", got, want),
			Mend:   "give the same lengths on all ranks",
		}
	}
	return nil
}

// pieces is memory cut into one piece per rank. The first ones have one element
// more where it does not come out even.
type pieces struct {
	m                gpu.Memory
	size, each, more int // bytes of an element, elements of a piece, pieces with one more
}

// cut makes pieces of elements of size bytes, one for each rank.
func (c *Comm) cut(m gpu.Memory, size int) pieces { return cut(m, size, c.size) }

func cut(m gpu.Memory, size, ranks int) pieces {
	n := m.Len / size
	return pieces{m, size, n / ranks, n % ranks}
}

// Share is rank's part of a vector that ReduceScatter distributes over so many
// ranks: shares are as equal as can be, the first ones have one element more.
func Share(vector gpu.Memory, elementBytes, ranks, rank int) gpu.Memory {
	p := cut(vector, elementBytes, ranks)
	return p.at(rank)
}

// checkShare panics unless recv has room for a rank's share and no more.
func (p *pieces) checkShare(rank int, recv gpu.Memory) {
	if n := p.at(rank).Len; p.m.Len%p.size != 0 || recv.Len != n {
		panic(fmt.Sprintf("mpi: reduce-scatter of %d B, elements of %d B: rank %d's share is %d B, not %d", p.m.Len, p.size, rank, n, recv.Len))
	}
}

// at is piece i.
func (p *pieces) at(i int) gpu.Memory {
	from, n := i*p.each+min(i, p.more), p.each
	if i < p.more {
		n++
	}
	return p.m.Slice(from*p.size, n*p.size)
}

// from is where pieces i to j-1 lie.
func (p *pieces) from(i, j int) gpu.Memory {
	first, last := p.at(i), p.at(j-1)
	off := int(first.Addr - p.m.Addr)
	return p.m.Slice(off, int(last.Addr-first.Addr)+last.Len)
}

// mod brings an index of a ring into range.
func (c *Comm) mod(i int) int { return ((i % c.size) + c.size) % c.size }

// ringReduce combines piece i of all ranks in n−1 steps, each of which passes a
// piece on to the next rank. Afterwards this rank has the whole of piece
// rank+1+shift. in has room for the longest piece.
func (c *Comm) ringReduce(p *pieces, in gpu.Memory, op Op, shift int) error {
	next, before := c.mod(c.rank+1), c.mod(c.rank-1)
	for k := range c.size - 1 {
		out, acc := p.at(c.mod(c.rank+shift-k)), p.at(c.mod(c.rank+shift-k-1))
		in := in.Slice(0, acc.Len)
		if err := c.exchange(out, next, in, before); err != nil {
			return err
		}
		if err := combine(op, acc, in); err != nil {
			return err
		}
	}
	return nil
}

// ringGather passes pieces on until every rank has all. The ring's place of
// this rank is at; it begins with piece at+shift, which may lie elsewhere: first.
func (c *Comm) ringGather(p *pieces, first gpu.Memory, at, shift int) error {
	next, before := c.mod(c.rank+1), c.mod(c.rank-1)
	out := first
	for k := range c.size - 1 {
		in := p.at(c.mod(at + shift - k - 1))
		if err := c.exchange(out, next, in, before); err != nil {
			return err
		}
		out = in
	}
	return nil
}
