// Matching against a model: three PEs, driven from one goroutine, so that what arrives when is known.

package inproc_test

import (
	"encoding/binary"
	"errors"
	"testing"

	"gpubench/gpu"
	"gpubench/runtimes/transport"
	"gpubench/runtimes/transport/inproc"

	"pgregory.net/rapid"
)

// message is one in the model.
type message struct {
	number        uint64
	src, dst, tag int
	ctx           uint8
	size          int
	id            uint32 // of the send
	off           bool   // cancelled
}

type receive struct {
	id       uint32
	src, tag int
	ctx      uint8
	buf      []byte
}

func (r *receive) accepts(m *message) bool {
	return !m.off && r.ctx == m.ctx && (r.src == m.src || r.src == transport.AnySource) &&
		(r.tag == m.tag || r.tag == transport.AnyTag)
}

// modelPE is what a PE should know.
type modelPE struct {
	flying     [][]*message // by source: in the mailbox
	unexpected []*message
	posted     []*receive
	expected   []transport.Completion // of receives and of sends whose end is certain
	sends      map[uint32]*message    // under way, and not matched
}

type machine struct {
	n       int
	drivers []transport.Driver
	pes     []*modelPE
	content map[uint32]content // what a receive must find
	nextID  uint32
	number  uint64
	alive   [][]byte // drivers know addresses only
}

// content is a buffer and the message number that must be in it.
type content struct {
	buf    []byte
	number uint64
}

const modelPEs = 3

func newMachine(t *rapid.T) *machine {
	m := &machine{n: modelPEs, content: map[uint32]content{}}
	w := inproc.NewWorld(m.n)
	for r := range m.n {
		d, err := w.Driver(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		m.drivers = append(m.drivers, d)
		m.pes = append(m.pes, &modelPE{flying: make([][]*message, m.n), sends: map[uint32]*message{}})
	}
	return m
}

// eager says which sends complete when they are posted. It is the one thing that the model has from the implementation.
func eager(size int) bool { return size <= 8192 }

// match books that r takes msg.
func (m *machine) match(p *modelPE, r *receive, msg *message) {
	c := transport.Completion{ID: r.id, Peer: int32(msg.src), Tag: int32(msg.tag), Len: msg.size}
	if msg.size > len(r.buf) {
		c.Err = transport.ErrTruncated
	} else if msg.size >= 8 {
		m.content[r.id] = content{r.buf, msg.number}
	}
	p.expected = append(p.expected, c)
	if !eager(msg.size) {
		s := m.pes[msg.src]
		delete(s.sends, msg.id)
		end := transport.Completion{ID: msg.id, Peer: int32(msg.dst), Tag: int32(msg.tag), Len: msg.size}
		s.expected = append(s.expected, end)
	}
}

func (m *machine) arrive(p *modelPE, msg *message) {
	for i, r := range p.posted {
		if r.accepts(msg) {
			p.posted = append(p.posted[:i:i], p.posted[i+1:]...)
			m.match(p, r, msg)
			return
		}
	}
	if !msg.off {
		p.unexpected = append(p.unexpected, msg)
	}
}

func (m *machine) send(t *rapid.T) {
	src := rapid.IntRange(0, m.n-1).Draw(t, "src")
	dst := rapid.IntRange(0, m.n-1).Draw(t, "dst")
	if len(m.pes[dst].flying[src]) >= 40 {
		t.Skip("the mailbox is nearly full")
	}
	m.number++
	m.nextID++
	msg := &message{number: m.number, src: src, dst: dst, id: m.nextID,
		tag:  rapid.IntRange(0, 3).Draw(t, "tag"),
		ctx:  uint8(rapid.IntRange(1, 2).Draw(t, "ctx")),
		size: rapid.SampledFrom([]int{0, 8, 100, 9000}).Draw(t, "size")}
	buf := make([]byte, msg.size)
	m.alive = append(m.alive, buf)
	if msg.size >= 8 {
		binary.LittleEndian.PutUint64(buf, msg.number)
	}
	p := m.pes[src]
	if eager(msg.size) {
		p.expected = append(p.expected, transport.Completion{ID: msg.id, Peer: int32(dst), Tag: int32(msg.tag), Len: msg.size})
	} else {
		p.sends[msg.id] = msg
	}
	if src == dst {
		m.arrive(p, msg)
	} else {
		m.pes[dst].flying[src] = append(m.pes[dst].flying[src], msg)
	}
	m.post(t, src, transport.Op{Kind: transport.OpSend, Ctx: msg.ctx, Peer: int32(dst), Tag: int32(msg.tag), ID: msg.id, Buf: gpu.HostMemory(buf)})
}

func (m *machine) recv(t *rapid.T) {
	dst := rapid.IntRange(0, m.n-1).Draw(t, "dst")
	m.nextID++
	r := &receive{id: m.nextID,
		src: rapid.IntRange(-1, m.n-1).Draw(t, "src"),
		tag: rapid.IntRange(-1, 3).Draw(t, "tag"),
		ctx: uint8(rapid.IntRange(1, 2).Draw(t, "ctx")),
		buf: make([]byte, rapid.SampledFrom([]int{0, 8, 10000}).Draw(t, "room"))}
	m.alive = append(m.alive, r.buf)
	p := m.pes[dst]
	found := false
	for i, msg := range p.unexpected {
		if r.accepts(msg) {
			p.unexpected = append(p.unexpected[:i:i], p.unexpected[i+1:]...)
			m.match(p, r, msg)
			found = true
			break
		}
	}
	if !found {
		p.posted = append(p.posted, r)
	}
	m.post(t, dst, transport.Op{Kind: transport.OpRecv, Ctx: r.ctx, Peer: int32(r.src), Tag: int32(r.tag), ID: r.id, Buf: gpu.HostMemory(r.buf)})
}

func (m *machine) post(t *rapid.T, rank int, op transport.Op) {
	if n, err := m.drivers[rank].Do([]transport.Op{op}, nil, 0); n != 0 || err != nil {
		t.Fatalf("post: %d completions, %v", n, err)
	}
}

// cancel withdraws a receive that is posted, or a send that nobody has matched.
func (m *machine) cancel(t *rapid.T) {
	rank := rapid.IntRange(0, m.n-1).Draw(t, "rank")
	p := m.pes[rank]
	var id uint32
	if rapid.Bool().Draw(t, "recv") {
		if len(p.posted) == 0 {
			t.Skip("nothing posted")
		}
		i := rapid.IntRange(0, len(p.posted)-1).Draw(t, "which")
		r := p.posted[i]
		p.posted = append(p.posted[:i:i], p.posted[i+1:]...)
		id = r.id
		p.expected = append(p.expected, transport.Completion{ID: id, Peer: int32(r.src), Tag: int32(r.tag), Err: transport.ErrCancelled})
	} else {
		for _, msg := range p.sends { // the oldest, so that the run can be repeated
			if id == 0 || msg.id < id {
				id = msg.id
			}
		}
		if id == 0 {
			t.Skip("no send under way")
		}
		msg := p.sends[id]
		delete(p.sends, id)
		msg.off = true
		p.expected = append(p.expected, transport.Completion{ID: id, Peer: int32(msg.dst), Tag: int32(msg.tag), Err: transport.ErrCancelled})
	}
	if err := m.drivers[rank].Cancel(id); err != nil {
		t.Fatal(err)
	}
}

// probe asks what a receive would take, and leaves all as it is.
func (m *machine) probe(t *rapid.T) {
	dst := rapid.IntRange(0, m.n-1).Draw(t, "dst")
	r := &receive{
		src: rapid.IntRange(-1, m.n-1).Draw(t, "src"),
		tag: rapid.IntRange(-1, 3).Draw(t, "tag"),
		ctx: uint8(rapid.IntRange(1, 2).Draw(t, "ctx"))}
	var want transport.Status
	there := false
	for _, msg := range m.pes[dst].unexpected {
		if r.accepts(msg) {
			want, there = transport.Status{Source: msg.src, Tag: msg.tag, Len: msg.size}, true
			break
		}
	}
	st, ok, err := m.drivers[dst].Probe(r.ctx, int32(r.src), int32(r.tag))
	if err != nil || ok != there || ok && st != want {
		t.Fatalf("PE %d probes %+v: %+v, %v, %v; expected %+v, %v", dst, *r, st, ok, err, want, there)
	}
}

// pass lets one PE look around: what flies to it arrives, by source.
func (m *machine) pass(t *rapid.T, rank int) {
	p := m.pes[rank]
	for src := range p.flying {
		const burst = 32
		k := min(burst, len(p.flying[src]))
		for _, msg := range p.flying[src][:k] {
			m.arrive(p, msg)
		}
		p.flying[src] = p.flying[src][k:]
	}
	m.drain(t, rank)
}

// drain compares what the driver says with what the model expects.
func (m *machine) drain(t *rapid.T, rank int) {
	p := m.pes[rank]
	got := map[uint32]transport.Completion{}
	var done [256]transport.Completion
	// One pass, and then without passes what is left of it: Do stops at the first completion that it already has.
	for passes := 1; ; passes = 0 {
		before := len(got)
		if passes == 1 && len(p.expected) > 0 {
			// Take what is there first, since Do makes no pass while it has something to give.
			n, err := m.drivers[rank].Do(nil, done[:], 0)
			if err != nil {
				t.Fatal(err)
			}
			collect(t, got, done[:n])
		}
		n, err := m.drivers[rank].Do(nil, done[:], passes)
		if err != nil {
			t.Fatal(err)
		}
		collect(t, got, done[:n])
		if passes == 0 && len(got) == before {
			break
		}
	}
	for _, want := range p.expected {
		c, ok := got[want.ID]
		if !ok {
			t.Fatalf("PE %d: operation %d did not complete, expected %+v", rank, want.ID, want)
		}
		delete(got, want.ID)
		if !errors.Is(c.Err, want.Err) || (c.Err == nil) != (want.Err == nil) {
			t.Fatalf("PE %d: %+v, expected %+v", rank, c, want)
		}
		c.Err = want.Err
		if c != want {
			t.Fatalf("PE %d: %+v, expected %+v", rank, c, want)
		}
		if x, ok := m.content[c.ID]; ok && binary.LittleEndian.Uint64(x.buf) != x.number {
			t.Fatalf("PE %d: receive %d got message %d, expected %d", rank, c.ID, binary.LittleEndian.Uint64(x.buf), x.number)
		}
	}
	p.expected = p.expected[:0]
	if len(got) > 0 {
		t.Fatalf("PE %d: completions that the model does not know: %+v", rank, got)
	}
}

func collect(t *rapid.T, into map[uint32]transport.Completion, done []transport.Completion) {
	for _, c := range done {
		if _, twice := into[c.ID]; twice {
			t.Fatalf("operation %d completed twice", c.ID)
		}
		into[c.ID] = c
	}
}

func TestMatchingAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMachine(t)
		t.Repeat(map[string]func(*rapid.T){
			"send":   m.send,
			"recv":   m.recv,
			"cancel": m.cancel,
			"probe":  m.probe,
			"pass":   func(t *rapid.T) { m.pass(t, rapid.IntRange(0, m.n-1).Draw(t, "rank")) },
		})
		// Two rounds: what a PE ends in the first, its sender hears in the second.
		for range 2 {
			for r := range m.n {
				m.pass(t, r)
			}
		}
		for _, d := range m.drivers {
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
