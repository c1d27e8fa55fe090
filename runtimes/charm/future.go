// Futures: places for values that threads wait on.
package charm

import (
	"fmt"
	"reflect"
)

// Future is a place for values of type T on the PE that made it. A plain value that messages may carry: whoever has it
// may send it a value, threads of its own PE wait.
type Future[T any] struct{ pe, slot, gen uint32 }

// future is the place itself.
type future struct {
	latch
	gen    uint32
	want   int
	have   int
	values fifo
}

// NewFuture makes a future for one value. It is over when that has been waited for.
func NewFuture[T any](pe *PE) Future[T] { return NewFutureOf[T](pe, 1) }

// NewFutureOf makes a future for several values.
func NewFutureOf[T any](pe *PE, values int) Future[T] {
	if values < 1 {
		panic(fmt.Sprintf("charm: a future for %d values", values))
	}
	codecFor[T](pe)
	slot := uint32(len(pe.futures))
	if n := len(pe.freeFutures); n > 0 {
		slot, pe.freeFutures = pe.freeFutures[n-1], pe.freeFutures[:n-1]
	} else {
		pe.futures = append(pe.futures, &future{})
	}
	f := pe.futures[slot]
	f.latch, f.want, f.have = latch{}, values, 0
	return Future[T]{uint32(pe.rank), slot, f.gen}
}

// codecFor is T's codec, found once for each PE.
func codecFor[T any](pe *PE) *codec {
	t := reflect.TypeFor[T]()
	if c := pe.codecs[t]; c != nil {
		return c
	}
	c := codecOf[T]("value of a future")
	if pe.codecs == nil {
		pe.codecs = map[reflect.Type]*codec{}
	}
	pe.codecs[t] = &c
	return &c
}

// Send gives the future a value, from any PE.
func (f Future[T]) Send(pe *PE, v T) {
	c := codecFor[T](pe)
	n := sizeOf(c, &v)
	if int(f.pe) == pe.rank {
		b := pe.temp(n)
		put(c, b, &v)
		pe.fulfil(f.slot, f.gen, b)
		return
	}
	b := pe.open(int(f.pe), headerLen+n)
	putHeader(b, kindFuture, 0, f.slot, f.gen)
	put(c, b[headerLen:], &v)
	pe.ship(int(f.pe), b)
}

// Target makes the future the end of a reduction, or of Quiescence.
func (f Future[T]) Target() Target[T] {
	return Target[T]{target{kind: toFuture, coll: f.pe, elem: f.slot, gen: f.gen}}
}

// Wait waits for a future's one value.
func (f Future[T]) Wait(t *Thread) T {
	slot := f.await(t)
	if slot.want != 1 {
		panic("charm: Wait for a future of several values: want WaitAll")
	}
	v := f.next(t, slot)
	f.over(t, slot)
	return v
}

// WaitAll waits for all of a future's values, in the order in which they came.
func (f Future[T]) WaitAll(t *Thread) []T {
	slot := f.await(t)
	out := make([]T, 0, slot.want)
	for range slot.want {
		out = append(out, f.next(t, slot))
	}
	f.over(t, slot)
	return out
}

func (f Future[T]) await(t *Thread) *future {
	if int(f.pe) != t.rank {
		panic(fmt.Sprintf("charm: PE %d waits for a future of PE %d", t.rank, f.pe))
	}
	slot := t.futures[f.slot]
	if slot.gen != f.gen {
		panic("charm: a future was waited for twice")
	}
	t.wait(&slot.latch, waiting{what: "future"})
	return slot
}

func (f Future[T]) next(t *Thread, slot *future) (v T) {
	if err := get(codecFor[T](t.PE), slot.values.front(), &v); err != nil {
		panic(err)
	}
	slot.values.drop()
	return v
}

func (f Future[T]) over(t *Thread, slot *future) {
	slot.gen++
	t.freeFutures = append(t.freeFutures, f.slot)
}

// fulfil takes a value for a future here.
func (c *core) fulfil(slot, gen uint32, value []byte) {
	f := c.futures[slot]
	if f.gen != gen || f.have == f.want {
		c.fail(fmt.Errorf("charm: PE %d: a value came for a future that has had all of its values", c.rank))
		return
	}
	copy(f.values.push(len(value)), value)
	if f.have++; f.have == f.want {
		c.fire(&f.latch)
	}
}
