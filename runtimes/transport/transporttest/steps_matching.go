// Steps about matching: order, tags, wildcards, contexts.

package transporttest

import (
	"fmt"

	"gpubench/gpu"
	"gpubench/runtimes/transport"
)

// order sends messages with one tag; they must come in the order of the sends.
func order(pe *PE) error {
	const count = 24
	return pe.each(func(w way) error {
		if pe.Rank() > 1 {
			return nil
		}
		for round := range 2 { // once expected, once early
			var reqs []transport.Request
			var bufs []gpu.Memory
			for i := range count {
				m, err := pe.buffer(w, mixed(i))
				if err != nil {
					return err
				}
				bufs = append(bufs, m)
				if pe.Rank() == 0 {
					if err := pe.fill(m, uint64(i)); err != nil {
						return err
					}
				}
			}
			for i, m := range bufs {
				var r transport.Request
				var err error
				if pe.Rank() == 0 {
					r, err = pe.Isend(model, m, 1, 9)
				} else {
					if i == 0 && round == 1 {
						if err = pe.pollHeader(0); err != nil {
							return err
						}
					}
					r, err = pe.Irecv(model, m, 0, 9)
				}
				if err != nil {
					return err
				}
				reqs = append(reqs, r)
			}
			if pe.Rank() == 0 && round == 1 {
				if err := pe.SendHeader(1, []byte("go")); err != nil {
					return err
				}
			}
			for i, r := range reqs {
				st, err := pe.Wait(r)
				if err != nil {
					return fmt.Errorf("message %d: %w", i, err)
				}
				if st.Len != mixed(i) {
					return fmt.Errorf("message %d has %d B, expected %d", i, st.Len, mixed(i))
				}
				if pe.Rank() == 1 {
					if err := pe.verify(bufs[i], uint64(i)); err != nil {
						return fmt.Errorf("message %d: %w", i, err)
					}
				}
			}
		}
		return nil
	})
}

// mixedSpaces sends from device and host memory in turn, with one tag: a message that needs no copy must not overtake one
// that does.
func mixedSpaces(pe *PE) error {
	if pe.Device() == nil {
		return skipError{"it needs a device"}
	}
	const count = 24
	paths := stagings
	if pe.Caps().Spaces[gpu.OnDevice] {
		paths = append([]transport.PathConfig{{Path: transport.Direct}}, paths...)
	}
	spaces := []gpu.Space{gpu.OnDevice, gpu.Pageable, gpu.Pinned}
	for _, p := range paths {
		if err := pe.SetPath(p); err != nil {
			return err
		}
		if err := pe.sync(); err != nil {
			return err
		}
		var reqs []transport.Request
		var bufs []gpu.Memory
		for i := range count {
			if pe.Rank() > 1 {
				break
			}
			m, err := pe.alloc(spaces[(i+pe.Rank()*(i/5))%3], 70000)
			if err != nil {
				return err
			}
			bufs = append(bufs, m)
			if pe.Rank() == 0 {
				if err := pe.fill(m, uint64(i)); err != nil {
					return err
				}
			}
		}
		for i, m := range bufs {
			var r transport.Request
			var err error
			if m = m.Slice(0, 70000-i*2900); pe.Rank() == 0 {
				r, err = pe.Isend(model, m, 1, 9)
			} else {
				r, err = pe.Irecv(model, m, 0, 9)
			}
			if err != nil {
				return err
			}
			reqs = append(reqs, r)
		}
		if err := pe.WaitAll(reqs); err != nil {
			return err
		}
		for i, m := range bufs {
			if pe.Rank() == 1 {
				if err := pe.verify(m.Slice(0, 70000-i*2900), uint64(i)); err != nil {
					return fmt.Errorf("%+v: message %d: %w", p, i, err)
				}
			}
		}
		if err := pe.sync(); err != nil {
			return err
		}
	}
	return nil
}

// outOfOrder sends with many tags and receives them backwards, the early ones before they were asked for.
func outOfOrder(pe *PE) error {
	const count = 20
	return pe.each(func(w way) error {
		if pe.Rank() > 1 {
			return nil
		}
		var bufs []gpu.Memory
		for i := range count {
			m, err := pe.buffer(w, mixed(i))
			if err != nil {
				return err
			}
			bufs = append(bufs, m)
		}
		if pe.Rank() == 0 {
			var reqs []transport.Request
			for i, m := range bufs {
				if err := pe.fill(m, uint64(i)); err != nil {
					return err
				}
				r, err := pe.Isend(model, m, 1, 100+i)
				if err != nil {
					return err
				}
				reqs = append(reqs, r)
			}
			if err := pe.SendHeader(1, []byte("sent")); err != nil {
				return err
			}
			return pe.WaitAll(reqs)
		}
		if err := pe.pollHeader(0); err != nil {
			return err
		}
		for i := count - 1; i >= 0; i-- {
			if err := pe.expect(bufs[i], 0, 100+i, uint64(i)); err != nil {
				return fmt.Errorf("tag %d: %w", 100+i, err)
			}
		}
		return nil
	})
}

// overlapping posts receives that accept the same messages: the earliest posted one must get each.
func overlapping(pe *PE) error {
	return pe.each(func(w way) error {
		if pe.Rank() > 1 {
			return nil
		}
		const n = 500
		if pe.Rank() == 0 {
			m, err := pe.buffer(w, n)
			if err != nil {
				return err
			}
			if err := pe.pollHeader(1); err != nil { // all four are posted
				return err
			}
			for i, tag := range []int{3, 4, 3, 3} {
				if err := pe.fill(m, uint64(i)); err != nil {
					return err
				}
				if err := pe.Send(model, m, 1, tag); err != nil {
					return err
				}
			}
			return nil
		}
		posts := []struct{ src, tag int }{
			{0, transport.AnyTag}, {transport.AnySource, 3}, {0, transport.AnyTag}, {0, 3},
		}
		message := []int{0, 2, 1, 3} // which message each of them gets
		tags := []int{3, 3, 4, 3}
		var reqs []transport.Request
		var bufs []gpu.Memory
		for _, p := range posts {
			m, err := pe.buffer(w, n)
			if err != nil {
				return err
			}
			r, err := pe.Irecv(model, m, p.src, p.tag)
			if err != nil {
				return err
			}
			reqs, bufs = append(reqs, r), append(bufs, m)
		}
		if err := pe.SendHeader(0, []byte("posted")); err != nil {
			return err
		}
		for i, r := range reqs {
			st, err := pe.Wait(r)
			if err != nil {
				return err
			}
			if st.Source != 0 || st.Tag != tags[i] || st.Len != n {
				return fmt.Errorf("receive %d got %+v, expected tag %d", i, st, tags[i])
			}
			if err := pe.verify(bufs[i], uint64(message[i])); err != nil {
				return fmt.Errorf("receive %d, message %d: %w", i, message[i], err)
			}
		}
		return nil
	})
}

// contexts sends the same tag in several contexts: none may match a receive of another.
func contexts(pe *PE) error {
	if pe.Rank() > 1 {
		return nil
	}
	ctxs := []uint8{transport.CtxModel, transport.CtxCollective, transport.CtxCharm, transport.CtxFree,
		transport.CtxFree + 1, uint8(min(pe.Caps().Contexts, 256) - 1)}
	for round, n := range []int{16, 10000} {
		var bufs []gpu.Memory
		var reqs []transport.Request
		for range ctxs {
			m, err := pe.host(n)
			if err != nil {
				return err
			}
			bufs = append(bufs, m)
		}
		for i := range ctxs {
			j := i
			var r transport.Request
			var err error
			if pe.Rank() == 0 {
				if err := pe.fill(bufs[j], uint64(j)); err != nil {
					return err
				}
				r, err = pe.Isend(ctxs[j], bufs[j], 1, 8+round)
			} else {
				j = len(ctxs) - 1 - i
				r, err = pe.Irecv(ctxs[j], bufs[j], transport.AnySource, transport.AnyTag)
			}
			if err != nil {
				return err
			}
			reqs = append(reqs, r)
		}
		if err := pe.WaitAll(reqs); err != nil {
			return err
		}
		if pe.Rank() == 1 {
			for i, m := range bufs {
				if err := pe.verify(m, uint64(i)); err != nil {
					return fmt.Errorf("context %d: %w", ctxs[i], err)
				}
			}
		}
	}
	return nil
}

// wildcards lets every PE but 0 send; PE 0 takes what comes, and each one's messages must come in order.
func wildcards(pe *PE) error {
	const count = 30
	return pe.each(func(w way) error {
		if pe.Rank() > 0 {
			m, err := pe.alloc(w.from, 80000)
			if err != nil {
				return err
			}
			for i := range count {
				part := m.Slice(0, mixed(i%6))
				if err := pe.fill(part, uint64(pe.Rank()*1000+i)); err != nil {
					return err
				}
				if err := pe.Send(model, part, 0, i); err != nil {
					return err
				}
			}
			return nil
		}
		m, err := pe.alloc(w.to, 80000)
		if err != nil {
			return err
		}
		next := make([]int, pe.Size())
		for range count * (pe.Size() - 1) {
			st, err := pe.Recv(model, m, transport.AnySource, transport.AnyTag)
			if err != nil {
				return err
			}
			if st.Source < 1 || st.Source >= pe.Size() {
				return fmt.Errorf("a message from PE %d", st.Source)
			}
			i := next[st.Source]
			next[st.Source]++
			if st.Tag != i || st.Len != mixed(i%6) {
				return fmt.Errorf("from PE %d: tag %d with %d B, expected tag %d with %d", st.Source, st.Tag, st.Len, i, mixed(i%6))
			}
			if err := pe.verify(m.Slice(0, st.Len), uint64(st.Source*1000+i)); err != nil {
				return err
			}
		}
		return nil
	})
}
