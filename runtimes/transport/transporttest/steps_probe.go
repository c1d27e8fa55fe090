// Steps about probing: what is seen, what is not, and that nothing is taken.

package transporttest

import (
	"errors"
	"fmt"
	"time"

	"gpubench/gpu"
	"gpubench/runtimes/transport"
)

// seen probes until there is a message.
func (pe *PE) seen(ctx uint8, source, tag int) (transport.Status, error) {
	for began := time.Now(); ; pe.Relax() {
		st, ok, err := pe.Probe(ctx, source, tag)
		if ok || err != nil {
			return st, err
		}
		if time.Since(began) > Deadline {
			return st, fmt.Errorf("context %d, source %d, tag %d: no message is seen", ctx, source, tag)
		}
	}
}

// unseen is what a probe may be asked for where no such message is.
type unseen struct {
	ctx         uint8
	source, tag int
}

// none says which of these a probe sees all the same.
func (pe *PE) none(all ...unseen) error {
	for range 20 {
		for _, u := range all {
			if st, ok, err := pe.Probe(u.ctx, u.source, u.tag); ok || err != nil {
				return fmt.Errorf("a probe of %+v sees %+v (%v)", u, st, err)
			}
		}
	}
	return nil
}

// sight is the Status of a probed message of n bytes on this way.
func (w way) sight(source, tag, n int) transport.Status {
	if w.path.Path == transport.Staged && w.path.Staging == transport.Pipelined {
		n = transport.LenUnknown
	}
	return transport.Status{Source: source, Tag: tag, Len: n}
}

// sees checks what a probe of context model finds at once, since a later message has been seen already.
func (pe *PE) sees(source, tag int, expected transport.Status) error {
	for range 3 { // it stays
		if st, ok, err := pe.Probe(model, source, tag); !ok || st != expected || err != nil {
			return fmt.Errorf("a probe of source %d, tag %d: %+v, %v, %v; expected %+v", source, tag, st, ok, err, expected)
		}
	}
	return nil
}

// sendAll sends messages of these lengths and tags, with seeds from 0, and waits for their end. Between posting and
// waiting it calls then.
func (pe *PE) sendAll(w way, ctx uint8, lens, tags []int, to int, then func() error) error {
	var reqs []transport.Request
	for i, n := range lens {
		m, err := pe.alloc(w.from, n)
		if err != nil {
			return err
		}
		if err := pe.fill(m, uint64(i)); err != nil {
			return err
		}
		r, err := pe.Isend(ctx, m, to, tags[i])
		if err != nil {
			return err
		}
		reqs = append(reqs, r)
	}
	if then != nil {
		if err := then(); err != nil {
			return err
		}
	}
	return pe.WaitAll(reqs)
}

// probeSizes are the lengths of the first of several messages: empty, small, in a few pieces, by handshake.
var probeSizes = []int{0, 8, 20000, 400000}

// probes: PE 1 looks at messages of PE 0 before it takes them.
func probes(pe *PE) error {
	return pe.each(func(w way) error {
		if pe.Rank() > 1 {
			return nil
		}
		for _, n := range probeSizes {
			lens, tags := []int{n, 100, 70000}, []int{3, 3, 4}
			if pe.Rank() == 0 {
				if err := pe.sendAll(w, transport.CtxFree, []int{n}, []int{7}, 1, nil); err != nil {
					return err
				}
				if err := pe.pollHeader(1); err != nil {
					return err
				}
				if err := pe.sendAll(w, model, lens, tags, 1, nil); err != nil {
					return err
				}
				continue
			}
			if err := pe.probesOther(w, n); err != nil {
				return fmt.Errorf("%d B in another context: %w", n, err)
			}
			if err := pe.SendHeader(0, []byte("next")); err != nil {
				return err
			}
			if err := pe.probesSeveral(w, lens, tags); err != nil {
				return fmt.Errorf("%d B: %w", n, err)
			}
		}
		return nil
	})
}

// probesOther has a message in one context, and sees none in another, of another tag or of another source.
func (pe *PE) probesOther(w way, n int) error {
	nothing := []unseen{{model, 0, 7}, {model, transport.AnySource, transport.AnyTag}, {transport.CtxFree + 1, 0, 7}}
	if err := pe.none(nothing...); err != nil {
		return err
	}
	st, err := pe.seen(transport.CtxFree, 0, 7)
	if err != nil || st != w.sight(0, 7, n) {
		return fmt.Errorf("seen: %+v, %v; expected %+v", st, err, w.sight(0, 7, n))
	}
	nothing = append(nothing, unseen{transport.CtxFree, 0, 8}, unseen{transport.CtxFree, transport.AnySource, 8},
		unseen{transport.CtxFree, 1, 7}, unseen{transport.CtxFree, 1, transport.AnyTag})
	if err := pe.none(nothing...); err != nil {
		return err
	}
	m, err := pe.buffer(w, n)
	if err != nil {
		return err
	}
	if st, err = pe.Recv(transport.CtxFree, m, st.Source, st.Tag); err != nil || st.Len != n {
		return fmt.Errorf("received: %+v, %v", st, err)
	}
	return errors.Join(pe.verify(m, 0), pe.none(unseen{transport.CtxFree, transport.AnySource, transport.AnyTag}))
}

// probesSeveral sees the first of three messages, two of them of one tag, takes them in another order, and sees each until
// then.
func (pe *PE) probesSeveral(w way, lens, tags []int) error {
	first, second, third := w.sight(0, tags[0], lens[0]), w.sight(0, tags[1], lens[1]), w.sight(0, tags[2], lens[2])
	if st, err := pe.seen(model, transport.AnySource, transport.AnyTag); err != nil || st != first {
		return fmt.Errorf("seen first: %+v, %v; expected %+v", st, err, first)
	}
	if st, err := pe.WaitProbe(model, 0, tags[2]); err != nil || st != third {
		return fmt.Errorf("seen third: %+v, %v; expected %+v", st, err, third)
	}
	check := func(source, tag int, expected transport.Status) func() error {
		return func() error { return pe.sees(source, tag, expected) }
	}
	take := func(i int) func() error {
		return func() error {
			m, err := pe.buffer(w, lens[i])
			if err != nil {
				return err
			}
			return pe.expect(m, 0, tags[i], uint64(i))
		}
	}
	for i, f := range []func() error{
		check(0, transport.AnyTag, first), check(transport.AnySource, tags[0], first), check(0, tags[2], third),
		take(2), check(0, tags[0], first), check(transport.AnySource, transport.AnyTag, first),
		func() error { return pe.none(unseen{model, 0, tags[2]}, unseen{model, 1, tags[0]}) },
		take(0), check(0, tags[1], second), check(transport.AnySource, transport.AnyTag, second),
		take(1), func() error { return pe.none(unseen{model, transport.AnySource, transport.AnyTag}) },
	} {
		if err := f(); err != nil {
			return fmt.Errorf("look %d: %w", i, err)
		}
	}
	return nil
}

// probesPosted: a message that goes to a receive under way is never seen.
func probesPosted(pe *PE) error {
	return pe.each(func(w way) error {
		if pe.Rank() > 1 {
			return nil
		}
		for _, n := range probeSizes {
			if pe.Rank() == 0 {
				if err := pe.pollHeader(1); err != nil {
					return err
				}
				if err := pe.sendAll(w, model, []int{n, 50}, []int{5, 6}, 1, nil); err != nil {
					return err
				}
				continue
			}
			m, err := pe.buffer(w, n)
			if err != nil {
				return err
			}
			r, err := pe.Irecv(model, m, transport.AnySource, transport.AnyTag)
			if err != nil {
				return err
			}
			if err := pe.SendHeader(0, []byte("posted")); err != nil {
				return err
			}
			if st, err := pe.seen(model, transport.AnySource, transport.AnyTag); err != nil || st != w.sight(0, 6, 50) {
				return fmt.Errorf("%d B go to a receive, then: %+v, %v; expected %+v", n, st, err, w.sight(0, 6, 50))
			}
			st, err := pe.Wait(r)
			if err != nil || st != (transport.Status{Source: 0, Tag: 5, Len: n}) {
				return fmt.Errorf("%d B were received as %+v, %v", n, st, err)
			}
			if err := pe.verify(m, 0); err != nil {
				return err
			}
			if m, err = pe.buffer(w, 50); err != nil {
				return err
			}
			if err := pe.expect(m, 0, 6, 1); err != nil {
				return err
			}
		}
		return nil
	})
}

// probesItself: a PE's own messages are seen too, and probing alone brings them on their way.
func probesItself(pe *PE) error {
	me := pe.Rank()
	return pe.each(func(w way) error {
		for _, n := range probeSizes {
			to, err := pe.alloc(w.to, n)
			if err != nil {
				return err
			}
			err = pe.sendAll(w, model, []int{n}, []int{2}, me, func() error {
				for _, source := range []int{me, transport.AnySource} {
					if st, err := pe.seen(model, source, transport.AnyTag); err != nil || st != w.sight(me, 2, n) {
						return fmt.Errorf("%d B: seen %+v, %v; expected %+v", n, st, err, w.sight(me, 2, n))
					}
				}
				if err := pe.none(unseen{model, (me + 1) % pe.Size(), 3}); err != nil {
					return err
				}
				return pe.expect(to, me, 2, 0)
			})
			if err != nil {
				return err
			}
		}
		return pe.none(unseen{model, transport.AnySource, transport.AnyTag})
	})
}

// probesControl: on CtxControl a length is known whatever the path.
func probesControl(pe *PE) error {
	return pe.each(func(w way) error {
		if pe.Rank() > 1 {
			return nil
		}
		host := way{}
		if pe.Rank() == 0 {
			return pe.sendAll(host, transport.CtxControl, []int{1000}, []int{11}, 1, nil)
		}
		if st, err := pe.WaitProbe(transport.CtxControl, 0, 11); err != nil || st != host.sight(0, 11, 1000) {
			return fmt.Errorf("seen %+v, %v", st, err)
		}
		m, err := pe.host(1000)
		if err != nil {
			return err
		}
		if _, err := pe.Recv(transport.CtxControl, m, 0, 11); err != nil {
			return err
		}
		return pe.verify(m, 0)
	})
}

// probesInVain: waiting for a message that never comes ends in time, and the endpoint goes on.
func probesInVain(pe *PE) error {
	const limit = 50 * time.Millisecond
	pe.SetDeadline(limit)
	began := time.Now()
	_, err := pe.WaitProbe(model, pe.Rank(), 77)
	took := time.Since(began)
	pe.SetDeadline(Deadline)
	var te *transport.Error
	if err := want(err, transport.ErrDeadline); err != nil {
		return err
	}
	if errors.As(err, &te); te.Peer != pe.Rank() || te.Tag != 77 || te.Mend == "" || took < limit/2 || took > limit+10*time.Second {
		return fmt.Errorf("after %v: %w", took, err)
	}
	return nil
}

// probeUntilGone probes for what PE peer never sent, until that is sure.
func (pe *PE) probeUntilGone(source, tag, peer int) error {
	st, err := pe.seen(model, source, tag)
	if err := want(err, transport.ErrPeerDied); err != nil {
		return fmt.Errorf("a probe of source %d, tag %d, when PE %d is gone: %+v, %w", source, tag, peer, st, err)
	}
	return nil
}

// afterTheEnd is PE 0's part of the two steps below: PE 1 has sent 8 bytes with tag 4, and has gone or is about to.
func (pe *PE) afterTheEnd(m gpu.Memory) error {
	if err := pe.probeUntilGone(1, 5, 1); err != nil {
		return err
	}
	if _, err := pe.WaitProbe(model, 1, 5); want(err, transport.ErrPeerDied) != nil {
		return want(err, transport.ErrPeerDied)
	}
	// What it had sent before is there.
	for _, source := range []int{1, transport.AnySource} {
		if err := pe.sees(source, transport.AnyTag, transport.Status{Source: 1, Tag: 4, Len: 8}); err != nil {
			return err
		}
	}
	if err := pe.expect(m, 1, 4, 4); err != nil {
		return err
	}
	if pe.Size() == 2 {
		if err := pe.probeUntilGone(transport.AnySource, transport.AnyTag, 1); err != nil {
			return err
		}
	}
	return pe.probeUntilGone(1, 4, 1)
}

// probesClosed: PE 1 sends a message and ends.
func probesClosed(pe *PE) error {
	m, err := pe.host(8)
	if err != nil {
		return err
	}
	switch pe.Rank() {
	case 0:
		return pe.afterTheEnd(m)
	case 1:
		return errors.Join(pe.fill(m, 4), pe.Send(model, m, 0, 4))
	}
	return nil
}

// probesKilled: PE 1 sends a message and is killed when it has come.
func probesKilled(pe *PE) error {
	if pe.Kill == nil {
		return skipError{"this transport cannot kill a PE"}
	}
	m, err := pe.host(8)
	if err != nil {
		return err
	}
	switch pe.Rank() {
	case 0:
		if _, err := pe.WaitProbe(model, 1, 4); err != nil {
			return err
		}
		if err := pe.SendHeader(1, []byte("kill")); err != nil {
			return err
		}
		return pe.afterTheEnd(m)
	case 1:
		if err := errors.Join(pe.fill(m, 4), pe.Send(model, m, 0, 4), pe.pollHeader(0)); err != nil {
			return err
		}
		pe.Kill(1)
		_, _, err := pe.Probe(model, 0, 0)
		return want(err, transport.ErrPeerDied)
	}
	return nil
}
