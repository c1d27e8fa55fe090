// Requests: names of operations under way, and the pool of their state.

package transport

import "gpubench/gpu"

// Request names an operation under way. It is a plain value; the zero Request is complete (as MPI_REQUEST_NULL is). Wait,
// or a Test that returns true, ends it: a later use of it, or of a copy, panics.
type Request struct {
	s   *slot
	gen uint32
}

// IsZero reports whether r names no operation.
func (r Request) IsZero() bool { return r.s == nil }

// Status says what was received; after a send, what was sent.
type Status struct {
	Source, Tag int
	Len         int // bytes
}

type slotState uint8

const (
	slotFree slotState = iota
	slotUnderWay
	slotComplete
)

// slot is the state of one operation of the driver, or of one staged message. Its place in Endpoint.slots is the
// operation's id.
type slot struct {
	gen   uint32 // counts the slot's uses: a Request of an earlier one is stale
	id    uint32
	kind  OpKind
	ctx   uint8
	state slotState
	way   Path
	lost  bool // nobody waits any more: the deadline passed and the driver still has the buffer
	peer  int32
	tag   int32
	st    Status
	err   error

	t *transfer // a staged message
	p *part     // one wire message of a staged message

	batch *Batch // that holds the slot, and
	at    int    // the place in it
}

// get is a slot that is under way.
func (e *Endpoint) get(kind OpKind, ctx uint8, peer, tag int) *slot {
	var s *slot
	if n := len(e.free); n > 0 {
		s = e.free[n-1]
		e.free = e.free[:n-1]
	} else {
		s = &slot{id: uint32(len(e.slots))}
		e.slots = append(e.slots, s)
	}
	s.kind, s.ctx, s.state, s.peer, s.tag = kind, ctx, slotUnderWay, int32(peer), int32(tag)
	return s
}

// put makes every Request of s stale.
func (e *Endpoint) put(s *slot) {
	s.gen++
	s.state, s.lost, s.err, s.t, s.p = slotFree, false, nil, nil, nil
	e.free = append(e.free, s)
}

// live is r's slot, nil for the zero Request.
func (e *Endpoint) live(r Request) *slot {
	if r.s != nil && r.s.gen != r.gen {
		panic("transport: a request is used after it has ended")
	}
	if e.closed {
		panic("transport: use of a closed Endpoint")
	}
	return r.s
}

// end takes the slot's result and frees it.
func (e *Endpoint) end(s *slot) (Status, error) {
	st, err := s.st, s.err
	e.put(s)
	return st, err
}

// settle is what befalls a slot when its operation is over.
func (e *Endpoint) settle(s *slot, st Status, err error) {
	if s.lost {
		e.put(s)
		return
	}
	s.state, s.st = slotComplete, st
	if err != nil {
		s.err = e.wrap(s, st, err)
		return
	}
	e.count(s, st.Len)
}

// reap books completions of the driver.
func (e *Endpoint) reap(n int) {
	for i := range e.done[:n] {
		c := &e.done[i]
		s := e.slots[c.ID]
		if s.state != slotUnderWay {
			panic("transport: the driver completed an operation twice")
		}
		if s.p != nil {
			e.partDone(s, c)
			continue
		}
		e.settle(s, Status{Source: int(c.Peer), Tag: int(c.Tag), Len: c.Len}, c.Err)
	}
}

// op is the driver's operation of s.
func (s *slot) op(buf gpu.Memory) Op {
	return Op{Kind: s.kind, Ctx: s.ctx, Peer: s.peer, Tag: s.tag, ID: s.id, Buf: buf}
}
