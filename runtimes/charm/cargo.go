// Buffers of chares that move: contents travel in tagged messages, each with a header that names it.
package charm

import (
	"fmt"
	"slices"

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

// putCargo writes the header that names a buffer's contents.
func (x *transfer) putCargo(b []byte) []byte {
	el := x.cargo.el
	putHeader(b, kindCargo, 0, el.coll.id, el.lin)
	le.PutUint32(b[12:], uint32(x.index))
	le.PutUint64(b[16:], uint64(x.buf.Len))
	le.PutUint64(b[24:], uint64(x.tag))
	return b[:cargoLen]
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
