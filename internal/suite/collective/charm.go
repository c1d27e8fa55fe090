// The message-driven body: a chare on each PE, with channels between them. The barrier is charm's own: a reduction of
// nothing that ends in a broadcast.

package collective

import (
	"errors"
	"time"

	"gpubench/gpu"
	"gpubench/internal/bench"
	"gpubench/internal/result"
	"gpubench/internal/suite/slots"
	"gpubench/runtimes/charm"
	"gpubench/runtimes/charm/team"
)

// actor is a PE's chare.
type actor struct {
	*buffers
	self  charm.Elem[actor]
	arr   charm.Array[actor]
	team  *team.Team
	op    team.Op
	added *gpu.Event             // behind a kernel that adds
	gate  charm.Future[struct{}] // of the barrier under way
	clk   *bench.Clock
	seen  result.Validation // of the barrier's check
	words []byte            // that its PE takes in the check, one from each
}

// rounds starts N operations, or with Late ≥ 0 the check of a barrier to which that PE comes late.
type rounds struct{ N, Late int }

var (
	actorRun              charm.Entry[actor, rounds]
	actorFree, actorEnded charm.Entry[actor, struct{}]
)

func init() {
	actorRun = charm.Threaded("collective.run", (*actor).run)
	actorFree = charm.Method("collective.free", func(a *actor, pe *charm.PE, _ struct{}) { a.gate.Send(pe, struct{}{}) })
	actorEnded = charm.Method("collective.ended", func(_ *actor, pe *charm.PE, _ struct{}) { pe.Exit() })
}

type chares struct {
	*buffers
	rt   *charm.Runtime
	mine *actor
}

var (
	_ bench.Guard   = (*chares)(nil)
	_ bench.Counted = (*chares)(nil)
)

func newCharm(c *collective, pe *bench.PE, p result.Params) (bench.Body, error) {
	buf, err := newBuffers(c, pe, p)
	if err != nil {
		return nil, err
	}
	b := &chares{buffers: buf}
	if err := b.open(); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

func (b *chares) open() (err error) {
	if b.rt, err = charm.New(b.pe.Endpoint, charm.Config{Yield: b.pe.Oversubscribed}); err != nil {
		return err
	}
	group, err := charm.NewGroup(b.rt.PE(), "collective", func(self charm.Elem[actor], _ int) (*actor, error) {
		b.mine = &actor{buffers: b.buffers, self: self}
		return b.mine, nil
	})
	if err != nil {
		return err
	}
	a := b.mine
	a.arr = group.Array
	a.team = team.New(b.rt.PE(), a.self, group.Array, 0, b.pe.Device)
	a.team.SetAlgorithm(b.algorithm)
	a.op = team.Op{Size: elementBytes, Combine: a.combine}
	a.added, err = b.pe.Device.NewEvent(false)
	return err
}

func (b *chares) Batch(n int, clk *bench.Clock) error {
	b.ran = n
	return b.start(rounds{n, -1}, clk)
}

// Work is the messages of channels and of barriers: each PE but one sends a word up a tree, and gets one down.
func (b *chares) Work(n int) (least int64, of string) { return b.sent(n, 2*(b.pes-1)), "messages" }

// Done is those that this PE has sent, with its part in the reduction that ends a batch.
func (b *chares) Done() int64 { return b.rt.Stats().Messages }

func (b *chares) start(r rounds, clk *bench.Clock) error {
	b.mine.clk = clk
	return b.rt.Run(func(pe *charm.PE) { actorRun.Send(pe, b.mine.self, r) })
}

func (b *chares) Check() (result.Validation, error) {
	if b.hasData() {
		return b.check(func() error { return b.Batch(1, &bench.Clock{}) })
	}
	b.mine.seen = result.Validation{}
	for late := range min(b.pes, checkSteps) {
		if err := b.start(rounds{0, late}, &bench.Clock{}); err != nil {
			return b.mine.seen, err
		}
	}
	return b.mine.seen, nil
}

// Close closes the runtime and frees the buffers.
func (b *chares) Close() error {
	var errs []error
	if b.rt != nil {
		errs = append(errs, b.rt.Close())
	}
	if a := b.mine; a != nil && a.team != nil {
		errs = append(errs, a.team.Close())
		if a.added != nil {
			errs = append(errs, a.added.Close())
		}
	}
	return errors.Join(append(errs, b.close())...)
}

// run carries out operations; the charm.Runtime's run ends when all chares have.
func (a *actor) run(t *charm.Thread, r rounds) {
	err := a.operations(t, r.N)
	if r.Late >= 0 && err == nil {
		err = a.checkBarrier(t, r.Late)
	}
	if err != nil {
		t.Fail(err)
		return
	}
	charm.Contribute(t.PE, a.arr.All(), a.self, struct{}{}, charm.Nothing, actorEnded.To(a.arr.At(0)))
}

func (a *actor) operations(t *charm.Thread, n int) error {
	var took int64
	for i := range n {
		send, recv := a.operands(i)
		if a.hasData() {
			a.barrier(t)
		}
		began := bench.Now()
		if a.hasData() {
			if err := a.collective.team(a.team, t, send, recv, a.op, a.root); err != nil {
				return err
			}
		} else {
			a.barrier(t)
		}
		took += bench.Now() - began
	}
	a.clk.SetElapsed(time.Duration(took))
	a.clk.Lap(lapOperation, time.Duration(took))
	return nil
}

// barrier waits until all chares have called it.
func (a *actor) barrier(t *charm.Thread) {
	a.gate = charm.NewFuture[struct{}](t.PE)
	charm.Contribute(t.PE, a.arr.All(), a.self, struct{}{}, charm.Nothing, actorFree.ToAll(a.arr.All()))
	a.gate.Wait(t)
}

// combine adds in to acc.
func (a *actor) combine(t *charm.Thread, acc, in gpu.Memory) error {
	queued, err := a.add(acc, in)
	if !queued || err != nil {
		return err
	}
	if err := a.pen.Stream.Record(a.added); err != nil {
		return err
	}
	return t.WaitEvent(a.added)
}

// checkPort is the port of the channels on which the barrier's check talks.
const checkPort = 1

// checkBarrier has one chare come late: see the rank model's.
func (a *actor) checkBarrier(t *charm.Thread, late int) error {
	word := []byte{0}
	a.words = make([]byte, a.pes) // here, for a receive alone does not keep memory alive
	if a.rank != late {
		ch := charm.Connect(t.PE, a.self, a.arr.At(late), checkPort)
		ch.SendBytes(t.PE, word) // enters
		a.barrier(t)
		ch.SendBytes(t.PE, word) // has left
		return nil
	}
	var left []*charm.Op
	var from []int
	for peer := range a.pes {
		if peer == late {
			continue
		}
		ch := charm.Connect(t.PE, a.self, a.arr.At(peer), checkPort)
		if _, err := ch.RecvBytes(t, word); err != nil {
			return err
		}
		left, from = append(left, ch.Irecv(t.PE, gpu.HostMemory(a.words[peer:peer+1]))), append(from, peer)
	}
	for began := time.Now(); time.Since(began) < lateBy; {
		t.Yield()
	}
	for i, op := range left {
		if op.Done() {
			slots.Wrong(&a.seen, "PE %d: PE %d has left a barrier that PE %d has not entered", a.rank, from[i], a.rank)
		}
	}
	a.seen.Checked += int64(len(left))
	a.seen.Sent += int64(len(left))
	a.barrier(t)
	return t.WaitAll(left)
}
