// Messages to many: broadcasts, and word of sections and of arrays made from one PE, over spanning trees of PEs.
package charm

import (
	"fmt"
	"slices"
)

// spread sends a broadcast off from this PE. It leaves for other PEs at once; chares here get it queued.
func (c *core) spread(b []byte) {
	c.made++
	setRoot(b, noRoot)
	if c.broadcast(c.rank, b) {
		c.done++
	}
}

// broadcast passes b on and queues it for members here. It may write b's root. It reports false when the section is not
// known yet and a copy of b waits.
func (c *core) broadcast(src int, b []byte) bool {
	r, wait := c.knownRoster(word(b, 4), le.Uint64(b[8:]))
	if r == nil {
		c.hold(wait, src, b)
		return false
	}
	if root(b) == noRoot {
		le.PutUint32(b[20:], r.epoch)
		if r.pos < 0 { // no members here: the next PE that has some is the root
			at, _ := slices.BinarySearch(r.pes, int32(c.rank))
			at %= len(r.pes)
			le.PutUint32(b[16:], uint32(at))
			c.made++
			c.post(int(r.pes[at]), b)
			return true
		}
		le.PutUint32(b[16:], uint32(r.pos))
	} else if epoch := word(b, 20); epoch != r.epoch {
		if r, wait = c.treeOf(r, epoch); r == nil {
			c.hold(wait, src, b)
			return false
		}
	}
	kids(r.pos, int(root(b)), len(r.pes), c.fanout, func(k int) {
		c.made++
		c.post(int(r.pes[k]), b)
	})
	for _, el := range r.local {
		c.made++
		e := c.queue.push(headerLen + len(b) - bcastLen)
		putHeader(e, kindEntry, number(b), el.coll.id, el.lin)
		copy(e[headerLen:], b[bcastLen:])
	}
	return true
}

// announce sends b to every PE over the tree that hangs from this one.
func (c *core) announce(b []byte) {
	setRoot(b, uint32(c.rank))
	c.pass(b)
}

// pass sends b on to the PEs under this one in the tree from its root.
func (c *core) pass(b []byte) {
	kids(c.rank, int(root(b)), c.size, c.fanout, func(k int) {
		if kindOf(b).counted() {
			c.made++
		}
		c.post(k, b)
	})
}

// announceSection tells all PEs of a section, this one at once.
func (c *core) announceSection(coll uint32, sec uint64, lins []uint32) {
	b := make([]byte, bcastLen+4*len(lins))
	putSection(b, kindSection, 0, coll, sec)
	for i, lin := range lins {
		le.PutUint32(b[bcastLen+4*i:], lin)
	}
	c.announce(b)
	c.made++
	if c.defineSection(c.rank, b) {
		c.done++
	}
}

func (c *core) sectionMessage(src int, b []byte) bool {
	c.pass(b)
	return c.defineSection(src, b)
}

func (c *core) defineSection(src int, b []byte) bool {
	coll := c.known(word(b, 4))
	if coll == nil { // not to be passed on again when it is known
		b = slices.Clone(b)
		c.whenKnown(early{coll: word(b, 4)}, func() {
			c.defineSection(src, b)
			c.done++
		})
		return false
	}
	lins := make([]uint32, (len(b)-bcastLen)/4)
	for i := range lins {
		lins[i] = word(b, bcastLen+4*i)
	}
	sec := le.Uint64(b[8:])
	if coll.rosters == nil {
		coll.rosters = map[uint64]*roster{}
	}
	coll.rosters[sec] = c.newRoster(coll, sec, lins)
	c.release(early{coll: coll.id, sec: sec})
	return true
}

// announceArray makes an array from this PE and returns its number.
func (c *core) announceArray(k *class, name string, s Shape, mapID int, body []byte) uint32 {
	if c.arrays >= 1<<16 || c.rank >= 1<<15 {
		panic("charm: Class.New makes at most 65536 arrays a PE, on at most 32768 PEs")
	}
	id := firstDynamic | uint32(c.rank)<<16 | c.arrays
	c.arrays++
	b := make([]byte, createLen+len(name)+len(body))
	putHeader(b, kindCreate, k.id, id, uint32(mapID))
	le.PutUint32(b[20:], uint32(s.dims))
	for i, n := range s.n {
		le.PutUint32(b[24+4*i:], uint32(n))
	}
	le.PutUint32(b[36:], uint32(len(name)))
	copy(b[createLen:], name)
	copy(b[createLen+len(name):], body)
	le.PutUint32(b[16:], uint32(c.rank)) // setRoot would overwrite the dimensions
	c.made++
	c.createMessage(b)
	c.done++
	return id
}

// createMessage passes b on, makes the array's elements here and lets messages reach them.
func (c *core) createMessage(b []byte) {
	c.pass(b)
	k := c.classes[number(b)]
	s := Shape{dims: int(word(b, 20))}
	for i := range s.n {
		s.n[i] = int(word(b, 24+4*i))
	}
	name := string(b[createLen : createLen+word(b, 36)])
	body := b[createLen+len(name):]
	coll := c.makeCollection(word(b, 4), name, s, *registry.maps.byID[word(b, 8)-1], nil)
	for _, el := range coll.all.local {
		c.current = running{constructing(k), el}
		if err := k.construct(c.pe, el, body); err != nil {
			c.fail(fmt.Errorf("make %s: %w", el.name(), err))
			return
		}
	}
	c.current = running{}
	c.define(coll)
}

// constructing stands for a constructor in errors.
func constructing(k *class) *method { return &method{name: "constructor " + k.name} }
