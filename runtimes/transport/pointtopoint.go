// Sends and receives, blocking and not.

package transport

import "gpubench/gpu"

// wayOf is under which path a buffer counts.
func (e *Endpoint) wayOf(m mode, buf gpu.Memory) Path {
	if buf.Space <= gpu.Pinned || buf.Space == gpu.Managed && e.path.Path == Host {
		return Host
	}
	if m == modeStaged {
		return Staged
	}
	return Direct
}

// begin starts one operation without looking whether it is over.
func (e *Endpoint) begin(kind OpKind, ctx uint8, buf gpu.Memory, peer, tag int) (*slot, error) {
	m, err := e.check(kind, ctx, buf, peer, tag)
	if err != nil {
		return nil, err
	}
	s := e.get(kind, ctx, peer, tag)
	s.way = e.wayOf(m, buf)
	if m == modeStaged || kind == OpSend && ctx != CtxControl && e.stage.firsts.head != nil {
		// The second case: no message may overtake a staged one whose first chunk has not left.
		err = e.beginTransfer(s, m, buf)
	} else if err = e.flush(); err == nil { // what staging has queued was asked for before
		e.one[0] = s.op(buf)
		_, err = e.d.Do(e.one[:], nil, 0)
	}
	if err != nil {
		return nil, e.fail(s, err)
	}
	return s, nil
}

// fail is for an error of Do: the driver can do no more.
func (e *Endpoint) fail(s *slot, err error) error {
	e.fatal = err
	s.lost = true // the driver may still have the buffer
	return e.wrap(s, Status{Source: AnySource, Tag: AnyTag}, err)
}

// Isend begins to send buf. It must stay as it is until the request has ended.
func (e *Endpoint) Isend(ctx uint8, buf gpu.Memory, dst, tag int) (Request, error) {
	s, err := e.begin(OpSend, ctx, buf, dst, tag)
	if err != nil {
		return Request{}, err
	}
	return Request{s, s.gen}, nil
}

// Irecv begins to receive into buf, from src or AnySource, with tag or AnyTag. When the request has ended without an
// error, the data can be read on any stream.
func (e *Endpoint) Irecv(ctx uint8, buf gpu.Memory, src, tag int) (Request, error) {
	s, err := e.begin(OpRecv, ctx, buf, src, tag)
	if err != nil {
		return Request{}, err
	}
	return Request{s, s.gen}, nil
}

// Send sends buf and returns when it may be written again. In the common case it is one crossing into the driver.
func (e *Endpoint) Send(ctx uint8, buf gpu.Memory, dst, tag int) error {
	_, err := e.run(OpSend, ctx, buf, dst, tag)
	return err
}

// Recv receives into buf, from src or AnySource, with tag or AnyTag, and returns when the data can be read on any
// stream. In the common case it is one crossing into the driver.
func (e *Endpoint) Recv(ctx uint8, buf gpu.Memory, src, tag int) (Status, error) {
	return e.run(OpRecv, ctx, buf, src, tag)
}

func (e *Endpoint) run(kind OpKind, ctx uint8, buf gpu.Memory, peer, tag int) (Status, error) {
	m, err := e.check(kind, ctx, buf, peer, tag)
	if err != nil {
		return Status{}, err
	}
	if m == modeStaged || e.stage.active > 0 {
		s, err := e.begin(kind, ctx, buf, peer, tag)
		if err != nil {
			return Status{}, err
		}
		return e.finish(s)
	}
	s := e.get(kind, ctx, peer, tag)
	s.way = e.wayOf(m, buf)
	// Field by field: a literal is built on the stack and copied in wide pieces, which wait for the narrow stores before
	// them. That took 5 ns of an 8 B message over MPI.
	o := &e.one[0]
	o.Kind, o.Ctx, o.Peer, o.Tag, o.ID, o.Buf = kind, ctx, s.peer, s.tag, s.id, buf
	n, err := e.d.Do(e.one[:], e.done[:], e.polls)
	if err != nil {
		return Status{}, e.fail(s, err)
	}
	if c := &e.done[0]; n == 1 && c.ID == s.id && c.Err == nil {
		st := Status{Source: int(c.Peer), Tag: int(c.Tag), Len: c.Len}
		e.count(s, st.Len)
		e.put(s)
		return st, nil
	}
	e.reap(n)
	return e.finish(s)
}

// finish waits for s and frees it.
func (e *Endpoint) finish(s *slot) (Status, error) {
	if s.state != slotComplete {
		var t timer
		if err := e.await(s, &t); err != nil {
			return Status{}, err
		}
	}
	return e.end(s)
}
