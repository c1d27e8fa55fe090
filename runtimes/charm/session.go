// Sessions: the Runtimes that are made one after the other on one Endpoint. What one leaves in the transport (a message
// nobody waited for, word of a failure) must not reach the next. Headers carry the session's number; tags of payload go
// on where the session before stopped, so that payload it left unreceived is not taken for the next one's.
package charm

import (
	"fmt"
	"slices"
)

// seat is what sessions of one Endpoint hand on.
type seat struct {
	made  uint8 // sessions so far
	tags  []int // by PE: the tag to begin with
	early []earlyHeader
}

// earlyHeader is one that a later session is to get.
type earlyHeader struct {
	src int
	b   []byte
}

// sit begins a session.
func (c *core) sit(s *seat) {
	s.made++
	if s.tags == nil {
		s.tags = make([]int, c.size)
	}
	c.seat, c.session = s, s.made
}

// otherSession drops what an earlier session left. A PE in a later one has given this one up, with the error that is
// on its way to here.
func (c *core) otherSession(src int, b []byte) {
	if int8(b[1]-c.session) < 0 {
		return
	}
	c.seat.early = append(c.seat.early, earlyHeader{src, slices.Clone(b)})
	c.fail(fmt.Errorf("charm: PE %d has left this Runtime and made the next", src))
}

// deliverEarly takes what came for this session before it began.
func (c *core) deliverEarly() {
	all := c.seat.early
	c.seat.early = nil
	for _, e := range all {
		c.deliver(e.src, e.b, false)
	}
}
