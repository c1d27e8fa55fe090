// Chares on their way from PE to PE: state in one message, contents of buffers in tagged messages of their own, and what
// their channels hold sent after them.
package charm

import (
	"fmt"
	"slices"
	"time"

	"gpubench/gpu"
)

// cargo is a chare on its way, with the buffers that it has: on the old PE those whose contents have not left, on the new
// one those to be filled.
type cargo struct {
	c       *core
	el      *element
	buffers []*gpu.Buffer // nil: its contents have left
	left    int           // those that are not done
}

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

// load begins a cargo.
func (c *core) load(el *element) *cargo {
	load := &cargo{c: c, el: el}
	c.cargoes = append(c.cargoes, load)
	return load
}

// sendBuffers sends contents off.
func (c *core) sendBuffers(load *cargo, to int) {
	load.left = 1 // this loop
	for i, buf := range load.buffers {
		load.left++
		if buf.Len() == 0 {
			c.sentBuffer(load, i, nil)
			continue
		}
		load.el.coll.mob.stats.Bytes += int64(buf.Len())
		x := c.newMove(give, to, buf.Memory())
		x.cargo, x.index = load, i
		c.made++ // the header
		c.launch(x)
	}
	c.sentBuffer(load, -1, nil)
}

// sentBuffer is done with a buffer that has left, and ends the move with the last.
func (c *core) sentBuffer(load *cargo, i int, err error) {
	if i >= 0 && err == nil {
		c.spares = append(c.spares, spare{buf: load.buffers[i]})
		load.buffers[i] = nil
	}
	if err != nil {
		c.fail(fmt.Errorf("charm: PE %d: move %s: buffer %d: %w", c.rank, load.el.name(), i, err))
		return
	}
	if load.left--; load.left == 0 {
		c.unload(load)
		c.moved(load.el.coll.mob)
	}
}

// moved ends one move from or to here.
func (c *core) moved(m *mobile) {
	if m.moving--; m.moving == 0 {
		m.stats.Moving += time.Duration(c.port.Now() - m.began)
	}
}

// unload forgets a cargo whose buffers are gone or belong to a chare here.
func (c *core) unload(load *cargo) {
	for i, l := range c.cargoes {
		if l == load {
			last := len(c.cargoes) - 1
			c.cargoes[i], c.cargoes[last] = c.cargoes[last], nil
			c.cargoes = c.cargoes[:last]
			return
		}
	}
}

// spare is a buffer of a chare that has left. It waits for one that comes with a buffer like it, until chares have moved
// once more: to allocate costs more than to transfer.
type spare struct {
	buf *gpu.Buffer
	old bool
}

// room is a buffer for what comes.
func (c *core) room(d parcel) (*gpu.Buffer, error) {
	for i, s := range c.spares {
		if s.buf.Len() == int(d.Len) && s.buf.Memory().Space == d.Space && s.buf.Pages() == d.Pages {
			c.spares = slices.Delete(c.spares, i, i+1)
			return s.buf, nil
		}
	}
	buf, err := c.alloc(d.Space, int(d.Len), d.Pages)
	if err != nil && len(c.spares) > 0 {
		if err := c.freeSpares(false); err != nil {
			return nil, err
		}
		buf, err = c.alloc(d.Space, int(d.Len), d.Pages)
	}
	return buf, err
}

// freeSpares frees buffers that nobody came for, all or those that are old.
func (c *core) freeSpares(oldOnly bool) (err error) {
	young := c.spares[:0]
	for _, s := range c.spares {
		if oldOnly && !s.old {
			young = append(young, spare{s.buf, true})
			continue
		}
		if e := s.buf.Free(); err == nil {
			err = e
		}
	}
	clear(c.spares[len(young):])
	c.spares = young
	return err
}

// freeCargoes frees the buffers of chares that never arrived, and spare ones.
func (c *core) freeCargoes() (errs []error) {
	errs = append(errs, c.freeSpares(false))
	for _, load := range c.cargoes {
		for _, buf := range load.buffers {
			if buf != nil {
				errs = append(errs, buf.Free())
			}
		}
	}
	c.cargoes = nil
	return errs
}

// putCargo writes the header that names a buffer's contents.
func (x *transfer) putCargo(b []byte) []byte {
	el := x.cargo.el
	putHeader(b, kindCargo, 0, el.coll.id, el.lin)
	le.PutUint32(b[12:], uint32(x.index))
	le.PutUint64(b[16:], uint64(x.buf.Len))
	le.PutUint64(b[24:], uint64(x.tag))
	return b[:cargoLen]
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

// cargoMessage receives the contents of a buffer. It reports false when its chare has not come.
func (c *core) cargoMessage(src int, b []byte) bool {
	coll, lin := c.known(word(b, 4)), word(b, 8)
	load := coll.mob.coming[lin]
	if load == nil {
		c.hold(early{coll: coll.id, until: untilCargo, n: lin}, src, b)
		return false
	}
	i := int(word(b, 12))
	buf := load.buffers[i]
	if n := int(le.Uint64(b[16:])); n != buf.Len() {
		c.fail(fmt.Errorf("charm: buffer %d of %s is to be filled with %d B and has %d B: its Pup must not depend on the pass", i, load.el.name(), n, buf.Len()))
		return true
	}
	x := c.newMove(take, src, buf.Memory())
	x.cargo, x.index = load, i
	c.receive(x, uint16(word(b, 24)))
	return true
}

// tookBuffer is told that a buffer is filled.
func (c *core) tookBuffer(load *cargo, i int, err error) {
	if err != nil {
		c.fail(fmt.Errorf("charm: PE %d: move %s: buffer %d: %w", c.rank, load.el.name(), i, err))
		return
	}
	if load.left--; load.left == 0 {
		delete(load.el.coll.mob.coming, load.el.lin)
		c.arrived(load)
	}
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

// redirect sends the messages that a chare has not received after it.
func (c *core) redirect(ch *Channel, to int) {
	for ch.inbox.n > 0 {
		c.resend(ch, ch.inbox.pop(), to)
	}
	for i := range ch.ahead {
		c.resend(ch, &ch.ahead[i], to)
	}
	ch.ahead = nil
}

func (c *core) resend(ch *Channel, a *arrival, to int) {
	if a.mode == modeHere { // its sender waits here until the new place has received it
		x := c.newMove(give, to, a.op.buf)
		x.op = a.op
		c.made++ // the header
		c.launch(x)
		return
	}
	var h [channelLen]byte
	putHeader(h[:], kindChannel, ch.port, ch.el.coll.id, ch.el.lin)
	le.PutUint32(h[12:], ch.peerElem)
	le.PutUint64(h[16:], uint64(ch.peerColl)|uint64(a.seq)<<32)
	if a.mode == modeTagged {
		c.made++
		c.takeToPass(a.src, h[:], a.n, a.tag)
		return
	}
	b := c.open(to, channelLen+len(a.data))
	copy(b, h[:])
	copy(b[channelLen:], a.data)
	c.ship(to, b)
}

// passOn sends a channel's message after a chare that has left; payload under a tag is received first.
func (c *core) passOn(src, to int, b []byte) {
	if mode(b) != modeTagged {
		c.post(to, b)
		return
	}
	h := b[:channelLen]
	n, tag := int(le.Uint64(b[channelLen:])), uint16(word(b, channelLen+8))
	h[0] = byte(kindChannel) // in one piece from here on
	c.takeToPass(src, h, n, tag)
}

// takeToPass receives a channel's payload behind its header: the whole is then handled as a message, which goes on to
// where its chare is.
func (c *core) takeToPass(src int, h []byte, n int, tag uint16) {
	mem := c.host.get(channelLen + n)
	copy(mem.Bytes(), h)
	x := c.newMove(take, src, mem.Slice(channelLen, n))
	x.long, x.host, x.src = true, mem, mem.Slice(0, channelLen+n)
	c.receive(x, tag)
}

// parcel says what a buffer was like.
type parcel struct {
	Len   int64
	Space gpu.Space
	Pages gpu.Pages
	Is    bool
}

// Buffer passes over a buffer of a chare that moves: its contents travel on their own, as the Endpoint's path says, into
// a new buffer of the same space, length and pages on the new PE's device; the old one is the runtime's when they have
// left: it is used again, or freed when chares have moved once more, at the latest by Close. A nil buffer stays nil. No stream may write the buffer any more. In a message, which cannot carry buffers, it panics.
func (p *Pup) Buffer(b **gpu.Buffer) {
	if p.move == nil {
		panic("charm: Pup.Buffer in a message: only chares that move take buffers along")
	}
	var d parcel
	if *b != nil && !p.Unpacking() {
		d = parcel{int64((*b).Len()), (*b).Memory().Space, (*b).Pages(), true}
	}
	PupValue(p, &d)
	switch p.mode {
	case pupPacking:
		if d.Is {
			p.move.buffers = append(p.move.buffers, *b)
		}
	case pupUnpacking:
		*b = nil
		if d.Is && p.err == nil {
			if *b, p.err = p.move.c.room(d); p.err == nil {
				p.move.buffers = append(p.move.buffers, *b)
			}
		}
	}
}

// Leaving reports whether the chare is packed to move, and is not used here any more: time to close what only its PE can.
func (p *Pup) Leaving() bool { return p.move != nil && p.mode == pupPacking }
