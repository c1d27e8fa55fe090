// Messages that go together.

package transport

import (
	"errors"

	"gpubench/gpu"
)

// Message is one of those that go together. Of a receive, Peer may be AnySource and Tag AnyTag, and Status says what came.
type Message struct {
	Kind   OpKind
	Buf    gpu.Memory
	Peer   int
	Tag    int
	Status Status
}

// Batch is messages that go together again and again, as MPI's persistent requests that are started and waited for together.
// They are checked and put into the driver's form once: what is then left of Go between the arrival of one message and the
// next one's departure is little. (Of a step of stencil_1d over Open MPI, 190 ns, that was 20 ns less than with each operation
// checked by itself.)
type Batch struct {
	e     *Endpoint
	ctx   uint8
	ms    []Message
	ops   []Op
	slots []*slot // of ops; none: not in the driver's form
	begun []*slot // by Start
	paths int     // Endpoint.paths when they were put into the driver's form
	polls int     // passes of one crossing: fewer where each looks at many
}

// few messages take no longer in a pass than one.
const few = 4

// Prepare makes a Batch of ms, which it keeps. What is wrong with a message is told here or, where the path decides, when it is
// begun.
func (e *Endpoint) Prepare(ctx uint8, ms []Message) (*Batch, error) {
	b := &Batch{e: e, ctx: ctx, ms: ms}
	return b, b.prepare()
}

// Set gives the batch other messages.
func (b *Batch) Set(ms []Message) {
	b.Free()
	b.ms = ms
}

// Free gives back what the endpoint holds for the batch, which may still be run: that prepares it again.
func (b *Batch) Free() {
	if b == nil {
		return
	}
	for _, s := range b.slots {
		s.batch = nil
		b.e.put(s)
	}
	b.slots = b.slots[:0]
}

// prepare puts the messages into the driver's form, unless one of them is staged, or waits for one that is.
func (b *Batch) prepare() error {
	b.Free()
	e := b.e
	if cap(b.ops) < len(b.ms) {
		b.ops, b.slots, b.begun = make([]Op, len(b.ms)), make([]*slot, 0, len(b.ms)), make([]*slot, 0, len(b.ms))
	}
	b.ops, b.paths = b.ops[:len(b.ms)], e.paths
	b.polls = max(1, e.polls*few/max(few, len(b.ms)))
	for i := range b.ms {
		m := &b.ms[i]
		how, err := e.check(m.Kind, b.ctx, m.Buf, m.Peer, m.Tag)
		if err != nil || how == modeStaged || e.stage.active > 0 {
			b.Free()
			return err
		}
		s := e.get(m.Kind, b.ctx, m.Peer, m.Tag)
		s.way, s.batch, s.at = e.wayOf(how, m.Buf), b, i
		b.slots = append(b.slots, s)
		o := &b.ops[i] // field by field, as in run
		o.Kind, o.Ctx, o.Peer, o.Tag, o.ID, o.Buf = m.Kind, b.ctx, s.peer, s.tag, s.id, m.Buf
	}
	return nil
}

// ready reports whether the driver's form is there and fits.
func (b *Batch) ready() bool {
	e := b.e
	return len(b.slots) > 0 && b.paths == e.paths && e.stage.active == 0 && !e.closed && e.fatal == nil
}

// Run begins all messages, in their order, and returns when all have ended: in the common case one crossing into the driver.
// The first error is returned, after all have ended; where a PE has died, or a message could not be begun, receives that would
// have to wait are withdrawn.
func (b *Batch) Run() error {
	if !b.ready() {
		if err := b.prepare(); err != nil {
			return err
		}
		if len(b.slots) == 0 {
			if err := b.single(); err != nil {
				return err
			}
			return b.Wait()
		}
	}
	n, err := b.e.d.Do(b.ops, b.e.done[:], b.polls)
	if n == len(b.ops) && err == nil && b.took(n) {
		return nil
	}
	b.detach()
	if err == nil {
		b.e.reap(n)
	}
	return b.finish(err)
}

// Start begins all messages, in their order. After an error none is under way.
func (b *Batch) Start() error {
	if !b.ready() {
		if err := b.prepare(); err != nil {
			return err
		}
	}
	if len(b.slots) == 0 {
		return b.single()
	}
	b.detach()
	if _, err := b.e.d.Do(b.ops, nil, 0); err != nil {
		return b.finish(err)
	}
	return nil
}

// single begins messages that are not in the driver's form one by one.
func (b *Batch) single() error {
	b.begun = b.begun[:0]
	for i := range b.ms {
		m := &b.ms[i]
		s, err := b.e.begin(m.Kind, b.ctx, m.Buf, m.Peer, m.Tag)
		if err != nil {
			return b.end(err)
		}
		b.begun = append(b.begun, s)
	}
	return nil
}

// Wait ends what Start has begun; its errors are Run's.
func (b *Batch) Wait() error { return b.end(nil) }

// end ends what has begun, all of the messages unless there was an error: first. Then nothing is left for another Wait.
func (b *Batch) end(first error) error {
	begun := b.begun
	b.begun = b.begun[:0]
	return b.e.endAll(b.ms, begun, first)
}

// detach makes the batch's slots those of single operations: the next run prepares it again.
func (b *Batch) detach() {
	b.begun = append(b.begun[:0], b.slots...)
	for _, s := range b.slots {
		s.batch = nil
	}
	b.slots = b.slots[:0]
}

// finish ends what was begun and is not over, or failed in the driver: err.
func (b *Batch) finish(err error) error {
	if err == nil {
		return b.Wait()
	}
	begun := b.begun
	b.begun = b.begun[:0]
	for _, s := range begun[1:] {
		s.lost = true
	}
	return b.e.fail(begun[0], err)
}

// took books the completions of a run that went well.
func (b *Batch) took(n int) bool {
	e := b.e
	for i := range e.done[:n] {
		if c := &e.done[i]; c.Err != nil || e.slots[c.ID].batch != b {
			return false
		}
	}
	for i := range e.done[:n] {
		c := &e.done[i]
		s := e.slots[c.ID]
		e.count(s, c.Len)
		st := &b.ms[s.at].Status
		st.Source, st.Tag, st.Len = int(c.Peer), int(c.Tag), c.Len
	}
	return true
}

// Exchange runs ms once: it begins all of them, in their order, and returns when all have ended.
func (e *Endpoint) Exchange(ctx uint8, ms []Message) error {
	b := &e.once
	b.e, b.ctx = e, ctx
	b.Set(ms)
	err := b.Run()
	b.Set(nil)
	return err
}

// endAll ends messages that have begun, all of ms unless there was an error. One deadline holds for all together.
func (e *Endpoint) endAll(ms []Message, slots []*slot, first error) error {
	var t timer
	hopeless := first != nil
	for i, s := range slots {
		var err error
		if s.state != slotComplete {
			if hopeless && s.kind == OpRecv {
				_ = e.cancel(s, false) // it may never be matched
			}
			err = e.await(s, &t)
		}
		if err == nil {
			ms[i].Status, err = e.end(s)
		}
		if err != nil && first == nil {
			first = err
			hopeless = errors.Is(err, ErrPeerDied) || errors.Is(err, ErrAborted)
		}
	}
	return first
}
