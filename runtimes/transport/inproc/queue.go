// Lists of operations and messages, and the pool that they come from: nothing is allocated once they have grown.

package inproc

import (
	"gpubench/gpu"
	"gpubench/runtimes/transport"
)

// item is an operation that has not ended, or a message that no receive has asked for yet. One type for all lists, so
// that there is one pool and no indirect call.
type item struct {
	next, prev *item
	op         transport.Op // as posted; of an unexpected message: its source, tag and context
	len        int          // of the message in bytes
	send       *sendState   // rendezvous: what both sides share
	over       bool         // a send that has been cancelled, whose sendState the receiver has not seen yet
	small      [inlineBytes]byte
	block      *[bulkBytes]byte // payload of an eager message that small does not hold
	event      *gpu.Event       // ends the device copy
	in         *inbox           // where the sender waits for an ack; nil: this PE itself, or eager
}

// queue is a doubly linked list in the order of arrival.
type queue struct{ head, tail *item }

func (q *queue) push(x *item) {
	x.next, x.prev = nil, q.tail
	if q.tail == nil {
		q.head = x
	} else {
		q.tail.next = x
	}
	q.tail = x
}

func (q *queue) remove(x *item) {
	if x.prev == nil {
		q.head = x.next
	} else {
		x.prev.next = x.next
	}
	if x.next == nil {
		q.tail = x.prev
	} else {
		x.next.prev = x.prev
	}
	x.next, x.prev = nil, nil
}

// pool hands out items and blocks again.
type pool struct {
	items  []*item
	blocks []*[bulkBytes]byte
}

func (p *pool) get() *item {
	if n := len(p.items); n > 0 {
		x := p.items[n-1]
		p.items = p.items[:n-1]
		return x
	}
	return new(item)
}

// put takes x back with its block. x stands in no list any more.
func (p *pool) put(x *item) {
	if x.block != nil {
		p.blocks = append(p.blocks, x.block)
		x.block = nil
	}
	x.send, x.in, x.event, x.over = nil, nil, nil, false
	p.items = append(p.items, x)
}

// bytes is room for n bytes of payload in x.
func (p *pool) bytes(x *item, n int) []byte {
	x.len = n
	if n <= inlineBytes {
		return x.small[:n]
	}
	if x.block == nil {
		if k := len(p.blocks); k > 0 {
			x.block, p.blocks = p.blocks[k-1], p.blocks[:k-1]
		} else {
			x.block = new([bulkBytes]byte)
		}
	}
	return x.block[:n]
}

// payload is what bytes was filled with.
func (x *item) payload() []byte {
	if x.len <= inlineBytes {
		return x.small[:x.len]
	}
	return x.block[:x.len]
}

// completions is a growing ring of finished operations that Do has not handed out yet.
type completions struct {
	ring       []transport.Completion // length a power of two
	head, tail uint32
}

func (c *completions) push(x transport.Completion) {
	if int(c.tail-c.head) == len(c.ring) {
		bigger := make([]transport.Completion, max(64, 2*len(c.ring)))
		n := c.pop(bigger)
		c.ring, c.head, c.tail = bigger, 0, uint32(n)
	}
	c.ring[c.tail&uint32(len(c.ring)-1)] = x
	c.tail++
}

// pop moves as many as fit into out.
func (c *completions) pop(out []transport.Completion) int {
	n := 0
	for n < len(out) && c.head != c.tail {
		out[n] = c.ring[c.head&uint32(len(c.ring)-1)]
		c.head++
		n++
	}
	return n
}
