// The message-driven body: a chare per block, each iterating on its own as its
// neighbours' faces arrive.

package stencil

import (
	"errors"
	"fmt"
	"time"

	"gpubench/internal/bench"
	"gpubench/internal/result"
	"gpubench/internal/suite/phases"
	"gpubench/kernels"
	"gpubench/runtimes/charm"
)

// chare is a block that drives itself.
type chare struct {
	*block
	self charm.Elem[chare]
	arr  charm.Array[chare]
	ch   [kernels.Faces]*charm.Channel
	ops  []*charm.Op // receives, then sends
	clk  *bench.Clock
}

type steps struct{ N int }

var (
	chareRun  charm.Entry[chare, steps]
	chareDone charm.Entry[chare, struct{}]
)

func init() {
	chareRun = charm.Threaded("stencil.run", (*chare).run)
	chareDone = charm.Method("stencil.done", func(_ *chare, pe *charm.PE, _ struct{}) { pe.Exit() })
}

type chares struct {
	*share
	rt  *charm.Runtime
	arr charm.Array[chare]
}

func (q *Problem) newChares(pe *bench.PE, p result.Params) (bench.Body, error) {
	w, err := q.share(pe, p)
	if err != nil {
		return nil, err
	}
	c := &chares{share: w}
	if c.rt, err = charm.New(pe.Endpoint, charm.Config{Yield: pe.Oversubscribed}); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	place := charm.MapFunc("stencil", func(at charm.Index, _ charm.Shape, _ int) int { return w.Owner(w.Index(at)) })
	next := 0
	c.arr, err = charm.NewArray(c.rt.PE(), "stencil", charm.Grid(w.Along[0], w.Along[1], w.Along[2]), place,
		func(self charm.Elem[chare], at charm.Index) (*chare, error) {
			b := w.blocks[next]
			next++
			if b.at != [3]int(at) {
				return nil, fmt.Errorf("block %v was made where %v was wanted", b.at, at)
			}
			return &chare{block: b, self: self}, nil
		})
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	c.arr.EachLocal(c.rt.PE(), func(_ charm.Elem[chare], b *chare) {
		b.arr = c.arr
		for f := range kernels.Face(kernels.Faces) {
			if b.travel.Has(f) {
				n, _ := w.neighbour(b.at, f)
				// Both ends name the channel by its axis: a block pair shares one face.
				b.ch[f] = charm.Connect(c.rt.PE(), b.self, c.arr.AtIndex(charm.Index(n)), f.Axis())
			}
		}
	})
	if w.part == partComm {
		return guardedChares{c, guard{w}}, nil
	}
	return c, nil
}

func (c *chares) Batch(n int, clk *bench.Clock) error {
	return c.batch(n, clk, func() error {
		return c.rt.Run(func(pe *charm.PE) {
			c.arr.EachLocal(pe, func(self charm.Elem[chare], b *chare) {
				b.clk = clk
				chareRun.Send(pe, self, steps{n})
			})
		})
	})
}

// run iterates; the run ends when all chares have.
func (b *chare) run(t *charm.Thread, s steps) {
	b.clk.Start()
	for range s.N {
		if err := b.iterate(t); err != nil {
			t.Fail(err)
			return
		}
	}
	if err := t.WaitEvent(b.over()); err != nil {
		t.Fail(err)
		return
	}
	if err := b.finish(b.clk); err != nil {
		t.Fail(err)
		return
	}
	b.clk.Stop()
	charm.Contribute(t.PE, b.arr.All(), b.self, struct{}{}, charm.Nothing, chareDone.To(b.arr.At(0, 0, 0)))
}

func (b *chare) iterate(t *charm.Thread) error {
	if err := b.pack(); err != nil {
		return err
	}
	if err := t.WaitEvent(b.ready); err != nil {
		return err
	}
	if err := b.account(b.clk); err != nil {
		return err
	}
	began := bench.Now()
	b.ops = b.ops[:0]
	for f := range kernels.Face(kernels.Faces) {
		if b.travel.Has(f) {
			b.ops = append(b.ops, b.ch[f].Irecv(t.PE, b.in[f]))
		}
	}
	recvs := len(b.ops)
	for f := range kernels.Face(kernels.Faces) {
		if b.travel.Has(f) {
			b.ops = append(b.ops, b.ch[f].Isend(t.PE, b.out[f], nil)) // packed already
		}
	}
	posted := began
	if b.w.phases {
		posted = bench.Now()
	}
	if err := b.interior(); err != nil {
		return err
	}
	if err := b.arrive(t, recvs); err != nil {
		return err
	}
	arrived, blocks := bench.Now(), time.Duration(b.w.PerPE())
	b.clk.Lap(lapComm, time.Duration(arrived-began)/blocks)
	if b.w.phases {
		b.clk.Lap(phases.Post, time.Duration(posted-began))
		b.clk.Lap(phases.Wait, time.Duration(arrived-posted)/blocks)
	}
	return b.shell()
}

// arrive waits for the faces, those that come and those that leave.
func (b *chare) arrive(t *charm.Thread, recvs int) error {
	k := 0
	for f := range kernels.Face(kernels.Faces) {
		if !b.travel.Has(f) {
			continue
		}
		n, err := t.Wait(b.ops[k])
		if err != nil {
			return err
		}
		if n != b.in[f].Len {
			from, _ := b.w.neighbour(b.at, f)
			return short(b.w.Owner(b.w.Index(from)), n, b.in[f].Len)
		}
		k++
	}
	return t.WaitAll(b.ops[recvs:])
}

func short(peer, found, expected int) error {
	return fmt.Errorf("face from PE %d at offset %d: expected %d bytes, found %d", peer, min(found, expected), expected, found)
}

// Close closes the runtime and frees the blocks.
func (c *chares) Close() error { return errors.Join(c.rt.Close(), c.share.Close()) }

func (c *chares) Check() (result.Validation, error) {
	return c.check(func(n int) error { return c.Batch(n, new(bench.Clock)) })
}
