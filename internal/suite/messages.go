// Messages: what the point-to-point benchmarks share. Buffers on both sides,
// the pattern in them, and its checks.

package suite

import (
	"fmt"

	"gpubench/gpu"
	"gpubench/internal/bench"
	"gpubench/internal/result"
	"gpubench/internal/suite/device"
	"gpubench/kernels"
)

// defaultCache stands for the last cache's size where it is not known.
const defaultCache = 64 << 20

// CacheBytes is the service that tells the size of the last cache, an int64.
const CacheBytes = device.CacheBytes

// slotAlign keeps messages of a rotating buffer on cache lines of their own.
const slotAlign = 128

var _ bench.Staged = (*messages)(nil)

// messages is one PE's buffers. PEs 0 and 1 exchange messages; the others
// have none and wait at the loop's barriers.
type messages struct {
	pe     *bench.PE
	peer   int // -1: this PE is idle
	size   int
	set    *kernels.Set
	stream *gpu.Stream

	buffers    []*gpu.Buffer
	send, recv []gpu.Memory // slots; message i uses slot i mod use
	use        int          // slots that a batch uses
	timed      int          // slots that a timed batch uses
	window     int          // messages under way at once
	oneWay     bool         // PE 0 sends alone
	last       int          // messages of the last batch, as far as slots go
	ack        [2]gpu.Memory
}

// newMessages allocates slots for checking `window` messages one by one (as
// far as checkBytes goes), writes the pattern of step 0, and poisons what is
// to be received.
func newMessages(pe *bench.PE, p result.Params, window int) (m *messages, err error) {
	m = &messages{pe: pe, peer: 1 - pe.Rank, size: int(p.Int("size_bytes")), window: window, oneWay: p.Has("window")}
	if pe.Rank > 1 {
		m.peer = -1
		return m, nil
	}
	defer func() {
		if err != nil {
			_ = m.Close()
		}
	}()
	if m.set, err = kernels.Load(pe.Device); err != nil {
		return m, err
	}
	if m.stream, err = pe.Device.NewStream(); err != nil {
		return m, err
	}
	space, err := bench.SideSpace(p.String("space"), pe.Rank)
	if err != nil {
		return m, err
	}
	pages, err := gpu.ParsePages(p.String("pages"))
	if err != nil {
		return m, err
	}
	m.timed = 1
	stride := (m.size + slotAlign - 1) / slotAlign * slotAlign
	if p.String("buffers") == "rotate" {
		cache, ok := pe.Services[CacheBytes].(int64)
		if !ok || cache <= 0 {
			cache = defaultCache
		}
		m.timed = max(window, int(2*cache)/max(stride, slotAlign)+1)
	}
	slots := max(m.timed, min(window, checkBytes/max(stride, slotAlign)), 1)
	for _, side := range []*[]gpu.Memory{&m.send, &m.recv} {
		b, err := pe.Device.Alloc(space, max(slots*stride, slotAlign), pages)
		if err != nil {
			return m, err
		}
		m.buffers = append(m.buffers, b)
		for i := range slots {
			*side = append(*side, b.Slice(i*stride, m.size))
		}
	}
	acks, err := pe.Device.Alloc(gpu.Pageable, 2*slotAlign, gpu.DefaultPages)
	if err != nil {
		return m, err
	}
	m.buffers = append(m.buffers, acks)
	m.ack = [2]gpu.Memory{acks.Slice(0, ackBytes), acks.Slice(slotAlign, ackBytes)}
	m.use = m.timed
	return m, m.fill(0)
}

// checkBytes bounds the memory that checking a window's messages one by one
// may take on each side; what goes beyond shares slots and is counted as sent
// and not checked.
const checkBytes = 64 << 20

// ackBytes is the size of a window's acknowledgement, as in OSU's.
const ackBytes = 4

// onHost reports that the host writes and checks this memory; otherwise the
// device does.
func onHost(m gpu.Memory) bool { return m.Space == gpu.Pageable || m.Space == gpu.Pinned }

// fill writes the pattern of step into the first slot in use, step+1 into the
// second, and so on.
func (m *messages) fill(step int) error {
	for i := range m.use {
		if onHost(m.send[i]) {
			kernels.PatternBytes(m.send[i].Bytes(), step+i, m.pe.Rank)
		} else if err := m.set.PatternFill(m.stream, m.send[i], step+i, m.pe.Rank); err != nil {
			return err
		}
	}
	return m.stream.Sync()
}

// poison is a sender that no message has.
const poisoned = -1

// Poison overwrites the receive buffers.
func (m *messages) Poison() error {
	if m.peer < 0 {
		return nil
	}
	for i := range m.use {
		if onHost(m.recv[i]) {
			kernels.PatternBytes(m.recv[i].Bytes(), 0, poisoned)
		} else if err := m.set.PatternFill(m.stream, m.recv[i], 0, poisoned); err != nil {
			return err
		}
	}
	m.last = 0
	return m.stream.Sync()
}

// Inspect checks what a timed batch's messages left: step 0's pattern.
func (m *messages) Inspect() (result.Validation, error) { return m.inspect(0) }

func (m *messages) inspect(step int) (result.Validation, error) {
	var v result.Validation
	if m.peer < 0 {
		return v, nil
	}
	for i := range min(m.use, m.last) {
		var r kernels.PatternResult
		if onHost(m.recv[i]) {
			r = kernels.CheckPatternBytes(m.recv[i].Bytes(), step+i, m.peer)
		} else {
			var err error
			if r, err = m.set.PatternCheck(m.stream, m.recv[i], step+i, m.peer); err != nil {
				return v, err
			}
		}
		v.Checked++
		if r.Errors == 0 {
			continue
		}
		v.Errors++
		if v.FirstError == "" {
			v.FirstError = fmt.Sprintf("PE %d: message %d from PE %d, offset %d: expected %#02x, found %#02x (%d of %d bytes differ)",
				m.pe.Rank, step+i, m.peer, r.First, r.Expected, r.Found, r.Errors, m.size)
		}
	}
	v.Sent = int64(m.last)
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
		total.Checked += v.Checked
		total.Sent += v.Sent
		total.Errors += v.Errors
		if total.FirstError == "" {
			total.FirstError = v.FirstError
		}
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
	if !m.oneWay || m.pe.Rank == 0 {
		send = m.send[:m.timed]
	}
	if !m.oneWay || m.pe.Rank == 1 {
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

// Close frees the buffers.
func (m *messages) Close() error {
	var first error
	keep := func(err error) {
		if first == nil {
			first = err
		}
	}
	for _, b := range m.buffers {
		keep(b.Free())
	}
	m.buffers = nil
	if m.stream != nil {
		keep(m.stream.Close())
		m.stream = nil
	}
	return first
}
