package charm

import (
	"errors"
	"strings"
	"testing"
)

// Misuse panics with words that say what to do.
func TestMisuse(t *testing.T) {
	s := newSim(t, 2, 256, 2)
	arr, all := s.boxes(Grid(4), Blocks)
	other, _ := s.boxes(Grid(2), Blocks)
	s.begin(nil)
	pe := s.pes[0]
	for want, f := range map[string]func(){
		"2 indices for an array of shape 4":             func() { arr.At(1, 2) },
		"index (4) lies outside 4":                      func() { arr.At(4) },
		"a section without elements":                    func() { arr.Section(pe, nil) },
		"Box(3) is connected on a PE where it does not": func() { Connect(pe, all[3].self, arr.At(0), 0) },
		"port 65536 of a channel":                       func() { Connect(pe, all[0].self, arr.At(1), 1<<16) },
		"Box(3) contributes on a PE where it does not":  func() { Contribute(pe, arr.All(), all[3].self, 1, SumInt64, Target[int64]{}) },
		"over a section that it is not in":              func() { Contribute(pe, other.All(), all[0].self, 1, SumInt64, Target[int64]{}) },
		"a Reducer that no Combiner has made":           func() { Contribute(pe, arr.All(), all[0].self, 1, Reducer[int64]{}, Target[int64]{}) },
		"a future for 0 values":                         func() { NewFutureOf[int](pe, 0) },
		"value of a future: a string cannot be copied":  func() { NewFuture[string](pe) },
		"a proxy of an array that is not known":         func() { Elem[box]{coll: 99}.Index(pe) },
		`map "mine" cannot be named to other PEs`:       func() { boxClass.New(pe, "Box", Grid(2), MapFunc("mine", func(Index, Shape, int) int { return 0 }), 1) },
		"array Box without a shape": func() {
			_, _ = NewArray(pe, "Box", Shape{}, Blocks, func(Elem[box], Index) (*box, error) { return nil, nil })
		},
		"the constructor of Box(0) returned nil": func() {
			_, _ = NewArray(pe, "Box", Grid(1), Blocks, func(Elem[box], Index) (*box, error) { return nil, nil })
		},
		"an Entry that no Method or Threaded has set": func() { Entry[box, talk]{}.Broadcast(pe, arr.All(), talk{}) },
		"message of unknown kind 31 from PE 1":        func() { pe.handle(1, []byte{31, 0}, true) },
		"PE 1 sent a reduction over Box to a PE that is": func() {
			b := make([]byte, reduceLen+8)
			putSection(b, kindReduce, SumInt64.r.id, arr.coll, 0)
			s.pes[1].handle(1, b, true)
		},
	} {
		t.Run(want, func(t *testing.T) { mustPanic(t, want, f) })
	}
}

// A message that does not fit its method ends the run, and names both.
func TestMessageOfAnotherSize(t *testing.T) {
	s := newSim(t, 2, 256, 2)
	arr, _ := s.boxes(Grid(4), Blocks)
	s.begin(nil)
	b := make([]byte, headerLen+3)
	putHeader(b, kindEntry, boxNote.m.id, arr.coll, 2)
	s.pes[1].deliver(0, b, true)
	want := "PE 1: chare Box(2): method note: charm: a message of 3 B came for a charm.talk of 24 B"
	if err := s.pes[1].err; err == nil || err.Error() != want {
		t.Errorf("%v, want %q", err, want)
	}
}

// What an array is made of can be looked at between runs.
func TestLookAt(t *testing.T) {
	s := newSim(t, 2, 256, 2)
	arr, all := s.boxes(Grid(2, 2), Blocks)
	if b, ok := arr.At(1, 0).Local(s.pes[0]); !ok || b != all[1] {
		t.Errorf("Box(1,0) on PE 0 is %v, %v", b, ok)
	}
	if b, ok := arr.At(0, 1).Local(s.pes[0]); ok {
		t.Errorf("Box(0,1) on PE 0 is %v", b)
	}
	if at := arr.At(1, 1).Index(s.pes[1]); at != (Index{1, 1}) || arr.At(1, 1).PE(s.pes[0]) != 1 {
		t.Errorf("Box(1,1) is at %v on PE %d", at, arr.At(1, 1).PE(s.pes[0]))
	}
	n := 0
	arr.EachLocal(s.pes[1], func(_ Elem[box], b *box) {
		if b != all[2+n] {
			t.Errorf("local element %d is %s", n, b.name)
		}
		n++
	})
	if n != 2 || arr.Shape().Extent(1) != 2 {
		t.Errorf("%d elements on PE 1", n)
	}
}

// An error of a constructor is NewArray's, or ends the run where Class.New was called elsewhere.
func TestConstructorErrors(t *testing.T) {
	s := newSim(t, 2, 256, 2)
	_, err := NewArray(s.pes[0], "Box", Grid(4), Blocks, func(_ Elem[box], at Index) (*box, error) {
		if at[0] == 1 {
			return nil, errors.New("no room")
		}
		return &box{}, nil
	})
	if err == nil || err.Error() != "make Box(1): no room" {
		t.Error(err)
	}
	s = newSim(t, 2, 256, 2)
	s.begin(nil)
	boxClass.New(s.pes[0], "Box", Grid(4), RoundRobin, -1)
	s.run(t)
	if err := s.pes[1].err; err == nil || !strings.Contains(err.Error(), "make Box(1): no boxes below zero") {
		t.Error(err)
	}
}

// An operation, or a future, is waited for once. Errors of events reach who waits.
func TestThreadMisuse(t *testing.T) {
	for name, c := range map[string]struct {
		want string
		f    func(t *Thread, a, b *box)
	}{
		"operation twice": {"a channel operation was waited for twice", func(t *Thread, a, b *box) {
			op := Connect(t.PE, a.self, b.self, 0).Isend(t.PE, memory(8, 1), nil)
			if !op.Done() {
				panic("not done")
			}
			t.Wait(op)
			t.Wait(op)
		}},
		"future twice": {"a future was waited for twice", func(t *Thread, a, b *box) {
			f := NewFuture[int64](t.PE)
			f.Send(t.PE, 1)
			f.Wait(t)
			f.Wait(t)
		}},
		"future of several": {"Wait for a future of several values: want WaitAll", func(t *Thread, a, b *box) {
			f := NewFutureOf[int64](t.PE, 2)
			f.Send(t.PE, 1)
			f.Send(t.PE, 1)
			f.Wait(t)
		}},
		"one value too many": {"a value came for a future that has had all of its values", func(t *Thread, a, b *box) {
			f := NewFuture[int64](t.PE)
			f.Send(t.PE, 1)
			f.Send(t.PE, 1)
		}},
		"another PE's future": {"PE 0 waits for a future of PE 1", func(t *Thread, a, b *box) { Future[int64]{pe: 1}.Wait(t) }},
		"event before a message": {"lost device", func(t *Thread, a, b *box) {
			op := Connect(t.PE, a.self, b.self, 0).Isend(t.PE, memory(8, 1), &fakeEvent{err: errors.New("lost device")})
			_, err := t.Wait(op)
			t.Fail(err)
		}},
		"event behind a message": {"lost device", func(t *Thread, a, b *box) {
			ev := &fakeEvent{}
			op := Connect(t.PE, a.self, b.self, 0).Isend(t.PE, memory(8, 1), ev)
			t.Yield()
			ev.err = errors.New("lost device")
			_, err := t.Wait(op)
			t.Fail(err)
		}},
		"awaited event": {"lost device", func(t *Thread, a, b *box) {
			if err := t.WaitEvent(nil); err != nil {
				panic(err)
			}
			ev := &fakeEvent{}
			wakeup = ev
			t.Fail(t.WaitEvent(ev))
		}},
		"no operation": {"passed over", func(t *Thread, a, b *box) {
			if i, n, err := t.WaitAny(make([]*Op, 3)); i == -1 && n == 0 && err == nil && t.WaitAll(make([]*Op, 2)) == nil {
				panic("passed over")
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSim(t, 2, 256, 2)
			_, all := s.boxes(Grid(4), Blocks)
			s.begin(nil)
			s.pes[0].startMain(func(th *Thread) { c.f(th, all[0], all[1]) })
			s.run(t)
			if wakeup != nil {
				wakeup.err, wakeup = errors.New("lost device"), nil
				s.run(t)
			}
			if err := s.err(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

var wakeup *fakeEvent
