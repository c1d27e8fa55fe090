// The message-driven body: a chare per block, each stepping on its own as its neighbours' particles arrive, and moving
// to another PE at sync points where there is a balancer.

package pic

import (
	"errors"
	"time"

	"gpubench/gpu"
	"gpubench/internal/bench"
	"gpubench/internal/result"
	"gpubench/internal/suite/phases"
	"gpubench/runtimes/charm"
)

// chare is a block that drives itself.
type chare struct {
	*block
	home  *chares // of the PE that it lives on
	self  charm.Elem[chare]
	ch    []*charm.Channel // as near
	ops   []*charm.Op      // receives, then sends
	steps int64            // since the start
	left  int              // of the batch
}

type steps struct{ N int }

var (
	chareRun    charm.Entry[chare, steps]
	chareResume charm.Entry[chare, charm.Balanced]
	chareDone   charm.Entry[chare, struct{}]
)

func init() {
	chareRun = charm.Threaded("pic.run", (*chare).run)
	chareResume = charm.Threaded("pic.resume", (*chare).resume)
	chareDone = charm.Method("pic.done", func(_ *chare, pe *charm.PE, _ struct{}) { pe.Exit() })
}

// chares is a PE's.
type chares struct {
	*part
	rt    *charm.Runtime
	arr   charm.Array[chare]
	every int64 // steps from sync point to sync point; 0: none
	clk   *bench.Clock
	comm  time.Duration // of all blocks of a batch
	wait  time.Duration // the part of it that is phases.Wait, where phases are timed
	waits int64         // how many steps of blocks that was
	cost  time.Duration // of sync points until the batch before

	balanced charm.BalanceStats // when Balancing was asked last
}

func newCharm(pe *bench.PE, p result.Params) (bench.Body, error) {
	q, err := newProblem(p)
	if err != nil {
		return nil, err
	}
	w, err := q.newPart(pe, p)
	if err != nil {
		return nil, err
	}
	c := &chares{part: w}
	if c.rt, err = charm.New(pe.Endpoint, charm.Config{Yield: pe.Oversubscribed}); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	if err = c.populate(p); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// populate makes the chares, mobile ones where there is a balancer.
func (c *chares) populate(p result.Params) (err error) {
	place := charm.MapFunc("pic", func(at charm.Index, _ charm.Shape, _ int) int { return c.Owner(c.Index(at)) })
	shape := charm.Grid(c.Along[0], c.Along[1])
	construct := func(self charm.Elem[chare], at charm.Index) (*chare, error) {
		b, err := c.newBlock(c.Index(at))
		c.blocks = append(c.blocks, b)
		return &chare{block: b, self: self, home: c}, err
	}
	if !balances(p) {
		c.arr, err = charm.NewArray(c.rt.PE(), "pic", shape, place, construct)
	} else {
		c.every = p.Int("balance_every")
		var how charm.Balancer
		if how, err = charm.BalancerOf(p.String("balance"), charm.BalanceConfig{}); err != nil {
			return err
		}
		c.arr, err = charm.NewMobile(c.rt.PE(), "pic", shape, place, how, construct, c.arrive)
	}
	if err != nil {
		return err
	}
	c.arr.EachLocal(c.rt.PE(), func(_ charm.Elem[chare], b *chare) { b.connect() })
	return nil
}

func (b *chare) connect() {
	for _, n := range b.near {
		b.ch = append(b.ch, charm.Connect(b.home.rt.PE(), b.self, b.home.arr.AtIndex(b.w.At(n.block)), 0))
	}
}

func (c *chares) Batch(n int, clk *bench.Clock) error {
	before := c.pe.Endpoint.CopySeconds()
	c.clk, c.comm, c.wait, c.waits = clk, 0, 0, 0
	err := c.rt.Run(func(pe *charm.PE) {
		c.arr.EachLocal(pe, func(self charm.Elem[chare], _ *chare) { chareRun.Send(pe, self, steps{n}) })
	})
	c.applied += int64(n)
	if c.waits > 0 {
		clk.Lap(lapComm, c.perBlock(c.comm, n))
		if c.phases {
			clk.Lap(phases.Wait, c.perBlock(c.wait, n))
		}
	}
	c.lapCopies(clk, before)
	if c.every > 0 {
		s := c.rt.Balancing(c.arr)
		clk.Lap(lapBalance, s.Waited+s.Moving-c.cost)
		c.cost = s.Waited + s.Moving
	}
	return err
}

// perBlock is the mean over the blocks, in n steps, of what all of a batch took together.
func (c *chares) perBlock(d time.Duration, n int) time.Duration {
	return d * time.Duration(n) / time.Duration(c.waits)
}

func (b *chare) run(t *charm.Thread, s steps) {
	b.left = s.N
	b.goOn(t)
}

// resume goes on after a sync point, perhaps on another PE.
func (b *chare) resume(t *charm.Thread, _ charm.Balanced) { b.goOn(t) }

// goOn steps until the batch's end or the next sync point. The run ends when all chares have.
func (b *chare) goOn(t *charm.Thread) {
	c := b.home
	c.clk.Start()
	for b.left > 0 {
		if err := b.step(t); err != nil {
			t.Fail(err)
			return
		}
		b.left--
		b.steps++
		if c.every == 0 || b.steps%c.every != 0 {
			continue
		}
		if err := b.finish(t); err != nil {
			t.Fail(err)
			return
		}
		charm.AtSync(t.PE, b.self, chareResume)
		return
	}
	if err := b.finish(t); err != nil {
		t.Fail(err)
		return
	}
	c.clk.Stop()
	charm.Contribute(t.PE, c.arr.All(), b.self, struct{}{}, charm.Nothing, chareDone.To(c.arr.At(0, 0)))
}

// finish waits for what the stream has to do.
func (b *chare) finish(t *charm.Thread) error {
	if err := b.stream.Record(b.packed); err != nil {
		return err
	}
	if err := t.WaitEvent(b.packed); err != nil {
		return err
	}
	return b.previous(b.home.clk)
}

func (b *chare) step(t *charm.Thread) error {
	if err := b.move(); err != nil {
		return err
	}
	for again := true; again; {
		err := t.WaitEvent(b.packed)
		if err != nil {
			return err
		}
		if again, err = b.leave(); err != nil {
			return err
		}
	}
	took, err := b.account(b.home.clk)
	if err != nil {
		return err
	}
	if b.home.every > 0 && b.w.pe.Device.Driver() != gpu.CPU {
		charm.AddLoad(t.PE, b.self, took) // on cpu the kernels run on the PE's own thread
	}
	began := bench.Now()
	if err := b.exchange(t, b.coming, b.count); err != nil {
		return err
	}
	if err := b.expect(); err != nil {
		return err
	}
	if err := b.exchange(t, b.ahead, b.outgoing); err != nil {
		return err
	}
	b.home.comm += time.Duration(bench.Now() - began)
	b.home.waits++
	return b.attach()
}

// exchange sends to and receives from every neighbour; what is empty is not sent.
func (b *chare) exchange(t *charm.Thread, in, out func(i int) gpu.Memory) error {
	b.ops = b.ops[:0]
	began := b.w.now()
	for i, ch := range b.ch {
		var op *charm.Op
		if m := in(i); m.Len > 0 {
			op = ch.Irecv(t.PE, m)
		}
		b.ops = append(b.ops, op)
	}
	for i, ch := range b.ch {
		if m := out(i); m.Len > 0 {
			b.ops = append(b.ops, ch.Isend(t.PE, m, nil)) // packed already
		}
	}
	posted := b.w.now()
	for i := range b.ch {
		if b.ops[i] == nil {
			continue
		}
		n, err := t.Wait(b.ops[i])
		if err != nil {
			return err
		}
		if n != in(i).Len {
			return b.short(i, n, in(i).Len)
		}
	}
	if err := t.WaitAll(b.ops[len(b.ch):]); err != nil || !b.w.phases {
		return err
	}
	b.home.clk.Lap(phases.Post, time.Duration(posted-began))
	b.home.wait += time.Duration(b.w.now() - posted)
	return nil
}

// Probe names a message that carries data, and the PE it goes to: another one if there is one.
func (c *chares) Probe() (gpu.Memory, int) {
	if c.left == 0 {
		return gpu.Memory{}, -1
	}
	for _, b := range c.blocks {
		for _, n := range b.near {
			if pe := c.arr.AtIndex(b.w.At(n.block)).PE(c.rt.PE()); pe != c.pe.Rank {
				return b.out.Memory(), pe
			}
		}
	}
	return gpu.Memory{}, -1
}

// Close closes the runtime and frees the blocks.
func (c *chares) Close() error { return errors.Join(c.rt.Close(), c.part.Close()) }
