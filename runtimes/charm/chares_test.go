// Chares for tests.
package charm

import (
	"errors"
	"fmt"
)

// box logs what it is told to do.
type box struct {
	name string
	self Elem[box]
	arr  Array[box]
	log  func(format string, args ...any)
	sum  int64
	got  map[int64]int // messages by number
}

type talk struct {
	Peer, N, Port int64
}

var (
	boxNote, boxWant, boxSay, boxHear, boxGive, boxAdd Entry[box, talk]
	boxTotal                                           Entry[box, int64]
	boxQuiet                                           Entry[box, struct{}]
	boxHop                                             Entry[box, hop]
	boxWaitEvent, boxPanic, boxPanicThreaded           Entry[box, talk]
	boxText                                            Entry[box, text]
	boxBig                                             Entry[box, [300]int64]
	boxFuture                                          Entry[box, Future[int64]]
	boxAsk                                             Entry[box, talk]
	boxClass                                           Class[box, int64]
	boxMade                                            func(*box) // tells a test of boxes made by Class.New
)

type hop struct {
	Left, ID int64
	To       Elem[box]
}

// text is a message that packs itself.
type text struct {
	S  string
	Ns []int32
}

func (t *text) Pup(p *Pup) { p.String(&t.S); PupSlice(p, &t.Ns) }

var concat = Combiner("concat", func(acc *text, in text) {
	acc.S += in.S
	acc.Ns = append(acc.Ns, in.Ns...)
})

var testEvents = map[int64]*fakeEvent{}

type fakeEvent struct {
	done bool
	err  error
}

func (e *fakeEvent) Query() (bool, error) { return e.done, e.err }

func init() {
	boxNote = Method("note", func(b *box, pe *PE, m talk) {
		b.count(m.N)
		b.log("PE %d: %s note %d", pe.Rank(), b.name, m.N)
	})
	boxBig = Method("big", func(b *box, pe *PE, m [300]int64) {
		for i, v := range m {
			if v != m[0]+int64(i) {
				panic("big message damaged")
			}
		}
		b.count(m[0])
		b.log("PE %d: %s big %d", pe.Rank(), b.name, m[0])
	})
	boxText = Method("text", func(b *box, pe *PE, m text) {
		b.count(int64(len(m.Ns)))
		b.log("PE %d: %s text %q %v", pe.Rank(), b.name, m.S, m.Ns)
	})
	boxHop = Method("hop", func(b *box, pe *PE, m hop) {
		b.count(m.ID)
		if m.Left > 0 {
			next := b.arr.AtIndex(b.arr.Shape().At(int((m.ID*7 + m.Left*3) % int64(b.arr.Shape().Len()))))
			boxHop.Send(pe, next, hop{m.Left - 1, m.ID, m.To})
			return
		}
		boxNote.Send(pe, m.To, talk{N: m.ID})
	})
	boxWant = Threaded("want", func(b *box, t *Thread, m talk) {
		buf := make([]byte, 1<<16)
		n, err := Connect(t.PE, b.self, b.peer(m), int(m.Port)).RecvBytes(t, buf)
		b.log("PE %d: %s received %d B from %s: %v %v", t.Rank(), b.name, n, b.peerName(m), buf[:min(n, 3)], err)
	})
	boxSay = Method("say", func(b *box, pe *PE, m talk) {
		data := make([]byte, m.N)
		for i := range data {
			data[i] = byte(m.N) + byte(i)
		}
		Connect(pe, b.self, b.peer(m), int(m.Port)).SendBytes(pe, data)
		b.log("PE %d: %s said %d B to %s", pe.Rank(), b.name, m.N, b.peerName(m))
	})
	boxHear = Threaded("hear", func(b *box, t *Thread, m talk) {
		buf := memory(int(m.N), 0)
		n, err := Connect(t.PE, b.self, b.peer(m), int(m.Port)).Recv(t, buf)
		first := byte(0)
		if n > 0 {
			first = buf.Bytes()[n-1]
		}
		b.log("PE %d: %s heard %d B from %s, the last is %d: %v", t.Rank(), b.name, n, b.peerName(m), first, err)
	})
	boxGive = Threaded("give", func(b *box, t *Thread, m talk) {
		buf := memory(int(m.N), 1)
		err := Connect(t.PE, b.self, b.peer(m), int(m.Port)).Send(t, buf)
		b.log("PE %d: %s gave %d B to %s: %v", t.Rank(), b.name, m.N, b.peerName(m), err)
	})
	boxAdd = Method("add", func(b *box, pe *PE, m talk) {
		Contribute(pe, b.arr.All(), b.self, m.N, SumInt64, boxTotal.To(b.arr.AtIndex(b.arr.Shape().At(int(m.Peer)))))
	})
	boxTotal = Method("total", func(b *box, pe *PE, v int64) {
		b.sum += v
		b.log("PE %d: %s total %d", pe.Rank(), b.name, v)
	})
	boxQuiet = Method("quiet", func(b *box, pe *PE, _ struct{}) { b.log("PE %d: %s told of quiescence", pe.Rank(), b.name) })
	boxWaitEvent = Threaded("waitevent", func(b *box, t *Thread, m talk) {
		if testEvents[m.N] == nil {
			testEvents[m.N] = &fakeEvent{}
		}
		err := t.WaitEvent(testEvents[m.N])
		b.log("PE %d: %s event %d: %v", t.Rank(), b.name, m.N, err)
		if err == nil {
			boxNote.Send(t.PE, b.peer(m), talk{N: m.N})
		}
	})
	boxPanic = Method("panic", func(b *box, pe *PE, m talk) { panic(fmt.Sprintf("asked to, %d", m.N)) })
	boxPanicThreaded = Threaded("panicthreaded", func(b *box, t *Thread, m talk) {
		t.Yield()
		panic(errors.New("asked to"))
	})
	boxFuture = Method("answer", func(b *box, pe *PE, f Future[int64]) { f.Send(pe, int64(pe.Rank())*100+7) })
	boxAsk = Threaded("ask", func(b *box, t *Thread, m talk) {
		f := NewFuture[int64](t.PE)
		boxFuture.Send(t.PE, b.peer(m), f)
		b.log("PE %d: %s was answered %d", t.Rank(), b.name, f.Wait(t))
	})
	boxClass = Constructor("box", func(pe *PE, self Elem[box], at Index, m int64) (*box, error) {
		if m < 0 {
			return nil, errors.New("no boxes below zero")
		}
		b := newBox(self, self.Array(pe), at)
		b.sum = m
		if boxMade != nil {
			boxMade(b)
		}
		return b, nil
	})
}

func newBox(self Elem[box], arr Array[box], at Index) *box {
	return &box{name: "Box" + at.text(arr.Shape().Dims()), self: self, arr: arr, log: func(string, ...any) {}, got: map[int64]int{}}
}

func (b *box) count(n int64)         { b.got[n]++ }
func (b *box) peer(m talk) Elem[box] { return b.arr.AtIndex(b.arr.Shape().At(int(m.Peer))) }
func (b *box) peerName(m talk) string {
	return "Box" + b.arr.Shape().At(int(m.Peer)).text(b.arr.Shape().Dims())
}

// boxes makes the array "Box" on all PEs of a simulation.
func (s *sim) boxes(shape Shape, place Map) (arr Array[box], all []*box) {
	all = make([]*box, shape.Len())
	for _, pe := range s.pes {
		var err error
		arr, err = NewArray(pe, "Box", shape, place, func(self Elem[box], at Index) (*box, error) {
			b := newBox(self, self.Array(pe), at)
			b.log = s.say
			all[shape.Order(at)] = b
			return b, nil
		})
		if err != nil {
			panic(err)
		}
	}
	return arr, all
}
