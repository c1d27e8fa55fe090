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
// next one's departure is little. (Of a step of stencil_1d over Open MPI, 190 ns, that was 60 ns when each operation was
// checked by itself.)
type Batch struct {
	e     *Endpoint
	ctx   uint8
	ms    []Message
	ops   []Op
	slots []*slot // of ops; none: not in the driver's form
	paths int     // Endpoint.paths when it was
}

// Prepare makes a Batch of ms, which it keeps. What is wrong with a message is told here or, where the path decides, by Run.
func (e *Endpoint) Prepare(ctx uint8, ms []Message) (*Batch, error) {
	b := &Batch{e: e, ctx: ctx, ms: ms}
	_, err := b.prepare()
	if err != nil {
		return nil, err
	}
	return b, nil
}

// prepare puts the messages into the driver's form, unless one of them is staged.
func (b *Batch) prepare() (plain bool, err error) {
	e := b.e
	if cap(b.ops) < len(b.ms) {
		b.ops, b.slots = make([]Op, len(b.ms)), make([]*slot, 0, len(b.ms))
	}
	b.ops, b.paths = b.ops[:len(b.ms)], e.paths
	for i := range b.ms {
		m := &b.ms[i]
		how, err := e.check(m.Kind, b.ctx, m.Buf, m.Peer, m.Tag)
		if err != nil || how == modeStaged {
			b.Free()
			return false, err
		}
		s := e.get(m.Kind, b.ctx, m.Peer, m.Tag)
		s.way, s.batch, s.at = e.wayOf(how, m.Buf), b, i
		b.slots = append(b.slots, s)
		o := &b.ops[i] // field by field, as in run
		o.Kind, o.Ctx, o.Peer, o.Tag, o.ID, o.Buf = m.Kind, b.ctx, s.peer, s.tag, s.id, m.Buf
	}
	return true, nil
}

// Free gives back what the endpoint holds for the batch, which may still be run: that prepares it again.
func (b *Batch) Free() {
	for _, s := range b.slots {
		s.batch = nil
		b.e.put(s)
	}
	b.slots = b.slots[:0]
}

// Run begins all messages, in their order, and returns when all have ended: in the common case one crossing into the driver.
// The first error is returned, after all have ended; where a PE has died, or a message could not be begun, receives that would
// have to wait are withdrawn.
func (b *Batch) Run() error {
	e := b.e
	if len(b.slots) == 0 || b.paths != e.paths || e.stage.active > 0 || e.closed || e.fatal != nil {
		return b.runSlowly()
	}
	n, err := e.d.Do(b.ops, e.done[:], e.polls)
	if n == len(b.ops) && err == nil && b.took(n) {
		return nil
	}
	return b.finish(n, err)
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
		e.count(s.kind, s.way, c.Len)
		st := &b.ms[s.at].Status
		st.Source, st.Tag, st.Len = int(c.Peer), int(c.Tag), c.Len
	}
	return true
}

// finish ends a run that was not over, or not well, after one crossing. Its operations are then nobody's: the next run
// prepares the batch again.
func (b *Batch) finish(n int, err error) error {
	e, slots := b.e, b.slots
	b.slots = b.slots[:0]
	for _, s := range slots {
		s.batch = nil
	}
	if err != nil {
		for _, s := range slots[1:] {
			s.lost = true
		}
		return e.fail(slots[0], err)
	}
	e.reap(n)
	return e.endAll(b.ms, slots, nil)
}

// runSlowly is Run where the messages must be prepared first, or are staged.
func (b *Batch) runSlowly() error {
	e := b.e
	b.Free()
	plain, err := b.prepare()
	if err != nil || len(b.ms) == 0 {
		return err
	}
	if plain && e.stage.active == 0 {
		n, err := e.d.Do(b.ops, e.done[:], e.polls)
		if n == len(b.ops) && err == nil && b.took(n) {
			return nil
		}
		return b.finish(n, err)
	}
	b.Free()
	slots := b.slots[:0]
	for i := range b.ms {
		m := &b.ms[i]
		var s *slot
		if s, err = e.begin(m.Kind, b.ctx, m.Buf, m.Peer, m.Tag); err != nil {
			break
		}
		slots = append(slots, s)
	}
	return e.endAll(b.ms, slots, err)
}

// Exchange runs ms once: it begins all of them, in their order, and returns when all have ended.
func (e *Endpoint) Exchange(ctx uint8, ms []Message) error {
	b := &e.once
	b.e, b.ctx, b.ms = e, ctx, ms
	err := b.runSlowly()
	b.Free()
	b.ms = nil
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
