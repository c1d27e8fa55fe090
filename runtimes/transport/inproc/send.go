// Sending: into the mailbox, or a description of where the receiver fetches the bytes.

package inproc

import (
	"gpubench/gpu"
	"gpubench/runtimes/transport"
)

// isHost reports memory that the processor copies, whatever device there is.
func isHost(m gpu.Memory) bool { return m.Space <= gpu.Pinned }

// send carries out or queues one send.
func (d *driver) send(op *transport.Op) {
	o := &d.out[op.Peer]
	if o.state >= closed {
		d.done.push(transport.Completion{ID: op.ID, Peer: op.Peer, Tag: op.Tag, Err: transport.ErrPeerDied})
		return
	}
	if o.pending.head == nil && d.put(o, op) {
		return
	}
	x := d.pool.get()
	x.op = *op
	o.pending.push(x)
	d.busy++
}

// put writes the message into the mailbox, if there is room.
func (d *driver) put(o *outbox, op *transport.Op) bool {
	if op.Peer == d.me {
		return d.putSelf(o, op)
	}
	l := o.free()
	if l == nil {
		return false
	}
	n := op.Buf.Len
	if n <= eagerBytes && isHost(op.Buf) {
		l.kind, l.ctx, l.tag, l.len = kindEager, op.Ctx, op.Tag, int64(n)
		if n > 0 {
			copy(o.room(l, n), op.Buf.Bytes())
		}
		o.publish(l)
		d.done.push(transport.Completion{ID: op.ID, Peer: op.Peer, Tag: op.Tag, Len: n})
		return true
	}
	s := d.begin(o, op)
	if s == nil {
		return false
	}
	l.kind, l.ctx, l.tag, l.len, l.send = kindRendezvous, op.Ctx, op.Tag, int64(n), s.index
	o.publish(l)
	return true
}

// putSelf is put for a message to this PE itself: it arrives at once.
func (d *driver) putSelf(o *outbox, op *transport.Op) bool {
	n := op.Buf.Len
	if n <= eagerBytes && isHost(op.Buf) {
		d.done.push(transport.Completion{ID: op.ID, Peer: op.Peer, Tag: op.Tag, Len: n})
		d.arrive(d.me, op.Ctx, op.Tag, op.Buf.Bytes())
		return true
	}
	s := d.begin(o, op)
	if s == nil {
		return false
	}
	d.offer(nil, d.me, op.Ctx, op.Tag, s)
	return true
}

// begin makes a rendezvous of op; nil when the table is full.
func (d *driver) begin(o *outbox, op *transport.Op) *sendState {
	s := d.sends.get()
	if s == nil {
		return nil
	}
	s.buf, s.dev = op.Buf, d.dev
	s.state.Store(pending)
	x := d.pool.get()
	x.op, x.send = *op, s
	o.underway.push(x)
	d.busy++
	return s
}

// flush moves waiting sends into the mailbox, in order.
func (d *driver) flush(o *outbox) {
	for x := o.pending.head; x != nil; x = o.pending.head {
		if !d.put(o, &x.op) {
			return
		}
		o.pending.remove(x)
		d.busy--
		d.pool.put(x)
	}
}

// sweep completes the sends that the receiver has ended, and helps with those that it shares.
func (d *driver) sweep(o *outbox) {
	for x := o.underway.head; x != nil; {
		next := x.next
		s := x.send
		switch s.state.Load() {
		case sharing:
			s.copy.help(s.buf)
		case ended:
			err := s.err
			o.underway.remove(x)
			d.busy--
			d.sends.put(s)
			if x.over {
				d.pool.put(x)
			} else {
				d.complete(x, x.op.Buf.Len, err)
			}
		}
		x = next
	}
}

// recall completes a rendezvous with err if the receiver has not begun. Its state is free again when the receiver has
// seen the description that lies in its mailbox.
func (d *driver) recall(x *item, err error) bool {
	if !x.send.withdraw() {
		return false
	}
	x.over = true
	d.done.push(transport.Completion{ID: x.op.ID, Peer: x.op.Peer, Tag: x.op.Tag, Err: err})
	return true
}
