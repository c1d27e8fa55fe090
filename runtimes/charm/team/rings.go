// Rings: the algorithms for long buffers, in which each member sends about as much as it has.
package team

import (
	"gpubench/gpu"
	"gpubench/runtimes/charm"
	"gpubench/runtimes/schedule"
)

// ringReduce combines piece i of all members in n−1 steps, each of which passes a piece on to the next member. Afterwards
// this one has the whole of piece rank+1+shift. in has room for the longest piece.
func (m *Team) ringReduce(t *charm.Thread, p *schedule.Pieces, in gpu.Memory, op Op, shift int) error {
	me := m.me()
	for k := range m.size - 1 {
		i, j := me.Reduce(k, shift)
		out, acc := p.At(i), p.At(j)
		in := in.Slice(0, acc.Len)
		if err := m.exchange(t, out, me.Next(), in, me.Before()); err != nil {
			return err
		}
		if err := combine(t, op, acc, in); err != nil {
			return err
		}
	}
	return nil
}

// ringGather passes pieces on until every member has all. The ring's place of this one is at; it begins with piece at+shift,
// which may lie elsewhere: first.
func (m *Team) ringGather(t *charm.Thread, p *schedule.Pieces, first gpu.Memory, at, shift int) error {
	me, out := m.me(), first
	for k := range m.size - 1 {
		in := p.At(me.Gather(k, at, shift))
		if err := m.exchange(t, out, me.Next(), in, me.Before()); err != nil {
			return err
		}
		out = in
	}
	return nil
}

// allreduceRing combines pieces around the ring and passes the sums around.
func (m *Team) allreduceRing(t *charm.Thread, send, acc gpu.Memory, op Op) error {
	if err := m.move(t, acc, send); err != nil {
		return err
	}
	p := m.cut(acc, op.Size)
	in, err := m.temp(acc.Space, p.At(0).Len)
	if err != nil {
		return err
	}
	if err := m.ringReduce(t, &p, in, op, 0); err != nil {
		return err
	}
	return m.ringGather(t, &p, p.At(m.mod(m.rank+1)), m.rank, 1)
}

// reduceRing combines pieces around the ring and gathers them at the root.
func (m *Team) reduceRing(t *charm.Thread, send, recv gpu.Memory, op Op, root int) error {
	p := m.cut(send, op.Size)
	longest := p.At(0).Len
	both, err := m.temp(send.Space, send.Len+longest)
	if err != nil {
		return err
	}
	acc, in := both.Slice(0, send.Len), both.Slice(send.Len, longest)
	if m.rank == root {
		acc = recv
	}
	if err := m.move(t, acc, send); err != nil {
		return err
	}
	p = m.cut(acc, op.Size)
	if err := m.ringReduce(t, &p, in, op, 0); err != nil {
		return err
	}
	if m.rank != root {
		return m.give(t, p.At(m.mod(m.rank+1)), root) // the piece that the ring has left here
	}
	for from := range m.size {
		if from == root {
			continue
		}
		if err := m.take(t, p.At(m.mod(from+1)), from); err != nil {
			return err
		}
	}
	return nil
}

// bcastRing scatters the buffer down a binomial tree, so that the member at distance i from the root has piece i, and passes
// the pieces around.
func (m *Team) bcastRing(t *charm.Thread, buf gpu.Memory, root int) error {
	p := m.cut(buf, 1)
	at, above := m.me().Place(root)
	if at != 0 {
		if err := m.take(t, p.From(at, min(at+above, m.size)), m.mod(m.rank-above)); err != nil {
			return err
		}
	}
	for d := above / 2; d > 0; d /= 2 {
		if at+d < m.size {
			if err := m.give(t, p.From(at+d, min(at+2*d, m.size)), m.mod(m.rank+d)); err != nil {
				return err
			}
		}
	}
	return m.ringGather(t, &p, p.At(at), at, 0)
}
