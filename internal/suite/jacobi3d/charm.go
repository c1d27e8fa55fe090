// The message-driven body: a chare per block, each iterating on its own as its
// neighbours' faces arrive.

package jacobi3d

import (
	"errors"
	"fmt"
	"time"

	"gpubench/internal/bench"
	"gpubench/internal/result"
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
	chareRun = charm.Threaded("jacobi3d.run", (*chare).run)
	chareDone = charm.Method("jacobi3d.done", func(_ *chare, pe *charm.PE, _ struct{}) { pe.Exit() })
}

type chares struct {
	*part3D
	rt  *charm.Runtime
	arr charm.Array[chare]
}

func newCharm(pe *bench.PE, p result.Params) (bench.Body, error) {
	q, err := newProblem(p)
	if err != nil {
		return nil, err
	}
	w, err := q.mine(pe, p)
	if err != nil {
		return nil, err
	}
	c := &chares{part3D: w}
	if c.rt, err = charm.New(pe.Endpoint, charm.Config{Yield: pe.Oversubscribed}); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	place := charm.MapFunc("jacobi3d", func(at charm.Index, _ charm.Shape, _ int) int { return q.owner(q.index(at)) })
	next := 0
	c.arr, err = charm.NewArray(c.rt.PE(), "jacobi3d", charm.Grid(q.blocks[0], q.blocks[1], q.blocks[2]), place,
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
			if n, ok := q.neighbour(b.at, f); ok {
				// Both ends name the channel by its axis: a block pair shares one face.
				b.ch[f] = charm.Connect(c.rt.PE(), b.self, c.arr.AtIndex(charm.Index(n)), f.Axis())
			}
		}
	})
	return c, nil
}

func (c *chares) Batch(n int, clk *bench.Clock) error {
	err := c.rt.Run(func(pe *charm.PE) {
		c.arr.EachLocal(pe, func(self charm.Elem[chare], b *chare) {
			b.clk = clk
			chareRun.Send(pe, self, steps{n})
		})
	})
	c.applied += n
	return err
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
	if err := t.WaitEvent(b.ended[1]); err != nil {
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
		if b.faces.Has(f) {
			b.ops = append(b.ops, b.ch[f].Irecv(t.PE, b.in[f]))
		}
	}
	recvs := len(b.ops)
	for f := range kernels.Face(kernels.Faces) {
		if b.faces.Has(f) {
			b.ops = append(b.ops, b.ch[f].Isend(t.PE, b.out[f], nil)) // packed already
		}
	}
	if err := b.interior(); err != nil {
		return err
	}
	k := 0
	for f := range kernels.Face(kernels.Faces) {
		if !b.faces.Has(f) {
			continue
		}
		n, err := t.Wait(b.ops[k])
		if err != nil {
			return err
		}
		if n != b.in[f].Len {
			from, _ := b.w.neighbour(b.at, f)
			return short(b.w.owner(b.w.index(from)), n, b.in[f].Len)
		}
		k++
	}
	if err := t.WaitAll(b.ops[recvs:]); err != nil {
		return err
	}
	b.clk.Lap(lapComm, time.Duration(bench.Now()-began)/time.Duration(b.w.perPE()))
	return b.shell()
}

func short(peer, found, expected int) error {
	return fmt.Errorf("face from PE %d at offset %d: expected %d bytes, found %d", peer, min(found, expected), expected, found)
}

// Close closes the runtime and frees the blocks.
func (c *chares) Close() error { return errors.Join(c.rt.Close(), c.part3D.Close()) }
