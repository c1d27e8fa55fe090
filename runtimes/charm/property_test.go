// Properties that hold whatever the placement, the trees and the order in which messages come.
package charm

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// drawSim is a simulated machine of random size whose messages come in random order.
func drawSim(t *testing.T, r *rapid.T) *sim {
	s := newSim(t, rapid.IntRange(1, 8).Draw(r, "pes"), rapid.SampledFrom([]int{256, 512, 4096}).Draw(r, "header"), rapid.IntRange(1, 5).Draw(r, "fanout"))
	s.overtake = rapid.Bool().Draw(r, "overtake")
	s.shuffle = func(n int) int { return rapid.IntRange(0, n-1).Draw(r, "next") }
	return s
}

func drawPlace(r *rapid.T, s *sim, shape Shape) Map {
	where := rapid.SliceOfN(rapid.IntRange(0, len(s.pes)-1), shape.Len(), shape.Len()).Draw(r, "where")
	return MapFunc("random", func(at Index, sh Shape, _ int) int { return where[sh.Order(at)] })
}

func drawShape(r *rapid.T) Shape {
	n := rapid.SliceOfN(rapid.IntRange(1, 4), 1, 3).Draw(r, "shape")
	return Grid(n...)
}

// check runs a property with fewer cases than rapid's default: each is a whole run of a machine.
func check(t *testing.T, f func(r *rapid.T)) {
	t.Helper()
	rapid.Check(t, func(r *rapid.T) {
		old := tagLimit
		tagLimit = rapid.SampledFrom([]int{1, 2, old}).Draw(r, "tags")
		defer func() { tagLimit = old }()
		f(r)
	})
}

// Every message runs its method exactly once, and quiescence is told when the last has, not before.
func TestExactlyOnceAndQuiescence(t *testing.T) {
	check(t, func(r *rapid.T) {
		s := drawSim(t, r)
		shape := drawShape(r)
		arr, all := s.boxes(shape, drawPlace(r, s, shape))
		s.begin(nil)
		hops := rapid.SliceOfN(rapid.IntRange(0, 12), 0, 12).Draw(r, "hops")
		want := 0
		for id, left := range hops {
			pe := s.pes[rapid.IntRange(0, len(s.pes)-1).Draw(r, "from")]
			if left%3 == 0 { // a long message among them
				var m [300]int64
				for i := range m {
					m[i] = int64(1000 + id + i)
				}
				boxBig.Send(pe, arr.AtIndex(shape.At(id%shape.Len())), m)
				want++
			}
			boxHop.Send(pe, arr.AtIndex(shape.At(id%shape.Len())), hop{int64(left), int64(id), arr.AtIndex(shape.At(0))})
			want += left + 2
		}
		total := func() (n int) {
			for _, b := range all {
				for _, k := range b.got {
					n += k
				}
			}
			return n
		}
		told := 0
		all[0].log = func(format string, _ ...any) {
			if format == "PE %d: %s told of quiescence" {
				told++
				if total() != want {
					r.Fatalf("told of quiescence after %d of %d messages", total(), want)
				}
			}
		}
		Quiescence(s.pes[len(s.pes)-1], boxQuiet.To(arr.AtIndex(shape.At(0))))
		s.run(t)
		if err := s.err(); err != nil {
			r.Fatal(err)
		}
		if told != 1 || total() != want {
			r.Fatalf("told %d times, %d of %d messages", told, total(), want)
		}
		byID := map[int64]int{}
		for _, b := range all {
			for id, n := range b.got {
				byID[id] += n
			}
		}
		for id, left := range hops {
			if byID[int64(id)] != left+2 || left%3 == 0 && byID[int64(1000+id)] != 1 {
				r.Fatalf("message %d of %d hops ran %d methods, its long one %d", id, left, byID[int64(id)], byID[int64(1000+id)])
			}
		}
		var made, done int64
		for _, pe := range s.pes {
			made, done = made+pe.made, done+pe.done
		}
		if made != done {
			r.Fatalf("%d pieces of work made, %d done", made, done)
		}
	})
}

// talker sends and receives numbered messages over all of its channels, by threads of its own.
type talker struct {
	self  Elem[talker]
	lines []line
	heard [][]int // by line: sizes in order of receipt
	bad   error
}

type line struct {
	ch   *Channel
	send []int // bytes of each message
	recv []int
}

var talkerSend, talkerRecv Entry[talker, int64]

func init() {
	talkerSend = Threaded("send", func(c *talker, t *Thread, i int64) {
		var ops []*Op
		for k, n := range c.lines[i].send {
			if k%3 == 2 {
				c.lines[i].ch.SendBytes(t.PE, memory(n, byte(n+k)).Bytes())
				continue
			}
			ops = append(ops, c.lines[i].ch.Isend(t.PE, memory(n, byte(n+k)), nil))
			if k%4 == 3 {
				if err := t.WaitAll(ops); err != nil {
					c.bad = err
				}
			}
		}
		for range ops {
			if k, _, err := t.WaitAny(ops); err != nil || k < 0 && slices.ContainsFunc(ops, func(o *Op) bool { return o != nil }) {
				c.bad = fmt.Errorf("WaitAny: %d, %w", k, err)
			}
		}
	})
	talkerRecv = Threaded("recv", func(c *talker, t *Thread, i int64) {
		for k, n := range c.lines[i].recv {
			var got int
			var bytes []byte
			var err error
			if k%2 == 0 {
				bytes = make([]byte, n+1)
				got, err = c.lines[i].ch.RecvBytes(t, bytes)
			} else {
				buf := memory(n, 0)
				got, err = c.lines[i].ch.Recv(t, buf)
				bytes = buf.Bytes()
			}
			if err != nil || got != n {
				c.bad = fmt.Errorf("message %d of line %d: %d B of %d, %w", k, i, got, n, err)
				return
			}
			for j := range n {
				if bytes[j] != byte(n+k)+byte(j) {
					c.bad = fmt.Errorf("message %d of line %d of %d B: byte %d is %d", k, i, n, j, bytes[j])
					return
				}
			}
			c.heard[i] = append(c.heard[i], n)
		}
	})
}

// Channels keep their order and their bytes, whatever the sizes, the placement and the way messages take.
func TestChannelsKeepOrder(t *testing.T) {
	check(t, func(r *rapid.T) {
		kept = kept[:0]
		s := drawSim(t, r)
		n := rapid.IntRange(1, 6).Draw(r, "chares")
		place := drawPlace(r, s, Grid(n))
		all := make([]*talker, n)
		var arr Array[talker]
		for _, pe := range s.pes {
			var err error
			arr, err = NewArray(pe, "Talker", Grid(n), place, func(self Elem[talker], at Index) (*talker, error) {
				all[at[0]] = &talker{self: self}
				return all[at[0]], nil
			})
			if err != nil {
				r.Fatal(err)
			}
		}
		lines := rapid.IntRange(1, 5).Draw(r, "lines")
		size := rapid.OneOf(rapid.IntRange(0, 64), rapid.IntRange(200, 300), rapid.IntRange(1000, 9000))
		connect := func(from, to, port int, sends, recvs []int) {
			pe := s.pes[arr.At(from).PE(s.pes[0])]
			c := all[from]
			c.lines = append(c.lines, line{Connect(pe, c.self, arr.At(to), port), sends, recvs})
			c.heard = append(c.heard, nil)
		}
		for port := range lines {
			a, b := rapid.IntRange(0, n-1).Draw(r, "a"), rapid.IntRange(0, n-1).Draw(r, "b")
			there := rapid.SliceOfN(size, 0, 8).Draw(r, "there")
			back := rapid.SliceOfN(size, 0, 8).Draw(r, "back")
			if a == b { // hears what it says
				connect(a, a, port, there, there)
				continue
			}
			connect(a, b, port, there, back)
			connect(b, a, port, back, there)
		}
		s.begin(nil)
		for i, c := range all {
			pe := s.pes[arr.At(i).PE(s.pes[0])]
			for l := range c.lines {
				talkerSend.Send(pe, c.self, int64(l))
				talkerRecv.Send(pe, c.self, int64(l))
			}
		}
		s.run(t)
		if err := s.err(); err != nil {
			r.Fatal(err)
		}
		for i, c := range all {
			if c.bad != nil {
				r.Fatalf("Talker(%d): %v", i, c.bad)
			}
			for l := range c.lines {
				if !slices.Equal(c.heard[l], c.lines[l].recv) && len(c.lines[l].recv) > 0 {
					r.Fatalf("Talker(%d) line %d heard %v, want %v", i, l, c.heard[l], c.lines[l].recv)
				}
			}
		}
		for _, pe := range s.pes {
			for _, th := range pe.threads {
				if th.active {
					r.Fatalf("PE %d: a thread still waits: %v", pe.rank, pe.waits(0))
				}
			}
		}
	})
}

// reducers that a serial loop can check; adder contributes to all of them, several times.
type adder struct {
	self    Elem[adder]
	over    []Section[adder]
	value   float64
	results *results
}

type results struct {
	sum        []int64
	least      []float64
	float      []float64
	texts      []text
	inSections map[int][]int64
}

type bothEnds struct{ Lo, Hi int64 }

var (
	adderGo              Entry[adder, int64]
	adderSum             Entry[adder, int64]
	adderMin, adderFloat Entry[adder, float64]
	adderText            Entry[adder, text]
	adderEnds            Entry[adder, bothEnds]
	ends                 = Combiner("ends", func(acc *bothEnds, in bothEnds) { acc.Lo, acc.Hi = min(acc.Lo, in.Lo), max(acc.Hi, in.Hi) })
)

func init() {
	adderGo = Method("go", func(c *adder, pe *PE, round int64) {
		at := c.self.Index(pe)
		lin := int64(c.self.Array(pe).Shape().Order(at))
		root := c.self.Array(pe).At(0)
		all := c.self.Array(pe).All()
		Contribute(pe, all, c.self, lin+round, SumInt64, adderSum.To(root))
		Contribute(pe, all, c.self, c.value, MinFloat64, adderMin.To(root))
		Contribute(pe, all, c.self, c.value, SumFloat64, adderFloat.To(root))
		Contribute(pe, all, c.self, text{fmt.Sprint(lin, " "), []int32{int32(lin)}}, concat, adderText.To(root))
		for _, sec := range c.over {
			Contribute(pe, sec, c.self, bothEnds{lin, lin}, ends, adderEnds.To(root))
		}
	})
	adderSum = Method("sum", func(c *adder, _ *PE, v int64) { c.results.sum = append(c.results.sum, v) })
	adderMin = Method("min", func(c *adder, _ *PE, v float64) { c.results.least = append(c.results.least, v) })
	adderFloat = Method("float", func(c *adder, _ *PE, v float64) { c.results.float = append(c.results.float, v) })
	adderText = Method("text", func(c *adder, _ *PE, v text) { c.results.texts = append(c.results.texts, v) })
	adderEnds = Method("ends", func(c *adder, _ *PE, v bothEnds) {
		c.results.inSections[len(c.results.inSections)] = []int64{v.Lo, v.Hi}
	})
}

// Reductions equal a serial loop over the values for any tree and any order, and the sum of floats is one and the same
// for one placement.
func TestReductionsEqualSerial(t *testing.T) {
	check(t, func(r *rapid.T) {
		n := rapid.IntRange(1, 24).Draw(r, "chares")
		rounds := rapid.IntRange(1, 3).Draw(r, "rounds")
		values := rapid.SliceOfN(rapid.Float64Range(-1e6, 1e6), n, n).Draw(r, "values")
		members := rapid.SliceOfN(rapid.IntRange(0, n-1), 1, n).Draw(r, "section")
		s := drawSim(t, r)
		place := drawPlace(r, s, Grid(n))
		run := func(s *sim) *results {
			res := &results{inSections: map[int][]int64{}}
			var arr Array[adder]
			all := make([]*adder, n)
			for _, pe := range s.pes {
				var err error
				arr, err = NewArray(pe, "Adder", Grid(n), place, func(self Elem[adder], at Index) (*adder, error) {
					all[at[0]] = &adder{self: self, value: values[at[0]], results: res}
					return all[at[0]], nil
				})
				if err != nil {
					r.Fatal(err)
				}
			}
			s.begin(nil)
			var at []Index
			for _, m := range members {
				at = append(at, Index{m})
			}
			sec := arr.Section(s.pes[len(s.pes)-1], at)
			for _, m := range members {
				if all[m].over == nil {
					all[m].over = []Section[adder]{sec}
				}
			}
			for round := range rounds {
				for i := range n {
					adderGo.Send(s.pes[s.shuffle(len(s.pes))], arr.At(i), int64(round))
				}
			}
			s.run(t)
			if err := s.err(); err != nil {
				r.Fatal(err)
			}
			return res
		}
		res := run(s)
		var wantSum []int64
		for round := range rounds {
			sum := int64(0)
			for i := range n {
				sum += int64(i + round)
			}
			wantSum = append(wantSum, sum)
		}
		slices.Sort(res.sum)
		// Rounds are only told apart by order: with overtaking messages an element may add to them in another one.
		if total := func(v []int64) (s int64) {
			for _, x := range v {
				s += x
			}
			return s
		}; total(res.sum) != total(wantSum) || len(res.sum) != rounds {
			r.Fatalf("sums %v, want %v", res.sum, wantSum)
		}
		for i := range rounds {
			if res.least[i] != slices.Min(values) {
				r.Fatalf("min %v, want %v", res.least[i], slices.Min(values))
			}
			if math.Float64bits(res.float[i]) != math.Float64bits(res.float[0]) {
				r.Fatalf("sum of floats %v, then %v", res.float[0], res.float[i])
			}
			slices.Sort(res.texts[i].Ns)
			for k, v := range res.texts[i].Ns {
				if int(v) != k || len(res.texts[i].Ns) != n {
					r.Fatalf("concatenation has %v", res.texts[i].Ns)
				}
			}
			if got := res.inSections[i]; !slices.Equal(got, []int64{int64(slices.Min(members)), int64(slices.Max(members))}) {
				r.Fatalf("ends of section %v: %v", members, got)
			}
		}
		if len(res.inSections) != rounds {
			r.Fatalf("%d results over the section, want %d", len(res.inSections), rounds)
		}
		again := newSim(t, len(s.pes), s.pes[0].maxHeader, s.pes[0].fanout)
		again.shuffle = s.shuffle
		if twin := run(again); math.Float64bits(twin.float[0]) != math.Float64bits(res.float[0]) {
			r.Fatalf("sum of floats %v, in another order of messages %v", res.float[0], twin.float[0])
		}
	})
}

// Broadcasts reach every member once and nobody else, from any PE, also of sections and arrays that are just being made.
func TestBroadcastsReachMembers(t *testing.T) {
	check(t, func(r *rapid.T) {
		s := drawSim(t, r)
		shape := drawShape(r)
		place := rapid.SampledFrom([]Map{Blocks, RoundRobin}).Draw(r, "map")
		from := func() *PE { return s.pes[rapid.IntRange(0, len(s.pes)-1).Draw(r, "from")] }
		s.begin(nil)
		var all []*box
		boxMade = func(b *box) { all = append(all, b) }
		defer func() { boxMade = nil }()
		maker := from()
		arr := boxClass.New(maker, "Box", shape, place, 17)
		boxNote.Broadcast(maker, arr.All(), talk{N: 1})
		boxBig.Broadcast(maker, arr.All(), bigFrom(5))
		members := rapid.SliceOfN(rapid.IntRange(0, shape.Len()-1), 1, 10).Draw(r, "members")
		var at []Index
		for _, m := range members {
			at = append(at, shape.At(m))
		}
		sec := arr.Section(maker, at)
		boxNote.Broadcast(maker, sec, talk{N: 2})
		if other := from(); other != maker { // it has been told nothing yet
			boxNote.Broadcast(other, sec, talk{N: 3})
			boxNote.Send(other, arr.AtIndex(shape.At(0)), talk{N: 4})
		} else {
			boxNote.Broadcast(other, sec, talk{N: 3})
			boxNote.Send(other, arr.AtIndex(shape.At(0)), talk{N: 4})
		}
		s.run(t)
		if err := s.err(); err != nil {
			r.Fatal(err)
		}
		if len(all) != shape.Len() {
			r.Fatalf("%d boxes made, want %d", len(all), shape.Len())
		}
		for _, b := range all {
			lin := int(b.self.elem)
			want := map[int64]int{1: 1, 5: 1}
			if slices.Contains(members, lin) {
				want[2], want[3] = 1, 1
			}
			if lin == 0 {
				want[4] = 1
			}
			if fmt.Sprint(b.got) != fmt.Sprint(want) || b.sum != 17 {
				r.Fatalf("%s got %v, want %v", b.name, b.got, want)
			}
		}
	})
}

func bigFrom(n int64) (m [300]int64) {
	for i := range m {
		m[i] = n + int64(i)
	}
	return m
}
