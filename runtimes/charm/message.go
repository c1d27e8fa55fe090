// Messages as bytes: values without pointers are copied as they lie in memory, others pack themselves.
package charm

import (
	"fmt"
	"reflect"
	"unsafe"
)

// codec says how values of one type travel.
type codec struct {
	typ   reflect.Type
	size  int  // bytes of a value without pointers
	packs bool // its pointer is a Packer: the size is found value by value
}

var packerType = reflect.TypeFor[Packer]()

// codecOf panics when T can travel in neither way: found when the program starts, not when the first message leaves.
func codecOf[T any](who string) codec {
	t := reflect.TypeFor[T]()
	if reflect.PointerTo(t).Implements(packerType) {
		return codec{typ: t, packs: true}
	}
	if path := pointerIn(t); path != "" {
		panic(fmt.Sprintf("charm: %s: a %v cannot be copied as bytes: %s; use arrays and plain numbers, "+
			"or give *%v a method Pup(*charm.Pup)", who, t, path, t))
	}
	return codec{typ: t, size: int(t.Size())}
}

// pointerIn names the first part of t that holds a pointer, in the words of a Go expression; empty when there is none.
func pointerIn(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8,
		reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr, reflect.Float32, reflect.Float64,
		reflect.Complex64, reflect.Complex128:
		return ""
	case reflect.Array:
		if t.Len() == 0 {
			return ""
		}
		return pointerIn(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if path := pointerIn(t.Field(i).Type); path != "" {
				return "field " + t.Field(i).Name + ": " + path
			}
		}
		return ""
	}
	return fmt.Sprintf("%v is a %v", t, t.Kind())
}

// sizeOf is how many bytes *v takes.
func sizeOf[T any](c *codec, v *T) int {
	if !c.packs {
		return c.size
	}
	w := *v // so that v itself need not live on the heap
	return packedSize(any(&w).(Packer))
}

// put writes *v into b, which is as long as sizeOf said.
func put[T any](c *codec, b []byte, v *T) {
	if !c.packs {
		// Neither amd64 nor arm64 cares for alignment here, and the value holds no pointers.
		*(*T)(unsafe.Pointer(unsafe.SliceData(b))) = *v
		return
	}
	w := *v
	packInto(b, any(&w).(Packer))
}

// get reads *v from b.
func get[T any](c *codec, b []byte, v *T) error {
	if !c.packs {
		if len(b) != c.size {
			return fmt.Errorf("charm: a message of %d B came for a %v of %d B", len(b), c.typ, c.size)
		}
		if c.size > 0 { // a thread's first message may be an empty one, without memory
			*v = *(*T)(unsafe.Pointer(unsafe.SliceData(b)))
		}
		return nil
	}
	w := new(T)
	if err := Unpack(b, any(w).(Packer)); err != nil {
		return err
	}
	*v = *w
	return nil
}
