// Receiving on channels: messages are put in order, and each meets the oldest receive.
package charm

import (
	"slices"

	"gpubench/gpu"
)

// arrival is a message that has come and has no receive yet.
type arrival struct {
	seq  uint32
	mode uint8
	src  int // PE
	n    int // bytes
	tag  uint16
	data []byte // inline: a copy once it waits in the inbox
	op   *Op    // here: the sender's
}

// channelMessage takes a message for an element here. It reports false when it waits for word of the array.
func (c *core) channelMessage(src int, b []byte) bool {
	coll := c.known(word(b, 4))
	if coll == nil {
		c.hold(early{coll: word(b, 4)}, src, b)
		return false
	}
	lin := word(b, 8)
	el := coll.elems[lin]
	if el == nil {
		c.passOn(src, int(coll.where[lin]), b)
		return false
	}
	if el.chare == nil {
		c.hold(early{coll: coll.id, until: untilChare, n: lin}, src, b)
		return false
	}
	a := arrival{seq: word(b, 20), mode: mode(b), src: src}
	if a.mode == modeTagged {
		a.n, a.tag = int(le.Uint64(b[channelLen:])), uint16(word(b, channelLen+8))
	} else {
		a.data = b[channelLen:]
		a.n = len(a.data)
	}
	c.arrive(c.channel(el, word(b, 16), word(b, 12), number(b)), &a)
	return true
}

// arrive puts a message in its place in the channel's order.
func (c *core) arrive(ch *Channel, a *arrival) {
	if a.seq != ch.want {
		late := *a
		late.data = slices.Clone(a.data)
		ch.ahead = append(ch.ahead, late)
		return
	}
	c.match(ch, a)
	for len(ch.ahead) > 0 {
		i := slices.IndexFunc(ch.ahead, func(a arrival) bool { return a.seq == ch.want })
		if i < 0 {
			return
		}
		next := ch.ahead[i]
		ch.ahead = slices.Delete(ch.ahead, i, i+1)
		c.match(ch, &next)
	}
}

// match gives the next message to the oldest receive, or keeps it.
func (c *core) match(ch *Channel, a *arrival) {
	ch.want++
	if ch.posted.n > 0 {
		c.fill(*ch.posted.pop(), a)
		return
	}
	in := ch.inbox.push()
	room := in.data[:0]
	*in = *a
	in.data = append(room, a.data...)
}

// fill moves a message to where its receive says.
func (c *core) fill(op *Op, a *arrival) {
	room := op.buf.Len
	if op.bytes != nil {
		room = len(op.bytes)
	}
	if a.n > room {
		c.refuse(op, a, room)
		return
	}
	switch {
	case a.mode == modeInline && op.bytes != nil:
		c.complete(op, copy(op.bytes, a.data), nil)
	case a.mode == modeInline && plain(op.buf):
		c.complete(op, copy(op.buf.Bytes(), a.data), nil)
	case a.mode == modeInline && a.n == 0:
		c.complete(op, 0, nil)
	case a.mode == modeInline: // to memory of the device's side: from a buffer that outlives the message
		mem := c.host.get(a.n)
		copy(mem.Bytes(), a.data)
		x := c.newMove(dup, c.rank, op.buf.Slice(0, a.n))
		x.src, x.host, x.op = mem.Slice(0, a.n), mem, op
		c.stats.LocalCopies++
		c.port.Send(c.rank, nil, x)
	case a.mode == modeHere && op.bytes != nil && plain(a.op.buf):
		n := copy(op.bytes, a.op.buf.Bytes())
		c.complete(a.op, n, nil)
		c.complete(op, n, nil)
	case a.mode == modeHere:
		x := c.newMove(dup, c.rank, c.landing(op, a.n))
		x.src, x.op, x.from = a.op.buf, op, a.op
		c.stats.LocalCopies++
		c.port.Send(c.rank, nil, x)
	default:
		x := c.newMove(take, a.src, c.landing(op, a.n))
		x.op = op
		c.receive(x, a.tag)
	}
}

// landing is where n bytes go: the receive's buffer, or for a slice of bytes memory of the pool.
func (c *core) landing(op *Op, n int) gpu.Memory {
	if op.bytes == nil {
		return op.buf.Slice(0, n)
	}
	op.host = c.host.get(n)
	return op.host.Slice(0, n)
}

// refuse ends a receive whose buffer is too short. The message is taken off the wire all the same.
func (c *core) refuse(op *Op, a *arrival, room int) {
	err := &ChannelError{Chare: op.ch.el.name(), Peer: op.ch.name(), Bytes: a.n, Room: room}
	switch a.mode {
	case modeHere:
		c.complete(a.op, a.n, nil)
	case modeTagged:
		mem := c.host.get(a.n)
		x := c.newMove(take, a.src, mem.Slice(0, a.n))
		x.host = mem
		c.receive(x, a.tag)
	}
	c.complete(op, 0, err)
}
