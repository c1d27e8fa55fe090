// Messages: what the point-to-point benchmarks share. Partners, buffers on both
// sides, the pattern in them, and its checks.

package suite

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"gpubench/gpu"
	"gpubench/internal/bench"
	"gpubench/internal/result"
	"gpubench/internal/suite/slots"
)

var (
	_ bench.Staged  = (*messages)(nil)
	_ bench.Paired  = (*messages)(nil)
	_ bench.Counted = (*messages)(nil)
)

// shape is how the messages of a benchmark go.
type shape struct {
	window int  // messages of a side under way at once
	oneWay bool // the first of a pair sends alone, and the other acknowledges
	all    bool // all pairs at once, each iteration after a barrier of theirs; else one pair
}

// messages is one PE's part: where it stands in a pair, and its buffers. A PE
// in no pair has none, and waits at the loop's barriers.
type messages struct {
	shape
	pe     *bench.PE
	pairs  [][2]int
	pair   int          // -1: this PE is idle
	side   int          // 0: the first of the pair, which runs the clock; 1: the other
	peer   int          // -1: this PE is idle
	paired []int        // the PEs of all pairs
	unbind func() error // nil: the thread is not bound

	clk   *bench.Clock // of the batch under way
	since int64        // when its iteration began
	size  int
	pen   slots.Pen

	buffers    []*gpu.Buffer
	send, recv []gpu.Memory // slots; message i uses slot i mod use
	use        int          // slots that a batch uses
	timed      int          // slots that a timed batch uses
	last       int          // messages that came in the last batch
	due        int          // messages that a batch of so many iterations is to bring here
	ack        [2]gpu.Memory
}

// newMessages finds this PE's partner and allocates slots for checking a window
// of messages one by one (as far as checkBytes goes), with the pattern of step
// 0 in what is to be sent.
func newMessages(pe *bench.PE, p result.Params, s shape) (m *messages, err error) {
	m = &messages{shape: s, pe: pe, pair: -1, peer: -1, size: int(p.Int("size_bytes"))}
	found, err := partnersOf(pe, p, s.all)
	if err != nil {
		return m, err
	}
	m.pairs = found.Pairs
	for i, pair := range m.pairs {
		m.paired = append(m.paired, pair[0], pair[1])
		if side := slices.Index(pair[:], pe.Rank); side >= 0 {
			m.pair, m.side, m.peer = i, side, pair[1-side]
		}
	}
	if m.peer < 0 {
		return m, nil
	}
	defer func() {
		if err != nil {
			_ = m.Close()
		}
	}()
	if found.Bind != nil { // before there is a buffer: pages come from the node of the first who writes
		if m.unbind, err = found.Bind(); err != nil {
			return m, err
		}
	}
	return m, m.allocate(p)
}

// allocate makes the buffers and fills those that leave.
func (m *messages) allocate(p result.Params) (err error) {
	pe := m.pe
	if m.pen, err = slots.NewPen(pe.Device); err != nil {
		return err
	}
	space, err := bench.SideSpace(p.String("space"), m.side)
	if err != nil {
		return err
	}
	pages, err := gpu.ParsePages(p.String("pages"))
	if err != nil {
		return err
	}
	if m.timed = slots.Count(pe, p, 0, m.size); p.String("buffers") == "rotate" {
		m.timed = max(m.window, m.timed)
	}
	n := max(m.timed, min(m.window, checkBytes/slots.Stride(m.size)))
	for _, side := range []*[]gpu.Memory{&m.send, &m.recv} {
		var b *gpu.Buffer
		if b, *side, err = slots.Make(pe.Device, space, pages, n, m.size); err != nil {
			return err
		}
		m.buffers = append(m.buffers, b)
	}
	acks, list, err := slots.Make(pe.Device, gpu.Pageable, gpu.DefaultPages, len(m.ack), ackBytes)
	if err != nil {
		return err
	}
	m.buffers, m.ack = append(m.buffers, acks), [2]gpu.Memory(list)
	m.use = m.timed
	return m.fill(0)
}

// Pairs are the PEs that exchange messages.
func (m *messages) Pairs() [][2]int { return m.pairs }

// first reports whether this PE is the first of its pair.
func (m *messages) first() bool { return m.side == 0 }

// The timed region of a side. Of one pair it is the whole batch on the first
// PE. Of all pairs at once it is, as in OSU's multi-pair programs, what each
// iteration takes after a barrier of all pairs, on the first PE of each: start,
// then next and lap around each iteration, then stop.

func (m *messages) start(clk *bench.Clock, n int) {
	m.last, m.due, m.clk = 0, n*m.comes(), clk
	if !m.all && m.first() {
		clk.Start()
	}
}

func (m *messages) next() error {
	if m.all {
		return m.meet()
	}
	return nil
}

// meet waits with the PE's thread, in the message-driven model with its
// scheduler: both sides of a pair have ended an iteration then, and nothing of it
// is under way.
func (m *messages) meet() error {
	err := m.pe.Control.Meet(m.paired)
	m.since = bench.Now()
	return err
}

func (m *messages) lap() {
	if m.all && m.first() {
		m.clk.AddElapsed(time.Duration(bench.Now() - m.since))
	}
}

func (m *messages) stop() {
	if !m.all && m.first() {
		m.clk.Stop()
	}
}

// comes is how many messages an iteration brings to this PE.
func (m *messages) comes() int {
	if m.peer < 0 || m.oneWay && m.first() {
		return 0
	}
	return m.window
}

// Work is the messages of all pairs, with the acknowledgements.
func (m *messages) Work(n int) (least int64, of string) {
	each := 2 * m.window
	if m.oneWay {
		each = m.window + 1
	}
	return int64(n) * int64(each) * int64(len(m.pairs)), "messages"
}

// Done is those that this PE has sent.
func (m *messages) Done() int64 { return m.pe.Endpoint.Stats().Away.Messages }

// checkBytes bounds the memory that checking a window's messages one by one
// may take on each side; what goes beyond shares slots and is counted as sent
// and not checked.
const checkBytes = 64 << 20

// ackBytes is the size of a window's acknowledgement, one MPI_CHAR as in osu_bw
// and osu_mbw_mr of the OSU Micro-Benchmarks 7.4.
const ackBytes = 1

// fill writes the pattern of step into the first slot in use, step+1 into the
// second, and so on.
func (m *messages) fill(step int) error {
	for i := range m.use {
		if err := m.pen.Write(m.send[i], step+i, m.pe.Rank); err != nil {
			return err
		}
	}
	return m.pen.Stream.Sync()
}

// Poison overwrites the receive buffers.
func (m *messages) Poison() error {
	if m.peer < 0 {
		return nil
	}
	for i := range m.use {
		if err := m.pen.Poison(m.recv[i]); err != nil {
			return err
		}
	}
	m.last = 0
	return m.pen.Stream.Sync()
}

// Inspect checks what a timed batch's messages left: step 0's pattern.
func (m *messages) Inspect() (result.Validation, error) { return m.inspect(0) }

func (m *messages) inspect(step int) (result.Validation, error) {
	var v result.Validation
	if m.peer < 0 {
		return v, nil
	}
	for i := range min(m.use, m.last) {
		if err := m.pen.Check(&v, m.recv[i], step+i, m.peer, "PE %d: message %d from PE %d", m.pe.Rank, step+i, m.peer); err != nil {
			return v, err
		}
	}
	v.Sent = int64(m.due)
	return v, nil
}

// checkSteps is how many batches the untimed pass checks.
const checkSteps = 8

// check is the untimed pass: the same batches, each message with a pattern of
// its own.
func (m *messages) check(batch func(n int) error, perBatch int) (result.Validation, error) {
	var total result.Validation
	if m.peer >= 0 {
		m.use = min(len(m.send), max(perBatch, m.timed))
		defer func() { m.use = m.timed }()
	}
	for step := 1; step <= checkSteps; step++ {
		first := step * max(perBatch, 1)
		if m.peer >= 0 {
			if err := m.fill(first); err != nil {
				return total, err
			}
			if err := m.Poison(); err != nil {
				return total, err
			}
		}
		if err := batch(1); err != nil {
			return total, err
		}
		v, err := m.inspect(first)
		if err != nil {
			return total, err
		}
		bench.AddValidation(&total, v)
	}
	return total, nil
}

// Probe says which messages carry the data.
func (m *messages) Probe() (buf gpu.Memory, peer int) {
	if m.peer < 0 {
		return gpu.Memory{}, m.peer
	}
	return m.send[0], m.peer
}

// Slots are a timed batch's, for the staging legs.
func (m *messages) Slots() (send, recv []gpu.Memory, window int) {
	if m.peer < 0 {
		return nil, nil, m.window
	}
	if !m.oneWay || m.first() {
		send = m.send[:m.timed]
	}
	if !m.oneWay || !m.first() {
		recv = m.recv[:m.timed]
	}
	return send, recv, m.window
}

// got notes a message of a batch and checks its length.
func (m *messages) got(n int) error {
	m.last++
	if n != m.size {
		return m.short(n)
	}
	return nil
}

func (m *messages) short(n int) error {
	return fmt.Errorf("message from PE %d at offset %d: expected %d bytes, found %d", m.peer, min(n, m.size), m.size, n)
}

// Close frees the buffers, and the thread.
func (m *messages) Close() error {
	var errs []error
	for _, b := range m.buffers {
		errs = append(errs, b.Free())
	}
	m.buffers = nil
	if m.pen.Stream != nil {
		errs = append(errs, m.pen.Stream.Close())
		m.pen.Stream = nil
	}
	if m.unbind != nil {
		errs = append(errs, m.unbind())
		m.unbind = nil
	}
	return errors.Join(errs...)
}
