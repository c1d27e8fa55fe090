// Collections: what a PE knows of an array, its elements and its sections; and the trees that messages to many and
// reductions follow.
package charm

import (
	"hash/fnv"
	"reflect"
	"slices"
	"sort"
	"unsafe"
)

// element is one chare on its PE.
type element struct {
	chare unsafe.Pointer // *C
	coll  *collection
	lin   uint32 // place in the order of elements
	slot  int32  // place among those of its PE
	chans []*Channel

	// Of chares that move:
	load   int64          // ns since the last sync point
	resume uint16         // the method that goes on after it
	synced bool           // it has come to a sync point
	gone   bool           // it has left this PE
	coming unsafe.Pointer // *C, while its buffers are on their way and chare is nil
}

func (el *element) index() Index { return el.coll.shape.At(int(el.lin)) }
func (el *element) name() string { return el.coll.elemName(el.lin) }

type collection struct {
	id      uint32
	name    string
	shape   Shape
	chare   reflect.Type
	where   []int32    // by element: its PE
	elems   []*element // by element: nil where it lives elsewhere
	all     *roster
	rosters map[uint64]*roster // sections
	mob     *mobile            // nil: its chares stay where they are
}

func (c *collection) elemName(lin uint32) string {
	return c.name + c.shape.At(int(lin)).text(c.shape.dims)
}

// roster is a set of elements of a collection: all of them, or a section. The PEs that have some stand in a list; trees
// are over places in that list.
type roster struct {
	coll  *collection
	sec   uint64
	epoch uint32     // of an array whose chares move: see sync.go
	lins  []uint32   // the members, in order; nil: all
	pes   []int32    // that have members, ascending
	pos   int        // this PE's place among them, -1 if none
	local []*element // members here, in order
	seqs  []uint32   // by local member: reductions contributed to
	first uint32     // the oldest reduction under way
	under []*reduction
	spare []*reduction
}

// firstDynamic separates arrays that every PE makes from those that one PE made: 1 bit, 15 bits PE, 16 bits count.
const firstDynamic = 1 << 31

// newCollection gives the next array its number and its elements, which are not to be seen before define.
func (c *core) newCollection(name string, s Shape, place Map, chare reflect.Type) *collection {
	coll := c.makeCollection(uint32(len(c.colls)), name, s, place, chare)
	h := fnv.New64a()
	h.Write([]byte(name + s.String() + typeKey(chare)))
	for _, pe := range coll.where {
		h.Write([]byte{byte(pe), byte(pe >> 8), byte(pe >> 16)})
	}
	c.arraysHash = c.arraysHash*1099511628211 ^ h.Sum64()
	c.colls = append(c.colls, nil) // the number is taken, whatever becomes of it
	return coll
}

func (c *core) makeCollection(id uint32, name string, s Shape, place Map, chare reflect.Type) *collection {
	coll := &collection{id: id, name: name, shape: s, chare: chare, where: place.place(s, c.size)}
	coll.elems = make([]*element, s.Len())
	for i, pe := range coll.where {
		if int(pe) == c.rank {
			coll.elems[i] = &element{coll: coll, lin: uint32(i)}
		}
	}
	c.building = coll
	coll.all = c.newRoster(coll, 0, nil)
	for i, el := range coll.all.local {
		el.slot = int32(i)
	}
	return coll
}

// newRoster makes the roster of the elements listed in order, nil for all.
func (c *core) newRoster(coll *collection, sec uint64, lins []uint32) *roster {
	r := &roster{coll: coll, sec: sec, lins: lins, pos: -1}
	if coll.mob != nil {
		r.epoch = coll.mob.epoch
	}
	has := make([]bool, c.size)
	add := func(lin int) {
		has[coll.where[lin]] = true
		if el := coll.elems[lin]; el != nil {
			r.local = append(r.local, el)
		}
	}
	if lins == nil {
		for i := range coll.where {
			add(i)
		}
	}
	for _, lin := range lins {
		add(int(lin))
	}
	for pe, member := range has {
		if member {
			if pe == c.rank {
				r.pos = len(r.pes)
			}
			r.pes = append(r.pes, int32(pe))
		}
	}
	r.seqs = make([]uint32, len(r.local))
	return r
}

// slotOf is the place of an element among the roster's local members, -1 if it is none.
func (r *roster) slotOf(el *element) int {
	if r.sec == 0 {
		return int(el.slot)
	}
	i := sort.Search(len(r.local), func(i int) bool { return r.local[i].lin >= el.lin })
	if i < len(r.local) && r.local[i] == el {
		return i
	}
	return -1
}

// define lets messages reach the collection, those that came early first.
func (c *core) define(coll *collection) {
	c.building = nil
	if coll.id < firstDynamic {
		c.colls[coll.id] = coll
	} else {
		if c.dynamic == nil {
			c.dynamic = map[uint32]*collection{}
		}
		c.dynamic[coll.id] = coll
	}
	c.release(early{coll: coll.id})
}

// known is the collection, nil if word of it has not come yet.
func (c *core) known(id uint32) *collection {
	if id < uint32(len(c.colls)) {
		return c.colls[id]
	}
	return c.dynamic[id]
}

func (c *core) mustKnow(id uint32) *collection {
	coll := c.known(id)
	if coll == nil && c.building != nil && c.building.id == id {
		coll = c.building // a constructor asks
	}
	if coll == nil {
		panic("charm: a proxy of an array that is not known on this PE yet")
	}
	return coll
}

// knownRoster is the roster, nil if it or its collection is not known yet; then wait says for what.
func (c *core) knownRoster(id uint32, sec uint64) (r *roster, wait early) {
	coll := c.known(id)
	switch {
	case coll == nil:
		mustBeSet(id)
		return nil, early{coll: id}
	case sec == 0:
		return coll.all, early{}
	}
	return coll.rosters[sec], early{coll: id, sec: sec}
}

// whereIs is the PE of an element; this one while the collection is unknown, so that the message waits here.
func (c *core) whereIs(id, lin uint32) int {
	if coll := c.known(id); coll != nil {
		return int(coll.where[lin])
	}
	mustBeSet(id)
	return c.rank
}

func mustBeSet(id uint32) {
	if id == 0 {
		panic("charm: a zero Elem, Array or Section: one that no array has given")
	}
}

// early names what a message waits for: word of a collection or section, or n of until in an array whose chares move.
type early struct {
	coll  uint32
	sec   uint64
	until until
	n     uint32
}

type until uint8

const (
	untilKnown until = iota // the collection or section
	untilStep               // the places of sync point n
	untilEpoch              // the places of epoch n
	untilCargo              // the state of element n, whose buffers come
	untilChare              // element n, which moves here
)

// awaits reports whether an element is on its way to this PE.
func (c *collection) awaits(lin uint32) bool { return c.elems[lin] != nil && c.elems[lin].chare == nil }

// hold keeps a copy of a message until what it names is known.
func (c *core) hold(e early, src int, b []byte) {
	b = slices.Clone(b)
	c.whenKnown(e, func() { c.handle(src, b, false) })
}

func (c *core) whenKnown(e early, f func()) {
	if c.waiting == nil {
		c.waiting = map[early][]func(){}
	}
	c.waiting[e] = append(c.waiting[e], f)
}

func (c *core) release(e early) {
	fs := c.waiting[e]
	delete(c.waiting, e)
	for _, f := range fs {
		f()
	}
}

// kids calls f for the places under pos in a tree of n places that hangs from root.
func kids(pos, root, n, fanout int, f func(kid int)) {
	rel := (pos - root + n) % n
	for k := rel*fanout + 1; k <= rel*fanout+fanout && k < n; k++ {
		f((k + root) % n)
	}
}

// kidCount is how many there are under pos in the tree from 0.
func kidCount(pos, n, fanout int) int {
	return max(0, min(pos*fanout+fanout, n-1)-pos*fanout)
}
