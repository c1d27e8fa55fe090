// Steps about requests: what they are worth, and withdrawing them.

package transporttest

import (
	"errors"
	"fmt"
	"time"

	"gpubench/gpu"
	"gpubench/runtimes/transport"
)

// cancelledRecv withdraws a receive; the message that comes later goes to the next one.
func cancelledRecv(pe *PE) error {
	return pe.each(func(w way) error {
		if pe.Rank() > 1 {
			return nil
		}
		for _, n := range []int{8, 70000} {
			m, err := pe.buffer(w, n)
			if err != nil {
				return err
			}
			if pe.Rank() == 0 {
				if err := pe.pollHeader(1); err != nil {
					return err
				}
				if err := pe.fill(m, 5); err != nil {
					return err
				}
				if err := pe.Send(model, m, 1, 1); err != nil {
					return err
				}
				continue
			}
			other, err := pe.buffer(w, n)
			if err != nil {
				return err
			}
			if err := pe.fill(other, 6); err != nil {
				return err
			}
			r, err := pe.Irecv(model, other, transport.AnySource, transport.AnyTag)
			if err != nil {
				return err
			}
			if done, _, err := pe.Test(r); done || err != nil {
				return fmt.Errorf("a receive of nothing is complete (%w)", err)
			}
			if err := pe.Cancel(r); err != nil {
				return err
			}
			_, err = pe.Wait(r)
			if err := want(err, transport.ErrCancelled); err != nil {
				return err
			}
			if err := pe.SendHeader(0, []byte("cancelled")); err != nil {
				return err
			}
			if err := pe.expect(m, 0, 1, 5); err != nil {
				return err
			}
			if err := pe.verify(other, 6); err != nil {
				return fmt.Errorf("a cancelled receive's buffer was written: %w", err)
			}
		}
		return nil
	})
}

// cancelledSend withdraws a send that nobody receives. Where that is not possible it must be receivable as ever.
func cancelledSend(pe *PE) error {
	return pe.each(func(w way) error {
		if pe.Rank() > 1 {
			return nil
		}
		for tag, n := range []int{8, 20000, 400000} {
			m, err := pe.buffer(w, n)
			if err != nil {
				return err
			}
			if pe.Rank() == 1 {
				if err := pe.receiveUnlessCancelled(m, tag); err != nil {
					return err
				}
				continue
			}
			if err := pe.fill(m, 7); err != nil {
				return err
			}
			r, err := pe.Isend(model, m, 1, tag)
			if err != nil {
				return err
			}
			if err := pe.Cancel(r); err != nil {
				return err
			}
			done, err := pe.within(r, 50*time.Millisecond)
			cancelled := errors.Is(err, transport.ErrCancelled)
			if err != nil && !cancelled {
				return err
			}
			if err := pe.SendHeader(1, []byte(map[bool]string{true: "off", false: "on"}[cancelled])); err != nil {
				return err
			}
			if !done {
				if _, err := pe.Wait(r); err != nil {
					return err
				}
			}
			if err := pe.fill(m, 8); err != nil {
				return err
			}
			if err := pe.Send(model, m, 1, 50); err != nil {
				return err
			}
		}
		return nil
	})
}

func (pe *PE) receiveUnlessCancelled(m gpu.Memory, tag int) error {
	buf := make([]byte, pe.Caps().MaxHeader)
	_, k, err := pe.nextHeader(buf)
	if err != nil {
		return err
	}
	if string(buf[:k]) == "on" {
		if err := pe.expect(m, 0, tag, 7); err != nil {
			return err
		}
	}
	// Nothing of the cancelled one may come now.
	r, err := pe.Irecv(model, m, 0, tag)
	if err != nil {
		return err
	}
	if done, err := pe.within(r, 5*time.Millisecond); done || err != nil {
		return fmt.Errorf("a cancelled send came (%w)", err)
	}
	if err := pe.Cancel(r); err != nil {
		return err
	}
	if _, err := pe.Wait(r); !errors.Is(err, transport.ErrCancelled) {
		return want(err, transport.ErrCancelled)
	}
	return pe.expect(m, 0, 50, 8)
}

// within tests r for a while.
func (pe *PE) within(r transport.Request, d time.Duration) (bool, error) {
	for began := time.Now(); time.Since(began) < d; pe.Relax() {
		if done, _, err := pe.Test(r); done || err != nil {
			return done, err
		}
	}
	return false, nil
}

// requests: the zero one is complete, a used one panics, and Completed tells without progress.
func requests(pe *PE) error {
	if pe.Rank() > 1 {
		return nil
	}
	var zero transport.Request
	if done, _, err := pe.Test(zero); !done || err != nil || !zero.IsZero() || !pe.Completed(zero) {
		return fmt.Errorf("the zero Request is not complete (%w)", err)
	}
	if _, err := pe.Wait(zero); err != nil {
		return err
	}
	m, err := pe.host(8)
	if err != nil {
		return err
	}
	if pe.Rank() == 0 {
		return pe.Send(model, m, 1, 1)
	}
	r, err := pe.Irecv(model, m, 0, 1)
	if err != nil {
		return err
	}
	for began := time.Now(); !pe.Completed(r); {
		if err := pe.Progress(); err != nil {
			return err
		}
		if time.Since(began) > Deadline {
			return errors.New("it never completed")
		}
	}
	if _, err := pe.Wait(r); err != nil {
		return err
	}
	for name, use := range map[string]func(){
		"Wait":      func() { _, _ = pe.Wait(r) },
		"Test":      func() { _, _, _ = pe.Test(r) },
		"Cancel":    func() { _ = pe.Cancel(r) },
		"Completed": func() { pe.Completed(r) },
		"WaitAll":   func() { _ = pe.WaitAll([]transport.Request{r}) },
	} {
		if !panics(use) {
			return fmt.Errorf("%s of a request that has ended does not panic", name)
		}
	}
	return nil
}

func panics(f func()) (yes bool) {
	defer func() { yes = recover() != nil }()
	f()
	return false
}
