// The registry: methods, reducers, constructors and maps, known by number. Numbers follow sorted names, so that all PEs
// agree on them whatever the order in which packages were initialised.
package charm

import (
	"fmt"
	"hash/fnv"
	"reflect"
	"slices"
	"strings"
	"sync"
	"unsafe"
)

// method is an entry method, without its types.
type method struct {
	key      string // "halo of gpubench/internal/suite.Block"
	name     string // "halo"
	id       uint16
	chare    reflect.Type
	msg      codec
	threaded bool
	call     func(pe *PE, el *element, body []byte) error    // plain
	run      func(t *Thread, el *element, body []byte) error // threaded
}

// reducer is a combining function, without its type.
type reducer struct {
	key, name string
	id        uint16
	msg       codec
	combine   func(acc, in []byte) ([]byte, error) // the result may lie in acc
}

// class is a constructor, without its types.
type class struct {
	key, name string
	id        uint16
	msg       codec
	construct func(pe *PE, el *element, body []byte) error
}

// table holds what was registered under one kind; ids are places in the sorted list.
type table[T any] struct {
	what string
	byID []*T
	seen map[string]*T
}

func (t *table[T]) add(key string, v *T) {
	registry.mu.Lock()
	defer registry.mu.Unlock()
	if registry.sealed {
		panic(fmt.Sprintf("charm: %s %s is registered after the first New: do it in init", t.what, key))
	}
	if t.seen == nil {
		t.seen = map[string]*T{}
	}
	if t.seen[key] != nil {
		panic(fmt.Sprintf("charm: %s %s is registered twice", t.what, key))
	}
	t.seen[key] = v
}

// seal sorts, numbers by setID and returns the names.
func (t *table[T]) seal(setID func(*T, int)) []string {
	keys := make([]string, 0, len(t.seen))
	for k := range t.seen {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	if len(keys) > 1<<16 {
		panic("charm: more than 65536 of one kind registered")
	}
	for i, k := range keys {
		t.byID = append(t.byID, t.seen[k])
		setID(t.seen[k], i)
	}
	return keys
}

var registry = struct {
	mu       sync.Mutex
	sealed   bool
	hash     uint64 // of all names: PEs compare it before they start
	methods  table[method]
	reducers table[reducer]
	classes  table[class]
	maps     table[Map]
}{
	methods:  table[method]{what: "method"},
	reducers: table[reducer]{what: "combiner"},
	classes:  table[class]{what: "constructor"},
	maps:     table[Map]{what: "map"},
}

// seal gives out the numbers: once, at the first New.
func seal() {
	r := &registry
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sealed {
		return
	}
	r.sealed = true
	h := fnv.New64a()
	for _, names := range [][]string{
		r.methods.seal(func(m *method, i int) { m.id = uint16(i) }),
		r.reducers.seal(func(m *reducer, i int) { m.id = uint16(i) }),
		r.classes.seal(func(m *class, i int) { m.id = uint16(i) }),
		r.maps.seal(func(m *Map, i int) { m.id = i + 1 }),
	} {
		h.Write([]byte(strings.Join(names, "\x00") + "\x01"))
	}
	r.hash = h.Sum64()
}

// typeKey names a type by its package's whole path: two packages may have one last name.
func typeKey(t reflect.Type) string {
	if t.Name() == "" {
		return t.String()
	}
	return t.PkgPath() + "." + t.Name()
}

// Entry is a method that a message of type M starts on a chare of type C. The zero Entry cannot be used.
type Entry[C, M any] struct{ m *method }

// Name is what it was registered as.
func (e Entry[C, M]) Name() string { return e.m.name }

// Method registers f, which runs to completion: it must not block. Call it in init and keep the Entry in a variable
// (a declaration that names a method which uses the variable would be a cycle). name is unique among C's methods.
//
// M has no pointers in it, or *M is a Packer; else Method panics and says which field it is.
func Method[C, M any](name string, f func(*C, *PE, M)) Entry[C, M] {
	m := newMethod[C, M](name)
	m.call = func(pe *PE, el *element, body []byte) error {
		var msg M
		if err := get(&m.msg, body, &msg); err != nil {
			return err
		}
		f((*C)(el.chare), pe, msg)
		return nil
	}
	return Entry[C, M]{m}
}

// Threaded registers f, which may wait on its Thread; the PE goes on with other work meanwhile. For the rest as Method.
// It costs a coroutine switch (about 100 ns) at each start and each wait; where f need not wait, use Method.
func Threaded[C, M any](name string, f func(*C, *Thread, M)) Entry[C, M] {
	m := newMethod[C, M](name)
	m.threaded = true
	m.run = func(t *Thread, el *element, body []byte) error {
		var msg M
		if err := get(&m.msg, body, &msg); err != nil {
			return err
		}
		f((*C)(el.chare), t, msg)
		return nil
	}
	return Entry[C, M]{m}
}

func newMethod[C, M any](name string) *method {
	chare := reflect.TypeFor[C]()
	m := &method{name: name, key: name + " of " + typeKey(chare), chare: chare}
	m.msg = codecOf[M]("message of method " + m.key)
	registry.methods.add(m.key, m)
	return m
}

// Reducer combines contributions of type T. The zero Reducer cannot be used.
type Reducer[T any] struct{ r *reducer }

// Combiner registers f, which combines in into *acc and must be associative. Contributions are combined in an order
// that depends on placement alone, so that a run's sums are those of the next. Call it in init; T as in Method.
func Combiner[T any](name string, f func(acc *T, in T)) Reducer[T] {
	r := &reducer{name: name, key: name + " of " + typeKey(reflect.TypeFor[T]())}
	r.msg = codecOf[T]("value of combiner " + r.key)
	r.combine = combineFunc(r, f)
	registry.reducers.add(r.key, r)
	return Reducer[T]{r}
}

// combineFunc is f over values as bytes. Values without pointers are combined where they lie: acc and in are aligned.
func combineFunc[T any](r *reducer, f func(acc *T, in T)) func(acc, in []byte) ([]byte, error) {
	if r.msg.packs {
		return func(acc, in []byte) ([]byte, error) {
			var a, b T
			if err := get(&r.msg, acc, &a); err != nil {
				return nil, err
			}
			if err := get(&r.msg, in, &b); err != nil {
				return nil, err
			}
			f(&a, b)
			acc = make([]byte, sizeOf(&r.msg, &a))
			put(&r.msg, acc, &a)
			return acc, nil
		}
	}
	return func(acc, in []byte) ([]byte, error) {
		var b T
		if err := get(&r.msg, in, &b); err != nil {
			return nil, err
		}
		f(bytesAs[T](acc), b)
		return acc, nil
	}
}

// Class makes arrays whose elements are built from a message, from one PE alone. See Constructor.
type Class[C, M any] struct{ k *class }

// Constructor registers f, which makes the chare at an index from a message. Call it in init; M as in Method.
func Constructor[C, M any](name string, f func(pe *PE, self Elem[C], at Index, m M) (*C, error)) Class[C, M] {
	k := &class{name: name, key: name + " of " + typeKey(reflect.TypeFor[C]())}
	k.msg = codecOf[M]("message of constructor " + k.key)
	k.construct = func(pe *PE, el *element, body []byte) error {
		var msg M
		if err := get(&k.msg, body, &msg); err != nil {
			return err
		}
		c, err := f(pe, Elem[C]{el.coll.id, el.lin}, el.index(), msg)
		if err == nil && c == nil {
			panic("charm: constructor " + k.key + " returned nil")
		}
		el.chare = unsafe.Pointer(c)
		return err
	}
	registry.classes.add(k.key, k)
	return Class[C, M]{k}
}
