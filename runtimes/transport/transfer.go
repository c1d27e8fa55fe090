// Staged messages: their beginning, their end, and what every turn does for them.

package transport

import (
	"errors"

	"gpubench/gpu"
)

// beginTransfer starts a staged message, or a plain send that must not overtake one.
func (e *Endpoint) beginTransfer(s *slot, m mode, buf gpu.Memory) error {
	g := &e.stage
	var t *transfer
	if k := len(g.freeT); k > 0 {
		t = g.freeT[k-1]
		g.freeT = g.freeT[:k-1]
	} else {
		t = new(transfer)
	}
	*t = transfer{s: s, buf: buf, peer: s.peer, total: buf.Len, chunk: e.path.Chunk,
		device: m == modeStaged && buf.Space > gpu.Pinned}
	if m == modeStaged && e.path.Staging == Pipelined {
		t.header = headerBytes
	}
	s.t = t
	g.active++
	if s.kind == OpSend {
		e.beginSend(t)
	} else {
		e.beginRecv(t)
	}
	return e.flush()
}

// flush posts what has been queued.
func (e *Endpoint) flush() error {
	if len(e.queue) == 0 {
		return nil
	}
	_, err := e.d.Do(e.queue, nil, 0)
	e.queue = e.queue[:0]
	if err != nil {
		e.fatal = err
	}
	return err
}

// post queues p's wire message.
func (e *Endpoint) post(p *part, ctx uint8, peer, tag int) {
	p.s = e.get(p.t.s.kind, ctx, peer, tag)
	p.s.p = p
	m := p.wire()
	if p.t.s.kind == OpRecv && p.first {
		// As much as the buffer holds: how long the message is, nobody knows.
		m = p.b.m.Slice(dataAt-p.t.header, p.t.header+p.n)
	}
	e.queue = append(e.queue, p.s.op(m))
}

// advance looks at the copies under way. It reports whether one has ended.
func (e *Endpoint) advance() bool {
	g := &e.stage
	moved := false
	for {
		p, err := g.copied(&g.toHost)
		if p == nil {
			break
		}
		moved = true
		p.ready = true
		p.t.fail(err)
		e.stepSend(p.t)
	}
	for {
		p, err := g.copied(&g.toDevice)
		if p == nil {
			break
		}
		moved = true
		t := p.t
		t.fail(err)
		g.drop(p)
		e.stepRecv(t)
	}
	return moved
}

// partDone books the end of a wire message.
func (e *Endpoint) partDone(s *slot, c *Completion) {
	p := s.p
	e.put(s)
	p.s = nil
	if p.t.s.kind == OpSend {
		e.sentPart(p, c)
	} else {
		e.cameIn(p, c)
	}
}

// fail keeps the first error.
func (t *transfer) fail(err error) {
	if t.err == nil {
		t.err = err
	}
}

// finishTransfer hands the result to the request.
func (e *Endpoint) finishTransfer(t *transfer, st Status) {
	s := t.s
	s.t = nil
	err := t.err
	e.stage.active--
	*t = transfer{}
	e.stage.freeT = append(e.stage.freeT, t)
	e.settle(s, st, err)
}

// cancelTransfer withdraws a staged message whose first wire message is not through. hard is for one that nobody waits
// for any more: then also what follows is withdrawn, and the buffer is not written again.
func (e *Endpoint) cancelTransfer(t *transfer, hard bool) error {
	if err := e.flush(); err != nil {
		return err
	}
	if t.left && !hard {
		return nil
	}
	var errs []error
	for _, s := range e.slots {
		if s.state == slotUnderWay && s.p != nil && s.p.t == t {
			errs = append(errs, e.d.Cancel(s.id))
		}
	}
	switch {
	case t.s.kind == OpSend && (t.queued || hard):
		t.fail(ErrCancelled)
		e.stepSend(t)
		errs = append(errs, e.flush()) // the next may have waited for this one
	case hard:
		t.discard = true
		if t.left {
			t.total = t.begun
		}
	}
	return errors.Join(errs...)
}
