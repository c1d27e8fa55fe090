package charm

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

type deep struct {
	A int32
	B [2]struct{ C []byte }
}

func mustPanic(t *testing.T, want string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if v := recover(); v == nil || !strings.Contains(fmt.Sprint(v), want) {
			t.Errorf("panicked with %v, want %q", v, want)
		}
	}()
	f()
}

// A message that cannot travel is found when it is registered, and the field named.
func TestMessagesWithPointers(t *testing.T) {
	mustPanic(t, "a charm.deep cannot be copied as bytes: field B: field C: []uint8 is a slice", func() { codecOf[deep]("x") })
	mustPanic(t, "string is a string", func() { codecOf[string]("x") })
	mustPanic(t, "map[int]int is a map", func() { codecOf[struct{ M map[int]int }]("x") })
	mustPanic(t, "*int is a ptr", func() { codecOf[*int]("x") })
	mustPanic(t, "func() is a func", func() { codecOf[[3]func()]("x") })
	mustPanic(t, "is a chan", func() { codecOf[chan int]("x") })
	mustPanic(t, "is a interface", func() { codecOf[any]("x") })
	for _, c := range []codec{codecOf[struct{}]("x"), codecOf[[0]*int]("x"), codecOf[complex128]("x"), codecOf[Elem[box]]("x"),
		codecOf[Section[box]]("x"), codecOf[Array[box]]("x"), codecOf[Future[int]]("x"), codecOf[Target[int]]("x")} {
		if c.packs {
			t.Errorf("%v packs itself", c.typ)
		}
	}
}

// The registry tells what is wrong with a registration.
func TestRegistry(t *testing.T) {
	seal()
	mustPanic(t, "is registered after the first New: do it in init", func() { Method("late", func(*box, *PE, talk) {}) })
	var tab table[method]
	tab.what = "method"
	tab.seen = map[string]*method{"b": {}, "a": {}, "c": {}}
	var order []string
	names := tab.seal(func(m *method, i int) { order = append(order, fmt.Sprint(i)) })
	if strings.Join(names, "") != "abc" || strings.Join(order, "") != "012" {
		t.Errorf("numbers %v for %v", order, names)
	}
	mustPanic(t, "is registered twice", func() {
		registry.sealed = false
		defer func() { registry.sealed = true; registry.mu.TryLock(); registry.mu.Unlock() }()
		Method("note", func(*box, *PE, talk) {})
	})
}

// mover is a chare that can pack itself, to move between PEs.
type mover struct {
	Name   string
	Step   int
	Hot    bool
	Field  []float64
	Parts  []text
	Origin Elem[mover]
	Raw    []byte
	Mean   float64
	cache  []float64 // made anew
}

func (m *mover) Pup(p *Pup) {
	p.String(&m.Name)
	p.Int(&m.Step)
	p.Bool(&m.Hot)
	PupSlice(p, &m.Field)
	PupEach(p, &m.Parts)
	PupValue(p, &m.Origin)
	p.Bytes(&m.Raw)
	p.Float64(&m.Mean)
	if p.Unpacking() {
		m.cache = make([]float64, len(m.Field))
	}
}

// A chare comes out of its bytes as it went in, and no prefix of them passes for the whole.
func TestPackRoundTrip(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		in := mover{
			Name: rapid.String().Draw(r, "name"), Step: rapid.Int().Draw(r, "step"), Hot: rapid.Bool().Draw(r, "hot"),
			Field: rapid.SliceOfN(rapid.Float64(), 1, 20).Draw(r, "field"), Origin: Elem[mover]{1, rapid.Uint32().Draw(r, "origin")},
			Raw: rapid.SliceOfN(rapid.Byte(), 1, 9).Draw(r, "raw"), Mean: rapid.Float64().Draw(r, "mean"),
		}
		for range rapid.IntRange(1, 3).Draw(r, "parts") {
			in.Parts = append(in.Parts, text{rapid.String().Draw(r, "s"), rapid.SliceOfN(rapid.Int32(), 1, 5).Draw(r, "ns")})
		}
		b := Pack(&in)
		var out mover
		if err := Unpack(b, &out); err != nil {
			r.Fatal(err)
		}
		in.cache = make([]float64, len(in.Field))
		if !reflect.DeepEqual(in, out) {
			r.Fatalf("%+v became %+v", in, out)
		}
		if !bytes.Equal(Pack(&out), b) {
			r.Fatal("packed again, it differs")
		}
		cut := rapid.IntRange(0, len(b)-1).Draw(r, "cut")
		if err := Unpack(b[:cut], new(mover)); err == nil {
			r.Fatalf("%d of %d B were taken for the whole", cut, len(b))
		}
		if err := Unpack(append(b, 0), new(mover)); err == nil || !strings.Contains(err.Error(), "1 B left over") {
			r.Fatal("a byte too many:", err)
		}
	})
}

// fickle counts other bytes than it packs.
type fickle struct{ n int }

func (f *fickle) Pup(p *Pup) {
	f.n++
	for range f.n {
		p.Int(&f.n)
	}
}

func TestFicklePup(t *testing.T) {
	mustPanic(t, "Pup packs more than it counted", func() { Pack(&fickle{}) })
	mustPanic(t, "cannot be packed as bytes", func() { PupValue(&Pup{}, new(*int)) })
}

// Damaged bytes give an error, never a panic or a wild allocation.
func FuzzUnpack(f *testing.F) {
	f.Add(Pack(&mover{Name: "a", Field: []float64{1}, Parts: []text{{"b", []int32{2}}}}))
	f.Add([]byte{255, 255, 255, 255, 255, 255, 255, 127})
	f.Fuzz(func(t *testing.T, b []byte) {
		var m mover
		if err := Unpack(b, &m); err == nil && !bytes.Equal(Pack(&m), b) && m.Hot == false {
			t.Errorf("%x unpacked to %+v", b, m)
		}
	})
}

func TestShape(t *testing.T) {
	for _, s := range []Shape{Grid(1), Grid(7), Grid(3, 4), Grid(4, 3, 2)} {
		for i := range s.Len() {
			if got := s.Order(s.At(i)); got != i {
				t.Errorf("%v: element %d is at %v, which is element %d", s, i, s.At(i), got)
			}
		}
	}
	if at := Grid(4, 3, 2).At(1 + 4*(2+3*1)); at != (Index{1, 2, 1}) {
		t.Errorf("the first index varies fastest: %v", at)
	}
	mustPanic(t, "index (4,0) lies outside 4×3", func() { Grid(4, 3).Order(Index{4, 0}) })
	mustPanic(t, "1 to 3 dimensions, not 4", func() { Grid(1, 2, 3, 4) })
	mustPanic(t, "extents are positive", func() { Grid(3, 0) })
	mustPanic(t, "extents are positive", func() { Grid(1<<20, 1<<20) })
	mustPanic(t, `map "bad" places (1) of 2 on PE 9 of 3`, func() {
		MapFunc("bad", func(at Index, _ Shape, _ int) int { return 9 * at[0] }).place(Grid(2), 3)
	})
}

// Blocks are runs of equal length, ±1.
func TestBlocks(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		n, pes := rapid.IntRange(1, 200).Draw(r, "n"), rapid.IntRange(1, 20).Draw(r, "pes")
		where := Blocks.place(Grid(n), pes)
		counts := make([]int, pes)
		for i, pe := range where {
			if i > 0 && pe < where[i-1] {
				r.Fatalf("element %d is on PE %d, the one before on %d", i, pe, where[i-1])
			}
			counts[pe]++
		}
		for pe, c := range counts {
			if c != n/pes && c != (n+pes-1)/pes {
				r.Fatalf("PE %d has %d of %d on %d PEs", pe, c, n, pes)
			}
		}
	})
}
