// Exchange: the steps that collectives are made of.
package mpi

import (
	"fmt"

	"gpubench/gpu"
	"gpubench/runtimes/schedule"
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

// cut makes pieces of elements of size bytes, one for each rank.
func (c *Comm) cut(m gpu.Memory, size int) schedule.Pieces { return schedule.Cut(m, size, c.size) }

// Share is rank's part of a vector that ReduceScatter distributes over so many
// ranks: shares are as equal as can be, the first ones have one element more.
func Share(vector gpu.Memory, elementBytes, ranks, rank int) gpu.Memory {
	p := schedule.Cut(vector, elementBytes, ranks)
	return p.At(rank)
}

// checkShare panics unless recv has room for rank's share of what is reduced from send, and no more.
func checkShare(op Op, send, recv gpu.Memory, ranks, rank int) {
	if n := Share(send, op.Size, ranks, rank).Len; send.Len%op.Size != 0 || recv.Len != n {
		panic(fmt.Sprintf("mpi: reduce-scatter of %d B, elements of %d B: rank %d's share is %d B, not %d", send.Len, op.Size, rank, n, recv.Len))
	}
}

// me is this rank's place in rings and trees.
func (c *Comm) me() schedule.Member { return schedule.Member{Rank: c.rank, Size: c.size} }

// mod brings an index of a ring into range.
func (c *Comm) mod(i int) int { return c.me().Mod(i) }

// ringReduce combines piece i of all ranks in n−1 steps, each of which passes a
// piece on to the next rank. Afterwards this rank has the whole of piece
// rank+1+shift. in has room for the longest piece.
func (c *Comm) ringReduce(p *schedule.Pieces, in gpu.Memory, op Op, shift int) error {
	me := c.me()
	for k := range c.size - 1 {
		i, j := me.Reduce(k, shift)
		out, acc := p.At(i), p.At(j)
		in := in.Slice(0, acc.Len)
		if err := c.exchange(out, me.Next(), in, me.Before()); err != nil {
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
func (c *Comm) ringGather(p *schedule.Pieces, first gpu.Memory, at, shift int) error {
	me, out := c.me(), first
	for k := range c.size - 1 {
		in := p.At(me.Gather(k, at, shift))
		if err := c.exchange(out, me.Next(), in, me.Before()); err != nil {
			return err
		}
		out = in
	}
	return nil
}
