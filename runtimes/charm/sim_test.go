// A simulated machine for tests of the core: PEs whose ports put headers and payload on lists, from which a script or
// a random choice takes them. No transport, no clock, one goroutine.
package charm

import (
	"fmt"
	"slices"
	"testing"

	"gpubench/gpu"
)

type sim struct {
	pes      []*PE
	wires    map[[2]int][][]byte // by sender and receiver: headers under way
	gives    []*simMove
	takes    []*simMove
	landed   []*simMove // payload is there, its PE does not know yet
	clock    int64
	log      func(format string, args ...any) // of what ports are told
	shuffle  func(n int) int                  // picks one of n
	overtake bool                             // headers of a pair may overtake each other
}

type simMove struct {
	rank int // whose
	x    *transfer
	tag  uint16
	peer int
}

type simPort struct {
	s    *sim
	rank int
}

func (p simPort) Now() int64 { return p.s.clock }

func (p simPort) Send(pe int, h []byte, x *transfer) {
	s := p.s
	if x == nil {
		if pe == p.rank || len(h) > s.pes[p.rank].maxHeader {
			panic(fmt.Sprintf("PE %d sent a header of %d B to PE %d", p.rank, len(h), pe))
		}
		s.say("%d>%d %s", p.rank, pe, s.describe(h))
		s.wires[[2]int{p.rank, pe}] = append(s.wires[[2]int{p.rank, pe}], slices.Clone(h))
		return
	}
	m := &simMove{rank: p.rank, x: x, tag: x.tag, peer: x.peer}
	switch x.verb {
	case give:
		s.say("%d>%d payload %d B, tag %d", p.rank, pe, x.buf.Len, x.tag)
		s.gives = append(s.gives, m)
	case take:
		s.say("%d<%d payload, tag %d", p.rank, pe, x.tag)
		s.takes = append(s.takes, m)
	case dup:
		s.say("%d copies %d B", p.rank, x.src.Len)
		s.pes[p.rank].finish(x, copy(x.buf.Bytes(), x.src.Bytes()), nil, false)
	}
}

func (s *sim) say(format string, args ...any) {
	if s.log != nil {
		s.log(format, args...)
	}
}

func newSim(t testing.TB, n, maxHeader, fanout int) *sim {
	s := &sim{wires: map[[2]int][][]byte{}}
	for rank := range n {
		pe := &PE{}
		pe.core = *newCore(pe, rank, n, maxHeader, fanout, simPort{s, rank})
		s.pes = append(s.pes, pe)
	}
	t.Cleanup(s.close)
	return s
}

func (s *sim) close() {
	for _, pe := range s.pes {
		pe.stopThreads()
		pe.host.close()
	}
}

// begin brings all PEs into a run, out of the one before where there was one.
func (s *sim) begin(main func(*PE)) {
	for _, pe := range s.pes {
		if pe.exited {
			pe.depart()
		}
	}
	for s.deliverAny() {
	}
	for _, pe := range s.pes {
		pe.begin(func() {
			if main != nil {
				main(pe)
			}
		})
	}
	for s.deliverAny() {
	}
	for _, pe := range s.pes {
		if pe.start.phase != acting {
			panic(fmt.Sprintf("PE %d has not begun", pe.rank))
		}
	}
}

// deliver takes the i-th header on a wire.
func (s *sim) deliver(src, dst, i int) bool {
	key := [2]int{src, dst}
	w := s.wires[key]
	if i >= len(w) {
		return false
	}
	h := w[i]
	s.wires[key] = slices.Delete(slices.Clone(w), i, i+1)
	pe := s.pes[dst]
	pe.guard(func() { pe.deliver(src, h, pe.start.phase == acting) })
	return true
}

func (s *sim) step(pe *PE) (worked bool) {
	pe.guard(func() { worked = pe.step() })
	return worked
}

func (s *sim) deliverAny() bool {
	for src := range s.pes {
		for dst := range s.pes {
			if s.deliver(src, dst, 0) {
				return true
			}
		}
	}
	return false
}

// matched finds the first receive that has its message, by MPI's rule.
func (s *sim) matched(skip int) (give, take int) {
	for t, m := range s.takes {
		for g, o := range s.gives {
			if o.rank == m.peer && o.peer == m.rank && o.tag == m.tag {
				if skip == 0 {
					return g, t
				}
				skip--
				break
			}
		}
	}
	return -1, -1
}

// move carries one payload over; with nobody to shuffle, both PEs know at once.
func (s *sim) move(skip int) bool {
	gi, ti := s.matched(skip)
	if gi < 0 {
		return false
	}
	g, t := s.gives[gi], s.takes[ti]
	s.gives, s.takes = slices.Delete(s.gives, gi, gi+1), slices.Delete(s.takes, ti, ti+1)
	n := copy(t.x.buf.Bytes(), g.x.buf.Bytes())
	s.say("payload %d>%d tag %d: %d B", g.rank, t.rank, g.tag, n)
	s.landed = append(s.landed, g, t)
	for s.shuffle == nil && len(s.landed) > 0 {
		s.land(0)
	}
	return true
}

// land tells a PE that a payload has come or gone.
func (s *sim) land(i int) bool {
	m := s.landed[i]
	s.landed = slices.Delete(s.landed, i, i+1)
	s.pes[m.rank].finish(m.x, m.x.buf.Len, nil, true)
	return true
}

// run does whatever can be done until nothing can, in an order that shuffle picks, and reports whether the run is over.
func (s *sim) run(t testing.TB) {
	for range 1_000_000 {
		if s.err() != nil {
			for s.deliverAny() {
			}
			return
		}
		if !s.one() {
			return
		}
	}
	t.Fatal("no end after a million steps")
}

func (s *sim) one() bool {
	type action func() bool
	var can []action
	for src := range s.pes {
		for dst := range s.pes {
			if n := len(s.wires[[2]int{src, dst}]); n > 0 {
				can = append(can, func() bool {
					i := 0
					if s.overtake {
						i = s.shuffle(n)
					}
					return s.deliver(src, dst, i)
				})
			}
		}
	}
	for _, pe := range s.pes {
		if pe.busy() && pe.start.phase == acting {
			can = append(can, func() bool { return s.step(pe) })
		}
		if slices.ContainsFunc(pe.events, func(w eventWait) bool { done, err := w.ev.Query(); return done || err != nil }) {
			can = append(can, pe.pollEvents)
		}
	}
	if s.shuffle != nil { // waves go on while others work
		for _, pe := range s.pes {
			if !pe.busy() && (len(pe.quiet.targets) > 0 || pe.quiet.pending) {
				can = append(can, func() bool { pe.idle(); return true })
			}
		}
	}
	if gi, _ := s.matched(0); gi >= 0 {
		can = append(can, func() bool { return s.move(0) })
	}
	if n := len(s.landed); n > 0 {
		can = append(can, func() bool { return s.land(s.shuffle(n)) })
	}
	if len(can) > 0 {
		i := 0
		if s.shuffle != nil {
			i = s.shuffle(len(can))
		}
		can[i]()
		return true
	}
	// Nothing to do: PEs are idle. That alone can send waves.
	before := s.sent()
	for range 3 { // the end of one wave, and the beginning of the next
		for _, pe := range s.pes {
			pe.idle()
		}
	}
	return s.sent() > before
}

func (s *sim) sent() (n int64) {
	for _, pe := range s.pes {
		n += pe.stats.Sent + pe.made
	}
	return n
}

// err is the first error of any PE.
func (s *sim) err() error {
	for _, pe := range s.pes {
		if pe.err != nil {
			return pe.err
		}
	}
	return nil
}

// describe says what a header is.
func (s *sim) describe(h []byte) string {
	k := kindOf(h)
	elem := func(coll, lin uint32) string {
		for _, pe := range s.pes {
			if c := pe.known(coll); c != nil {
				return c.elemName(lin)
			}
		}
		return fmt.Sprintf("array %d element %d", coll, lin)
	}
	switch k {
	case kindEntry:
		return fmt.Sprintf("entry %s %s, %d B", registry.methods.byID[number(h)].name, elem(word(h, 4), word(h, 8)), len(h)-headerLen)
	case kindBroadcast:
		return fmt.Sprintf("broadcast %s, %d B", registry.methods.byID[number(h)].name, len(h)-bcastLen)
	case kindReduce:
		return fmt.Sprintf("reduce %s, sequence %d, %d B", registry.reducers.byID[number(h)].name, word(h, 16), len(h)-reduceLen)
	case kindChannel:
		how := fmt.Sprintf("%d B inline", len(h)-channelLen)
		if mode(h) == modeTagged {
			how = fmt.Sprintf("%d B under tag %d", le.Uint64(h[channelLen:]), word(h, channelLen+8))
		}
		return fmt.Sprintf("channel %s to %s, sequence %d, %s", elem(word(h, 16), word(h, 12)), elem(word(h, 4), word(h, 8)), word(h, 20), how)
	case kindSync:
		return fmt.Sprintf("sync, %d chares", word(h, 20))
	case kindPlaces:
		return fmt.Sprintf("places of sync point %d, %d moves", word(h, 8), (len(h)-placesLen)/8)
	case kindChare:
		return fmt.Sprintf("chare %s, %d channels", elem(word(h, 4), word(h, 8)), word(h, 16))
	case kindCargo:
		return fmt.Sprintf("buffer %d of %s, %d B under tag %d", word(h, 12), elem(word(h, 4), word(h, 8)), le.Uint64(h[16:]), word(h, 24))
	case kindLong:
		return fmt.Sprintf("long, %d B under tag %d", le.Uint64(h[8:]), word(h, 4))
	case kindTags:
		return fmt.Sprintf("tags, %d", (len(h)-headerLen)/2)
	case kindSum:
		return fmt.Sprintf("sum, wave %d, made %d, done %d", word(h, 4), le.Uint64(h[8:]), le.Uint64(h[16:]))
	case kindFail:
		return "fail: " + string(h[headerLen:])
	}
	return k.String()
}

// memory is n bytes that repeat v.
func memory(n int, v byte) gpu.Memory {
	b := make([]byte, max(n, 1))
	for i := range b {
		b[i] = v + byte(i)
	}
	kept = append(kept, b)
	return gpu.HostMemory(b[:n])
}

// kept keeps what memory has given alive: gpu.Memory does not.
var kept [][]byte
