// Steps about headers: the active messages.

package transporttest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"gpubench/gpu"
	"gpubench/runtimes/transport"
)

// nextHeader waits for a header.
func (pe *PE) nextHeader(buf []byte) (peer, n int, err error) {
	for began := time.Now(); ; pe.Relax() {
		peer, n, ok, err := pe.RecvHeader(buf)
		if err != nil || ok {
			return peer, n, err
		}
		if err := pe.Progress(); err != nil {
			return 0, 0, err
		}
		if time.Since(began) > Deadline {
			return 0, 0, fmt.Errorf("no header came in %v", Deadline)
		}
	}
}

// pollHeader waits for a header from one PE.
func (pe *PE) pollHeader(from int) error {
	peer, _, err := pe.nextHeader(make([]byte, pe.Caps().MaxHeader))
	if err == nil && peer != from {
		err = fmt.Errorf("a header from PE %d, expected one from PE %d", peer, from)
	}
	return err
}

// headers goes through all lengths around the thresholds, to each PE and back to itself.
func headers(pe *PE) error {
	max := pe.Caps().MaxHeader
	buf := make([]byte, max)
	for _, n := range []int{0, 1, 8, 39, 40, 41, 64, 500, 1023, 1024, max - 1, max} {
		for p := range pe.Size() {
			h := make([]byte, n)
			pattern(h, uint64(pe.Rank()*100+p))
			if err := pe.SendHeader(p, h); err != nil {
				return err
			}
			clear(h) // it must have been taken
		}
		seen := make([]bool, pe.Size())
		for range pe.Size() {
			peer, got, err := pe.nextHeader(buf)
			if err != nil {
				return err
			}
			h := make([]byte, n)
			pattern(h, uint64(peer*100+pe.Rank()))
			if seen[peer] || !bytes.Equal(h, buf[:got]) {
				return fmt.Errorf("header of %d B from PE %d came wrong or twice (%d B)", n, peer, got)
			}
			seen[peer] = true
		}
		if err := pe.sync(); err != nil {
			return err
		}
	}
	if err := pe.SendHeader(0, make([]byte, max+1)); want(err, transport.ErrUnsupported) != nil {
		return fmt.Errorf("a header of %d B: %w", max+1, want(err, transport.ErrUnsupported))
	}
	return nil
}

// headersAmong sends headers and tagged messages in turn: each kind must keep its order.
func headersAmong(pe *PE) error {
	const count = 200
	if pe.Rank() > 1 {
		return nil
	}
	m, err := pe.host(70000)
	if err != nil {
		return err
	}
	long := func(i int) int { return []int{8, 3000, 70000}[i%3] }
	if pe.Rank() == 0 {
		for i := range count {
			if err := pe.fill(m.Slice(0, long(i)), uint64(i)); err != nil {
				return err
			}
			if err := pe.SendHeader(1, binary.LittleEndian.AppendUint32(nil, uint32(i))); err != nil {
				return err
			}
			if err := pe.Send(model, m.Slice(0, long(i)), 1, 1); err != nil {
				return err
			}
		}
		return nil
	}
	buf := make([]byte, pe.Caps().MaxHeader)
	for i := range count {
		if i%2 == 0 {
			if err := pe.aHeader(buf, i); err != nil {
				return err
			}
		}
		if err := pe.expect(m.Slice(0, long(i)), 0, 1, uint64(i)); err != nil {
			return err
		}
		if i%2 == 1 {
			if err := pe.aHeader(buf, i); err != nil {
				return err
			}
		}
	}
	return nil
}

func (pe *PE) aHeader(buf []byte, i int) error {
	peer, n, err := pe.nextHeader(buf)
	if err != nil {
		return err
	}
	if peer != 0 || n != 4 || binary.LittleEndian.Uint32(buf) != uint32(i) {
		return fmt.Errorf("header %d: %d B from PE %d that say %d", i, n, peer, binary.LittleEndian.Uint32(buf))
	}
	return nil
}

// headerFlood has all PEs send to all at once, more than any queue holds, before anyone takes one.
func headerFlood(pe *PE) error {
	const count = 400
	n := pe.Size()
	h := make([]byte, 200)
	for i := range count {
		for p := range n {
			binary.LittleEndian.PutUint32(h, uint32(i))
			if err := pe.SendHeader(p, h[:100+i%100]); err != nil {
				return err
			}
		}
	}
	next := make([]int, n)
	buf := make([]byte, pe.Caps().MaxHeader)
	for range count * n {
		peer, got, err := pe.nextHeader(buf)
		if err != nil {
			return err
		}
		i := next[peer]
		next[peer]++
		if got != 100+i%100 || binary.LittleEndian.Uint32(buf) != uint32(i) {
			return fmt.Errorf("header %d from PE %d: %d B that say %d", i, peer, got, binary.LittleEndian.Uint32(buf))
		}
	}
	if _, _, ok, err := pe.RecvHeader(buf); ok || err != nil {
		return fmt.Errorf("one header too many (%w)", err)
	}
	return nil
}

// counters checks what Stats says.
func counters(pe *PE) error {
	return pe.each(func(w way) error {
		if pe.Rank() > 1 {
			return nil
		}
		const n = 20000
		m, err := pe.buffer(w, n)
		if err != nil {
			return err
		}
		pe.ResetStats()
		if pe.Rank() == 0 {
			err = pe.Send(model, m, 1, 1)
		} else {
			_, err = pe.Recv(model, m, 0, 1)
		}
		if err != nil {
			return err
		}
		c := pe.Stats()
		traffic, staged := c.Sent, c.ToHost
		if pe.Rank() == 1 {
			traffic, staged = c.Received, c.ToDevice
		}
		var wantTraffic [3]transport.Traffic
		var wantStaged transport.Traffic
		switch {
		case m.Space <= gpu.Pinned || w.path.Path == transport.Host:
			wantTraffic[transport.Host] = transport.Traffic{Messages: 1, Bytes: n}
		case w.path.Path == transport.Staged:
			wantTraffic[transport.Staged] = transport.Traffic{Messages: 1, Bytes: n}
			wantStaged = transport.Traffic{Messages: staged.Messages, Bytes: n}
		default:
			wantTraffic[transport.Direct] = transport.Traffic{Messages: 1, Bytes: n}
		}
		if traffic != wantTraffic || staged != wantStaged || wantStaged.Bytes > 0 && staged.Messages == 0 {
			return fmt.Errorf("counted %+v, staged %+v, expected %+v and %+v", traffic, staged, wantTraffic, wantStaged)
		}
		if lane := pe.Lane(m, pe.other()); (lane.Name == transport.LaneStaged) != (wantStaged.Bytes > 0) || lane.HowKnown == "" {
			return fmt.Errorf("lane %+v of %v memory", lane, m.Space)
		}
		return nil
	})
}
