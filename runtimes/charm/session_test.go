package charm_test

import (
	"fmt"
	"strings"
	"testing"

	"gpubench/runtimes/charm"
)

// Runtimes follow each other on one Endpoint. What one leaves behind (messages under way at Exit, payload that nobody
// received, the word of a failure) does not reach the next.
func TestSessions(t *testing.T) {
	each(t, []int{2, 3}, func(t *testing.T, w world) {
		w.mustRun(t, func(first *charm.Runtime) error {
			for session := range 12 {
				if err := litter(first, session); err != nil {
					return fmt.Errorf("session %d: %w", session, err)
				}
				if err := clean(first); err != nil {
					return fmt.Errorf("after session %d: %w", session, err)
				}
			}
			return nil
		})
	})
}

// litter is a session that ends in the middle of things.
func litter(first *charm.Runtime, session int) error {
	rt, err := charm.New(first.Endpoint(), charm.Config{Yield: true})
	if err != nil {
		return err
	}
	defer rt.Close()
	_, mine, err := newNodes(rt)
	if err != nil {
		return err
	}
	err = rt.Run(func(pe *charm.PE) {
		next := mine.group.At((pe.Rank() + 1) % pe.Size())
		for range 20 {
			nodeBurst.Send(pe, next, [100]int64{1})
		}
		ch := charm.Connect(pe, mine.self, next, 0) // the port that clean uses
		ch.SendBytes(pe, []byte("nobody wants this"))
		ch.SendBytes(pe, make([]byte, 50_000))
		ch.Isend(pe, hostMemory(300_000), nil)
		if pe.Rank() == session%pe.Size() {
			if session%3 == 2 {
				pe.Fail(errAsked)
				return
			}
			pe.Exit()
		}
	})
	if session%3 == 2 {
		if err == nil || !strings.Contains(err.Error(), errAsked.Error()) {
			return fmt.Errorf("failed with %w", err)
		}
		return barrier(first)
	}
	return err
}

// barrier is what a measuring loop has between its cases: no PE begins the next before all have left this one.
func barrier(first *charm.Runtime) error {
	ep := first.Endpoint()
	for pe := range ep.Size() {
		for _, root := range []bool{true, false} {
			var err error
			switch {
			case pe == 0:
			case root && ep.Rank() == pe, !root && ep.Rank() == 0:
				err = ep.Send(0, hostMemory(1), map[bool]int{true: 0, false: pe}[root], 1)
			case root && ep.Rank() == 0, !root && ep.Rank() == pe:
				_, err = ep.Recv(0, hostMemory(1), map[bool]int{true: pe, false: 0}[root], 1)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// clean is a session in which every byte counts.
func clean(first *charm.Runtime) error {
	rt, err := charm.New(first.Endpoint(), charm.Config{Yield: true})
	if err != nil {
		return err
	}
	defer rt.Close()
	g, mine, err := newNodes(rt)
	if err != nil {
		return err
	}
	err = rt.Run(func(pe *charm.PE) {
		if pe.Rank() > 1 {
			charm.Contribute(pe, g.All(), mine.self, struct{}{}, charm.Nothing, nodeEnd.To(g.On(0)))
			return
		}
		nodeTalk.Send(pe, mine.self, order{To: int64(1 - pe.Rank()), Size: 1 << 18})
	})
	if err == nil && mine.got != 0 {
		err = fmt.Errorf("%d messages of the session before", mine.got)
	}
	return err
}
