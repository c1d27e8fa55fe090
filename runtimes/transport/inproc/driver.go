// driver is one PE's side of a World. Everything in it belongs to the PE's thread; what others see is in World.

package inproc

import (
	"fmt"
	"time"

	"gpubench/gpu"
	"gpubench/runtimes/transport"
)

// contexts is how many there are: as many as an Op can name.
const contexts = 256

type driver struct {
	w    *World
	me   int32
	dev  *gpu.Device // nil: host memory only
	caps transport.Caps

	in    []inbox  // from each other PE
	start int      // which of them is looked at first: the one after that whose header was taken last
	out   []outbox // by rank, the PE itself included

	posted [contexts]queue // receives, in the order in which they were posted
	early  [contexts]queue // messages that no receive has asked for yet, in the order in which they came

	pool    pool
	sends   sendPool
	done    completions
	sharing queue // receives whose sender still copies
	busy    int   // sends that have not ended and copies under way: what tend looks after
	copier

	headers queue // taken out of a mailbox before somebody asked
	asked   struct {
		on  bool // RecvHeader is making this pass
		buf []byte
		n   int
		who int32 // -1: none yet
	}

	deathsSeen uint32
	gone       int     // how many other PEs have closed or died
	killedAny  int32   // one that was killed, -1
	obituaries []int32 // deaths that RecvHeader has not told yet
	grace      time.Time
	fatal      error // nothing can be done any more
}

var _ transport.Driver = (*driver)(nil)

func newDriver(w *World, rank int, dev *gpu.Device) (*driver, error) {
	d := &driver{w: w, me: int32(rank), dev: dev, out: make([]outbox, w.n), killedAny: -1}
	d.asked.who = -1
	d.sends.table = &w.peers[rank].sends
	for p := range w.n {
		if p == rank {
			continue
		}
		r := w.rings[rank*w.n+p]
		d.in = append(d.in, inbox{r: r, lines: r.lines, next: &r.lines[0], want: 1, from: int32(p)})
		to := w.rings[p*w.n+rank]
		d.out[p] = outbox{r: to, lines: to.lines}
	}
	d.caps = d.makeCaps()
	if dev != nil {
		s, err := dev.NewStream()
		if err != nil {
			return nil, fmt.Errorf("stream for copies: %w", err)
		}
		d.stream = s
		d.peers = make([]peering, w.n)
	}
	return d, nil
}

// Do posts ops, then makes up to polls passes until something has completed.
func (d *driver) Do(ops []transport.Op, done []transport.Completion, polls int) (int, error) {
	if d.fatal != nil {
		return 0, d.fatal
	}
	for i := range ops {
		if op := &ops[i]; op.Kind == transport.OpSend {
			d.send(op)
		} else {
			d.recv(op)
		}
	}
	n, want := d.done.pop(done), max(1, min(len(ops), len(done)))
	for ; n < want && polls > 0; polls-- {
		d.pass()
		if d.done.head != d.done.tail {
			if n += d.done.pop(done[n:]); n >= want {
				break
			}
		}
		if d.fatal != nil {
			return 0, d.fatal
		}
		pause()
	}
	return n, nil
}

// pass looks once at everything that others may have changed.
func (d *driver) pass() {
	d.look(d.in[d.start:])
	d.look(d.in[:d.start])
	if d.busy != 0 {
		d.tend()
	}
	if d.w.deaths.Load() != d.deathsSeen {
		d.mourn()
	}
}

func (d *driver) look(boxes []inbox) {
	for i := range boxes {
		if in := &boxes[i]; in.ready() {
			d.take(in)
		}
	}
}

// burst bounds how much is taken out of one mailbox before the others are looked at.
const burst = 32

// take empties a mailbox, at most burst messages.
func (d *driver) take(in *inbox) {
	for k := 0; k < burst && in.ready(); k++ {
		switch l := in.next; l.kind {
		case kindEager:
			d.arrive(in.from, l.ctx, l.tag, in.payload())
		case kindRendezvous:
			d.offer(in, in.from, l.ctx, l.tag, d.w.peers[in.from].sends.at(l.send))
		case kindHeader:
			if !d.header(in.from, in.payload()) {
				return // stays where it is
			}
		}
		in.pop()
	}
}

// tend looks after what is under way: copies, sends that wait for room, sends that the receiver has ended.
func (d *driver) tend() {
	if d.copying.head != nil {
		d.reapCopies()
	}
	if d.sharing.head != nil {
		d.reapShared()
	}
	for p := range d.out {
		o := &d.out[p]
		if o.underway.head != nil && o.r != nil {
			if acks := o.r.acks.Load(); acks != o.acksSeen {
				o.acksSeen = acks
				d.sweep(o)
			}
		}
		if o.pending.head != nil {
			d.flush(o)
		}
		if o.state == killed && o.underway.head != nil && time.Since(d.grace) > graceTime {
			d.giveUp(o)
		}
	}
}

// complete hands x's end to Do and takes x back.
func (d *driver) complete(x *item, n int, err error) {
	d.done.push(transport.Completion{ID: x.op.ID, Peer: x.op.Peer, Tag: x.op.Tag, Len: n, Err: err})
	d.pool.put(x)
}

// Cancel ends an operation where nobody has begun to carry it out.
func (d *driver) Cancel(id uint32) error {
	for c := range d.posted {
		for x := d.posted[c].head; x != nil; x = x.next {
			if x.op.ID == id {
				d.posted[c].remove(x)
				d.complete(x, 0, transport.ErrCancelled)
				return nil
			}
		}
	}
	for p := range d.out {
		o := &d.out[p]
		for x := o.pending.head; x != nil; x = x.next {
			if x.op.ID == id {
				o.pending.remove(x)
				d.busy--
				d.complete(x, 0, transport.ErrCancelled)
				return nil
			}
		}
		for x := o.underway.head; x != nil; x = x.next {
			if x.op.ID == id && !x.over {
				d.recall(x, transport.ErrCancelled)
				return nil
			}
		}
	}
	return nil
}

// Caps says what this PE can be given.
func (d *driver) Caps() transport.Caps { return d.caps }

func (d *driver) makeCaps() transport.Caps {
	c := transport.Caps{Name: "inproc", Rank: int(d.me), Size: d.w.n, Contexts: contexts, MaxHeader: maxHeader}
	for _, s := range gpu.Spaces {
		c.Spaces[s] = d.dev != nil || s == gpu.Pageable || s == gpu.Pinned
		if !c.Spaces[s] {
			c.Why[s] = "this PE has no device"
		}
	}
	for r := range d.w.n {
		c.Places = append(c.Places, transport.Place{Host: d.w.host, PID: d.w.pid, LocalRank: r, LocalSize: d.w.n})
	}
	return c
}

// Lane is known by construction: see copies.go.
func (d *driver) Lane(op transport.Op) transport.Lane {
	const how = "by construction"
	if !d.byDevice(op.Buf, op.Buf) {
		detail := "copied once by the receiving PE"
		if op.Buf.Len <= eagerBytes {
			detail = "through the mailbox"
		}
		return transport.Lane{Name: transport.LaneHost, HowKnown: how, Detail: detail}
	}
	detail := "one copy on the receiving PE's stream"
	if p := int(op.Peer); p >= 0 && d.dev != nil {
		if o := d.w.device(p); o != nil && o != d.dev && o.Ordinal() != d.dev.Ordinal() {
			detail += fmt.Sprintf(", devices %d and %d, %s", d.dev.Ordinal(), o.Ordinal(), d.peerAccess(o))
		}
	}
	return transport.Lane{Name: transport.LaneCopy, HowKnown: how, Detail: detail}
}
