// Steps about what never comes: deadlines, and PEs that have gone.

package transporttest

import (
	"errors"
	"fmt"
	"time"

	"gpubench/runtimes/transport"
)

// deadline: a wait for what never comes ends in time, and the endpoint goes on.
func deadline(pe *PE) error {
	limit := 300 * time.Millisecond
	return pe.each(func(w way) error {
		limit = max(limit/2, 20*time.Millisecond)
		if pe.Rank() > 1 {
			return pe.sync()
		}
		m, err := pe.buffer(w, 100)
		if err != nil {
			return err
		}
		pe.SetDeadline(limit)
		began := time.Now()
		_, err = pe.Recv(model, m, pe.other(), 77)
		took := time.Since(began)
		pe.SetDeadline(Deadline)
		if err := want(err, transport.ErrDeadline); err != nil {
			return err
		}
		if took < limit/2 || took > limit+10*time.Second {
			return fmt.Errorf("the deadline of %v took %v", limit, took)
		}
		var te *transport.Error
		if errors.As(err, &te); te.Peer != pe.other() || te.Tag != 77 || te.Mend == "" {
			return fmt.Errorf("the error does not name peer, tag and mend: %v", te)
		}
		pe.SetDeadline(limit)
		var reqs []transport.Request
		for range 3 { // one deadline for all of them
			r, err := pe.Irecv(model, m, pe.other(), 78)
			if err != nil {
				return err
			}
			reqs = append(reqs, r)
		}
		began = time.Now()
		err = pe.WaitAll(reqs)
		took = time.Since(began)
		pe.SetDeadline(Deadline)
		if err := want(err, transport.ErrDeadline); err != nil {
			return err
		}
		if took > 2*limit+10*time.Second {
			return fmt.Errorf("WaitAll with a deadline of %v took %v", limit, took)
		}
		if err := pe.sync(); err != nil { // the other one's waits are over too
			return err
		}
		if pe.Rank() == 0 {
			if err := pe.fill(m, 3); err != nil {
				return err
			}
			return pe.Send(model, m, 1, 77)
		}
		return pe.expect(m, 0, 77, 3)
	})
}

// gone accepts what a wait for a PE that has gone may say.
func gone(err error, began time.Time, limit time.Duration) error {
	if took := time.Since(began); took > limit+10*time.Second {
		return fmt.Errorf("it took %v to notice, the deadline is %v (%w)", took, limit, err)
	}
	if errors.Is(err, transport.ErrDeadline) {
		return nil
	}
	return want(err, transport.ErrPeerDied)
}

// closedPeer: PE 1 ends early; who waits for it learns so before the deadline. What it had sent still arrives.
func closedPeer(pe *PE) error {
	const limit = time.Second
	m, err := pe.host(100000)
	if err != nil {
		return err
	}
	if err := pe.sync(); err != nil {
		return err
	}
	if pe.Rank() == 1 {
		if err := pe.fill(m.Slice(0, 1000), 4); err != nil {
			return err
		}
		return pe.Send(model, m.Slice(0, 1000), 0, 4)
	}
	if pe.Rank() > 1 {
		return nil
	}
	pe.SetDeadline(limit)
	for i := range 3 {
		began := time.Now()
		if _, err = pe.Recv(model, m, 1, 5); gone(err, began, limit) != nil {
			return fmt.Errorf("receive %d: %w", i, gone(err, began, limit))
		}
	}
	for i := range 3 {
		began := time.Now()
		if err = pe.Send(model, m, 1, 5); gone(err, began, limit) != nil {
			return fmt.Errorf("send %d: %w", i, gone(err, began, limit))
		}
	}
	if pe.Size() == 2 {
		began := time.Now()
		if _, err = pe.Recv(model, m, transport.AnySource, 6); gone(err, began, limit) != nil {
			return fmt.Errorf("wildcard: %w", gone(err, began, limit))
		}
	}
	if err := pe.expect(m.Slice(0, 1000), 1, 4, 4); err != nil && !errors.Is(err, transport.ErrPeerDied) {
		return fmt.Errorf("what it had sent: %w", err)
	}
	return nil
}

// killedPeer: PE 1 is killed while PE 0 waits, for each kind of wait.
func killedPeer(pe *PE) error {
	if pe.Kill == nil {
		return skipError{"this transport cannot kill a PE"}
	}
	const limit = 5 * time.Second
	m, err := pe.host(100000)
	if err != nil {
		return err
	}
	if pe.Rank() == 1 {
		if err := pe.pollHeader(0); err != nil {
			return err
		}
		time.Sleep(20 * time.Millisecond)
		pe.Kill(1)
		_, err := pe.Recv(model, m, 0, 0)
		return want(err, transport.ErrPeerDied)
	}
	if pe.Rank() > 1 {
		return nil
	}
	pe.SetDeadline(limit)
	var reqs []transport.Request
	for i := range 4 {
		var r transport.Request
		switch i {
		case 0:
			r, err = pe.Irecv(model, m.Slice(0, 100), 1, 1)
		case 1:
			r, err = pe.Irecv(model, m.Slice(100, 100), transport.AnySource, 1)
		case 2:
			r, err = pe.Isend(model, m.Slice(200, 90000), 1, 1) // nobody receives it
		case 3:
			r, err = pe.Isend(model, m.Slice(200, 90000), 1, 2)
		}
		if err != nil {
			return err
		}
		reqs = append(reqs, r)
	}
	if err := pe.SendHeader(1, []byte("kill")); err != nil {
		return err
	}
	began := time.Now()
	for i, r := range reqs {
		if _, err := pe.Wait(r); want(err, transport.ErrPeerDied) != nil {
			return fmt.Errorf("wait %d: %w", i, want(err, transport.ErrPeerDied))
		}
	}
	if took := time.Since(began); took > limit {
		return fmt.Errorf("it took %v to notice", took)
	}
	if err := want(pe.Send(model, m.Slice(0, 8), 1, 1), transport.ErrPeerDied); err != nil {
		return fmt.Errorf("send afterwards: %w", err)
	}
	both := []transport.Message{{Buf: m.Slice(0, 8), Peer: 1, Tag: 1}, {Kind: transport.OpRecv, Buf: m.Slice(8, 8), Peer: 1, Tag: 1}}
	if err := want(pe.Exchange(model, both), transport.ErrPeerDied); err != nil {
		return fmt.Errorf("both afterwards: %w", err)
	}
	if err := want(pe.SendHeader(1, nil), transport.ErrPeerDied); err != nil {
		return fmt.Errorf("header afterwards: %w", err)
	}
	peer, _, _, err := pe.RecvHeader(make([]byte, pe.Caps().MaxHeader))
	if err := want(err, transport.ErrPeerDied); err != nil || peer != 1 {
		return fmt.Errorf("RecvHeader afterwards, of PE %d: %w", peer, err)
	}
	return nil
}

// killedPeerWaits: the others can go on among themselves.
func killedPeerWaits(pe *PE) error {
	if pe.Kill == nil {
		return skipError{"this transport cannot kill a PE"}
	}
	m, err := pe.host(50000)
	if err != nil {
		return err
	}
	if err := pe.sync(); err != nil {
		return err
	}
	last := pe.Size() - 1
	if pe.Rank() == last {
		pe.Kill(last)
		return nil
	}
	if pe.Rank() > 1 {
		return nil
	}
	if _, err := pe.Recv(model, m, last, 1); want(err, transport.ErrPeerDied) != nil {
		return want(err, transport.ErrPeerDied)
	}
	for i := range 50 {
		part := m.Slice(0, 10+i*900)
		if pe.Rank() == 0 {
			if err := pe.fill(part, uint64(i)); err != nil {
				return err
			}
			if err := pe.Send(model, part, 1, 3); err != nil {
				return err
			}
		} else if err := pe.expect(part, 0, 3, uint64(i)); err != nil {
			return err
		}
	}
	return nil
}
