// Steps: what the collectives are made of.
package team

import (
	"fmt"

	"gpubench/gpu"
	"gpubench/runtimes/charm"
	"gpubench/runtimes/schedule"
	"gpubench/runtimes/transport"
)

// to is the channel to a member, or to this one itself.
func (m *Team) to(t *charm.Thread, peer int) *charm.Channel {
	if m.ch[peer] == nil {
		m.ch[peer] = m.connect(t.PE, peer)
	}
	return m.ch[peer]
}

// me is this member's place in rings and trees.
func (m *Team) me() schedule.Member { return schedule.Member{Rank: m.rank, Size: m.size} }

// mod brings an index of a ring into range.
func (m *Team) mod(i int) int { return m.me().Mod(i) }

// exchange sends out to one member and receives in from another at once.
func (m *Team) exchange(t *charm.Thread, out gpu.Memory, to int, in gpu.Memory, from int) error {
	r := m.to(t, from).Irecv(t.PE, in)
	s := m.to(t, to).Isend(t.PE, out, nil)
	n, err := t.Wait(r)
	if err == nil {
		err = m.whole(n, in.Len, from)
	}
	if _, sent := t.Wait(s); err == nil {
		err = sent
	}
	return err
}

// give and take are one direction of exchange.
func (m *Team) give(t *charm.Thread, out gpu.Memory, to int) error { return m.to(t, to).Send(t, out) }

func (m *Team) take(t *charm.Thread, in gpu.Memory, from int) error {
	n, err := m.to(t, from).Recv(t, in)
	if err != nil {
		return err
	}
	return m.whole(n, in.Len, from)
}

func (m *Team) whole(got, want, from int) error {
	if got != want {
		return fmt.Errorf("member %d: %d B came from member %d where %d B were expected: give the same lengths on all: %w",
			m.rank, got, from, want, transport.ErrArgument)
	}
	return nil
}

// move copies src to dst and returns when it can be read: host memory at once, other memory as a message to itself.
func (m *Team) move(t *charm.Thread, dst, src gpu.Memory) error {
	if dst.Len == 0 || dst.Addr == src.Addr {
		return nil
	}
	if dst.Space <= gpu.Pinned && src.Space <= gpu.Pinned {
		copy(dst.Bytes(), src.Bytes())
		return nil
	}
	return m.exchange(t, src, m.rank, dst, m.rank)
}

// combine is op on all of acc.
func combine(t *charm.Thread, op Op, acc, in gpu.Memory) error {
	if acc.Len == 0 {
		return nil
	}
	return op.Combine(t, acc, in)
}

// cut makes pieces of elements of size bytes.
func (m *Team) cut(mem gpu.Memory, size int) schedule.Pieces { return schedule.Cut(mem, size, m.size) }
