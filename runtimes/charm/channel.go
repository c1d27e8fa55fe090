// Channels: ordered streams of messages between two chares, as Charm4Py's (charm4py documentation, "Channels").
package charm

import (
	"fmt"

	"gpubench/gpu"
	"gpubench/runtimes/transport"
)

// Channel is one end of an ordered stream of messages between two chares. It belongs to the chare's PE.
type Channel struct {
	c        *core
	el       *element
	peerColl uint32
	peerElem uint32
	port     uint16

	sent   uint32 // sequence of the next message to leave
	want   uint32 // sequence of the next message to be received
	inbox  ring[arrival]
	posted ring[*Op]
	ahead  []arrival // messages that overtook others on their way
	open   int       // operations that somebody waits for and that have not ended
}

// How a channel's message travels.
const (
	modeInline uint8 = iota // behind the header
	modeTagged              // as a tagged message that the header names
	modeHere                // both chares are on one PE: from buffer to buffer
)

// Op is a send or receive under way on a channel. A wait ends it; after that it must not be used.
type Op struct {
	latch
	ch    *Channel
	recv  bool
	alone bool // nobody waits for it
	ended bool // it was waited for
	seq   uint32
	buf   gpu.Memory
	bytes []byte     // received into instead of buf
	host  gpu.Memory // memory of the pool that the operation holds
	n     int
	err   error
}

// Done reports whether a wait would return at once.
func (o *Op) Done() bool { return o.latch.done }

// Connect gives self's end of the channel to peer that has that port (0 to 65535); peer connects with the same port, and
// it does not matter who does so first. It can be called while chares are constructed. Called again it gives the same
// end. A chare connected with itself hears what it says.
func Connect[A, B any](pe *PE, self Elem[A], peer Elem[B], port int) *Channel {
	coll := pe.mustKnow(self.coll)
	el := coll.elems[self.elem]
	if el == nil {
		panic("charm: " + coll.elemName(self.elem) + " is connected on a PE where it does not live")
	}
	if port < 0 || port > 1<<16-1 {
		panic(fmt.Sprintf("charm: port %d of a channel: want 0 to 65535", port))
	}
	return pe.channel(el, peer.coll, peer.elem, uint16(port))
}

// channel finds an element's end, or makes it.
func (c *core) channel(el *element, coll, elem uint32, port uint16) *Channel {
	for _, ch := range el.chans {
		if ch.peerElem == elem && ch.peerColl == coll && ch.port == port {
			return ch
		}
	}
	ch := &Channel{c: c, el: el, peerColl: coll, peerElem: elem, port: port}
	el.chans = append(el.chans, ch)
	return ch
}

// name says what the channel leads to.
func (ch *Channel) name() string {
	peer := fmt.Sprintf("element %d of array %d", ch.peerElem, ch.peerColl)
	if coll := ch.c.known(ch.peerColl); coll != nil {
		peer = coll.elemName(ch.peerElem)
	}
	if ch.port != 0 {
		peer += fmt.Sprintf(", port %d", ch.port)
	}
	return peer
}

func (ch *Channel) header(b []byte, mode uint8, seq uint32, n int) []byte {
	b = b[:n]
	putHeader(b, kindChannel, ch.port, ch.peerColl, ch.peerElem)
	setMode(b, mode)
	le.PutUint32(b[12:], ch.el.lin)
	le.PutUint64(b[16:], uint64(ch.el.coll.id)|uint64(seq)<<32)
	return b
}

func (c *core) newOp(ch *Channel) *Op {
	ch.open++
	var op *Op
	if n := len(c.freeOps); n > 0 {
		op, c.freeOps = c.freeOps[n-1], c.freeOps[:n-1]
	} else {
		op = &Op{}
	}
	*op = Op{ch: ch}
	return op
}

// end takes an operation's result and the operation back.
func (c *core) end(op *Op) (int, error) {
	if op.ended {
		panic("charm: a channel operation was waited for twice")
	}
	n, err := op.n, op.err
	op.ended, op.bytes = true, nil
	c.freeOps = append(c.freeOps, op)
	return n, err
}

// Isend sends buf, of any space, as the channel's next message. buf must stay as it is until the operation ends. With
// after, which may be nil, the message leaves when that event is complete: the event recorded after what writes buf.
//
// Host memory that fits a header is copied and the operation ends at once. Anything longer may end only when the
// receiver has posted a receive: two chares that exchange post their receives, or use Isend, before they wait.
func (ch *Channel) Isend(pe *PE, buf gpu.Memory, after Event) *Op {
	c := ch.c
	op := c.newOp(ch)
	op.buf, op.seq = buf, ch.sent
	ch.sent++
	if after != nil {
		done, err := after.Query()
		if err != nil {
			c.complete(op, 0, err) // the peer waits in vain, but the error ends the run unless the chare mends it
			return op
		}
		if !done {
			c.await(eventWait{ev: after, op: op})
			return op
		}
	}
	c.leave(op)
	return op
}

// leave sends a message off.
func (c *core) leave(op *Op) {
	ch := op.ch
	coll := c.known(ch.peerColl)
	if coll == nil {
		c.made++
		c.whenKnown(early{coll: ch.peerColl}, func() { c.leave(op); c.done++ })
		return
	}
	if coll.awaits(ch.peerElem) {
		c.made++
		c.whenKnown(early{coll: coll.id, until: untilChare, n: ch.peerElem}, func() { c.leave(op); c.done++ })
		return
	}
	dst := int(coll.where[ch.peerElem])
	switch {
	case plain(op.buf) && channelLen+op.buf.Len <= c.maxHeader:
		c.sendInline(ch, dst, op.seq, op.buf.Bytes())
		c.complete(op, op.buf.Len, nil)
	case dst == c.rank:
		c.arrive(c.peerHere(ch), &arrival{seq: op.seq, mode: modeHere, src: dst, n: op.buf.Len, op: op})
	default:
		x := c.newMove(give, dst, op.buf)
		x.op = op
		c.made++ // the header
		c.launch(x)
	}
}

// plain reports whether the host may copy the bytes itself: managed memory it could, but its pages would move.
func plain(m gpu.Memory) bool { return m.Space == gpu.Pageable || m.Space == gpu.Pinned }

// sendInline sends a message that needs no buffer any more when it returns. dst is the peer's PE.
func (c *core) sendInline(ch *Channel, dst int, seq uint32, data []byte) {
	if dst == c.rank {
		a := arrival{seq: seq, mode: modeInline, src: dst, n: len(data), data: data}
		c.arrive(c.peerHere(ch), &a)
		return
	}
	c.made++
	b := ch.header(c.scratch, modeInline, seq, channelLen+len(data))
	copy(b[channelLen:], data)
	c.post(dst, b)
}

// peerHere is the other end on this PE.
func (c *core) peerHere(ch *Channel) *Channel {
	return c.channel(c.known(ch.peerColl).elems[ch.peerElem], ch.el.coll.id, ch.el.lin, ch.port)
}

// SendBytes sends a copy of b and does not wait.
func (ch *Channel) SendBytes(pe *PE, b []byte) {
	c := ch.c
	coll := c.known(ch.peerColl)
	if coll != nil && !coll.awaits(ch.peerElem) && (int(coll.where[ch.peerElem]) == c.rank || channelLen+len(b) <= c.maxHeader) {
		seq := ch.sent
		ch.sent++
		c.sendInline(ch, int(coll.where[ch.peerElem]), seq, b)
		return
	}
	mem := c.host.get(len(b))
	copy(mem.Bytes(), b)
	op := c.newOp(ch)
	ch.open--
	op.alone, op.buf, op.seq = true, mem.Slice(0, len(b)), ch.sent
	ch.sent++
	op.host = mem
	c.leave(op)
}

// complete ends an operation for whoever waits for it.
func (c *core) complete(op *Op, n int, err error) {
	op.n, op.err = n, err
	c.host.put(op.host)
	op.host = gpu.Memory{}
	if op.alone {
		if err != nil {
			c.fail(err)
		}
		_, _ = c.end(op)
		return
	}
	op.ch.open--
	c.fire(&op.latch)
}

// Irecv receives the channel's next message into buf, of any space; the operation ends when the bytes can be read on
// any stream. A longer message is an error, and lost.
func (ch *Channel) Irecv(pe *PE, buf gpu.Memory) *Op {
	op := ch.c.newOp(ch)
	op.recv, op.buf = true, buf
	ch.take(op)
	return op
}

// take gives a receive the oldest message, or keeps it until one comes.
func (ch *Channel) take(op *Op) {
	if ch.inbox.n > 0 {
		ch.c.fill(op, ch.inbox.pop())
		return
	}
	*ch.posted.push() = op
}

// Send sends buf and waits until it may be written again. See Isend.
func (ch *Channel) Send(t *Thread, buf gpu.Memory) error {
	op := ch.Isend(t.PE, buf, nil)
	_, err := t.Wait(op)
	return err
}

// Recv waits for the channel's next message in buf and says how many bytes it has. See Irecv.
func (ch *Channel) Recv(t *Thread, buf gpu.Memory) (int, error) { return t.Wait(ch.Irecv(t.PE, buf)) }

// RecvBytes is Recv into a slice.
func (ch *Channel) RecvBytes(t *Thread, b []byte) (int, error) {
	op := ch.c.newOp(ch)
	op.recv, op.bytes = true, b
	if b == nil {
		op.bytes = []byte{}
	}
	ch.take(op)
	return t.Wait(op)
}

// ChannelError is a message longer than the receive that it met.
type ChannelError struct {
	Chare string // the receiver
	Peer  string // the sender
	Bytes int    // of the message
	Room  int    // in the receive buffer
}

func (e *ChannelError) Error() string {
	return fmt.Sprintf("%s: a message of %d B from %s met a receive of %d B", e.Chare, e.Bytes, e.Peer, e.Room)
}

// Unwrap makes it transport.ErrTruncated.
func (e *ChannelError) Unwrap() error { return transport.ErrTruncated }
