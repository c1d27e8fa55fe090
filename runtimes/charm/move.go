// Moving payload that does not fit a header: tagged messages that a header names, and copies within a PE.
//
// The sender numbers each tagged message to a PE with a tag that no other message to it has. The receiver gives a tag
// back when it has posted the receive: from then on matching in order (MPI's rule, held by every transport) keeps a
// second message with that tag apart from the first, however late either comes. A message whose receiver is not ready
// so keeps one tag, and all others go on; when all 32768 are taken, messages wait at the sender.
package charm

import (
	"gpubench/gpu"
	"gpubench/runtimes/transport"
)

type verb uint8

const (
	give verb = iota // send buf to peer under tag
	take             // receive into buf from peer under tag
	dup              // copy src to buf, both here
)

// transfer is payload on its way. The port calls core.finish when it has ended.
type transfer struct {
	verb verb
	peer int
	tag  uint16
	buf  gpu.Memory
	src  gpu.Memory
	long bool       // buf (take: src, where there is one) is a message of n bytes, not a channel's payload
	op   *Op        // the channel operation that it completes
	from *Op        // dup: the sender's, too
	host gpu.Memory // memory of the pool that the transfer holds

	cargo *cargo // of a chare that moves
	index int    // which of its buffers
}

func (c *core) newMove(v verb, peer int, buf gpu.Memory) *transfer {
	c.made++
	var x *transfer
	if n := len(c.freeMoves); n > 0 {
		x, c.freeMoves = c.freeMoves[n-1], c.freeMoves[:n-1]
	} else {
		x = &transfer{}
	}
	*x = transfer{verb: v, peer: peer, buf: buf}
	return x
}

// finish is told that a transfer has ended: n bytes were received or copied.
func (c *core) finish(x *transfer, n int, err error, run bool) {
	c.progress++
	c.done++ // newMove made it
	switch {
	case err != nil && x.long:
		c.fail(err)
	case x.long && x.verb == take && x.src.Len > 0: // with its header: see takeToPass
		c.handle(x.peer, x.src.Bytes(), run)
	case x.long && x.verb == take:
		c.handle(x.peer, x.buf.Bytes(), run)
	case x.cargo != nil && x.verb == give:
		c.sentBuffer(x.cargo, x.index, err)
	case x.cargo != nil:
		c.tookBuffer(x.cargo, x.index, err)
	case x.op != nil:
		if err == nil && x.op.bytes != nil {
			n = copy(x.op.bytes, x.buf.Bytes()[:n])
		}
		c.complete(x.op, n, err)
		if x.from != nil {
			c.complete(x.from, n, err)
		}
	}
	c.host.put(x.host)
	*x = transfer{}
	c.freeMoves = append(c.freeMoves, x)
}

// sendLong sends a message of n bytes that stands in memory of the pool.
func (c *core) sendLong(dst int, mem gpu.Memory, n int) {
	x := c.newMove(give, dst, mem.Slice(0, n))
	x.long, x.host = true, mem
	c.launch(x)
}

// takeLong receives what a header of kindLong names.
func (c *core) takeLong(src int, b []byte) {
	n := int(le.Uint64(b[8:]))
	mem := c.host.get(n)
	x := c.newMove(take, src, mem.Slice(0, n))
	x.long, x.host = true, mem
	c.receive(x, uint16(word(b, 4)))
}

// launch sends the header that names x, and x.
func (c *core) launch(x *transfer) {
	pool := c.tags[x.peer]
	if pool == nil {
		pool = &tagPool{base: c.seat.tags[x.peer]}
		c.tags[x.peer] = pool
	}
	tag, ok := pool.take()
	c.seat.tags[x.peer] = (pool.base + pool.fresh) % tagLimit
	if !ok {
		*pool.waiting.push() = x
		if !pool.asked {
			pool.asked = true
			b := c.scratch[:headerLen]
			putHeader(b, kindWantTags, 0, 0, 0)
			c.post(x.peer, b)
		}
		return
	}
	x.tag = tag
	var b []byte
	switch {
	case x.long:
		b = c.scratch[:headerLen]
		putHeader(b, kindLong, 0, uint32(tag), 0)
		le.PutUint64(b[8:], uint64(x.buf.Len))
	case x.cargo != nil:
		b = x.putCargo(c.scratch)
	default:
		b = x.op.ch.header(c.scratch, modeTagged, x.op.seq, channelLen+16)
		le.PutUint64(b[channelLen:], uint64(x.buf.Len))
		le.PutUint64(b[channelLen+8:], uint64(tag))
	}
	c.post(x.peer, b)
	c.stats.Transfers++
	c.port.Send(x.peer, nil, x)
}

// receive posts x for the message under tag, which the sender may then use again.
func (c *core) receive(x *transfer, tag uint16) {
	x.tag = tag
	src := x.peer // x may have ended when Send returns
	c.port.Send(src, nil, x)
	o := &c.owed[src]
	o.tags = append(o.tags, tag)
	if o.wanted || len(o.tags) == tagBatch {
		c.giveBack(src)
	}
}

// tagPool numbers messages to one PE.
type tagPool struct {
	base    int // the first to be used: see session.go
	fresh   int // so many have been used at least once
	free    ring[uint16]
	waiting ring[*transfer]
	asked   bool
}

// tagLimit is how many tags there are for a pair of PEs; a variable for tests.
var tagLimit = transport.MaxTag + 1

func (p *tagPool) take() (uint16, bool) {
	switch {
	case p.fresh < tagLimit:
		p.fresh++
		return uint16((p.base + p.fresh - 1) % tagLimit), true
	case p.free.n > 0:
		return *p.free.pop(), true
	}
	return 0, false
}

// owedTags are numbers that a PE may use again and has not been told so.
type owedTags struct {
	tags   []uint16
	wanted bool // it waits for them
}

// tagBatch tags go back in one message, unless the sender waits for some.
const tagBatch = 256

func (c *core) giveBack(src int) {
	o := &c.owed[src]
	b := c.scratch[:headerLen+2*len(o.tags)]
	putHeader(b, kindTags, 0, 0, 0)
	for i, tag := range o.tags {
		le.PutUint16(b[headerLen+2*i:], tag)
	}
	o.tags, o.wanted = o.tags[:0], false
	c.post(src, b)
}

// tagMessage takes tags back, or is asked for them.
func (c *core) tagMessage(src int, k kind, b []byte) {
	if k == kindWantTags {
		o := &c.owed[src]
		if o.wanted = true; len(o.tags) > 0 {
			c.giveBack(src)
		}
		return
	}
	pool := c.tags[src]
	for b = b[headerLen:]; len(b) > 0; b = b[2:] {
		*pool.free.push() = le.Uint16(b)
	}
	pool.asked = false
	for n := pool.waiting.n; n > 0; n-- { // what still finds no tag goes to the end, in order: nobody else is behind
		c.launch(*pool.waiting.pop())
	}
}
