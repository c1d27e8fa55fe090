// Rings: the algorithms for long buffers, in which each rank sends about as
// much as it has.
package mpi

import "gpubench/gpu"

// allreduceRing combines pieces around the ring and passes the sums around.
func (c *Comm) allreduceRing(acc gpu.Memory, op Op) error {
	p := c.cut(acc, op.Size)
	in, err := c.temp(acc.Space, p.At(0).Len)
	if err != nil {
		return err
	}
	if err := c.ringReduce(&p, in, op, 0); err != nil {
		return err
	}
	return c.ringGather(&p, p.At(c.mod(c.rank+1)), c.rank, 1)
}

// reduceRing combines pieces around the ring and gathers them at the root.
func (c *Comm) reduceRing(send, recv gpu.Memory, op Op, root int) error {
	p := c.cut(send, op.Size)
	longest := p.At(0).Len
	t, err := c.temp(send.Space, send.Len+longest)
	if err != nil {
		return err
	}
	acc, in := t.Slice(0, send.Len), t.Slice(send.Len, longest)
	if c.rank == root {
		acc = recv
	}
	if err := c.move(acc, send); err != nil {
		return err
	}
	p = c.cut(acc, op.Size)
	if err := c.ringReduce(&p, in, op, 0); err != nil {
		return err
	}
	own := c.mod(c.rank + 1) // the piece that the ring has left here
	if c.rank != root {
		return c.give(p.At(own), root)
	}
	for from := range c.size {
		if from == root {
			continue
		}
		if err := c.take(p.At(c.mod(from+1)), from); err != nil {
			return err
		}
	}
	return nil
}

// bcastRing scatters the buffer down a binomial tree, so that the rank at
// distance i from the root has piece i, and passes the pieces around.
func (c *Comm) bcastRing(buf gpu.Memory, root int) error {
	p := c.cut(buf, 1)
	at, above := c.me().Place(root)
	if at != 0 {
		if err := c.take(p.From(at, min(at+above, c.size)), c.mod(c.rank-above)); err != nil {
			return err
		}
	}
	for d := above / 2; d > 0; d /= 2 {
		if at+d < c.size {
			if err := c.give(p.From(at+d, min(at+2*d, c.size)), c.mod(c.rank+d)); err != nil {
				return err
			}
		}
	}
	return c.ringGather(&p, p.At(at), at, 0)
}
