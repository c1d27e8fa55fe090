// Reductions: every member of a section contributes a value; they are combined on each PE, then up a tree of the PEs that
// have members, and the result goes to a target.
//
// Values are combined in the order of elements on a PE, then of the PEs below it, whatever the order in which they come:
// sums of floating-point numbers are the same from run to run for one placement.
package charm

import (
	"fmt"
	"slices"
	"unsafe"
)

// reduction is one under way on this PE.
type reduction struct {
	op     *reducer
	to     target
	have   int      // contributions of members and of PEs below
	done   bool     // passed on; those before it are not all
	stride int      // bytes between values, a multiple of 8
	vals   []uint64 // values that are copied as bytes, in their places
	packed [][]byte // values that pack themselves
	in     []bool   // which are there
}

// Contribute gives self's value to the next reduction over a section that self is in. Every member contributes once to
// each reduction, all with the same reducer and target. The result goes to the target when all have.
func Contribute[C, T any](pe *PE, over Section[C], self Elem[C], v T, r Reducer[T], to Target[T]) {
	if r.r == nil {
		panic("charm: Contribute with a Reducer that no Combiner has made")
	}
	coll := pe.mustKnow(self.coll)
	el := coll.elems[self.elem]
	if el == nil {
		panic("charm: " + coll.elemName(self.elem) + " contributes on a PE where it does not live")
	}
	ros, wait := pe.knownRoster(over.coll, over.sec)
	if ros == nil {
		contributeLater(wait, coll, pe, over, self, v, r, to)
		return
	}
	slot := ros.slotOf(el)
	if slot < 0 || ros.coll != coll {
		panic("charm: " + el.name() + " contributes over a section that it is not in")
	}
	seq := ros.seqs[slot]
	ros.seqs[slot]++
	size := sizeOf(&r.r.msg, &v)
	put(&r.r.msg, pe.place(ros, seq, r.r, to.t, slot, size), &v)
	pe.combine(ros, seq)
}

// contributeLater is a function of its own so that Contribute's v need not live on the heap.
func contributeLater[C, T any](wait early, coll *collection, pe *PE, over Section[C], self Elem[C], v T, r Reducer[T], to Target[T]) {
	pe.made++
	if coll.mob != nil {
		coll.mob.late++
	}
	pe.whenKnown(wait, func() {
		Contribute(pe, over, self, v, r, to)
		pe.done++
		if coll.mob != nil {
			if coll.mob.late--; coll.mob.here > 0 {
				pe.together(coll)
			}
		}
	})
}

// place gives the room for one value of a reduction.
func (c *core) place(r *roster, seq uint32, op *reducer, to target, slot, size int) []byte {
	red := c.reduction(r, seq, op, to)
	if red.op != op {
		panic(fmt.Sprintf("charm: reduction %d over %s: one contribution names combiner %q, another %q", seq, r.name(), red.op.key, op.key))
	}
	if red.to != to {
		panic(fmt.Sprintf("charm: reduction %d over %s: contributions name different targets", seq, r.name()))
	}
	if red.in[slot] {
		panic(fmt.Sprintf("charm: reduction %d over %s was given one contribution twice", seq, r.name()))
	}
	red.in[slot] = true
	red.have++
	if op.msg.packs {
		red.packed[slot] = make([]byte, size)
		return red.packed[slot]
	}
	return red.value(slot, size)
}

func (red *reduction) value(slot, size int) []byte {
	words := red.stride / 8
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(red.vals[slot*words:]))), size)
}

// reduction finds one under way, or begins it.
func (c *core) reduction(r *roster, seq uint32, op *reducer, to target) *reduction {
	for uint32(len(r.under)) <= seq-r.first {
		var red *reduction
		if n := len(r.spare); n > 0 {
			red, r.spare = r.spare[n-1], r.spare[:n-1]
		} else {
			red = &reduction{}
		}
		r.under = append(r.under, red)
	}
	red := r.under[seq-r.first]
	if red.op == nil {
		slots := len(r.local) + kidCount(r.pos, len(r.pes), c.fanout)
		red.op, red.to = op, to
		red.stride = (op.msg.size + 7) &^ 7
		red.in = resize(red.in, slots)
		red.vals = resize(red.vals, slots*red.stride/8+1) // never empty, for the address
		if op.msg.packs {
			red.packed = resize(red.packed, slots)
		}
	}
	return red
}

// resize is a zeroed slice of n, in s's memory where it fits.
func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	s = s[:n]
	clear(s)
	return s
}

// partial takes what a PE below has combined.
func (c *core) partial(src int, b []byte) bool {
	r, wait := c.knownRoster(word(b, 4), le.Uint64(b[8:]))
	if r == nil {
		c.hold(wait, src, b)
		return false
	}
	if epoch := word(b, 20); epoch > r.epoch {
		c.hold(early{coll: r.coll.id, until: untilEpoch, n: epoch}, src, b)
		return false
	} else if epoch < r.epoch {
		name := r.name()
		if r = r.coll.mob.retiredOf(r.sec, epoch); r == nil {
			c.fail(fmt.Errorf("charm: PE %d: a reduction over %s from PE %d is older than a sync point: all contribute equally often before AtSync", c.rank, name, src))
			return true
		}
	}
	slot := -1
	n := len(r.local)
	kids(r.pos, 0, len(r.pes), c.fanout, func(k int) {
		if int(r.pes[k]) == src {
			slot = n
		}
		n++
	})
	if slot < 0 {
		panic(fmt.Sprintf("charm: PE %d sent a reduction over %s to a PE that is not above it", src, r.name()))
	}
	seq, v := word(b, 16), b[reduceLen:]
	copy(c.place(r, seq, c.reducers[number(b)], targetAt(b[24:]), slot, len(v)), v)
	c.combine(r, seq)
	return true
}

// combine passes a reduction on when all of it is there.
func (c *core) combine(r *roster, seq uint32) {
	red := r.under[seq-r.first]
	if red.have < len(red.in) {
		return
	}
	acc, err := red.fold()
	if err != nil {
		c.fail(fmt.Errorf("reduction over %s: %w", r.name(), err))
		return
	}
	if r.pos == 0 {
		c.sendTo(red.to, acc)
	} else {
		up := int(r.pes[(r.pos-1)/c.fanout])
		b := c.open(up, reduceLen+len(acc))
		putSection(b, kindReduce, red.op.id, r.coll.id, r.sec)
		le.PutUint64(b[16:], uint64(seq)|uint64(r.epoch)<<32)
		red.to.put(b[24:])
		copy(b[reduceLen:], acc)
		c.ship(up, b)
	}
	red.done = true
	for len(r.under) > 0 && r.under[0].done { // later ones can be done first when messages overtake
		old := r.under[0]
		old.op, old.have, old.done = nil, 0, false
		r.spare = append(r.spare, old)
		r.under = append(r.under[:0], r.under[1:]...)
		r.first++
	}
	if m := r.coll.mob; m != nil && r.epoch < m.epoch && len(r.under) == 0 {
		m.retired = slices.DeleteFunc(m.retired, func(o *roster) bool { return o == r })
	}
}

// fold combines all values in order.
func (red *reduction) fold() (acc []byte, err error) {
	at := func(i int) []byte {
		if red.op.msg.packs {
			return red.packed[i]
		}
		return red.value(i, red.op.msg.size)
	}
	acc = at(0)
	for i := 1; i < len(red.in); i++ {
		if acc, err = red.op.combine(acc, at(i)); err != nil {
			return nil, err
		}
	}
	return acc, nil
}

func (r *roster) name() string {
	if r.sec == 0 {
		return r.coll.name
	}
	return "a section of " + r.coll.name
}

type number64 interface{ ~int64 | ~float64 }

func sum[T number64](acc *T, in T)     { *acc += in }
func maximum[T number64](acc *T, in T) { *acc = max(*acc, in) }
func minimum[T number64](acc *T, in T) { *acc = min(*acc, in) }

// The usual reducers. Max and min of float64 are NaN when a contribution is.
var (
	SumInt64   = Combiner("sum", sum[int64])
	MaxInt64   = Combiner("max", maximum[int64])
	MinInt64   = Combiner("min", minimum[int64])
	SumFloat64 = Combiner("sum", sum[float64])
	MaxFloat64 = Combiner("max", maximum[float64])
	MinFloat64 = Combiner("min", minimum[float64])

	// Nothing combines nothing: the target learns that all have contributed.
	Nothing = Combiner("nothing", func(*struct{}, struct{}) {})
)
