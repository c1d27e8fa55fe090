// Waiting: bounded polls, a look at the clock now and then, and what happens when it has run out.

package transport

import (
	"fmt"
	"time"
)

const (
	spinPolls  = 1000 // passes between two looks at the clock
	yieldPolls = 20   // passes before the core is given away
	clockEvery = spinPolls / yieldPolls
	stagePolls = 4 // passes between two looks at the events of staging copies
	// lastTurn is what an operation gets to end after its deadline, when it has been cancelled.
	lastTurn = 50 * time.Millisecond
	fewTurns = 3 // and what it gets in any case
)

// timer is one wait's clock. It starts at its first look, so that a short wait never asks for the time.
type timer struct {
	began  time.Time
	rounds int
	kind   error     // why it is over: nil: the deadline
	last   time.Time // until when what has been cancelled may end, all of a WaitAll together
}

// why is the kind of error that the end of the wait is.
func (t *timer) why() error {
	if t.kind != nil {
		return t.kind
	}
	return ErrDeadline
}

// over is called after a fruitless turn.
func (e *Endpoint) over(t *timer) bool {
	t.rounds++
	if e.yield {
		yieldThread()
		if t.rounds%clockEvery != 0 {
			return false
		}
	} else if e.stage.active > 0 && t.rounds%(spinPolls/stagePolls) != 0 {
		return false
	}
	if t.began.IsZero() {
		t.began = time.Now()
		return false
	}
	waited := time.Since(t.began)
	if e.alarmed(waited) {
		t.kind = ErrAborted
		return true
	}
	return e.deadline >= 0 && waited > e.deadline
}

// turn posts what staging has queued, makes up to polls passes and books what has ended. It reports whether anything
// has.
func (e *Endpoint) turn(polls int) (bool, error) {
	if e.fatal != nil {
		return false, e.fatal
	}
	moved := false
	if e.stage.active > 0 {
		if e.advance() {
			moved, polls = true, 1
		}
		polls = min(polls, stagePolls)
	}
	n, err := e.d.Do(e.queue, e.done[:], polls)
	e.queue = e.queue[:0]
	if err != nil {
		e.fatal = err
		return false, err
	}
	e.reap(n)
	return moved || n > 0, nil
}

// await returns when s is complete. With an error s is over too, and not to be ended.
func (e *Endpoint) await(s *slot, t *timer) error {
	for s.state != slotComplete {
		moved, err := e.turn(e.polls)
		if err != nil {
			return e.fail(s, err)
		}
		if !moved && s.state != slotComplete && e.over(t) {
			return e.expire(s, t)
		}
	}
	return nil
}

// expire ends an operation whose time is up: cancelled, if the driver can, else left to it.
func (e *Endpoint) expire(s *slot, t *timer) error {
	waited := time.Since(t.began)
	if err := e.cancel(s, true); err != nil {
		return e.fail(s, err)
	}
	if t.last.IsZero() {
		t.last = time.Now().Add(lastTurn)
	}
	for turns := 0; s.state != slotComplete && (turns < fewTurns || time.Now().Before(t.last)); turns++ {
		if _, err := e.turn(1); err != nil {
			return e.fail(s, err)
		}
		e.Relax()
	}
	kind := t.why()
	err := &Error{Op: s.kind.String(), Rank: e.caps.Rank, Peer: int(s.peer), Tag: int(s.tag), Kind: kind,
		Detail: fmt.Sprintf("not complete after %v", waited.Round(time.Millisecond)), Mend: mends[kind]}
	if s.state != slotComplete {
		err.Detail += ", and it could not be cancelled: its buffer is in use until the endpoint is closed"
		s.lost = true
		return err
	}
	if s.err == nil {
		return nil // it made it after all
	}
	if kindOf(s.err) != ErrCancelled {
		err.Err = s.err
	}
	e.put(s)
	return err
}

// Wait returns when r has ended. On ErrDeadline too r is over: it has been cancelled, or, where the error says so, its
// buffer is in use until Close.
func (e *Endpoint) Wait(r Request) (Status, error) {
	s := e.live(r)
	if s == nil {
		return Status{Source: AnySource, Tag: AnyTag}, nil
	}
	return e.finish(s)
}

// WaitAll ends all of rs and sets each to the zero Request. One deadline holds for all together. The first error is
// returned, after all have ended.
func (e *Endpoint) WaitAll(rs []Request) error {
	var t timer
	var first error
	for i, r := range rs {
		s := e.live(r)
		rs[i] = Request{}
		if s == nil {
			continue
		}
		var err error
		if s.state == slotComplete {
			_, err = e.end(s)
		} else if err = e.await(s, &t); err == nil {
			_, err = e.end(s)
		}
		if err != nil && first == nil {
			first = err
		}
	}
	return first
}

// Test makes one pass of progress and, if r is over, ends it.
func (e *Endpoint) Test(r Request) (done bool, st Status, err error) {
	s := e.live(r)
	if s == nil {
		return true, Status{Source: AnySource, Tag: AnyTag}, nil
	}
	if s.state != slotComplete {
		if _, err := e.turn(1); err != nil {
			return true, Status{}, e.fail(s, err)
		}
		if s.state != slotComplete {
			return false, Status{}, nil
		}
	}
	st, err = e.end(s)
	return true, st, err
}

// Completed reports whether Wait would return at once. It makes no progress.
func (e *Endpoint) Completed(r Request) bool {
	s := e.live(r)
	return s == nil || s.state == slotComplete
}

// Progress makes one pass of progress.
func (e *Endpoint) Progress() error {
	if e.closed {
		panic("transport: use of a closed Endpoint")
	}
	_, err := e.turn(1)
	return err
}

// Relax is for loops around Test and RecvHeader that found nothing: where Config.Yield says so, it gives the core away.
func (e *Endpoint) Relax() {
	if e.yield {
		yieldThread()
	}
}

// Cancel asks for r's end. Wait then returns ErrCancelled, or as usual where it was too late.
func (e *Endpoint) Cancel(r Request) error {
	s := e.live(r)
	if s == nil || s.state == slotComplete {
		return nil
	}
	if err := e.cancel(s, false); err != nil {
		return e.wrap(s, Status{Source: AnySource, Tag: AnyTag}, err)
	}
	return nil
}

func (e *Endpoint) cancel(s *slot, hard bool) error {
	if s.t != nil {
		return e.cancelTransfer(s.t, hard)
	}
	return e.d.Cancel(s.id)
}
