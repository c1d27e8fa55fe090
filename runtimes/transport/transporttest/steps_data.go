// Steps about the bytes: sizes, spaces, how many.

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
