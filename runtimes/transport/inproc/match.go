// Matching, in the receiver: MPI's rules (MPI 4.1, 3.5). A message goes to the earliest posted receive that accepts it;
// a receive takes the earliest message that it accepts.

package inproc

import (
	"fmt"

	"gpubench/gpu"
	"gpubench/runtimes/transport"
)

func accepts(op *transport.Op, from, tag int32) bool {
	return (op.Peer == from || op.Peer == transport.AnySource) && (op.Tag == tag || op.Tag == transport.AnyTag)
}

// match is the receive that a message goes to, nil when nobody has asked for it.
func (d *driver) match(ctx uint8, from, tag int32) *item {
	for x := d.posted[ctx].head; x != nil; x = x.next {
		if accepts(&x.op, from, tag) {
			return x
		}
	}
	return nil
}

// arrive gives an eager message to its receive, or keeps a copy.
func (d *driver) arrive(from int32, ctx uint8, tag int32, payload []byte) {
	x := d.match(ctx, from, tag)
	if x == nil {
		x = d.pool.get()
		x.op = transport.Op{Ctx: ctx, Peer: from, Tag: tag}
		copy(d.pool.bytes(x, len(payload)), payload)
		d.early[ctx].push(x)
		return
	}
	d.posted[ctx].remove(x)
	x.op.Peer, x.op.Tag = from, tag
	n := len(payload)
	switch {
	case n > x.op.Buf.Len:
		d.complete(x, n, transport.ErrTruncated)
	case isHost(x.op.Buf):
		copy(x.op.Buf.Bytes(), payload)
		d.complete(x, n, nil)
	default:
		copy(d.pool.bytes(x, n), payload)
		d.bounce(x)
	}
}

// bounce moves an eager message that x holds to where the device can read it.
func (d *driver) bounce(x *item) {
	if !d.byDevice(x.op.Buf, x.op.Buf) {
		copy(x.op.Buf.Bytes(), x.payload())
		d.complete(x, x.len, nil)
		return
	}
	d.startCopy(x, gpu.HostMemory(x.payload()), nil)
}

// offer fetches a message from its sender for the receive it goes to, or keeps its description. in is nil when this PE
// is the sender.
func (d *driver) offer(in *inbox, from int32, ctx uint8, tag int32, s *sendState) {
	x := d.match(ctx, from, tag)
	if x == nil {
		x = d.pool.get()
		x.op = transport.Op{Ctx: ctx, Peer: from, Tag: tag}
		x.send, x.in = s, in
		d.early[ctx].push(x)
		return
	}
	if !d.claim(in, from, s) {
		return // the receive waits on
	}
	d.posted[ctx].remove(x)
	x.op.Peer, x.op.Tag, x.in = from, tag, in
	d.fetch(x, s)
}

// claim decides that this PE reads the sender's buffer. False: there is no such message any more.
func (d *driver) claim(in *inbox, from int32, s *sendState) bool {
	if d.w.peers[from].state.Load() == killed {
		return false // nobody knows what has become of its buffer
	}
	if s.state.CompareAndSwap(pending, claimed) {
		return true
	}
	d.end(in, s, nil)
	return false
}

// end is the receiver's last word on a rendezvous.
func (d *driver) end(in *inbox, s *sendState, err error) {
	s.end(err)
	if in == nil {
		d.sweep(&d.out[d.me])
		return
	}
	in.ack()
}

// fetch copies a claimed message to where x wants it.
func (d *driver) fetch(x *item, s *sendState) {
	n := s.buf.Len
	x.len = n
	switch {
	case n > x.op.Buf.Len:
		in := x.in
		d.complete(x, n, transport.ErrTruncated)
		d.end(in, s, nil)
	case d.byDevice(x.op.Buf, s.buf):
		d.startCopy(x, s.buf, s)
	case n >= sharedBytes && x.in != nil:
		d.shareCopy(x, s)
	default:
		hostCopy(x.op.Buf, s.buf)
		in := x.in
		d.complete(x, n, nil)
		d.end(in, s, nil)
	}
}

// shareCopy copies a long message together with its sender.
func (d *driver) shareCopy(x *item, s *sendState) {
	s.copy.share(x.op.Buf.Slice(0, x.len))
	s.state.Store(sharing)
	x.in.ack() // the sender looks what has changed
	s.copy.front(s.buf)
	x.send = s
	d.sharing.push(x)
	d.busy++
	d.reapShared()
}

// reapShared ends the copies that the sender has done its part of.
func (d *driver) reapShared() {
	for x := d.sharing.head; x != nil; {
		next := x.next
		if x.send.copy.over() {
			d.sharing.remove(x)
			d.busy--
			d.finish(x, nil)
		}
		x = next
	}
}

// recv carries out one receive, or queues it.
func (d *driver) recv(op *transport.Op) {
	for y := d.early[op.Ctx].head; y != nil; {
		next := y.next
		if accepts(op, y.op.Peer, y.op.Tag) && d.give(op, y) {
			return
		}
		y = next
	}
	if who := d.hopeless(op.Peer); who >= 0 {
		d.done.push(transport.Completion{ID: op.ID, Peer: who, Tag: op.Tag, Err: transport.ErrPeerDied})
		return
	}
	x := d.pool.get()
	x.op = *op
	d.posted[op.Ctx].push(x)
}

// Probe looks at the early messages. One that its sender has withdrawn, or whose sender was killed before it was
// fetched, no receive would get.
func (d *driver) Probe(ctx uint8, peer, tag int32) (transport.Status, bool, error) {
	if d.fatal != nil {
		return transport.Status{Source: transport.AnySource}, false, d.fatal
	}
	op := transport.Op{Peer: peer, Tag: tag}
	for y := d.early[ctx].head; y != nil; y = y.next {
		if !accepts(&op, y.op.Peer, y.op.Tag) {
			continue
		}
		n := y.len
		if s := y.send; s != nil {
			if s.state.Load() != pending || d.w.peers[y.op.Peer].state.Load() == killed {
				continue
			}
			n = s.buf.Len
		}
		return transport.Status{Source: int(y.op.Peer), Tag: int(y.op.Tag), Len: n}, true, nil
	}
	if who := d.hopeless(peer); who >= 0 {
		return transport.Status{Source: int(who)}, false, fmt.Errorf("inproc: PE %d: %w", who, transport.ErrPeerDied)
	}
	return transport.Status{}, false, nil
}

// give carries out a receive with an early message. False: the message was off.
func (d *driver) give(op *transport.Op, y *item) bool {
	d.early[op.Ctx].remove(y)
	from, tag := y.op.Peer, y.op.Tag
	if s := y.send; s != nil {
		if !d.claim(y.in, from, s) {
			d.pool.put(y)
			return false
		}
		y.op = *op
		y.op.Peer, y.op.Tag, y.send = from, tag, nil
		d.fetch(y, s)
		return true
	}
	y.op = *op
	y.op.Peer, y.op.Tag = from, tag
	switch {
	case y.len > op.Buf.Len:
		d.complete(y, y.len, transport.ErrTruncated)
	case isHost(op.Buf):
		copy(op.Buf.Bytes(), y.payload())
		d.complete(y, y.len, nil)
	default:
		d.bounce(y)
	}
	return true
}
