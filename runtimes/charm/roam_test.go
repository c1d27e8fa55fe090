// Chares that move at random, whatever else is under way.
package charm

import (
	"fmt"
	"runtime"
	"slices"
	"testing"

	"gpubench/gpu"
	"pgregory.net/rapid"
)

// roamer goes through rounds of a plan; each ends at a sync point.
type roamer struct {
	self  Elem[roamer]
	at    int // place in the array
	Round int64
	Moves int64
	Lines []roamLine
	Buf   *gpu.Buffer // may be nil

	lines []*Channel
	plan  *roamPlan // a test's: not packed
}

// roamLine is what an end of a channel has sent and received so far.
type roamLine struct{ Sent, Recv int64 }

func (c *roamer) Pup(p *Pup) {
	PupValue(p, &c.self)
	PupValue(p, &c.Round)
	PupValue(p, &c.Moves)
	PupSlice(p, &c.Lines)
	p.Buffer(&c.Buf)
}

var (
	roamGo       Entry[roamer, int64]
	roamOn       Entry[roamer, Balanced]
	roamNote     Entry[roamer, int64]
	roamBig      Entry[roamer, [300]int64]
	roamWait     Entry[roamer, int64]
	roamSum      Entry[roamer, int64]
	roamSecSum   Entry[roamer, int64]
	roamFinished Entry[roamer, int64]
	roamQuiet    Entry[roamer, struct{}]
)

func init() {
	roamGo = Threaded("go", (*roamer).round)
	roamOn = Method("on", func(c *roamer, pe *PE, b Balanced) {
		c.plan.balanced = append(c.plan.balanced, b)
		if b.Step != c.Round+1 {
			c.fail("resumes after sync point %d from round %d", b.Step, c.Round)
		}
		if where := c.plan.to[c.Round][c.at]; where != pe.rank {
			c.fail("resumes on PE %d after sync point %d: its place is %d", pe.rank, b.Step, where)
		}
		c.Round++
		roamGo.Send(pe, c.self, c.Round)
	})
	roamNote = Method("note", func(c *roamer, _ *PE, id int64) { c.note(id) })
	roamWait = Threaded("wait", func(c *roamer, _ *Thread, id int64) { c.note(id) }) // goes through the ready queue
	roamBig = Method("big", func(c *roamer, _ *PE, m [300]int64) {
		for i, v := range m {
			if v != m[0]+int64(i) {
				c.fail("a long message is damaged")
			}
		}
		c.note(m[0])
	})
	roamSum = Method("sum", func(c *roamer, _ *PE, v int64) { c.plan.sums = append(c.plan.sums, v) })
	roamSecSum = Method("section sum", func(c *roamer, _ *PE, v int64) { c.plan.secSums = append(c.plan.secSums, v) })
	roamFinished = Method("finished", func(c *roamer, _ *PE, v int64) { c.plan.end += int(v) })
	roamQuiet = Method("quiet", func(c *roamer, pe *PE, _ struct{}) {
		if c.plan.told++; c.plan.end != len(c.plan.ends) {
			c.fail("told of quiescence when %d of %d chares were through", c.plan.end, len(c.plan.ends))
		}
	})
}

func (c *roamer) fail(format string, args ...any) {
	if c.plan.bad == nil {
		c.plan.bad = fmt.Errorf("Roamer(%d): %s", c.at, fmt.Sprintf(format, args...))
	}
}

func (c *roamer) note(id int64) {
	if c.plan.notes[id] == nil {
		c.plan.notes[id] = map[int]int{}
	}
	c.plan.notes[id][c.at]++
}

// settle gives a chare what is not packed: when it is made, and when it has moved.
func (c *roamer) settle(pe *PE, self Elem[roamer], at Index) error {
	if c.self != self {
		c.fail("arrives as another")
	}
	c.at = at[0]
	c.lines = nil
	for _, e := range c.plan.ends[c.at] {
		c.lines = append(c.lines, Connect(pe, self, self.Array(pe).At(e.peer), e.port))
	}
	return nil
}

func (c *roamer) fill(v byte) {
	if c.Buf != nil {
		for i := range c.Buf.Memory().Bytes() {
			c.Buf.Memory().Bytes()[i] = v + byte(i)
		}
	}
}

func (c *roamer) check(v byte) {
	if c.Buf == nil {
		return
	}
	for i, b := range c.Buf.Memory().Bytes() {
		if b != v+byte(i) {
			c.fail("byte %d of its buffer is %d in round %d, want %d", i, b, c.Round, v+byte(i))
			return
		}
	}
}

func (c *roamer) round(t *Thread, r int64) {
	all := c.self.Array(t.PE)
	if r != c.Round {
		c.fail("starts round %d in round %d", r, c.Round)
	}
	c.check(byte(c.at) + byte(r))
	last := int(r) == c.plan.rounds
	if last {
		for i, l := range c.Lines {
			c.hear(t, i, c.sentTo(i)-l.Recv)
		}
		roamFinished.Send(t.PE, all.At(0), 1)
		return
	}
	a := c.plan.acts[r][c.at]
	for _, n := range a.notes {
		switch {
		case n.big:
			roamBig.Send(t.PE, all.At(n.to), bigFrom(n.id))
		case n.id%2 == 0:
			roamWait.Send(t.PE, all.At(n.to), n.id)
		default:
			roamNote.Send(t.PE, all.At(n.to), n.id)
		}
	}
	for i, sizes := range a.send {
		for _, n := range sizes {
			c.lines[i].SendBytes(t.PE, memory(n, byte(c.Lines[i].Sent)).Bytes())
			c.Lines[i].Sent++
		}
	}
	c.trade(t, a.trade)
	for i, n := range a.recv {
		c.hear(t, i, int64(n))
	}
	Contribute(t.PE, all.All(), c.self, int64(c.at)+r, SumInt64, roamSum.To(all.At(0)))
	if a.section && slices.Contains(c.plan.members, c.at) {
		Contribute(t.PE, c.plan.section, c.self, int64(c.at)*10+r, SumInt64, roamSecSum.To(all.At(0)))
	}
	c.fill(byte(c.at) + byte(r+1))
	AtSync(t.PE, c.self, roamOn)
}

// sentTo is how many messages come in all on an end's line that are not traded.
func (c *roamer) sentTo(i int) (n int64) {
	end := c.plan.ends[c.at][i]
	for _, acts := range c.plan.acts {
		for j, e := range c.plan.ends[end.peer] {
			if e.peer == c.at && e.port == end.port {
				n += int64(len(acts[end.peer].send[j]))
			}
		}
	}
	return n
}

// hear receives n messages of a line, in order.
func (c *roamer) hear(t *Thread, i int, n int64) {
	for range n {
		want := byte(c.Lines[i].Recv)
		buf := make([]byte, 5000)
		got, err := c.lines[i].RecvBytes(t, buf)
		if err != nil {
			c.fail("line %d: %v", i, err)
		}
		for k, b := range buf[:got] {
			if b != want+byte(k) {
				c.fail("line %d, message %d of %d B: byte %d is %d", i, c.Lines[i].Recv, got, k, b)
				break
			}
		}
		c.Lines[i].Recv++
	}
}

// trade sends and receives at once, on ports of its own.
func (c *roamer) trade(t *Thread, sizes []int) {
	var ops []*Op
	var bufs []gpu.Memory
	for i, n := range sizes {
		if n == 0 {
			continue
		}
		e := c.plan.ends[c.at][i]
		ch := Connect(t.PE, c.self, c.self.Array(t.PE).At(e.peer), 1000+e.port)
		buf := memory(n, 0)
		bufs = append(bufs, buf)
		ops = append(ops, ch.Irecv(t.PE, buf), ch.Isend(t.PE, memory(n, byte(n)), nil))
	}
	if err := t.WaitAll(ops); err != nil {
		c.fail("trade: %v", err)
	}
	for _, b := range bufs {
		for k, v := range b.Bytes() {
			if v != byte(b.Len)+byte(k) {
				c.fail("trade of %d B: byte %d is %d", b.Len, k, v)
				break
			}
		}
	}
}

// Whatever moves when: every message starts its method once, channels keep their order and bytes, sums are right,
// buffers and state come whole, and nothing is left over.
func TestRoamersLoseNothing(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	dev, err := gpu.Open(gpu.CPU, 0, gpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		dev.Unbind()
		if err := dev.Close(); err != nil {
			t.Error(err)
		}
		if leaks := gpu.Leaks(); len(leaks) > 0 {
			t.Errorf("leaks: %v", leaks)
		}
	}()
	if err := dev.Bind(); err != nil {
		t.Fatal(err)
	}
	check(t, func(r *rapid.T) { roam(t, r, dev) })
}

func roam(t *testing.T, r *rapid.T, dev *gpu.Device) {
	kept = kept[:0]
	s := newSim(t, rapid.IntRange(1, 5).Draw(r, "pes"), rapid.SampledFrom([]int{256, 512, 4096}).Draw(r, "header"), rapid.IntRange(1, 5).Draw(r, "fanout"))
	defer s.close() // on the locked thread
	s.overtake = rapid.Bool().Draw(r, "overtake")
	s.shuffle = func(n int) int { return rapid.IntRange(0, n-1).Draw(r, "next") }
	n := rapid.IntRange(1, 6).Draw(r, "chares")
	place := drawPlace(r, s, Grid(n))
	p := drawPlan(r, n, len(s.pes))
	withBuf := rapid.IntRange(0, n).Draw(r, "with buffers")
	b := p.balancer(rapid.Bool().Draw(r, "peers"))
	var arr Array[roamer]
	for _, pe := range s.pes {
		pe.alloc = dev.Alloc
		var err error
		arr, err = NewMobile(pe, "Roamer", Grid(n), place, b, func(self Elem[roamer], at Index) (*roamer, error) {
			c := &roamer{self: self, plan: p, Lines: make([]roamLine, len(p.ends[at[0]]))}
			if at[0] < withBuf {
				var err error
				if c.Buf, err = dev.Alloc(gpu.Pageable, at[0]*100, gpu.DefaultPages); err != nil {
					return nil, err
				}
			}
			err := c.settle(pe, self, at)
			c.fill(byte(c.at))
			return c, err
		}, func(self Elem[roamer], at Index, c *roamer) error {
			c.plan = p
			c.Moves++
			return c.settle(pe, self, at)
		})
		if err != nil {
			r.Fatal(err)
		}
	}
	defer freeRoamers(t, s, arr)
	s.begin(nil)
	var at []Index
	for _, m := range p.members {
		at = append(at, Index{m})
	}
	p.section = arr.Section(s.pes[len(s.pes)-1], at)
	roamGo.Broadcast(s.pes[0], arr.All(), 0)
	Quiescence(s.pes[s.shuffle(len(s.pes))], roamQuiet.To(arr.At(0)))
	shouts := map[int64]bool{} // from outside, at any time; true: to the section
	for steps := 0; s.err() == nil && s.one(); steps++ {
		if len(shouts) < 6 && s.shuffle(20) == 0 {
			id, some := int64(-1-2*len(shouts)), s.shuffle(2) == 0
			shouts[id] = some
			to := arr.All()
			if some {
				to = p.section
			}
			roamNote.Broadcast(s.pes[s.shuffle(len(s.pes))], to, id)
		}
		if steps > 200_000 {
			r.Fatal("no end")
		}
	}
	if err := s.err(); err != nil {
		r.Fatal(err)
	}
	p.judge(r, s, arr, place, shouts)
}

func freeRoamers(t *testing.T, s *sim, arr Array[roamer]) {
	for _, pe := range s.pes {
		arr.EachLocal(pe, func(_ Elem[roamer], c *roamer) {
			if c.Buf != nil {
				if err := c.Buf.Free(); err != nil {
					t.Error(err)
				}
			}
		})
		for _, err := range pe.freeCargoes() {
			if err != nil {
				t.Error(err)
			}
		}
	}
}
