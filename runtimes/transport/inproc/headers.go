// Headers: active messages, in the same mailboxes as tagged messages.

package inproc

import (
	"fmt"

	"gpubench/runtimes/transport"
)

// SendHeader puts h into the peer's mailbox, behind the tagged messages that wait for room there.
func (d *driver) SendHeader(peer int, h []byte) (bool, error) {
	if d.w.deaths.Load() != d.deathsSeen {
		d.mourn()
	}
	if d.fatal != nil {
		return false, d.fatal
	}
	o := &d.out[peer]
	if o.state >= closed {
		return false, fmt.Errorf("inproc: PE %d: %w", peer, transport.ErrPeerDied)
	}
	if o.pending.head != nil {
		return false, nil
	}
	if int32(peer) == d.me {
		d.keepHeader(d.me, h)
		return true, nil
	}
	l := o.free()
	if l == nil {
		return false, nil
	}
	l.kind, l.len = kindHeader, int64(len(h))
	copy(o.room(l, len(h)), h)
	o.publish(l)
	return true, nil
}

// RecvHeader takes the next header and makes one pass.
func (d *driver) RecvHeader(buf []byte) (peer, n int, ok bool, err error) {
	if x := d.headers.head; x != nil {
		d.headers.remove(x)
		peer, n = int(x.op.Peer), copy(buf, x.payload())
		d.pool.put(x)
		return peer, n, true, nil
	}
	a := &d.asked
	a.on, a.buf, a.who = true, buf, -1
	d.pass()
	a.on, a.buf = false, nil
	switch {
	case a.who >= 0:
		d.after(a.who)
		return int(a.who), a.n, true, nil
	case d.fatal != nil:
		return 0, 0, false, d.fatal
	case len(d.obituaries) > 0 && d.headers.head == nil:
		who := d.obituaries[0]
		d.obituaries = d.obituaries[1:]
		return int(who), 0, false, fmt.Errorf("inproc: PE %d: %w", who, transport.ErrPeerDied)
	}
	return 0, 0, false, nil
}

// after has the next pass look first at the mailbox behind PE who's: nobody's flood keeps the others' headers back.
func (d *driver) after(who int32) {
	next := int(who) // the place of the one behind it, since this PE itself has none
	if who < d.me {
		next++
	}
	if next == len(d.in) {
		next = 0
	}
	d.start = next
}

// header takes one out of a mailbox. False: RecvHeader has got one in this pass, the next may wait where it is.
func (d *driver) header(from int32, h []byte) bool {
	a := &d.asked
	if !a.on {
		d.keepHeader(from, h)
		return true
	}
	if a.who >= 0 {
		return false
	}
	a.who, a.n = from, copy(a.buf, h)
	return true
}

func (d *driver) keepHeader(from int32, h []byte) {
	x := d.pool.get()
	x.op = transport.Op{Peer: from}
	copy(d.pool.bytes(x, len(h)), h)
	d.headers.push(x)
}
