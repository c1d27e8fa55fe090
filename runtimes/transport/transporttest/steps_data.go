// Steps about the bytes: sizes, spaces, order, matching.
package transporttest

import (
	"fmt"

	"gpubench/gpu"
	"gpubench/runtimes/transport"
)

const model = transport.CtxModel

// edges are around every threshold of the implementations.
var edges = []int{0, 1, 7, 8, 39, 40, 41, 63, 64, 65, 1000, 2047, 2048, 2049, 4095, 4096, 4097, 8191, 8192, 8193, 65519, 65535, 65536, 65537, 300001}

func sizes(pe *PE) error {
	return pe.each(func(w way) error {
		for _, n := range edges {
			if err := pe.thereAndBack(w, n); err != nil {
				return err
			}
		}
		return nil
	})
}

// large takes big messages, odd ones too, through each kind of path once.
func large(pe *PE) error {
	seen := map[string]bool{}
	return pe.each(func(w way) error {
		kind := fmt.Sprint(w.path.Path, w.path.Staging)
		n := 2<<20 + 3
		if device := w.from == gpu.OnDevice; !seen[kind] && w.from == w.to && device == (w.path.Path != transport.Host) {
			seen[kind] = true
			n = largest
		}
		return pe.thereAndBack(w, n)
	})
}

// thereAndBack sends n bytes from PE 0 to PE 1, which checks them, and other ones back.
func (pe *PE) thereAndBack(w way, n int) error {
	if pe.Rank() > 1 {
		return nil
	}
	m, err := pe.buffer(w, n)
	if err != nil {
		return err
	}
	there, back := uint64(2*n+1), uint64(2*n+2)
	if pe.Rank() == 0 {
		if err := pe.fill(m, there); err != nil {
			return err
		}
		if err := pe.Send(model, m, 1, 5); err != nil {
			return err
		}
		return pe.expect(m, 1, 6, back)
	}
	if err := pe.expect(m, 0, 5, there); err != nil {
		return err
	}
	if err := pe.fill(m, back); err != nil {
		return err
	}
	return pe.Send(model, m, 0, 6)
}

// expect receives a whole buffer and checks its pattern.
func (pe *PE) expect(m gpu.Memory, from, tag int, seed uint64) error {
	st, err := pe.Recv(model, m, from, tag)
	if err != nil {
		return err
	}
	if want := (transport.Status{Source: from, Tag: tag, Len: m.Len}); st != want {
		return fmt.Errorf("status %+v, expected %+v", st, want)
	}
	return pe.verify(m, seed)
}

// mixed is a length for the i-th of many messages: small and large in turn, so that quick ones could overtake.
func mixed(i int) int {
	return []int{8, 70000, 0, 3000, 41, 20000}[i%6] + i
}

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

// many has more operations under way than any queue is long, in both directions.
func many(pe *PE) error {
	const count = 150
	return pe.each(func(w way) error {
		if pe.Rank() > 1 {
			return nil
		}
		long := func(i int) int { return []int{8, 9000, 2000}[i%3] }
		out, err := pe.buffer(w, 9000*count)
		if err != nil {
			return err
		}
		in, err := pe.buffer(w, 9000*count)
		if err != nil {
			return err
		}
		var reqs []transport.Request
		for i := range count {
			r, err := pe.Irecv(model, in.Slice(9000*i, long(i)), pe.other(), i)
			if err != nil {
				return err
			}
			reqs = append(reqs, r)
		}
		if err := pe.fill(out, uint64(pe.Rank())); err != nil {
			return err
		}
		for i := range count {
			r, err := pe.Isend(model, out.Slice(9000*i, long(i)), pe.other(), i)
			if err != nil {
				return err
			}
			reqs = append(reqs, r)
		}
		if err := pe.WaitAll(reqs); err != nil {
			return err
		}
		for _, r := range reqs {
			if !r.IsZero() {
				return fmt.Errorf("WaitAll left a request")
			}
		}
		return pe.verifyParts(in, uint64(pe.other()), count, 9000, long)
	})
}

// verifyParts checks the beginnings of equal pieces against a pattern that filled them all.
func (pe *PE) verifyParts(m gpu.Memory, seed uint64, count, stride int, long func(int) int) error {
	want, err := pe.host(stride * count)
	if err != nil {
		return err
	}
	pattern(want.Bytes(), seed)
	got := m
	if m.Space == gpu.OnDevice {
		if got, err = pe.staged(m.Len); err != nil {
			return err
		}
		if err = pe.copy(got, m); err != nil {
			return err
		}
	}
	for i := range count {
		a, b := got.Slice(stride*i, long(i)).Bytes(), want.Slice(stride*i, long(i)).Bytes()
		if string(a) != string(b) {
			return fmt.Errorf("message %d of %d B came wrong", i, long(i))
		}
	}
	return nil
}

// allToAll has every PE send to every PE at once, itself included.
func allToAll(pe *PE) error {
	n := pe.Size()
	return pe.each(func(w way) error {
		for _, size := range []int{24, 9000} {
			out, err := pe.alloc(w.from, size)
			if err != nil {
				return err
			}
			if err := pe.fill(out, uint64(pe.Rank())); err != nil {
				return err
			}
			var reqs []transport.Request
			var in []gpu.Memory
			for p := range n {
				m, err := pe.alloc(w.to, size)
				if err != nil {
					return err
				}
				in = append(in, m)
				r, err := pe.Irecv(model, m, p, 12)
				if err != nil {
					return err
				}
				s, err := pe.Isend(model, out, p, 12)
				if err != nil {
					return err
				}
				reqs = append(reqs, r, s)
			}
			if err := pe.WaitAll(reqs); err != nil {
				return err
			}
			for p, m := range in {
				if err := pe.verify(m, uint64(p)); err != nil {
					return fmt.Errorf("from PE %d: %w", p, err)
				}
			}
		}
		return nil
	})
}

// toItself sends before and after the receive is posted.
func toItself(pe *PE) error {
	me := pe.Rank()
	return pe.each(func(w way) error {
		for _, n := range []int{0, 8, 1000, 2049, 8193, 70000} {
			from, err := pe.alloc(w.from, n)
			if err != nil {
				return err
			}
			to, err := pe.alloc(w.to, n)
			if err != nil {
				return err
			}
			for round := range 2 {
				if err := pe.fill(from, uint64(n+round)); err != nil {
					return err
				}
				var reqs []transport.Request
				for i := range 2 {
					var r transport.Request
					if i == round {
						r, err = pe.Isend(model, from, me, 2)
					} else {
						r, err = pe.Irecv(model, to, transport.AnySource, 2)
					}
					if err != nil {
						return err
					}
					reqs = append(reqs, r)
				}
				if err := pe.WaitAll(reqs); err != nil {
					return err
				}
				if err := pe.verify(to, uint64(n+round)); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// shorter checks that the length is the message's, and that nothing behind it is written.
func shorter(pe *PE) error {
	return pe.each(func(w way) error {
		for _, n := range []int{0, 5, 3000, 70001} {
			if pe.Rank() > 1 {
				return nil
			}
			m, err := pe.buffer(w, n+100)
			if err != nil {
				return err
			}
			if pe.Rank() == 0 {
				if err := pe.fill(m.Slice(0, n), 1); err != nil {
					return err
				}
				if err := pe.Send(model, m.Slice(0, n), 1, 1); err != nil {
					return err
				}
				continue
			}
			if err := pe.fill(m.Slice(n, 100), 2); err != nil {
				return err
			}
			st, err := pe.Recv(model, m, 0, 1)
			if err != nil {
				return err
			}
			if st.Len != n {
				return fmt.Errorf("%d B came, expected %d", st.Len, n)
			}
			if err := pe.verify(m.Slice(0, n), 1); err != nil {
				return err
			}
			if err := pe.verify(m.Slice(n, 100), 2); err != nil {
				return fmt.Errorf("behind the message: %w", err)
			}
		}
		return nil
	})
}
