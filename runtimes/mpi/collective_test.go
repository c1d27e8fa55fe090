// Tests of collectives against serial references: any number of ranks, roots,
// counts, both sides of every switch of algorithm; host and device memory.
package mpi_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gpubench/gpu"
	"gpubench/runtimes/mpi"
	"gpubench/runtimes/schedule"
	"gpubench/runtimes/transport"
)

// counts of float64: none, fewer than ranks, uneven, beyond the ring's 64 KiB.
var counts = []int{0, 1, 2, 7, 8, 100, 1023, 8191, 8192, 8193, 20011}

// data is rank's i-th number: whole, so that sums are exact in any order.
func data(rank, i int) float64 { return float64((rank*7919+i*104729)%1009 - 500) }

func fill(x []float64, rank int) {
	for i := range x {
		x[i] = data(rank, i)
	}
}

// serial combines all ranks' numbers one after the other.
func serial(n, i int, f func(a, b float64) float64) float64 {
	s := data(0, i)
	for r := 1; r < n; r++ {
		s = f(s, data(r, i))
	}
	return s
}

func add(a, b float64) float64 { return a + b }

func expect(what string, got []float64, want func(i int) float64) error {
	for i := range got {
		if w := want(i); got[i] != w {
			return fmt.Errorf("%s of %d: element %d is %v, wanted %v", what, len(got), i, got[i], w)
		}
	}
	return nil
}

func TestCollectives(t *testing.T) {
	for n := 1; n <= 9; n++ {
		t.Run(fmt.Sprintf("%d ranks", n), func(t *testing.T) {
			ranks(t, n, func(c *mpi.Comm) error {
				for _, count := range counts {
					if err := everyCollective(c, count, (count+1)%n); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
}

// TestAlgorithms: each is right at any length, where fewer elements than ranks leave pieces of a ring empty too.
func TestAlgorithms(t *testing.T) {
	for _, a := range []schedule.Algorithm{schedule.Tree, schedule.Ring} {
		for _, n := range []int{1, 2, 3, 4, 7} {
			ranks(t, n, func(c *mpi.Comm) error {
				c.SetAlgorithm(a)
				for _, count := range []int{0, 1, 2, 3, 100, 8200} {
					if err := everyCollective(c, count, count%n); err != nil {
						return fmt.Errorf("algorithm %d, %d ranks, %d float64s: %w", a, n, count, err)
					}
				}
				return nil
			})
		}
	}
}

// everyCollective runs each once and holds it against the reference.
func everyCollective(c *mpi.Comm, count, root int) error {
	n, me := c.Size(), c.Rank()
	nan := func(x []float64) []float64 {
		for i := range x {
			x[i] = math.NaN()
		}
		return x
	}
	in, send := floats(count)
	out, recv := floats(count)
	all, wide := floats(count * n)
	back, wide2 := floats(count * n)

	if fill(in, me); me != root {
		nan(in)
	}
	if err := c.Bcast(send, root); err != nil {
		return err
	}
	if err := expect("bcast", in, func(i int) float64 { return data(root, i) }); err != nil {
		return err
	}

	fill(in, me)
	nan(out)
	target := recv
	if me != root {
		target = gpu.Memory{}
	}
	if err := c.Reduce(send, target, mpi.SumFloat64, root); err != nil {
		return err
	}
	if me == root {
		if err := expect("reduce", out, func(i int) float64 { return serial(n, i, add) }); err != nil {
			return err
		}
	}
	for _, op := range []struct {
		name string
		op   mpi.Op
		f    func(a, b float64) float64
	}{{"sum", mpi.SumFloat64, add}, {"max", mpi.MaxFloat64, math.Max}, {"min", mpi.MinFloat64, math.Min}} {
		nan(out)
		if err := c.Allreduce(send, recv, op.op); err != nil {
			return err
		}
		if err := expect("allreduce "+op.name, out, func(i int) float64 { return serial(n, i, op.f) }); err != nil {
			return err
		}
	}
	copy(out, in)
	if err := c.Allreduce(recv, recv, mpi.SumFloat64); err != nil { // in place
		return err
	}
	if err := expect("allreduce in place", out, func(i int) float64 { return serial(n, i, add) }); err != nil {
		return err
	}
	if err := expect("allreduce's input", in, func(i int) float64 { return data(me, i) }); err != nil {
		return err
	}

	target = wide
	if nan(all); me != root {
		target = gpu.Memory{}
	}
	if err := c.Gather(send, target, root); err != nil {
		return err
	}
	gathered := func(i int) float64 { return data(i/count, i%count) }
	if me == root {
		if err := expect("gather", all, gathered); err != nil {
			return err
		}
	}
	nan(all)
	if err := c.Allgather(send, wide); err != nil {
		return err
	}
	if err := expect("allgather", all, gathered); err != nil {
		return err
	}
	for i := range all { // block r of rank me
		all[i] = data(me*n+i/max(count, 1), i%max(count, 1))
	}
	nan(back)
	if err := c.Alltoall(wide, wide2); err != nil {
		return err
	}
	if err := expect("alltoall", back, func(i int) float64 { return data(i/count*n+me, i%count) }); err != nil {
		return err
	}
	fill(all, me)
	nan(out)
	if err := c.ReduceScatter(wide, recv, mpi.SumFloat64); err != nil {
		return err
	}
	if err := expect("reduce-scatter", out, func(i int) float64 { return serial(n, me*count+i, add) }); err != nil {
		return err
	}
	nan(out)
	uneven := wide.Slice(0, wide.Len-wide.Len/8%3*8) // up to two elements less: the last ranks' shares are shorter
	share := mpi.Share(uneven, 8, n, me)
	got := out[:share.Len/8]
	if err := c.ReduceScatter(uneven, recv.Slice(0, share.Len), mpi.SumFloat64); err != nil {
		return err
	}
	first := int(share.Addr-uneven.Addr) / 8
	if err := expect("uneven reduce-scatter", got, func(i int) float64 { return serial(n, first+i, add) }); err != nil {
		return err
	}
	return c.Barrier()
}

// TestReductionsAreTheSameEverywhere: sums of floating-point numbers may
// differ from the serial one, but not from rank to rank.
func TestReductionsAreTheSameEverywhere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 7).Draw(t, "ranks")
		count := rapid.SampledFrom([]int{1, 3, 8192, 8200}).Draw(t, "count")
		seed := rapid.Uint64().Draw(t, "seed")
		results := make([][]float64, n)
		var want []float64
		for r := range n {
			rng := rand.New(rand.NewPCG(seed, uint64(r)))
			for i := range count {
				x := rng.NormFloat64()
				if r == 0 {
					want = append(want, 0)
				}
				want[i] += x
			}
		}
		ranks(t, n, func(c *mpi.Comm) error {
			x, m := floats(count)
			rng := rand.New(rand.NewPCG(seed, uint64(c.Rank())))
			for i := range x {
				x[i] = rng.NormFloat64()
			}
			if err := c.Allreduce(m, m, mpi.SumFloat64); err != nil {
				return err
			}
			results[c.Rank()] = x
			return nil
		})
		for r := range results {
			if !slices.Equal(results[r], results[0]) {
				t.Fatalf("ranks 0 and %d differ", r)
			}
		}
		for i, w := range want {
			if math.Abs(results[0][i]-w) > 1e-12 {
				t.Fatalf("element %d is %v, the serial sum %v", i, results[0][i], w)
			}
		}
	})
}

// TestIntegerOps, and one of the caller's on elements of 24 bytes, which a
// ring must not cut.
func TestIntegerOpsAndOwnElements(t *testing.T) {
	type triple struct{ sum, least, most int64 }
	own := mpi.HostOp(func(a, b triple) triple {
		return triple{a.sum + b.sum, min(a.least, b.least), max(a.most, b.most)}
	})
	ranks(t, 5, func(c *mpi.Comm) error {
		r := int64(c.Rank())
		for _, o := range []struct {
			op   mpi.Op
			want int64
		}{{mpi.SumInt64, 10}, {mpi.MaxInt64, 4}, {mpi.MinInt64, 0}, {mpi.OrUint64, 7}, {mpi.XorUint64, 4}} {
			m := host(make([]byte, 8))
			gpu.Of[int64](m)[0] = r
			if err := c.Allreduce(m, m, o.op); err != nil {
				return err
			}
			if got := gpu.Of[int64](m)[0]; got != o.want {
				return fmt.Errorf("%d, wanted %d", got, o.want)
			}
		}
		for _, n := range []int{1, 3000} {
			m := host(make([]byte, 24*n))
			x := gpu.Of[triple](m)
			for i := range x {
				v := r*10 + int64(i)
				x[i] = triple{v, v, v}
			}
			if err := c.Allreduce(m, m, own); err != nil {
				return err
			}
			for i := range x {
				if want := (triple{100 + 5*int64(i), int64(i), 40 + int64(i)}); x[i] != want {
					return fmt.Errorf("element %d of %d is %+v, wanted %+v", i, n, x[i], want)
				}
			}
		}
		return nil
	})
}

// TestBarrierWaits for the last one.
func TestBarrierWaits(t *testing.T) {
	for _, n := range []int{2, 3, 5} {
		var last time.Time
		ranks(t, n, func(c *mpi.Comm) error {
			if c.Rank() == n-1 {
				time.Sleep(5 * time.Millisecond)
				last = time.Now()
			}
			if err := c.Barrier(); err != nil {
				return err
			}
			if last.IsZero() {
				return fmt.Errorf("left before the last one came")
			}
			return nil
		})
	}
}

// TestCollectivesAndMessagesDoNotMix: a wildcard receive under way takes
// nothing of a collective's.
func TestCollectivesAndMessagesDoNotMix(t *testing.T) {
	ranks(t, 4, func(c *mpi.Comm) error {
		in := make([]byte, 8)
		r, err := c.Irecv(host(in), mpi.AnySource, mpi.AnyTag)
		if err != nil {
			return err
		}
		d, err := c.Dup()
		if err != nil {
			return err
		}
		for _, x := range []*mpi.Comm{c, d} {
			if err := everyCollective(x, 9, 2); err != nil {
				return err
			}
		}
		if err := d.Free(); err != nil {
			return err
		}
		out := []byte{42}
		if err := c.Send(host(out), (c.Rank()+1)%4, 8); err != nil {
			return err
		}
		if st, err := c.Wait(r); err != nil || in[0] != 42 || st.Tag != 8 {
			return fmt.Errorf("%+v, %d, %v", st, in[0], err)
		}
		return nil
	})
}

func TestUnequalLengthsAreAnError(t *testing.T) {
	errs := make([]error, 2)
	ranks(t, 2, func(c *mpi.Comm) error {
		_, m := floats(2 - c.Rank()) // rank 1 gives less than rank 0 expects
		errs[c.Rank()] = c.Allgather(m, host(make([]byte, 2*m.Len)))
		return nil
	})
	if errs[0] == nil && errs[1] == nil {
		t.Error("nobody noticed")
	}
}

// TestDeviceMemory: collectives on device memory, with the operation of the
// caller, on every path and staging.
func TestDeviceMemory(t *testing.T) {
	for name, path := range map[string]transport.PathConfig{
		"direct":    {Path: transport.Direct},
		"simple":    {Path: transport.Staged, Staging: transport.Simple, StagingSpace: gpu.Pinned},
		"pipelined": {Path: transport.Staged, StagingSpace: gpu.Pinned, Chunk: 64 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			launch(t, 3, gpu.Emulated, path, func(c *mpi.Comm) error { return onDevice(c) })
		})
	}
}

func onDevice(c *mpi.Comm) (err error) {
	dev := c.Endpoint().Device()
	stream, err := dev.NewStream()
	if err != nil {
		return err
	}
	defer func() { err = first(err, stream.Close()) }()
	const most = 20011 * 8
	a, err := dev.Alloc(gpu.Pinned, 2*most, gpu.DefaultPages)
	if err != nil {
		return err
	}
	defer func() { err = first(err, a.Free()) }()
	x, err := dev.Alloc(gpu.OnDevice, most, gpu.DefaultPages)
	if err != nil {
		return err
	}
	defer func() { err = first(err, x.Free()) }()
	// Without a kernel: through the host, as a caller might.
	sum := mpi.Op{Size: 8, Combine: func(acc, in gpu.Memory) error {
		h, g := a.Slice(0, acc.Len), a.Slice(most, in.Len)
		if err := first(stream.Copy(h, acc), stream.Copy(g, in), stream.Sync(), mpi.SumFloat64.Combine(h, g)); err != nil {
			return err
		}
		return first(stream.Copy(acc, h), stream.Sync())
	}}
	for _, count := range []int{1, 100, 20011} {
		h, m := a.Slice(0, 8*count), x.Slice(0, 8*count)
		fill(gpu.Of[float64](h), c.Rank())
		if err := first(stream.Copy(m, h), stream.Sync(), c.Allreduce(m, m, sum), stream.Copy(h, m), stream.Sync()); err != nil {
			return err
		}
		if err := expect("allreduce on the device", gpu.Of[float64](h), func(i int) float64 { return serial(c.Size(), i, add) }); err != nil {
			return err
		}
		fill(gpu.Of[float64](h), c.Rank())
		if err := first(stream.Copy(m, h), stream.Sync(), c.Bcast(m, 1), stream.Copy(h, m), stream.Sync()); err != nil {
			return err
		}
		if err := expect("bcast on the device", gpu.Of[float64](h), func(i int) float64 { return data(1, i) }); err != nil {
			return err
		}
		if err := mpi.SumFloat64.Combine(m, m); err == nil {
			return fmt.Errorf("a host operation took device memory")
		}
	}
	return nil
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Where no library with collectives stands under the transport, each of them says so; and an operation that no library
// knows is refused before it is asked for.
func TestNoLibrary(t *testing.T) {
	ranks(t, 2, func(c *mpi.Comm) error {
		l := mpi.NewLibrary(c.Endpoint())
		_, one := floats(2)
		_, two := floats(4)
		for i, err := range []error{
			l.Barrier(), l.Bcast(one, 0), l.Reduce(one, two.Slice(0, 16), mpi.SumFloat64, 1), l.Allreduce(one, two.Slice(0, 16), mpi.SumFloat64),
			l.Allgather(one, two), l.Alltoall(two, two), l.ReduceScatter(two, one, mpi.SumFloat64), l.Allreduce(one, one, mpi.MaxInt64),
		} {
			if !errors.Is(err, transport.ErrUnsupported) {
				return fmt.Errorf("call %d: %v", i, err)
			}
		}
		return nil
	})
}
