// Sends that are mostly over when they have begun.

package transport

import "gpubench/gpu"

// Post is Isend with one pass of progress in the same crossing. A short message is gone by then: the Request is the zero
// one, and there is nothing to wait for.
func (e *Endpoint) Post(ctx uint8, buf gpu.Memory, dst, tag int) (Request, error) {
	m, err := e.check(OpSend, ctx, buf, dst, tag)
	if err != nil {
		return Request{}, err
	}
	if m == modeStaged || e.stage.active > 0 {
		return e.Isend(ctx, buf, dst, tag)
	}
	s := e.get(OpSend, ctx, dst, tag)
	s.way = e.wayOf(m, buf)
	o := &e.one[0]
	o.Kind, o.Ctx, o.Peer, o.Tag, o.ID, o.Buf = OpSend, ctx, s.peer, s.tag, s.id, buf
	n, err := e.d.Do(e.one[:], e.done[:], 1)
	if err != nil {
		return Request{}, e.fail(s, err)
	}
	if c := &e.done[0]; n == 1 && c.ID == s.id && c.Err == nil {
		e.count(s, c.Len)
		e.put(s)
		return Request{}, nil
	}
	e.reap(n)
	return Request{s, s.gen}, nil
}
