// Arrays, groups and sections of chares as the user sees them: proxies, which are plain values that messages may carry.
package charm

import (
	"fmt"
	"reflect"
	"slices"
	"unsafe"
)

// Elem is a proxy of one element. The zero Elem is none, and panics in use.
type Elem[C any] struct{ coll, elem uint32 }

// Index is the element's place in its array. The array must be known on the PE.
func (e Elem[C]) Index(pe *PE) Index { return pe.mustKnow(e.coll).shape.At(int(e.elem)) }

// Array is the array that the element is in: its neighbours, for a constructor.
func (e Elem[C]) Array(pe *PE) Array[C] { return Array[C]{e.coll, pe.mustKnow(e.coll).shape} }

// Local is the chare itself where it lives on pe.
func (e Elem[C]) Local(pe *PE) (*C, bool) {
	el := pe.mustKnow(e.coll).elems[e.elem]
	if el == nil || el.chare == nil {
		return nil, false
	}
	return (*C)(el.chare), true
}

// PE is where the element lives, as far as pe knows: after a sync point word of its places comes to one PE sooner than to
// another.
func (e Elem[C]) PE(pe *PE) int { return int(pe.mustKnow(e.coll).where[e.elem]) }

// Section is a proxy of several elements of an array: all of them (Array.All) or some (Array.Section).
type Section[C any] struct {
	coll uint32
	sec  uint64
}

// Array is a proxy of an array.
type Array[C any] struct {
	coll  uint32
	shape Shape
}

// Shape is the array's extent.
func (a Array[C]) Shape() Shape { return a.shape }

// At is the element at the given index, one number a dimension. It panics outside the array.
func (a Array[C]) At(i ...int) Elem[C] {
	if len(i) != a.shape.dims {
		panic(fmt.Sprintf("charm: %d indices for an array of shape %v", len(i), a.shape))
	}
	var at Index
	copy(at[:], i)
	return a.AtIndex(at)
}

// AtIndex is At of an Index.
func (a Array[C]) AtIndex(at Index) Elem[C] { return Elem[C]{a.coll, uint32(a.shape.Order(at))} }

// All is every element.
func (a Array[C]) All() Section[C] { return Section[C]{coll: a.coll} }

// EachLocal calls f for each chare of the array that lives on pe, in order: to look at chares between runs.
func (a Array[C]) EachLocal(pe *PE, f func(self Elem[C], c *C)) {
	for _, el := range pe.mustKnow(a.coll).all.local {
		if el.chare == nil { // it is on its way
			continue
		}
		f(Elem[C]{a.coll, el.lin}, (*C)(el.chare))
	}
}

// Section makes a proxy of the elements listed, in any order; one listed twice counts once. It can be used and passed
// on at once, and lives as long as the array. It panics for an empty list.
func (a Array[C]) Section(pe *PE, at []Index) Section[C] {
	lins := make([]uint32, 0, len(at))
	for _, i := range at {
		lins = append(lins, uint32(a.shape.Order(i)))
	}
	slices.Sort(lins)
	lins = slices.Compact(lins)
	if len(lins) == 0 {
		panic("charm: a section without elements")
	}
	pe.sections++
	s := Section[C]{a.coll, uint64(pe.rank)<<32 | uint64(pe.sections)}
	pe.announceSection(s.coll, s.sec, lins)
	return s
}

// NewArray makes an array. Every PE calls it, with the same arguments and in the same order among its NewArray and
// NewGroup calls, before Run or between two runs; construct makes the chares that live on the calling PE, in order of
// elements. An error of construct is returned, and the array is then of no use.
//
// name is for people: in errors an element is name(i,j,k).
func NewArray[C any](pe *PE, name string, s Shape, place Map, construct func(self Elem[C], at Index) (*C, error)) (Array[C], error) {
	return newArray(pe, name, s, place, construct, nil)
}

// newArray is NewArray; before, which may be nil, sees the collection before its chares are made.
func newArray[C any](pe *PE, name string, s Shape, place Map, construct func(self Elem[C], at Index) (*C, error),
	before func(*collection)) (Array[C], error) {
	if s.dims == 0 {
		panic("charm: array " + name + " without a shape")
	}
	coll := pe.newCollection(name, s, place, reflect.TypeFor[C]())
	if before != nil {
		before(coll)
	}
	for _, el := range coll.all.local {
		c, err := construct(Elem[C]{coll.id, el.lin}, el.index())
		if err != nil {
			return Array[C]{}, fmt.Errorf("make %s: %w", el.name(), err)
		}
		if c == nil {
			panic("charm: the constructor of " + el.name() + " returned nil")
		}
		el.chare = unsafe.Pointer(c)
	}
	pe.define(coll)
	return Array[C]{coll.id, s}, nil
}

// New makes an array from this PE alone, at once usable and passed on; elements are constructed on their PEs when word
// comes, before messages for them. place is Blocks, RoundRobin or from RegisterMap. An error of the constructor ends Run.
func (k Class[C, M]) New(pe *PE, name string, s Shape, place Map, m M) Array[C] {
	if place.f == nil {
		place = Blocks
	}
	if place.number() == 0 {
		panic(fmt.Sprintf("charm: map %q cannot be named to other PEs: make it with RegisterMap", place.name))
	}
	body := make([]byte, sizeOf(&k.k.msg, &m))
	put(&k.k.msg, body, &m)
	return Array[C]{pe.announceArray(k.k, name, s, place.number(), body), s}
}

// Group is an array with one element on every PE.
type Group[C any] struct{ Array[C] }

// NewGroup is NewArray for a group.
func NewGroup[C any](pe *PE, name string, construct func(self Elem[C], rank int) (*C, error)) (Group[C], error) {
	onePer := MapFunc("one per PE", func(at Index, _ Shape, _ int) int { return at[0] })
	a, err := NewArray(pe, name, Grid(pe.Size()), onePer, func(self Elem[C], at Index) (*C, error) { return construct(self, at[0]) })
	return Group[C]{a}, err
}

// On is the group's element on a PE.
func (g Group[C]) On(rank int) Elem[C] { return g.At(rank) }

// Send starts e on a chare, here or on another PE, with a copy of m. It returns at once; the method runs later. Messages
// from one chare to another arrive in order while both stay where they are and m fits a header (Caps.MaxHeader).
func (e Entry[C, M]) Send(pe *PE, to Elem[C], m M) {
	e.check()
	dst := pe.whereIs(to.coll, to.elem)
	b := pe.open(dst, headerLen+sizeOf(&e.m.msg, &m))
	putHeader(b, kindEntry, e.m.id, to.coll, to.elem)
	put(&e.m.msg, b[headerLen:], &m)
	pe.ship(dst, b)
}

// Broadcast starts e on every element of a section with a copy of m, over a spanning tree of the PEs that have some.
func (e Entry[C, M]) Broadcast(pe *PE, to Section[C], m M) {
	e.check()
	b := pe.temp(bcastLen + sizeOf(&e.m.msg, &m))
	putSection(b, kindBroadcast, e.m.id, to.coll, to.sec)
	put(&e.m.msg, b[bcastLen:], &m)
	pe.spread(b)
}

// To makes the method on one element the end of a reduction, or of Quiescence.
func (e Entry[C, M]) To(elem Elem[C]) Target[M] {
	e.check()
	return Target[M]{target{kind: toElem, method: e.m.id, coll: elem.coll, elem: elem.elem}}
}

// ToAll is To for every element of a section.
func (e Entry[C, M]) ToAll(s Section[C]) Target[M] {
	e.check()
	return Target[M]{target{kind: toSection, method: e.m.id, coll: s.coll, sec: s.sec}}
}

func (e Entry[C, M]) check() {
	if e.m == nil {
		panic("charm: an Entry that no Method or Threaded has set (are they called in init, before this use?)")
	}
}
