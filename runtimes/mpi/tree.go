// Trees: the algorithms for short buffers, in log2 n rounds.
package mpi

import (
	"math/bits"

	"gpubench/gpu"
)

// bcastTree is a binomial tree: the rank at a distance of 2^k and more from
// the root gets the data from the one with that bit cleared.
func (c *Comm) bcastTree(buf gpu.Memory, root int) error {
	at, above := c.me().Place(root)
	if at != 0 {
		if err := c.take(buf, c.mod(c.rank-above)); err != nil {
			return err
		}
	}
	for d := above / 2; d > 0; d /= 2 {
		if at+d < c.size {
			if err := c.give(buf, c.mod(c.rank+d)); err != nil {
				return err
			}
		}
	}
	return nil
}

// reduceTree is the same tree the other way round.
func (c *Comm) reduceTree(send, recv gpu.Memory, op Op, root int) error {
	at, _ := c.me().Place(root)
	if at&1 == 1 { // a leaf
		return c.give(send, c.mod(c.rank-1))
	}
	acc, in := recv, gpu.Memory{}
	if c.size > 1 {
		t, err := c.temp(send.Space, 2*send.Len)
		if err != nil {
			return err
		}
		in = t.Slice(0, send.Len)
		if at != 0 {
			acc = t.Slice(send.Len, send.Len)
		}
	}
	if err := c.move(acc, send); err != nil {
		return err
	}
	for d := 1; d < c.size; d *= 2 {
		if at&d != 0 {
			return c.give(acc, c.mod(c.rank-d))
		}
		if at+d >= c.size {
			continue
		}
		if err := c.take(in, c.mod(c.rank+d)); err != nil {
			return err
		}
		if err := combine(op, acc, in); err != nil {
			return err
		}
	}
	return nil
}

// allreduceDoubling swaps with the rank whose number differs in one bit, for
// each bit: all hold the same combinations after each round. Where the number
// of ranks is no power of two, the first few fold into their neighbours before
// and get the result after.
func (c *Comm) allreduceDoubling(acc gpu.Memory, op Op) error {
	in, err := c.temp(acc.Space, acc.Len)
	if err != nil {
		return err
	}
	power := 1 << (bits.Len(uint(c.size)) - 1)
	folded := c.size - power // pairs at the beginning that count as one
	if c.rank < 2*folded && c.rank%2 == 0 {
		if err := c.give(acc, c.rank+1); err != nil {
			return err
		}
		return c.take(acc, c.rank+1)
	}
	place := c.rank - folded
	if c.rank < 2*folded {
		place = c.rank / 2
		if err := c.take(in, c.rank-1); err != nil {
			return err
		}
		if err := combine(op, acc, in); err != nil {
			return err
		}
	}
	for d := 1; d < power; d *= 2 {
		peer := place ^ d
		if peer < folded {
			peer = 2*peer + 1
		} else {
			peer += folded
		}
		if err := c.exchange(acc, peer, in, peer); err != nil {
			return err
		}
		if err := combine(op, acc, in); err != nil {
			return err
		}
	}
	if c.rank < 2*folded {
		return c.give(acc, c.rank-1)
	}
	return nil
}

func combine(op Op, acc, in gpu.Memory) error {
	if acc.Len == 0 {
		return nil
	}
	return op.Combine(acc, in)
}
