// Receiving a staged message.

package transport

import (
	"errors"
	"fmt"
)

func (e *Endpoint) beginRecv(t *transfer) {
	g := &e.stage
	room := t.buf.Len // simple: a longer message is the driver's to notice
	if t.header > 0 {
		room = firstBytes
	}
	p := g.newPart(t, 0, room)
	b, err := g.buffer(room)
	if err != nil {
		t.fail(err)
		g.drop(p)
		e.stepRecv(t)
		return
	}
	p.b = b
	e.post(p, t.s.ctx, int(t.s.peer), int(t.s.tag))
}

// cameIn books a wire message that has arrived.
func (e *Endpoint) cameIn(p *part, c *Completion) {
	t := p.t
	if c.Err != nil {
		if p.first && t.header > 0 && errors.Is(c.Err, ErrTruncated) {
			t.fail(fmt.Errorf("a first message of %d B: %w", c.Len, ErrMismatch)) // it never has more than firstBytes
		}
		t.fail(c.Err)
		if p.first {
			t.peer, t.tag, t.total = c.Peer, c.Tag, c.Len
		}
		e.stage.drop(p)
		e.stepRecv(t)
		return
	}
	if p.first {
		e.firstCame(p, c)
	} else if c.Len != p.n {
		t.fail(fmt.Errorf("a staged message's chunk, offset %d: expected %d bytes, found %d: %w", p.off+min(c.Len, p.n), p.n, c.Len, ErrMismatch))
	}
	if t.err != nil || t.discard {
		e.stage.drop(p)
	} else if !e.unload(p) {
		e.stage.drop(p)
	}
	e.stepRecv(t)
}

// firstCame learns from the first message who sent it and how much follows.
func (e *Endpoint) firstCame(p *part, c *Completion) {
	t := p.t
	t.left, t.peer, t.tag = true, c.Peer, c.Tag
	p.n = c.Len - t.header
	if t.header == 0 {
		t.total, t.begun = c.Len, c.Len
		return
	}
	h, err := readHeader(p.b.m.Slice(dataAt-headerBytes, c.Len).Bytes())
	if err != nil {
		t.fail(err)
		t.total, t.chunk, t.seq, t.begun = h.total, h.chunk, h.seq, h.first // zero, unless what follows is known
		return
	}
	t.total, t.chunk, t.seq, t.begun = h.total, h.chunk, h.seq, p.n
	t.discard = t.discard || t.total > t.buf.Len
}

// unload moves p's data to where the receiver wants it. False: nothing is left to do for p.
func (e *Endpoint) unload(p *part) bool {
	g, t := &e.stage, p.t
	if p.b == nil || p.n == 0 {
		return false // it came straight into the buffer
	}
	dst := t.buf.Slice(p.off, p.n)
	if !t.device {
		copy(dst.Bytes(), p.data().Bytes())
		e.stats.HostCopies.add(p.n)
		return false
	}
	if err := g.start(&g.toDevice, p, dst, p.data()); err != nil {
		t.fail(err)
		return false
	}
	e.stats.ToDevice.add(p.n)
	return true
}

// stepRecv does what can be done for a receive now. What follows a first message is received in any case, so that the
// pair can go on after a message that was too long.
func (e *Endpoint) stepRecv(t *transfer) {
	g := &e.stage
	for t.left && t.live < stageDepth && t.begun < t.total {
		n := min(t.chunk, t.total-t.begun)
		p := g.newPart(t, t.begun, n)
		t.begun += n
		if t.device || t.discard || t.err != nil {
			b, err := g.buffer(n)
			if err != nil {
				t.fail(err)
				g.drop(p)
				t.total = t.begun // nothing can be received any more
				break
			}
			p.b = b
		}
		e.post(p, CtxStaging, int(t.peer), int(t.seq))
	}
	if t.live > 0 {
		return
	}
	if t.err == nil && t.total > t.buf.Len {
		t.err = ErrTruncated
	}
	e.finishTransfer(t, Status{Source: int(t.peer), Tag: int(t.tag), Len: t.total})
}
