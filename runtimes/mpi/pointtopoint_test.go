// Tests of messages: order, exactly once, wildcards, requests, ProcNull.
package mpi_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gpubench/gpu"
	"gpubench/runtimes/mpi"
	"gpubench/runtimes/transport"
	"gpubench/runtimes/transport/inproc"
)

// TestOrderAndExactlyOnce: every rank sends numbered messages of drawn tags to
// every other, by drawn kinds of calls; each arrives once, and those of a pair
// and tag in order.
func TestOrderAndExactlyOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 4).Draw(t, "ranks")
		count := rapid.IntRange(0, 12).Draw(t, "messages")
		tags := rapid.SliceOfN(rapid.IntRange(0, 2), 12, 12).Draw(t, "tags")
		sizes := rapid.SliceOfN(rapid.SampledFrom([]int{8, 9, 64, 5000, 70000}), 12, 12).Draw(t, "sizes")
		wild := rapid.Bool().Draw(t, "wildcards")
		blocking := rapid.Bool().Draw(t, "blocking receives")
		ranks(t, n, func(c *mpi.Comm) error {
			var sends []mpi.Request
			for to := range n {
				for i := range count {
					b := make([]byte, sizes[i])
					binary.LittleEndian.PutUint64(b, uint64(i))
					b[len(b)-1] ^= byte(c.Rank() + 1)
					r, err := c.Isend(host(b), to, tags[i])
					if err != nil {
						return err
					}
					sends = append(sends, r)
				}
			}
			last := map[[2]int]int{} // by source and tag: the last number
			check := func(st mpi.Status, b []byte) error {
				b[st.Len-1] ^= byte(st.Source + 1)
				i := int(binary.LittleEndian.Uint64(b))
				if i >= count || tags[i] != st.Tag || sizes[i] != st.Len {
					return fmt.Errorf("message %d came with %+v", i, st)
				}
				k := [2]int{st.Source, st.Tag}
				if before, seen := last[k]; seen && before >= i {
					return fmt.Errorf("message %d of %v after %d", i, k, before)
				}
				last[k] = i
				return nil
			}
			for from := range n {
				for i := range count {
					b := make([]byte, 70000)
					src, tag := from, tags[i]
					if wild {
						src, tag = mpi.AnySource, mpi.AnyTag
					}
					var st mpi.Status
					var err error
					if blocking {
						st, err = c.Recv(host(b), src, tag)
					} else {
						var r mpi.Request
						if r, err = c.Irecv(host(b), src, tag); err == nil {
							st, err = c.Wait(r)
						}
					}
					if err == nil {
						err = check(st, b)
					}
					if err != nil {
						return err
					}
				}
			}
			return c.Waitall(sends)
		})
	})
}

func TestSendrecvShiftsARing(t *testing.T) {
	for n := 1; n <= 9; n++ {
		ranks(t, n, func(c *mpi.Comm) error {
			out, in := make([]byte, 1000), make([]byte, 1000)
			for round := range 3 {
				out[999] = byte(10*c.Rank() + round)
				st, err := c.Sendrecv(host(out), (c.Rank()+1)%n, 5, host(in), (c.Rank()+n-1)%n, 5)
				if err != nil {
					return err
				}
				from := (c.Rank() + n - 1) % n
				if st != (mpi.Status{Source: from, Tag: 5, Len: 1000}) || in[999] != byte(10*from+round) {
					return fmt.Errorf("round %d: %+v, %d", round, st, in[999])
				}
			}
			return nil
		})
	}
}

// TestProbeTellsHowMuchToReceive: rank 0 learns from a probe whose message it
// is and how long; nothing of it is taken, and a duplicate sees none of it.
func TestProbeTellsHowMuchToReceive(t *testing.T) {
	const n = 4
	ranks(t, n, func(c *mpi.Comm) error {
		d, err := c.Dup()
		if err != nil {
			return err
		}
		size := func(rank int) int { return 10000*rank + rank }
		if c.Rank() > 0 {
			b := make([]byte, size(c.Rank()))
			b[len(b)-1] = byte(c.Rank())
			if err := c.Send(host(b), 0, 10+c.Rank()); err != nil {
				return err
			}
			return d.Barrier()
		}
		// One after the other, however they came.
		for rank := n - 1; rank > 0; rank-- {
			if st, err := c.Probe(rank, mpi.AnyTag); err != nil || st != (mpi.Status{Source: rank, Tag: 10 + rank, Len: size(rank)}) {
				return fmt.Errorf("rank %d: %+v, %v", rank, st, err)
			}
		}
		if st, ok, err := d.Iprobe(mpi.AnySource, mpi.AnyTag); ok || err != nil {
			return fmt.Errorf("a duplicate sees %+v, %v", st, err)
		}
		for range n - 1 {
			st, ok, err := c.Iprobe(mpi.AnySource, mpi.AnyTag)
			if !ok || err != nil {
				return fmt.Errorf("of those that are there none is seen: %v", err)
			}
			b := make([]byte, st.Len)
			got, err := c.Recv(host(b), st.Source, st.Tag)
			if err != nil || got != st || b[st.Len-1] != byte(st.Source) {
				return fmt.Errorf("probed %+v, received %+v, %v", st, got, err)
			}
		}
		if st, ok, err := c.Iprobe(mpi.AnySource, mpi.AnyTag); ok || err != nil {
			return fmt.Errorf("all are taken, seen: %+v, %v", st, err)
		}
		return d.Barrier()
	})
}

// TestProbeEnds: by the deadline, by the peer's end, by an argument, and at once
// where it is about nobody.
func TestProbeEnds(t *testing.T) {
	ranks(t, 1, func(c *mpi.Comm) error {
		want := mpi.Status{Source: mpi.ProcNull, Tag: mpi.AnyTag}
		if st, ok, err := c.Iprobe(mpi.ProcNull, 1); st != want || !ok || err != nil {
			return fmt.Errorf("nobody: %+v, %v, %v", st, ok, err)
		}
		if st, err := c.Probe(mpi.ProcNull, 1); st != want || err != nil {
			return fmt.Errorf("nobody: %+v, %v", st, err)
		}
		if _, _, err := c.Iprobe(1, 1); !errors.Is(err, transport.ErrArgument) {
			return fmt.Errorf("no such rank: %v", err)
		}
		c.Endpoint().SetDeadline(20 * time.Millisecond)
		defer c.Endpoint().SetDeadline(20 * time.Second)
		if _, err := c.Probe(mpi.AnySource, 1); !errors.Is(err, transport.ErrDeadline) {
			return fmt.Errorf("in vain: %v", err)
		}
		return nil
	})
	w := inproc.NewWorld(2)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	d, err := w.Driver(0, nil)
	if err != nil {
		t.Fatal(err)
	}
	ep, err := transport.New(d, transport.Config{Deadline: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer ep.Close()
	w.Kill(1)
	var te *transport.Error
	if _, err := mpi.World(ep).Probe(mpi.AnySource, 1); !errors.Is(err, transport.ErrPeerDied) || !errors.As(err, &te) || te.Peer != 1 {
		t.Errorf("a killed peer: %v", err)
	}
}

func TestPersistent(t *testing.T) {
	ranks(t, 3, func(c *mpi.Comm) error {
		out, in := make([]byte, 8), make([]byte, 8)
		s := c.SendInit(host(out), (c.Rank()+1)%3, 1)
		r := c.RecvInit(host(in), (c.Rank()+2)%3, 1)
		if _, err := r.Wait(); err != nil {
			return fmt.Errorf("wait before the first start: %w", err)
		}
		for i := range 20 {
			out[0] = byte(i)
			if err := mpi.Startall([]*mpi.Persistent{r, s}); err != nil {
				return err
			}
			if i%2 == 0 {
				if err := mpi.WaitallPersistent([]*mpi.Persistent{s, r}); err != nil {
					return err
				}
			} else {
				for _, p := range []*mpi.Persistent{s, r} {
					for done := false; !done; {
						var err error
						if done, _, err = p.Test(); err != nil {
							return err
						}
						c.Endpoint().Relax()
					}
				}
			}
			if in[0] != byte(i) {
				return fmt.Errorf("start %d brought %d", i, in[0])
			}
		}
		// Cancelled, it ends, and can be started again.
		lone := c.RecvInit(host(in), (c.Rank()+2)%3, 99)
		for range 2 {
			if err := lone.Start(); err != nil {
				return err
			}
			if err := lone.Cancel(); err != nil {
				return err
			}
			if _, err := lone.Wait(); !errors.Is(err, transport.ErrCancelled) {
				return fmt.Errorf("cancelled: %v", err)
			}
		}
		if err := r.Start(); err != nil {
			return err
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Error("a second start did not panic")
				}
			}()
			_ = r.Start()
		}()
		if err := s.Start(); err != nil {
			return err
		}
		return mpi.WaitallPersistent([]*mpi.Persistent{s, r})
	})
}

func TestProcNullAndEmptyRequests(t *testing.T) {
	ranks(t, 1, func(c *mpi.Comm) error {
		if err := c.Send(gpu.Memory{}, mpi.ProcNull, 1); err != nil {
			return err
		}
		want := mpi.Status{Source: mpi.ProcNull, Tag: mpi.AnyTag}
		if st, err := c.Recv(host(make([]byte, 8)), mpi.ProcNull, 1); st != want || err != nil {
			return fmt.Errorf("%+v, %v", st, err)
		}
		s, err := c.Isend(gpu.Memory{}, mpi.ProcNull, 1)
		if err != nil {
			return err
		}
		r, err := c.Irecv(gpu.Memory{}, mpi.ProcNull, 1)
		if err != nil {
			return err
		}
		if st, err := c.Wait(r); st != want || err != nil {
			return fmt.Errorf("%+v, %v", st, err)
		}
		if done, _, err := c.Test(s); !done || err != nil {
			return fmt.Errorf("not done, %v", err)
		}
		if err := c.Cancel(s); err != nil {
			return err
		}
		p := c.RecvInit(gpu.Memory{}, mpi.ProcNull, 0)
		if err := p.Start(); err != nil {
			return err
		}
		if st, err := p.Wait(); st != want || err != nil {
			return fmt.Errorf("%+v, %v", st, err)
		}
		return c.Waitall(make([]mpi.Request, 3))
	})
}

func TestTruncationIsTheReceiversError(t *testing.T) {
	ranks(t, 2, func(c *mpi.Comm) error {
		if c.Rank() == 0 {
			return c.Send(host(make([]byte, 100)), 1, 1)
		}
		_, err := c.Recv(host(make([]byte, 99)), 0, 1)
		if !errors.Is(err, transport.ErrTruncated) {
			return fmt.Errorf("error %v", err)
		}
		return nil
	})
}

// TestDupKeepsMessagesApart, by wildcards that would take anything.
func TestDupKeepsMessagesApart(t *testing.T) {
	ranks(t, 2, func(c *mpi.Comm) error {
		d, err := c.Dup()
		if err != nil {
			return err
		}
		peer := 1 - c.Rank()
		world, dup := []byte{1}, []byte{2}
		sw, err := c.Isend(host(world), peer, 3)
		if err != nil {
			return err
		}
		sd, err := d.Isend(host(dup), peer, 3)
		if err != nil {
			return err
		}
		in := make([]byte, 8)
		for _, x := range []struct {
			c    *mpi.Comm
			want byte
		}{{d, 2}, {c, 1}} {
			if _, err := x.c.Recv(host(in), mpi.AnySource, mpi.AnyTag); err != nil || in[0] != x.want {
				return fmt.Errorf("%d instead of %d: %v", in[0], x.want, err)
			}
		}
		if err := c.Waitall([]mpi.Request{sw, sd}); err != nil {
			return err
		}
		// Contexts are few, are said to be used up, and come back.
		var dups []*mpi.Comm
		for range 300 {
			var e *mpi.Comm
			if e, err = c.Dup(); err != nil {
				break
			}
			dups = append(dups, e)
		}
		if !errors.Is(err, transport.ErrUnsupported) || !errors.Is(err, errors.ErrUnsupported) || len(dups) < 2 {
			return fmt.Errorf("%d duplicates, then %v", len(dups), err)
		}
		for _, e := range append(dups, d) {
			if err := e.Barrier(); err != nil {
				return err
			}
			if err := e.Free(); err != nil {
				return err
			}
		}
		e, err := d.Dup() // of a freed one's ranks
		if err != nil {
			return err
		}
		return e.Free()
	})
}

func TestNoAllocationPerMessage(t *testing.T) {
	ranks(t, 1, func(c *mpi.Comm) error {
		out, in := host(make([]byte, 64)), host(make([]byte, 64))
		s, r := c.SendInit(out, 0, 1), c.RecvInit(in, 0, 1)
		rs := make([]mpi.Request, 2)
		x, m := floats(4)
		x[0] = 1
		var err error
		must := func(e error) {
			if e != nil {
				err = e
			}
		}
		for name, f := range map[string]func(){
			"Isend and Recv": func() {
				q, e := c.Isend(out, 0, 1)
				must(e)
				_, e = c.Recv(in, 0, 1)
				must(e)
				_, e = c.Wait(q)
				must(e)
			},
			"Irecv, Send, Waitall": func() {
				var e error
				rs[0], e = c.Irecv(in, 0, 1)
				must(e)
				rs[1], e = c.Isend(out, 0, 1)
				must(e)
				must(c.Waitall(rs))
			},
			"Isend, Iprobe, Probe, Recv": func() {
				q, e := c.Isend(out, 0, 1)
				must(e)
				_, _, e = c.Iprobe(0, 2)
				must(e)
				_, e = c.Probe(mpi.AnySource, 1)
				must(e)
				_, e = c.Recv(in, 0, 1)
				must(e)
				_, e = c.Wait(q)
				must(e)
			},
			"Sendrecv": func() {
				_, e := c.Sendrecv(out, 0, 1, in, 0, 1)
				must(e)
			},
			"persistent": func() {
				must(r.Start())
				must(s.Start())
				_, e := r.Wait()
				must(e)
				_, e = s.Wait()
				must(e)
			},
			"Barrier":   func() { must(c.Barrier()) },
			"Allreduce": func() { must(c.Allreduce(m, m, mpi.SumFloat64)) },
		} {
			f()
			if n := testing.AllocsPerRun(200, f); n != 0 {
				t.Errorf("%s: %v allocations", name, n)
			}
		}
		return err
	})
}

// TestNoAllocationPerCollective counts what two ranks allocate together.
// testing.AllocsPerRun would leave one P to both of them.
func TestNoAllocationPerCollective(t *testing.T) {
	const runs = 100
	ranks(t, 2, func(c *mpi.Comm) error {
		_, m := floats(1000)
		_, same := floats(1000)
		_, twice := floats(2000)
		var err error
		f := func() {
			for _, e := range []error{
				c.Barrier(), c.Bcast(m, 0), c.Reduce(m, same, mpi.SumFloat64, 1), c.Allreduce(m, m, mpi.MaxFloat64),
				c.Gather(m, twice, 0), c.Allgather(m, twice), c.Alltoall(m, same), c.ReduceScatter(twice, m, mpi.MaxFloat64),
			} {
				if e != nil {
					err = e
				}
			}
		}
		f()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range runs {
			f()
		}
		runtime.ReadMemStats(&after)
		if n := after.Mallocs - before.Mallocs; n >= runs {
			t.Errorf("%d allocations in %d runs of eight collectives on two ranks", n, runs)
		}
		return err
	})
}

// BenchmarkCall: what a call of this package costs over the Endpoint's own, by
// a message from a rank to itself.
func BenchmarkCall(b *testing.B) {
	ranks(b, 1, func(c *mpi.Comm) error {
		ep := c.Endpoint()
		out, in := host(make([]byte, 8)), host(make([]byte, 8))
		b.Run("endpoint", func(b *testing.B) {
			for b.Loop() {
				r, _ := ep.Irecv(transport.CtxModel, in, 0, 1)
				_ = ep.Send(transport.CtxModel, out, 0, 1)
				_, _ = ep.Wait(r)
			}
		})
		b.Run("mpi", func(b *testing.B) {
			for b.Loop() {
				r, _ := c.Irecv(in, 0, 1)
				_ = c.Send(out, 0, 1)
				_, _ = c.Wait(r)
			}
		})
		return nil
	})
}
