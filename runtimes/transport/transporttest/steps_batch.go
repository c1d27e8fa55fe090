// Messages that go together: Exchange and Batch.

package transporttest

import (
	"fmt"
	"time"

	"gpubench/gpu"
	"gpubench/runtimes/transport"
)

// batchSizes are of the messages that go together: none, short ones, one that needs a handshake.
var batchSizes = []int{0, 8, 1000, 9000, 300000}

// batches runs the same messages again and again, to the other PE and to itself, with other data each time.
func batches(pe *PE) error {
	return pe.each(func(w way) error {
		if pe.Rank() > 1 {
			return nil
		}
		var ms []transport.Message
		for _, peer := range []int{pe.other(), pe.Rank()} {
			for i, n := range batchSizes {
				out, err := pe.alloc(w.from, n)
				if err != nil {
					return err
				}
				in, err := pe.alloc(w.to, n+8)
				if err != nil {
					return err
				}
				source := peer
				if i == 1 && peer != pe.Rank() {
					source = transport.AnySource
				}
				ms = append(ms, transport.Message{Kind: transport.OpSend, Buf: out, Peer: peer, Tag: 20 + i + 10*pe.flag(peer == pe.Rank())},
					transport.Message{Kind: transport.OpRecv, Buf: in, Peer: source, Tag: 20 + i + 10*pe.flag(peer == pe.Rank())})
			}
		}
		b, err := pe.Prepare(model, ms)
		if err != nil {
			return err
		}
		defer b.Free()
		for round := range 5 {
			if err := pe.together(ms, round, func() error {
				switch round {
				case 2:
					return pe.Exchange(model, ms)
				case 3:
					if err := b.Start(); err != nil {
						return err
					}
					return b.Wait()
				}
				return b.Run()
			}); err != nil {
				return fmt.Errorf("round %d: %w", round, err)
			}
		}
		if c := pe.Stats(); w.from == gpu.Pageable && c.Sent[transport.Host].Messages == 0 {
			return fmt.Errorf("nothing was counted: %+v", c)
		}
		return pe.halfBegun(ms[1].Buf)
	})
}

// halfBegun: a message that cannot be begun ends those begun before it, once. What is staged is found wrong only there.
func (pe *PE) halfBegun(in gpu.Memory) error {
	b, _ := pe.Prepare(model, []transport.Message{{Kind: transport.OpRecv, Buf: in, Peer: pe.other(), Tag: 90},
		{Buf: in, Peer: pe.Size(), Tag: 90}})
	for range 2 {
		if err := want(b.Start(), transport.ErrArgument); err != nil {
			return fmt.Errorf("a batch with a message to a PE that is not there: %w", err)
		}
		if err := b.Wait(); err != nil {
			return fmt.Errorf("after a Start that failed: %w", err)
		}
	}
	return nil
}

func (pe *PE) flag(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// together fills what is sent, runs, and checks what came.
func (pe *PE) together(ms []transport.Message, round int, run func() error) error {
	seed := func(from int, m transport.Message) uint64 { return uint64(1000*round + 100*from + m.Tag) }
	for i := range ms {
		if m := &ms[i]; m.Kind == transport.OpSend {
			if err := pe.fill(m.Buf, seed(pe.Rank(), *m)); err != nil {
				return err
			}
		} else {
			m.Status = transport.Status{Source: -7}
		}
	}
	if err := run(); err != nil {
		return err
	}
	for i, m := range ms {
		if m.Kind == transport.OpSend {
			continue
		}
		from := ms[i-1].Peer // pairs are a send and a receive of the same two PEs
		if want := (transport.Status{Source: from, Tag: m.Tag, Len: ms[i-1].Buf.Len}); m.Status != want {
			return fmt.Errorf("message %d: status %+v, expected %+v", i, m.Status, want)
		}
		if err := pe.verify(m.Buf.Slice(0, m.Status.Len), seed(from, m)); err != nil {
			return fmt.Errorf("message %d: %w", i, err)
		}
	}
	return nil
}

// brokenBatches: one message of several goes wrong; the others and later runs do not.
func brokenBatches(pe *PE) error {
	out, err := pe.host(64)
	if err != nil {
		return err
	}
	in, err := pe.host(64)
	if err != nil {
		return err
	}
	if _, err := pe.Prepare(model, []transport.Message{{Buf: out, Peer: pe.Size(), Tag: 1}}); want(err, transport.ErrArgument) != nil {
		return fmt.Errorf("to a PE that is not there: %w", want(err, transport.ErrArgument))
	}
	if pe.Rank() > 1 {
		return pe.sync()
	}
	ms := []transport.Message{{Buf: out.Slice(0, 16), Peer: pe.other(), Tag: 1}, {Buf: out.Slice(16, 8), Peer: pe.other(), Tag: 2},
		{Kind: transport.OpRecv, Buf: in.Slice(0, 16), Peer: pe.other(), Tag: 1}, {Kind: transport.OpRecv, Buf: in.Slice(16, 8), Peer: pe.other(), Tag: 2}}
	b, err := pe.Prepare(model, ms)
	if err != nil {
		return err
	}
	defer b.Free()
	swapped := []transport.Message{ms[0], ms[1], ms[3], ms[2]}
	swapped[2].Tag, swapped[3].Tag = 1, 2 // 16 B into 8
	for round := range 3 {
		if round == 1 {
			if err := want(pe.Exchange(model, swapped), transport.ErrTruncated); err != nil {
				return fmt.Errorf("16 B into 8: %w", err)
			}
			if swapped[3].Status.Len != 8 {
				return fmt.Errorf("beside it came %+v", swapped[3].Status)
			}
		}
		if err := pe.fill(out, uint64(round+pe.Rank())); err != nil {
			return err
		}
		if err := b.Run(); err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
		if err := pe.verify(in.Slice(0, 24), uint64(round+pe.other())); err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
	}
	// Nobody sends what the last one waits for.
	pe.SetDeadline(50 * time.Millisecond)
	lonely := append([]transport.Message{}, ms...)
	lonely[3].Tag = 9
	began := time.Now()
	err = pe.Exchange(model, lonely)
	pe.SetDeadline(0)
	if err := want(err, transport.ErrDeadline); err != nil {
		return fmt.Errorf("nobody sends: %w", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		return fmt.Errorf("the deadline came after %v", took)
	}
	if lonely[2].Status.Len != 16 {
		return fmt.Errorf("beside it came %+v", lonely[2].Status)
	}
	if _, err := pe.Recv(model, in.Slice(16, 8), pe.other(), 2); err != nil { // what lonely has sent
		return err
	}
	return pe.sync()
}
