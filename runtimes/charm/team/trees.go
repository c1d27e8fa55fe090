// Trees: the algorithms for short buffers, in log2 n rounds.
package team

import (
	"gpubench/gpu"
	"gpubench/runtimes/charm"
)

// bcastTree is a binomial tree: the member at a distance of 2^k and more from the root gets the data from the one with that
// bit cleared.
func (m *Team) bcastTree(t *charm.Thread, buf gpu.Memory, root int) error {
	at, above := m.me().Place(root)
	if at != 0 {
		if err := m.take(t, buf, m.mod(m.rank-above)); err != nil {
			return err
		}
	}
	for d := above / 2; d > 0; d /= 2 {
		if at+d < m.size {
			if err := m.give(t, buf, m.mod(m.rank+d)); err != nil {
				return err
			}
		}
	}
	return nil
}

// reduceTree is the same tree the other way round.
func (m *Team) reduceTree(t *charm.Thread, send, recv gpu.Memory, op Op, root int) error {
	at, _ := m.me().Place(root)
	if at&1 == 1 { // a leaf
		return m.give(t, send, m.mod(m.rank-1))
	}
	acc, in := recv, gpu.Memory{}
	if m.size > 1 {
		both, err := m.temp(send.Space, 2*send.Len)
		if err != nil {
			return err
		}
		in = both.Slice(0, send.Len)
		if at != 0 {
			acc = both.Slice(send.Len, send.Len)
		}
	}
	if err := m.move(t, acc, send); err != nil {
		return err
	}
	for d := 1; d < m.size; d *= 2 {
		if at&d != 0 {
			return m.give(t, acc, m.mod(m.rank-d))
		}
		if at+d >= m.size {
			continue
		}
		if err := m.take(t, in, m.mod(m.rank+d)); err != nil {
			return err
		}
		if err := combine(t, op, acc, in); err != nil {
			return err
		}
	}
	return nil
}
