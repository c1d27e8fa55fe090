// Sending a staged message.

package transport

func (e *Endpoint) beginSend(t *transfer) {
	g := &e.stage
	if t.header > 0 {
		if g.seqs == nil {
			g.seqs = make([]uint16, e.caps.Size)
		}
		t.seq = g.seqs[t.peer]
		g.seqs[t.peer] = (t.seq + 1) & MaxTag
	}
	// First messages leave in the order of the calls: a message whose copy is quicker must not overtake.
	t.queued = true
	t.prev = g.firsts.tail
	if g.firsts.tail == nil {
		g.firsts.head = t
	} else {
		g.firsts.tail.next = t
	}
	g.firsts.tail = t
	e.stepSend(t)
}

// firstLen is how much of the message the first wire message carries.
func (t *transfer) firstLen() int {
	switch {
	case t.header == 0:
		return t.total
	case t.device:
		return min(t.total, firstBytes, t.chunk)
	}
	return min(t.total, hostFirst)
}

// stepSend does what can be done for a send now.
func (e *Endpoint) stepSend(t *transfer) {
	for t.err == nil && t.live < stageDepth && (t.begun < t.total || t.begun == 0 && t.live == 0 && !t.left) {
		t.fail(e.newSendPart(t))
	}
	if t.err != nil {
		e.abandonSend(t)
	}
	if t.queued {
		e.sendFirsts()
	}
	if t.left {
		for p := t.parts; p != nil && p.ready; p = t.parts {
			t.unlink(p)
			e.post(p, CtxStaging, int(t.peer), int(t.seq))
		}
	}
	if t.live == 0 && (t.err != nil || t.left && t.begun == t.total) {
		e.finishTransfer(t, Status{Source: int(t.s.peer), Tag: int(t.s.tag), Len: t.total})
	}
}

// newSendPart makes the next wire message and begins its copy.
func (e *Endpoint) newSendPart(t *transfer) error {
	g := &e.stage
	n := min(t.total-t.begun, t.chunk)
	if t.begun == 0 {
		n = t.firstLen()
	}
	p := g.newPart(t, t.begun, n)
	if t.device || p.first && t.header > 0 {
		b, err := g.buffer(n)
		if err != nil {
			g.drop(p)
			return err
		}
		p.b = b
	}
	src := t.buf.Slice(p.off, n)
	if p.first && t.header > 0 {
		h := header{total: t.total, chunk: t.chunk, first: n, seq: t.seq}
		h.write(p.b.m.Slice(dataAt-headerBytes, headerBytes).Bytes())
	}
	switch {
	case t.device:
		if err := g.start(&g.toHost, p, p.data(), src); err != nil {
			g.drop(p)
			return err
		}
		if n > 0 {
			e.stats.ToHost.add(n)
		}
	case p.b != nil:
		if n > 0 {
			copy(p.data().Bytes(), src.Bytes())
			e.stats.HostCopies.add(n)
		}
		p.ready = true
	default:
		p.ready = true
	}
	t.begun += n
	if t.parts == nil {
		t.parts = p
	} else {
		t.last.sibling = p
	}
	t.last = p
	return nil
}

// unlink takes the first of the unposted parts.
func (t *transfer) unlink(p *part) {
	t.parts = p.sibling
	p.sibling = nil
	if t.parts == nil {
		t.last = nil
	}
}

// sendFirsts posts first messages, in order, as far as they are ready.
func (e *Endpoint) sendFirsts() {
	g := &e.stage
	for t := g.firsts.head; t != nil && t.parts != nil && t.parts.ready; t = g.firsts.head {
		p := t.parts
		t.unlink(p)
		g.unqueue(t)
		e.post(p, t.s.ctx, int(t.s.peer), int(t.s.tag))
	}
}

func (g *stager) unqueue(t *transfer) {
	if t.prev == nil {
		g.firsts.head = t.next
	} else {
		t.prev.next = t.next
	}
	if t.next == nil {
		g.firsts.tail = t.prev
	} else {
		t.next.prev = t.prev
	}
	t.next, t.prev, t.queued = nil, nil, false
}

// abandonSend gives up what has not been posted. Parts whose copy is under way are waited for.
func (e *Endpoint) abandonSend(t *transfer) {
	g := &e.stage
	if t.queued {
		g.unqueue(t)
		defer e.sendFirsts() // the next may have waited for this one
	}
	var keep, last *part
	for p := t.parts; p != nil; {
		next := p.sibling
		p.sibling = nil
		if p.ready {
			g.drop(p)
		} else if last == nil {
			keep, last = p, p
		} else {
			last.sibling, last = p, p
		}
		p = next
	}
	t.parts, t.last = keep, last
}

// sentPart books a wire message that has left.
func (e *Endpoint) sentPart(p *part, c *Completion) {
	t := p.t
	t.fail(c.Err)
	if p.first && c.Err == nil {
		t.left = true
	}
	e.stage.drop(p)
	e.stepSend(t)
}
