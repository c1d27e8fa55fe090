// Package faulty wraps a transport's driver and spoils chosen messages: to show that what stands above notices.
package faulty

import (
	"errors"
	"fmt"
	"time"

	"gpubench/runtimes/transport"
)

// ErrDead is what the calls of a PE return that has died by injection.
var ErrDead = errors.New("this PE has died, as " + Env + " asked")

type driver struct {
	transport.Driver // Caps and Lane pass through
	faults           []Fault
	env              Faults
	rank             int
	seen             int64 // messages sent so far

	pass    []transport.Op         // what goes on to the driver below
	made    []transport.Completion // ends that the driver below knows nothing of
	spoiled map[uint32]*scratch    // what was sent instead, by operation
	lens    map[uint32]int         // what the sender believes to have sent, by operation
	held    []transport.Op         // wait for holdUntil
	holds   bool
	until   time.Time
	hung    bool
	dead    bool
}

var _ transport.Wrapper = (*driver)(nil)

// Wrap gives d's faulty twin. Faults of other PEs are ignored; without any, d itself comes back.
func Wrap(d transport.Driver, f Faults) transport.Driver {
	w := &driver{Driver: d, env: f, rank: d.Caps().Rank, spoiled: map[uint32]*scratch{}, lens: map[uint32]int{}}
	for _, x := range f.List {
		if x.Rank < 0 || x.Rank == w.rank {
			w.faults = append(w.faults, x)
		}
	}
	if len(w.faults) == 0 {
		return d
	}
	return w
}

// Unwrap gives the driver that is spoiled.
func (w *driver) Unwrap() transport.Driver { return w.Driver }

// strikes is the fault that befalls the next message, nil for most.
func (w *driver) strikes() *Fault {
	w.seen++
	for i := range w.faults {
		if f := &w.faults[i]; f.N == w.seen {
			if w.env.Note != nil {
				w.env.Note(fmt.Sprintf("PE %d: %v", w.rank, f))
			}
			return f
		}
	}
	return nil
}

// Do lets receives through and looks at each send.
func (w *driver) Do(ops []transport.Op, done []transport.Completion, polls int) (int, error) {
	if w.dead {
		return 0, ErrDead
	}
	w.pass = w.pass[:0]
	if w.holds && !time.Now().Before(w.until) {
		w.holds = false
		w.pass = append(w.pass, w.held...)
		w.held = w.held[:0]
	}
	for i := range ops {
		op := ops[i]
		if op.Kind == transport.OpSend && op.Ctx != transport.CtxControl {
			w.send(op)
		} else {
			w.pass = append(w.pass, op)
		}
		if w.dead {
			return 0, ErrDead
		}
	}
	if w.hung {
		return 0, nil
	}
	n := copy(done, w.made)
	w.made = append(w.made[:0], w.made[n:]...)
	if n > 0 {
		polls = min(polls, 1)
	}
	m, err := w.Driver.Do(w.pass, done[n:], polls)
	for i := range done[n : n+m] {
		w.tidy(&done[n+i])
	}
	return n + m, err
}

// send decides what becomes of one tagged message.
func (w *driver) send(op transport.Op) {
	f := w.strikes()
	if f != nil {
		switch f.Kind {
		case Drop:
			w.made = append(w.made, transport.Completion{ID: op.ID, Peer: op.Peer, Tag: op.Tag, Len: op.Buf.Len})
			return
		case Die:
			w.die()
			return
		case Hang:
			w.hung = true
		case Delay:
			w.holds, w.until = true, time.Now().Add(f.Delay)
		case Truncate:
			w.lens[op.ID] = op.Buf.Len
			op.Buf = op.Buf.Slice(0, f.left(op.Buf.Len))
		case Flip:
			s, err := w.flipped(op.Buf, f.Bit)
			if err != nil {
				w.made = append(w.made, transport.Completion{ID: op.ID, Peer: op.Peer, Tag: op.Tag, Err: err})
				return
			}
			if s != nil {
				w.spoiled[op.ID] = s
				op.Buf = s.m
			}
		}
	}
	switch {
	case w.hung:
	case w.holds:
		w.held = append(w.held, op)
	default:
		w.pass = append(w.pass, op)
	}
}

// left is how many of n bytes a truncated message keeps.
func (f *Fault) left(n int) int {
	if f.Bytes < 0 {
		return n / 2
	}
	return max(0, n-f.Bytes)
}

// tidy makes a completion look as if nothing had been spoiled.
func (w *driver) tidy(c *transport.Completion) {
	if n, ok := w.lens[c.ID]; ok {
		delete(w.lens, c.ID)
		if c.Err == nil {
			c.Len = n
		}
	}
	if s, ok := w.spoiled[c.ID]; ok {
		delete(w.spoiled, c.ID)
		if err := s.free(); err != nil && c.Err == nil {
			c.Err = err
		}
	}
}

// SendHeader treats a header as a message too.
func (w *driver) SendHeader(peer int, h []byte) (bool, error) {
	if w.dead {
		return false, ErrDead
	}
	if w.hung {
		return true, nil
	}
	if w.holds && time.Now().Before(w.until) {
		return false, nil // it must not overtake what is held back
	}
	f := w.strikes()
	if f == nil {
		sent, err := w.Driver.SendHeader(peer, h)
		if !sent {
			w.seen-- // it comes again
		}
		return sent, err
	}
	switch f.Kind {
	case Drop:
		return true, nil
	case Die:
		w.die()
		return false, ErrDead
	case Hang:
		w.hung = true
		return true, nil
	case Delay:
		w.holds, w.until = true, time.Now().Add(f.Delay)
		w.seen--
		f.N = 0 // it comes again, under the same number
		return false, nil
	case Truncate:
		h = h[:f.left(len(h))]
	case Flip:
		h = append([]byte(nil), h...)
		flipBit(h, f.Bit)
	}
	sent, err := w.Driver.SendHeader(peer, h)
	if !sent {
		w.seen--
	}
	return sent, err
}

// RecvHeader passes through while this PE lives.
func (w *driver) RecvHeader(buf []byte) (int, int, bool, error) {
	switch {
	case w.dead:
		return 0, 0, false, ErrDead
	case w.hung:
		return 0, 0, false, nil
	}
	return w.Driver.RecvHeader(buf)
}

// Probe passes through while this PE lives. Faults strike where a message is sent: one that was dropped or is held back is
// not seen, a truncated one is seen with the length that it has left.
func (w *driver) Probe(ctx uint8, peer, tag int32) (transport.Status, bool, error) {
	switch {
	case w.dead:
		return transport.Status{Source: transport.AnySource}, false, ErrDead
	case w.hung:
		return transport.Status{}, false, nil
	}
	return w.Driver.Probe(ctx, peer, tag)
}

// Cancel withdraws what is held back here, or passes on.
func (w *driver) Cancel(id uint32) error {
	switch {
	case w.dead:
		return ErrDead
	case w.hung:
		return nil
	}
	for i, op := range w.held {
		if op.ID == id {
			w.held = append(w.held[:i], w.held[i+1:]...)
			w.made = append(w.made, transport.Completion{ID: id, Peer: op.Peer, Tag: op.Tag, Err: transport.ErrCancelled})
			return nil
		}
	}
	return w.Driver.Cancel(id)
}

func (w *driver) die() {
	w.dead = true
	if w.env.Die != nil {
		w.env.Die()
		return
	}
	_ = w.Driver.Close() // it dies: nobody is left to be told
}

// Close closes the driver below, unless it died.
func (w *driver) Close() error {
	var errs []error
	if !w.dead || w.env.Die != nil {
		errs = append(errs, w.Driver.Close())
	}
	for id, s := range w.spoiled {
		errs = append(errs, s.free())
		delete(w.spoiled, id)
	}
	return errors.Join(errs...)
}
