// Packing: one method of a type serves to count, write and read its bytes, as Charm++'s pup does
// (Charm++ manual, "Serialization using the PUP framework").
package charm

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"sync"
	"unsafe"
)

// Packer packs and unpacks itself. Pup names its parts to p, always in the same order, whatever p does with them; it
// sends no messages.
//
// Messages with pointers travel by it, and chares need it to move between PEs.
type Packer interface{ Pup(p *Pup) }

type pupMode uint8

const (
	pupSizing pupMode = iota
	pupPacking
	pupUnpacking
)

// Pup goes over the parts of a Packer: to count their bytes, to write them or to read them.
type Pup struct {
	mode pupMode
	b    []byte // what is left to write into or to read
	size int    // bytes so far
	err  error  // the first one: a message cut short
	move *cargo // of a chare that moves; nil for messages
}

// Unpacking reports whether parts are being read: time to make what is not packed.
func (p *Pup) Unpacking() bool { return p.mode == pupUnpacking }

// Err is the first error while unpacking.
func (p *Pup) Err() error { return p.err }

func packedSize(v Packer) int {
	p := Pup{mode: pupSizing}
	v.Pup(&p)
	return p.size
}

func packInto(b []byte, v Packer) {
	p := Pup{mode: pupPacking, b: b}
	v.Pup(&p)
	if p.size != len(b) {
		panic(fmt.Sprintf("charm: %T packed %d B where it had counted %d B: its Pup must not depend on the pass", v, p.size, len(b)))
	}
}

// Pack is v as bytes.
func Pack(v Packer) []byte {
	b := make([]byte, packedSize(v))
	packInto(b, v)
	return b
}

// Unpack fills v from what Pack gave. Bytes that are too few or too many are an error.
func Unpack(b []byte, v Packer) error {
	p := Pup{mode: pupUnpacking, b: b}
	v.Pup(&p)
	if p.err == nil && len(p.b) != 0 {
		p.err = fmt.Errorf("charm: %d B left over after unpacking a %T", len(p.b), v)
	}
	return p.err
}

// raw passes over n bytes at at.
func (p *Pup) raw(at unsafe.Pointer, n int) {
	p.size += n
	switch p.mode {
	case pupPacking:
		if n > len(p.b) {
			panic(fmt.Sprintf("charm: Pup packs more than it counted (%d B too few)", n-len(p.b)))
		}
		copy(p.b, unsafe.Slice((*byte)(at), n))
		p.b = p.b[n:]
	case pupUnpacking:
		if n > len(p.b) {
			p.cut(n)
			return
		}
		copy(unsafe.Slice((*byte)(at), n), p.b)
		p.b = p.b[n:]
	}
}

func (p *Pup) cut(want int) {
	if p.err == nil {
		p.err = fmt.Errorf("charm: packed value cut short: %d B wanted, %d left", want, len(p.b))
	}
	p.b = nil
}

// length passes over the length of a slice or string whose elements take size bytes.
func (p *Pup) length(n, size int) int {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(n))
	p.raw(unsafe.Pointer(&b), len(b))
	if p.mode == pupUnpacking {
		got := binary.LittleEndian.Uint64(b[:])
		if p.err != nil || got > uint64(len(p.b)/max(size, 1)) { // a wild length must not become an allocation
			p.cut(size)
			return 0
		}
		return int(got)
	}
	return n
}

// Int passes over an int.
func (p *Pup) Int(v *int) { PupValue(p, v) }

// Float64 passes over a float64.
func (p *Pup) Float64(v *float64) { PupValue(p, v) }

// Bool passes over a bool.
func (p *Pup) Bool(v *bool) {
	var b uint8
	if *v {
		b = 1
	}
	PupValue(p, &b)
	*v = b != 0
}

// String passes over a string.
func (p *Pup) String(v *string) {
	b := []byte(*v)
	PupSlice(p, &b)
	if p.Unpacking() {
		*v = string(b)
	}
}

// Bytes passes over a slice of bytes; unpacked it is a new one.
func (p *Pup) Bytes(v *[]byte) { PupSlice(p, v) }

// PupValue passes over a value without pointers. It panics for a type with pointers.
func PupValue[T any](p *Pup, v *T) {
	mustBeFlat[T]()
	p.raw(unsafe.Pointer(v), int(unsafe.Sizeof(*v)))
}

// PupSlice passes over a slice of values without pointers; unpacked it is a new one, nil where it is empty.
func PupSlice[T any](p *Pup, v *[]T) {
	mustBeFlat[T]()
	var zero T
	size := int(unsafe.Sizeof(zero))
	n := p.length(len(*v), size)
	if p.Unpacking() {
		*v = nil
		if n == 0 {
			return
		}
		*v = make([]T, n)
	}
	if n > 0 {
		p.raw(unsafe.Pointer(unsafe.SliceData(*v)), n*size)
	}
}

// PupEach passes over a slice whose elements pack themselves.
func PupEach[T any, P interface {
	*T
	Packer
}](p *Pup, v *[]T) {
	n := p.length(len(*v), 1)
	if p.Unpacking() {
		*v = nil
		if n > 0 {
			*v = make([]T, n)
		}
	}
	for i := range *v {
		P(&(*v)[i]).Pup(p)
	}
}

// flat remembers types that have been looked at.
var flat sync.Map

func mustBeFlat[T any]() {
	t := reflect.TypeFor[T]()
	if _, ok := flat.Load(t); ok {
		return
	}
	if path := pointerIn(t); path != "" {
		panic(fmt.Sprintf("charm: a %v cannot be packed as bytes: %s", t, path))
	}
	flat.Store(t, nil)
}
