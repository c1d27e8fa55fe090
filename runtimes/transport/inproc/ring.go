// Mailbox: a ring of cache lines from one PE to another, one writer and one reader.

package inproc

import (
	"sync/atomic"
	"unsafe"
)

const (
	lineBytes   = 64
	inlineBytes = 40   // payload that fits beside the description: one cache line crosses for such a message
	bulkBytes   = 8192 // payload that fits into the mailbox at all
	maxHeader   = 4096
	// Host messages up to here go into the mailbox. Two copies are then quicker than one and the words about it: 8 KiB
	// takes 430 ns instead of 555. At 16 KiB it is 650 instead of 830, but the mailbox would fill the second-level cache.
	eagerBytes = bulkBytes
)

// What a line carries.
const (
	kindEager uint8 = iota
	kindRendezvous
	kindHeader
)

// line is one message, or its description. seq is its position in the stream of messages plus one: the writer stores it
// last, so a reader that finds the number it expects finds the rest.
type line struct {
	seq  atomic.Uint32
	tag  int32
	len  int64
	kind uint8
	ctx  uint8
	_    [2]byte
	send uint32 // rendezvous: which of the sender's sendStates
	data [inlineBytes]byte
}

// ring has the parts that writer and reader change on lines of their own. A pair of lines each, since the processor
// fetches two at a time.
type ring struct {
	lines []line // no pointers inside, so that the allocation can be aligned
	bulk  []byte // made by the writer at its first use; seq orders that for the reader
	_     [64]byte
	taken atomic.Uint32 // by the reader: how many messages have been taken out
	_     [124]byte
	acks  atomic.Uint64 // by the reader: how many rendezvous have ended
	_     [120]byte
}

// depth is how many messages a mailbox holds. Few for many PEs: there are n² mailboxes.
func depth(n int) int {
	if n <= 16 {
		return 64
	}
	return 16
}

func newRing(n int) *ring {
	d := depth(n)
	raw := make([]byte, d*lineBytes+lineBytes)
	off := -uintptr(unsafe.Pointer(&raw[0])) & (lineBytes - 1)
	return &ring{lines: unsafe.Slice((*line)(unsafe.Pointer(&raw[off])), d)}
}

var _ [lineBytes]byte = [unsafe.Sizeof(line{})]byte{}

// outbox is the writer's side of a ring.
type outbox struct {
	r         *ring // nil for the PE itself
	lines     []line
	tail      uint32 // position of the next message
	takenSeen uint32
	acksSeen  uint64
	pending   queue  // wait for room
	underway  queue  // rendezvous that the reader has not ended
	state     uint32 // as last seen
}

// free is the line of the next message, nil when the mailbox is full.
func (o *outbox) free() *line {
	n := uint32(len(o.lines))
	if o.tail-o.takenSeen >= n {
		o.takenSeen = o.r.taken.Load()
		if o.tail-o.takenSeen >= n {
			return nil
		}
	}
	return &o.lines[o.tail&(n-1)]
}

// room is where n bytes of the next message go.
func (o *outbox) room(l *line, n int) []byte {
	if n <= inlineBytes {
		return l.data[:n]
	}
	if o.r.bulk == nil {
		o.r.bulk = make([]byte, len(o.lines)*bulkBytes)
	}
	at := int(o.tail&uint32(len(o.lines)-1)) * bulkBytes
	return o.r.bulk[at : at+n]
}

// publish hands the line to the reader.
func (o *outbox) publish(l *line) {
	o.tail++
	l.seq.Store(o.tail)
}

// inbox is the reader's side of a ring.
type inbox struct {
	next  *line
	want  uint32 // seq of the next message
	from  int32
	r     *ring
	acks  uint64
	lines []line
}

func (in *inbox) ready() bool { return in.next.seq.Load() == in.want }

// payload is the message's bytes, in the mailbox.
func (in *inbox) payload() []byte {
	n := int(in.next.len)
	if n <= inlineBytes {
		return in.next.data[:n]
	}
	at := int((in.want-1)&uint32(len(in.lines)-1)) * bulkBytes
	return in.r.bulk[at : at+n]
}

// pop gives the line back to the writer. That is told to it now and then only: it looks when the ring seems full.
func (in *inbox) pop() {
	n := uint32(len(in.lines))
	if in.want&(n/4-1) == 0 {
		in.r.taken.Store(in.want)
	}
	in.next = &in.lines[in.want&(n-1)]
	in.want++
}

// ack tells the writer that one more rendezvous has ended.
func (in *inbox) ack() {
	in.acks++
	in.r.acks.Store(in.acks)
}
