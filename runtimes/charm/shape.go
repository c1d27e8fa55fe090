// Shapes of arrays, places in them, and maps from places to PEs.
package charm

import (
	"fmt"
	"strconv"
)

// Index is a place in an array; unused dimensions are 0.
type Index [3]int

// Shape is the extent of an array in 1 to 3 dimensions. Elements are in an order in which the first index varies
// fastest, as cells are in a field.
type Shape struct {
	dims int
	n    [3]int
}

// maxElems keeps an element's place within 32 bits, with room.
const maxElems = 1 << 30

// Grid is the shape of the given extents: Grid(8) a line, Grid(4, 3, 2) a box. It panics unless there are one to three
// and each is positive.
func Grid(n ...int) Shape {
	s := Shape{dims: len(n), n: [3]int{1, 1, 1}}
	if len(n) < 1 || len(n) > 3 {
		panic(fmt.Sprintf("charm: an array has 1 to 3 dimensions, not %d", len(n)))
	}
	total := 1
	for i, v := range n {
		if v < 1 || v > maxElems/total {
			panic(fmt.Sprintf("charm: shape %v: extents are positive, with at most %d elements in all", n, maxElems))
		}
		s.n[i], total = v, total*v
	}
	return s
}

// Dims is the number of dimensions.
func (s Shape) Dims() int { return s.dims }

// Extent is the length of dimension i, 1 where there is none.
func (s Shape) Extent(i int) int { return s.n[i] }

// Len is the number of elements.
func (s Shape) Len() int { return s.n[0] * s.n[1] * s.n[2] }

// At is the index of element i in order.
func (s Shape) At(i int) Index {
	return Index{i % s.n[0], i / s.n[0] % s.n[1], i / s.n[0] / s.n[1]}
}

// Has reports whether the index lies in the shape.
func (s Shape) Has(at Index) bool {
	for i, v := range at {
		if v < 0 || v >= s.n[i] {
			return false
		}
	}
	return true
}

// Order is the inverse of At. It panics for an index outside.
func (s Shape) Order(at Index) int {
	if !s.Has(at) {
		panic(fmt.Sprintf("charm: index %s lies outside %v", at.text(s.dims), s))
	}
	return at[0] + s.n[0]*(at[1]+s.n[1]*at[2])
}

// String is "4×3×2".
func (s Shape) String() string {
	out := strconv.Itoa(s.n[0])
	for i := 1; i < s.dims; i++ {
		out += "×" + strconv.Itoa(s.n[i])
	}
	return out
}

func (at Index) text(dims int) string {
	out := "(" + strconv.Itoa(at[0])
	for i := 1; i < max(dims, 1); i++ {
		out += "," + strconv.Itoa(at[i])
	}
	return out + ")"
}

// Map places the elements of an array on PEs. The zero Map is Blocks.
type Map struct {
	name string
	id   int // with RegisterMap: its number, from 1
	own  *Map
	f    func(at Index, s Shape, pes int) int
}

// Blocks places elements in order, in runs of equal length (±1): PE p has elements ⌈p·n/P⌉ to ⌈(p+1)·n/P⌉ − 1.
var Blocks = RegisterMap("blocks", func(at Index, s Shape, pes int) int {
	return int(int64(s.Order(at)) * int64(pes) / int64(s.Len()))
})

// RoundRobin places element i in order on PE i mod P.
var RoundRobin = RegisterMap("round robin", func(at Index, s Shape, pes int) int { return s.Order(at) % pes })

// MapFunc places by f, which must be the same function on all PEs and depend on its arguments alone.
func MapFunc(name string, f func(at Index, s Shape, pes int) int) Map { return Map{name: name, f: f} }

// RegisterMap is MapFunc for arrays made from a message (Class.New), which name their map across PEs. Call it in init.
func RegisterMap(name string, f func(at Index, s Shape, pes int) int) Map {
	m := &Map{name: name, f: f}
	registry.maps.add(name, m)
	return Map{name: name, f: f, own: m}
}

// number is the map's number across PEs, 0 if it has none.
func (m Map) number() int {
	if m.own == nil {
		return 0
	}
	return m.own.id
}

// place asks the map for every element. It panics when the map names a PE that is not there.
func (m Map) place(s Shape, pes int) []int32 {
	if m.f == nil {
		m = Blocks
	}
	where := make([]int32, s.Len())
	for i := range where {
		pe := m.f(s.At(i), s, pes)
		if pe < 0 || pe >= pes {
			panic(fmt.Sprintf("charm: map %q places %s of %v on PE %d of %d", m.name, s.At(i).text(s.dims), s, pe, pes))
		}
		where[i] = int32(pe)
	}
	return where
}
