// Deaths: what is left of a PE that has been killed or has closed, and the closing of this one.

package inproc

import (
	"errors"
	"fmt"
	"time"

	"gpubench/runtimes/transport"
)

// graceTime is how long a send whose receiver was killed while it copied may take to end.
const graceTime = time.Second

// mourn finds out who has gone and ends what waits for them.
func (d *driver) mourn() {
	if d.fatal != nil {
		return
	}
	d.asked.on = false // what lies in a mailbox is taken out, headers too
	d.deathsSeen = d.w.deaths.Load()
	if d.w.peers[d.me].state.Load() == killed {
		d.fatal = fmt.Errorf("inproc: PE %d: %w: %w", d.me, errKilled, transport.ErrPeerDied)
	}
	for i := range d.in {
		in := &d.in[i]
		o := &d.out[in.from]
		if state := d.w.peers[in.from].state.Load(); state >= closed && o.state < closed {
			// Its state was the last thing it wrote: what it had sent before is there.
			for in.ready() {
				d.take(in)
			}
			o.state = state
			d.gone++
			d.bury(in.from, o)
		}
	}
}

// bury ends what waits for PE p alone, and wildcards where a PE was killed or nobody is left.
func (d *driver) bury(p int32, o *outbox) {
	if o.state == killed {
		d.killedAny = p
		d.grace = time.Now()
	}
	if o.state == killed || d.gone == len(d.in) {
		d.obituaries = append(d.obituaries, p)
	}
	for c := range d.posted {
		for x := d.posted[c].head; x != nil; {
			next := x.next
			if who := d.hopeless(x.op.Peer); who >= 0 {
				d.posted[c].remove(x)
				x.op.Peer = who
				d.complete(x, 0, transport.ErrPeerDied)
			}
			x = next
		}
	}
	for x := o.pending.head; x != nil; x = o.pending.head {
		o.pending.remove(x)
		d.busy--
		d.complete(x, 0, transport.ErrPeerDied)
	}
	d.sweep(o)
	for x := o.underway.head; x != nil; {
		next := x.next
		if x.over || d.recall(x, transport.ErrPeerDied) {
			o.underway.remove(x) // nobody will free its state
			d.busy--
			d.pool.put(x)
		}
		x = next
	}
}

// giveUp ends the sends that a killed receiver had begun to read and did not end in time.
func (d *driver) giveUp(o *outbox) {
	for x := o.underway.head; x != nil; x = o.underway.head {
		o.underway.remove(x)
		d.busy--
		d.complete(x, 0, transport.ErrPeerDied)
	}
}

// hopeless is the PE for whose end a receive from peer (or AnySource) cannot complete, -1 if it still may. A wildcard is
// hopeless when a PE was killed, since nobody knows whom it waits for, or when no other PE is left.
func (d *driver) hopeless(peer int32) int32 {
	switch {
	case d.gone == 0:
	case peer >= 0:
		if d.out[peer].state >= closed {
			return peer
		}
	case d.killedAny >= 0:
		return d.killedAny
	case d.gone == len(d.in):
		return d.in[0].from
	}
	return -1
}

// Close withdraws what is under way, waits for those who read this PE's buffers, and tells the others.
func (d *driver) Close() error {
	var errs []error
	if d.stream != nil {
		errs = append(errs, d.stream.Sync())
		d.reapCopies()
	}
	for began := time.Now(); d.sharing.head != nil && time.Since(began) < graceTime; pause() {
		d.reapShared() // senders are in the middle of a piece: that is a matter of microseconds
	}
	for p := range d.out {
		for x := d.out[p].underway.head; x != nil; x = x.next {
			if !x.over {
				errs = append(errs, d.letGo(x))
			}
		}
	}
	d.w.end(int(d.me), closed)
	d.fatal = fmt.Errorf("inproc: PE %d has closed its driver: %w", d.me, transport.ErrCancelled)
	if d.stream != nil {
		for _, e := range d.events {
			errs = append(errs, e.Close())
		}
		errs = append(errs, d.stream.Close())
		d.stream, d.events = nil, nil
	}
	return errors.Join(errs...)
}

// letGo waits until nobody reads x's buffer any more.
func (d *driver) letGo(x *item) error {
	if x.send.withdraw() {
		return nil
	}
	for began := time.Now(); x.send.reading(); pause() {
		if time.Since(began) > graceTime {
			return fmt.Errorf("inproc: PE %d still reads %d B of PE %d after %v", x.op.Peer, x.op.Buf.Len, d.me, graceTime)
		}
		if x.op.Peer == d.me {
			d.reapCopies()
		}
	}
	return nil
}
