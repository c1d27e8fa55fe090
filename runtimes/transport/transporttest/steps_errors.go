// Steps about what goes wrong: bad arguments, truncation, cancelling, deadlines, deaths.
package transporttest

import (
	"errors"
	"fmt"
	"time"

	"gpubench/gpu"
	"gpubench/runtimes/transport"
)

func arguments(pe *PE) error {
	m, err := pe.host(64)
	if err != nil {
		return err
	}
	me, n := pe.Rank(), pe.Size()
	bad := m
	bad.Len = -1
	null := gpu.Memory{Len: 8}
	for _, c := range []struct {
		ctx       int
		buf       gpu.Memory
		peer, tag int
		both      bool // bad for a receive as well
	}{
		{1, m, n, 0, true}, {1, m, -2, 0, true}, {1, m, transport.AnySource, 0, false},
		{1, m, me, transport.MaxTag + 1, true}, {1, m, me, -2, true}, {1, m, me, transport.AnyTag, false},
		{1, bad, me, 0, true}, {1, null, me, 0, true}, {int(transport.CtxStaging), m, me, 0, true},
		{pe.Caps().Contexts, m, me, 0, true},
	} {
		if c.ctx > 255 {
			continue
		}
		_, err := pe.Isend(uint8(c.ctx), c.buf, c.peer, c.tag)
		if err := want(err, transport.ErrArgument); err != nil {
			return fmt.Errorf("Isend %+v: %w", c, err)
		}
		if err := want(pe.Send(uint8(c.ctx), c.buf, c.peer, c.tag), transport.ErrArgument); err != nil {
			return fmt.Errorf("Send %+v: %w", c, err)
		}
		if !c.both {
			continue
		}
		_, err = pe.Irecv(uint8(c.ctx), c.buf, c.peer, c.tag)
		if err := want(err, transport.ErrArgument); err != nil {
			return fmt.Errorf("Irecv %+v: %w", c, err)
		}
		_, err = pe.Recv(uint8(c.ctx), c.buf, c.peer, c.tag)
		if err := want(err, transport.ErrArgument); err != nil {
			return fmt.Errorf("Recv %+v: %w", c, err)
		}
	}
	return want(pe.SendHeader(n, nil), transport.ErrArgument)
}

// truncation: an error for the receiver alone, and the pair goes on.
func truncation(pe *PE) error {
	return pe.each(func(w way) error {
		if pe.Rank() > 1 {
			return nil
		}
		for _, n := range []int{1, 100, 3000, 70000, 300000} {
			m, err := pe.buffer(w, n)
			if err != nil {
				return err
			}
			for round := range 3 {
				if pe.Rank() == 0 {
					if err := pe.fill(m, uint64(round)); err != nil {
						return err
					}
					if err := pe.Send(model, m, 1, 1); err != nil {
						return fmt.Errorf("%d B: %w", n, err)
					}
					continue
				}
				if round == 1 { // the middle one is too long
					_, err := pe.Recv(model, m.Slice(0, n-1), 0, 1)
					if err := want(err, transport.ErrTruncated); err != nil {
						return fmt.Errorf("%d B into %d: %w", n, n-1, err)
					}
					continue
				}
				if err := pe.expect(m, 0, 1, uint64(round)); err != nil {
					return fmt.Errorf("%d B, round %d: %w", n, round, err)
				}
			}
		}
		return nil
	})
}

// cancelledRecv withdraws a receive; the message that comes later goes to the next one.
func cancelledRecv(pe *PE) error {
	return pe.each(func(w way) error {
		if pe.Rank() > 1 {
			return nil
		}
		for _, n := range []int{8, 70000} {
			m, err := pe.buffer(w, n)
			if err != nil {
				return err
			}
			if pe.Rank() == 0 {
				if err := pe.pollHeader(1); err != nil {
					return err
				}
				if err := pe.fill(m, 5); err != nil {
					return err
				}
				if err := pe.Send(model, m, 1, 1); err != nil {
					return err
				}
				continue
			}
			other, err := pe.buffer(w, n)
			if err != nil {
				return err
			}
			if err := pe.fill(other, 6); err != nil {
				return err
			}
			r, err := pe.Irecv(model, other, transport.AnySource, transport.AnyTag)
			if err != nil {
				return err
			}
			if done, _, err := pe.Test(r); done || err != nil {
				return fmt.Errorf("a receive of nothing is complete (%w)", err)
			}
			if err := pe.Cancel(r); err != nil {
				return err
			}
			_, err = pe.Wait(r)
			if err := want(err, transport.ErrCancelled); err != nil {
				return err
			}
			if err := pe.SendHeader(0, []byte("cancelled")); err != nil {
				return err
			}
			if err := pe.expect(m, 0, 1, 5); err != nil {
				return err
			}
			if err := pe.verify(other, 6); err != nil {
				return fmt.Errorf("a cancelled receive's buffer was written: %w", err)
			}
		}
		return nil
	})
}

// cancelledSend withdraws a send that nobody receives. Where that is not possible it must be receivable as ever.
func cancelledSend(pe *PE) error {
	return pe.each(func(w way) error {
		if pe.Rank() > 1 {
			return nil
		}
		for tag, n := range []int{8, 20000, 400000} {
			m, err := pe.buffer(w, n)
			if err != nil {
				return err
			}
			if pe.Rank() == 1 {
				if err := pe.receiveUnlessCancelled(m, tag); err != nil {
					return err
				}
				continue
			}
			if err := pe.fill(m, 7); err != nil {
				return err
			}
			r, err := pe.Isend(model, m, 1, tag)
			if err != nil {
				return err
			}
			if err := pe.Cancel(r); err != nil {
				return err
			}
			done, err := pe.within(r, 200*time.Millisecond)
			cancelled := errors.Is(err, transport.ErrCancelled)
			if err != nil && !cancelled {
				return err
			}
			if err := pe.SendHeader(1, []byte(map[bool]string{true: "off", false: "on"}[cancelled])); err != nil {
				return err
			}
			if !done {
				if _, err := pe.Wait(r); err != nil {
					return err
				}
			}
			if err := pe.fill(m, 8); err != nil {
				return err
			}
			if err := pe.Send(model, m, 1, 50); err != nil {
				return err
			}
		}
		return nil
	})
}

func (pe *PE) receiveUnlessCancelled(m gpu.Memory, tag int) error {
	buf := make([]byte, pe.Caps().MaxHeader)
	_, k, err := pe.nextHeader(buf)
	if err != nil {
		return err
	}
	if string(buf[:k]) == "on" {
		if err := pe.expect(m, 0, tag, 7); err != nil {
			return err
		}
	}
	// Nothing of the cancelled one may come now.
	r, err := pe.Irecv(model, m, 0, tag)
	if err != nil {
		return err
	}
	if done, err := pe.within(r, 5*time.Millisecond); done || err != nil {
		return fmt.Errorf("a cancelled send came (%w)", err)
	}
	if err := pe.Cancel(r); err != nil {
		return err
	}
	if _, err := pe.Wait(r); !errors.Is(err, transport.ErrCancelled) {
		return want(err, transport.ErrCancelled)
	}
	return pe.expect(m, 0, 50, 8)
}

// within tests r for a while.
func (pe *PE) within(r transport.Request, d time.Duration) (bool, error) {
	for began := time.Now(); time.Since(began) < d; pe.Relax() {
		if done, _, err := pe.Test(r); done || err != nil {
			return done, err
		}
	}
	return false, nil
}

// requests: the zero one is complete, a used one panics, and Completed tells without progress.
func requests(pe *PE) error {
	if pe.Rank() > 1 {
		return nil
	}
	var zero transport.Request
	if done, _, err := pe.Test(zero); !done || err != nil || !zero.IsZero() || !pe.Completed(zero) {
		return fmt.Errorf("the zero Request is not complete (%w)", err)
	}
	if _, err := pe.Wait(zero); err != nil {
		return err
	}
	m, err := pe.host(8)
	if err != nil {
		return err
	}
	if pe.Rank() == 0 {
		return pe.Send(model, m, 1, 1)
	}
	r, err := pe.Irecv(model, m, 0, 1)
	if err != nil {
		return err
	}
	for began := time.Now(); !pe.Completed(r); {
		if err := pe.Progress(); err != nil {
			return err
		}
		if time.Since(began) > Deadline {
			return errors.New("it never completed")
		}
	}
	if _, err := pe.Wait(r); err != nil {
		return err
	}
	for name, use := range map[string]func(){
		"Wait":      func() { _, _ = pe.Wait(r) },
		"Test":      func() { _, _, _ = pe.Test(r) },
		"Cancel":    func() { _ = pe.Cancel(r) },
		"Completed": func() { pe.Completed(r) },
		"WaitAll":   func() { _ = pe.WaitAll([]transport.Request{r}) },
	} {
		if !panics(use) {
			return fmt.Errorf("%s of a request that has ended does not panic", name)
		}
	}
	return nil
}

func panics(f func()) (yes bool) {
	defer func() { yes = recover() != nil }()
	f()
	return false
}

// refused: what cannot be is a typed error that says what is missing.
func refused(pe *PE) error {
	m, err := pe.alloc(gpu.OnDevice, 64)
	if err != nil {
		return err
	}
	attempts := []struct {
		path transport.PathConfig
		ctx  uint8
	}{
		{transport.PathConfig{Path: transport.Host}, model},
		{transport.PathConfig{Path: transport.Host}, transport.CtxControl},
		{transport.PathConfig{Path: transport.Direct}, transport.CtxControl},
	}
	if !pe.Caps().Spaces[gpu.OnDevice] {
		attempts = append(attempts, attempts[0])
		attempts[3].path.Path = transport.Direct
		if pe.Caps().Why[gpu.OnDevice] == "" {
			return errors.New("Caps do not say why device memory is not taken")
		}
	}
	for _, a := range attempts {
		if err := pe.SetPath(a.path); err != nil {
			return err
		}
		if err := want(pe.Send(a.ctx, m, 0, 1), transport.ErrUnsupported); err != nil {
			return fmt.Errorf("Send of device memory, %+v: %w", a, err)
		}
		_, err := pe.Irecv(a.ctx, m, 0, 1)
		if err := want(err, transport.ErrUnsupported); err != nil {
			return fmt.Errorf("Irecv of device memory, %+v: %w", a, err)
		}
		if !errors.Is(err, errors.ErrUnsupported) {
			return fmt.Errorf("not errors.ErrUnsupported: %w", err)
		}
	}
	for _, p := range []transport.PathConfig{
		{Path: transport.Staged, StagingSpace: gpu.OnDevice},
		{Path: transport.Staged, Chunk: 1},
	} {
		if err := want(pe.SetPath(p), transport.ErrUnsupported); err != nil {
			return fmt.Errorf("SetPath %+v: %w", p, err)
		}
	}
	if pe.Device() == nil {
		return want(pe.SetPath(transport.PathConfig{Path: transport.Staged}), transport.ErrUnsupported)
	}
	return pe.SetPath(transport.PathConfig{})
}

// mismatched: a plain message to a PE that expects pipelined ones is noticed.
func mismatched(pe *PE) error {
	if pe.Device() == nil {
		return skipError{"staging needs a device"}
	}
	for _, n := range []int{0, 16, 200000} {
		m, err := pe.host(n)
		if err != nil {
			return err
		}
		if pe.Rank() == 0 {
			if err := pe.Send(model, m, 1, 1); err != nil {
				return err
			}
		}
		if pe.Rank() == 1 {
			if err := pe.SetPath(transport.PathConfig{Path: transport.Staged}); err != nil {
				return err
			}
			_, err := pe.Recv(model, m, 0, 1)
			if err := want(err, transport.ErrMismatch); err != nil {
				return fmt.Errorf("%d B: %w", n, err)
			}
			if err := pe.SetPath(transport.PathConfig{}); err != nil {
				return err
			}
		}
		if err := pe.sync(); err != nil {
			return err
		}
	}
	return nil
}

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
