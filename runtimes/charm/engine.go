// The engine under a core: headers and payload on an Endpoint.
package charm

import (
	"errors"
	"time"

	"gpubench/runtimes/transport"
)

// move is a transfer on the wire.
type move struct {
	req transport.Request
	x   *transfer
}

// take takes one header and looks after what is on the wire. It reports whether there was something.
func (rt *Runtime) take(run bool) bool {
	c := &rt.pe.core
	src, n, ok, err := rt.ep.RecvHeader(rt.in)
	if ok {
		if b, err := unseal(src, rt.in[:n]); err != nil {
			c.fail(err)
		} else {
			c.deliver(src, b, run)
		}
	} else if err != nil {
		rt.lost(src, err)
	}
	if rt.behind > 0 {
		rt.push()
	}
	if len(rt.moves) > 0 && rt.pollMoves(run) {
		ok = true
	}
	if rt.copies.under() && rt.copies.poll(c) {
		ok = true
	}
	return ok
}

// lost is told of an error of the transport.
func (rt *Runtime) lost(src int, err error) {
	if errors.Is(err, transport.ErrPeerDied) && src >= 0 && !rt.pe.missed(src) {
		return
	}
	rt.pe.fail(err)
}

// pollMoves makes progress and finishes what has ended.
func (rt *Runtime) pollMoves(run bool) (any bool) {
	c := &rt.pe.core
	if err := rt.ep.Progress(); err != nil {
		c.fail(err)
		return true
	}
	for i := 0; i < len(rt.moves); {
		m := rt.moves[i]
		if !rt.ep.Completed(m.req) {
			i++
			continue
		}
		last := len(rt.moves) - 1
		copy(rt.moves[i:], rt.moves[i+1:]) // the oldest stay in front: each pass finishes them first
		rt.moves[last] = move{}
		rt.moves = rt.moves[:last]
		st, err := rt.ep.Wait(m.req)
		c.finish(m.x, st.Len, err, run)
		any = true
		run = false // one method a pass
	}
	return any
}

// enginePort is the core's door to an Endpoint.
type enginePort Runtime

var _ port = (*enginePort)(nil)

// Now is the time since New.
func (p *enginePort) Now() int64 { return int64(time.Since(p.began)) }

// Send sends a header, or puts it behind those that wait; or moves payload.
func (p *enginePort) Send(pe int, h []byte, x *transfer) {
	rt := (*Runtime)(p)
	if x != nil {
		rt.move(x)
		return
	}
	h = append(rt.out[:0], h...)
	h = le.AppendUint32(h, checksum(h))
	if rt.backlog[pe].n == 0 {
		sent, err := rt.ep.TrySendHeader(pe, h)
		if sent {
			return
		}
		if err != nil {
			rt.lost(pe, err)
			return
		}
	}
	copy(rt.backlog[pe].push(len(h)), h)
	rt.behind++
}

// push sends headers that had to wait.
func (rt *Runtime) push() {
	for pe := range rt.backlog {
		for q := &rt.backlog[pe]; q.n > 0; {
			sent, err := rt.ep.TrySendHeader(pe, q.front())
			if err != nil {
				rt.lost(pe, err)
			} else if !sent {
				break
			}
			q.drop()
			rt.behind--
		}
	}
}

// flush sends what has to wait, as long as peers take it. After a failure they may be gone: then not for long.
func (rt *Runtime) flush(patient bool) {
	limit := 100 * time.Millisecond
	if patient {
		limit = time.Duration(rt.pe.deadline)
	}
	for began := time.Now(); rt.behind > 0; {
		if _ = rt.ep.Progress(); limit > 0 && time.Since(began) > limit {
			return
		}
		rt.push()
		rt.relax()
	}
}

// move puts a transfer on its way.
func (rt *Runtime) move(x *transfer) {
	c := &rt.pe.core
	var req transport.Request
	var err error
	switch x.verb {
	case give:
		req, err = rt.ep.Isend(transport.CtxCharm, x.buf, x.peer, int(x.tag))
	case take:
		req, err = rt.ep.Irecv(transport.CtxCharm, x.buf, x.peer, int(x.tag))
	case dup:
		rt.copies.start(c, x)
		return
	}
	if err != nil {
		c.finish(x, 0, err, false)
		return
	}
	rt.moves = append(rt.moves, move{req, x})
}
