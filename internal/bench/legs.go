// Legs: the parts of a staged message, each measured alone after the timed
// batches: to the host, over the wire, to the device.
package bench

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"gpubench/gpu"
	"gpubench/internal/result"
	"gpubench/internal/stats"
	"gpubench/runtimes/transport"
)

// Staged is implemented by bodies whose messages go between the two PEs of a
// pair. On the path staged the loop then measures what such a message is made
// of. Of several pairs it measures nothing: what each leg takes while all pairs
// are at work, one leg alone does not tell.
type Staged interface {
	// Slots are the buffers that messages leave from and arrive in on this PE;
	// message i takes the i-th, and round again; all have one length, and both PEs
	// of the pair the same. None: it sends none, or receives none. window is how many messages
	// are under way at once. What lies in the buffers is of no use to the body any
	// more.
	Slots() (send, recv []gpu.Memory, window int)
}

const (
	legSamples = 15       // that count; one more before them warms up
	legBytes   = 1 << 20  // that a sample moves, as far as there are
	legWindow  = 32 << 20 // bytes under way at once, at most: enough that a start does not show
	maxCopies  = 10       // and copies or windows in it, and round trips, at most
	maxTrips   = 200
)

// The names of the legs' metrics.
const (
	toHostTime   = "to_host_time"
	wireTime     = "wire_time"
	toDeviceTime = "to_device_time"
)

// legReport is what one PE has measured: seconds a message, one a sample.
type legReport struct {
	ToHost   []float64 `json:",omitempty"`
	Wire     []float64 `json:",omitempty"` // the first PE's
	ToDevice []float64 `json:",omitempty"`
}

// hasLegs says whether the case's messages have legs.
func (s *session) hasLegs() bool {
	_, ok := s.body.(Staged)
	return ok && s.text("path") == transport.Staged.String() && s.pe.Size > 1 && len(s.pairs()) == 1
}

// pairs are the body's.
func (s *session) pairs() [][2]int {
	if p, ok := s.body.(Paired); ok {
		return p.Pairs()
	}
	return [][2]int{{0, 1}}
}

// pairsText is a record's pairs, "" where the body has none.
func (s *session) pairsText() string {
	if _, ok := s.body.(Paired); !ok {
		return ""
	}
	var out []string
	for _, p := range s.pairs() {
		out = append(out, fmt.Sprintf("%d-%d", p[0], p[1]))
	}
	return strings.Join(out, ",")
}

// side is where this PE stands in a pair: 0 is the first, 1 the second, -1 none.
func (s *session) side(pair [2]int) int { return slices.Index(pair[:], s.pe.Rank) }

// takeLegs are the reports of the two PEs; nil if one has none.
func (s *session) takeLegs(reports []report) []legReport {
	pair := s.pairs()[0]
	a, b := reports[pair[0]].Legs, reports[pair[1]].Legs
	if a == nil || b == nil {
		return nil
	}
	return []legReport{*a, *b}
}

// lengthOf is the length of the messages in slots.
func lengthOf(slots ...[]gpu.Memory) int {
	for _, s := range slots {
		if len(s) > 0 {
			return s[0].Len
		}
	}
	return 0
}

// legs measures each leg in turn, while nothing else goes on: what one PE times
// is done before the next begins. Every PE makes the same barriers, whatever
// befalls it.
func (s *session) legs(r *report) (err, lost error) {
	pair := s.pairs()[0]
	l := &legPass{s: s, side: s.side(pair)}
	if l.side >= 0 {
		l.peer = pair[1-l.side]
		err = s.leg(func() error { return l.open() })
		defer func() { err = errors.Join(err, l.close()) }()
		r.Legs = &legReport{}
	}
	collector.tidy()
	steps := []struct {
		side int // -1: both
		into func(*legReport) *[]float64
		time func() (seconds float64, timed bool, err error)
	}{
		{0, func(r *legReport) *[]float64 { return &r.ToHost }, l.toHost},
		{1, func(r *legReport) *[]float64 { return &r.ToHost }, l.toHost},
		{-1, func(r *legReport) *[]float64 { return &r.Wire }, l.wire},
		{0, func(r *legReport) *[]float64 { return &r.ToDevice }, l.toDevice},
		{1, func(r *legReport) *[]float64 { return &r.ToDevice }, l.toDevice},
	}
	for sample := range 1 + legSamples {
		for _, step := range steps {
			if lost = s.pe.Control.Barrier(); lost != nil {
				return err, lost
			}
			if err != nil || l.side < 0 || l.size == 0 || step.side >= 0 && step.side != l.side {
				continue
			}
			err = s.leg(func() error {
				seconds, timed, err := step.time()
				if err == nil && timed && sample > 0 {
					into := step.into(r.Legs)
					*into = append(*into, seconds)
				}
				return err
			})
		}
	}
	return err, nil
}

// leg is a step of the pass; the others are told when it fails.
func (s *session) leg(f func() error) error {
	err := s.protect("the staging legs", f)
	if err != nil {
		s.pe.Control.raise()
		return fmt.Errorf("the staging legs: %w", err)
	}
	return nil
}

// legPass is one PE's side of the pass.
type legPass struct {
	s          *session
	side, peer int // which PE of the pair this is, and the other one
	send, recv []gpu.Memory
	size       int // of a message
	window     int
	stream     *gpu.Stream
	event      *gpu.Event
	bufs       []*gpu.Buffer
	out, in    gpu.Memory // staging buffers
	ack        gpu.Memory
	reqs       []transport.Request
}

// open allocates and writes the staging buffers.
func (l *legPass) open() error {
	dev := l.s.pe.Device
	l.send, l.recv, l.window = l.s.body.(Staged).Slots()
	if l.size = lengthOf(l.send, l.recv); l.size == 0 {
		return nil // of nothing there is nothing to time
	}
	l.window = max(1, min(l.window, legWindow/l.size))
	l.reqs = make([]transport.Request, l.window)
	p, err := PathOf(l.s.c.Params)
	if err != nil {
		return err
	}
	if l.stream, err = dev.NewStream(); err != nil {
		return err
	}
	if l.event, err = dev.NewEvent(false); err != nil {
		return err
	}
	for _, m := range []*gpu.Memory{&l.out, &l.in, &l.ack} {
		b, err := dev.Alloc(p.StagingSpace, l.size, gpu.DefaultPages)
		if err != nil {
			return fmt.Errorf("staging buffer of %d B: %w", l.size, err)
		}
		l.bufs = append(l.bufs, b)
		*m = b.Memory()
		clear(m.Bytes())
	}
	return nil
}

func (l *legPass) close() error {
	var errs []error
	if l.event != nil {
		errs = append(errs, l.event.Close())
	}
	if l.stream != nil {
		errs = append(errs, l.stream.Close())
	}
	for _, b := range l.bufs {
		errs = append(errs, b.Free())
	}
	return errors.Join(errs...)
}

// times is how often a sample does what moves so many bytes.
func times(bytes, most int) int { return max(1, min(legBytes/bytes, most)) }

// onDevice reports that these buffers are reached through copies.
func onDevice(slots []gpu.Memory) bool { return len(slots) > 0 && slots[0].Space > gpu.Pinned }

// toHost times the copies of messages that leave this PE.
func (l *legPass) toHost() (float64, bool, error) {
	if !onDevice(l.send) {
		return 0, false, nil
	}
	s, err := l.copies(func(i int) error { return l.stream.Copy(l.out, l.send[i%len(l.send)]) })
	return s, true, err
}

// toDevice times the copies of messages that have come to this PE.
func (l *legPass) toDevice() (float64, bool, error) {
	if !onDevice(l.recv) {
		return 0, false, nil
	}
	s, err := l.copies(func(i int) error { return l.stream.Copy(l.recv[i%len(l.recv)], l.in) })
	return s, true, err
}

// copies times windows of copies, each to the event behind it: as staging does.
func (l *legPass) copies(one func(i int) error) (seconds float64, err error) {
	n := times(l.size*l.window, maxCopies)
	began := Now()
	for k := range n {
		for i := range l.window {
			if err := one(k*l.window + i); err != nil {
				return 0, err
			}
		}
		if err := l.stream.Record(l.event); err != nil {
			return 0, err
		}
		for over := false; !over; {
			if over, err = l.event.Query(); err != nil {
				return 0, err
			}
			if !over {
				l.s.pe.Endpoint.Relax()
			}
		}
	}
	return float64(Now()-began) / 1e9 / float64(n*l.window), nil
}

// wire times host messages between the staging buffers: half a round trip, or
// with a window what a message of it takes until the window is acknowledged.
// The control's context carries plain host memory whatever the path is.
func (l *legPass) wire() (float64, bool, error) {
	first := l.side == 0
	side, n, messages := l.rally, times(l.size, maxTrips), 2
	if l.window > 1 {
		side, n, messages = l.windows, times(l.size*l.window, maxCopies), l.window
	}
	began := Now()
	for range n {
		if err := side(first); err != nil {
			return 0, false, err
		}
	}
	return float64(Now()-began) / 1e9 / float64(n*messages), first, nil
}

func (l *legPass) rally(first bool) (err error) {
	ep, peer := l.s.pe.Endpoint, l.peer
	if first {
		err = ep.Send(transport.CtxControl, l.out, peer, tagWire)
	}
	if err == nil {
		_, err = ep.Recv(transport.CtxControl, l.in, peer, tagWire)
	}
	if err == nil && !first {
		err = ep.Send(transport.CtxControl, l.out, peer, tagWire)
	}
	return err
}

func (l *legPass) windows(first bool) error {
	ep, peer := l.s.pe.Endpoint, l.peer
	var err error
	for i := range l.reqs {
		if first {
			l.reqs[i], err = ep.Isend(transport.CtxControl, l.out, peer, tagWire)
		} else {
			l.reqs[i], err = ep.Irecv(transport.CtxControl, l.in, peer, tagWire)
		}
		if err != nil {
			return err
		}
	}
	if err := ep.WaitAll(l.reqs); err != nil {
		return err
	}
	ack := l.ack.Slice(0, 1)
	if first {
		_, err = ep.Recv(transport.CtxControl, ack, peer, tagWireAck)
		return err
	}
	return ep.Send(transport.CtxControl, ack, peer, tagWireAck)
}

// legMetrics adds the legs to a record: of those that two PEs have, the larger
// counts, and each PE's samples stand beside it.
func (c *chief) legMetrics(r *result.Record) {
	if len(c.legs) < 2 {
		return
	}
	pair := c.s.pairs()[0]
	put := func(name string, pes ...[]float64) {
		var all result.Samples
		both := len(pes) == 2 && len(pes[0]) > 0 && len(pes[1]) > 0
		for pe, x := range pes {
			if both {
				r.Samples[fmt.Sprintf("%s_pe%d", name, pair[pe])] = x
			}
			for i, v := range x {
				if i == len(all) {
					all = append(all, v)
				}
				all[i] = math.Max(all[i], v)
			}
		}
		if len(all) > 0 {
			r.Samples[name] = all
			r.Metrics[name] = stats.Metric("s", all, false)
		}
	}
	put(toHostTime, c.legs[0].ToHost, c.legs[1].ToHost)
	put(wireTime, c.legs[0].Wire)
	put(toDeviceTime, c.legs[0].ToDevice, c.legs[1].ToDevice)
}
