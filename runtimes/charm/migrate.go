// Chares on their way from PE to PE: state in one message, buffers as cargo (cargo.go), and what their channels hold sent
// after them (redirect.go).
package charm

import (
	"fmt"
	"time"
)

const (
	chareLen = 24
	lineLen  = 20 // of a channel in the message of a chare
	cargoLen = 32
)

var pupping, arriving = &method{name: "Pup"}, &method{name: "arrive"}

// attempt calls a chare's own code, which may panic: also while a thread of another chare takes what comes as it waits. It
// reports whether the run goes on.
func (c *core) attempt(m *method, el *element, f func()) bool {
	was := c.current
	c.current = running{m, el}
	c.guard(f)
	c.current = was
	return c.err == nil
}

// sendChare packs a chare and sends it off; from then on it is not here. It reports false when Pup has failed.
func (c *core) sendChare(el *element, to int) bool {
	load := c.load(el)
	if !c.attempt(pupping, el, func() { c.pack(el, load, to) }) {
		c.unload(load) // the buffers stay the chare's
		return false
	}
	el.chare, el.gone = nil, true
	el.coll.elems[el.lin] = nil
	for _, ch := range el.chans {
		c.redirect(ch, to)
	}
	c.sendBuffers(load, to)
	return true
}

func (c *core) pack(el *element, load *cargo, to int) {
	m := el.coll.mob
	size := Pup{mode: pupSizing, move: load}
	m.pup(el.chare, &size)
	b := c.open(to, chareLen+lineLen*len(el.chans)+size.size)
	putHeader(b, kindChare, el.resume, el.coll.id, el.lin)
	le.PutUint32(b[12:], m.step)
	le.PutUint64(b[16:], uint64(len(el.chans)))
	for i, ch := range el.chans {
		ch.pack(b[chareLen+lineLen*i:])
	}
	p := Pup{mode: pupPacking, b: b[chareLen+lineLen*len(el.chans):], move: load}
	m.pup(el.chare, &p)
	if p.size != size.size || len(p.b) != 0 {
		panic(fmt.Sprintf("charm: Pup packed %d B where it had counted %d B: it must not depend on the pass", p.size, size.size))
	}
	m.stats.Sent++
	m.stats.Bytes += int64(len(b))
	c.ship(to, b)
}

// moved ends one move from or to here.
func (c *core) moved(m *mobile) {
	if m.moving--; m.moving == 0 {
		m.stats.Moving += time.Duration(c.port.Now() - m.began)
	}
}

// chareMessage unpacks a chare that comes. It reports false when it waits for word of the places.
func (c *core) chareMessage(src int, b []byte) bool {
	coll := c.known(word(b, 4))
	m := coll.mob
	if step := word(b, 12); step > m.step {
		c.hold(early{coll: coll.id, until: untilStep, n: step}, src, b)
		return false
	}
	el := coll.elems[word(b, 8)]
	el.resume = number(b)
	lines := int(word(b, 16))
	for i := range lines {
		c.unpackChannel(el, b[chareLen+lineLen*i:])
	}
	load := c.load(el)
	chare := m.fresh()
	p := Pup{mode: pupUnpacking, b: b[chareLen+lineLen*lines:], move: load}
	if !c.attempt(pupping, el, func() { m.pup(chare, &p) }) {
		return true
	}
	if p.err == nil && len(p.b) != 0 {
		p.err = fmt.Errorf("charm: %d B left over after unpacking", len(p.b))
	}
	if p.err != nil {
		c.fail(&MethodError{PE: c.rank, Chare: el.name(), Method: pupping.name, Value: p.err})
		return true
	}
	for _, buf := range load.buffers {
		if buf.Len() > 0 {
			load.left++
		}
	}
	el.coming = chare
	if load.left == 0 {
		c.arrived(load)
		return true
	}
	if m.coming == nil {
		m.coming = map[uint32]*cargo{}
	}
	m.coming[el.lin] = load
	c.release(early{coll: coll.id, until: untilCargo, n: el.lin})
	return true
}

// arrived makes a chare that is complete one of this PE's.
func (c *core) arrived(load *cargo) {
	el := load.el
	el.chare, el.coming = el.coming, nil
	if !c.attempt(arriving, el, func() {
		if err := el.coll.mob.arrive(el); err != nil {
			c.fail(&MethodError{PE: c.rank, Chare: el.name(), Method: arriving.name, Value: err})
		}
	}) {
		el.chare = nil
		return
	}
	c.unload(load)
	c.goOn(el)
	c.release(early{coll: el.coll.id, until: untilChare, n: el.lin})
	c.moved(el.coll.mob)
}

// pack writes what the other end of a channel must find again: its messages go on where they stopped. Those in the inbox
// are sent again (redirect) and so not received yet.
func (ch *Channel) pack(b []byte) {
	le.PutUint32(b, ch.peerColl)
	le.PutUint32(b[4:], ch.peerElem)
	le.PutUint32(b[8:], ch.sent)
	le.PutUint32(b[12:], ch.want-uint32(ch.inbox.n))
	le.PutUint32(b[16:], uint32(ch.port))
}

func (c *core) unpackChannel(el *element, b []byte) {
	ch := c.channel(el, word(b, 0), word(b, 4), uint16(word(b, 16)))
	ch.sent, ch.want = word(b, 8), word(b, 12)
}
