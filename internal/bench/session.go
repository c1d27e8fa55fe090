// Session: one PE's calls into its body.
package bench

import (
	"errors"
	"fmt"
	"time"

	"gpubench/gpu"
	"gpubench/internal/result"
)

func (s *session) open() error {
	model := Model(s.text("model"))
	newBody, ok := s.b.New[model]
	if !ok {
		return fmt.Errorf("%s has no body for the model %q (%w)", s.b.Name, model, errors.ErrUnsupported)
	}
	if s.pe.Size < s.b.MinPEs || (s.b.MaxPEs > 0 && s.pe.Size > s.b.MaxPEs) {
		return fmt.Errorf("%s cannot run on %d PEs (%w)", s.b.Name, s.pe.Size, errors.ErrUnsupported)
	}
	body, err := newBody(s.pe, s.c.Params)
	if err != nil {
		return err
	}
	s.body = body
	return nil
}

func (s *session) close() error {
	if s.body == nil || s.closed {
		return nil
	}
	s.closed = true
	return s.protect("Close", s.body.Close)
}

// guard is the body as one that is to be checked after every batch, nil if it
// is none.
func (s *session) guard() Guard {
	if g, ok := s.body.(Guard); ok && s.validating() {
		return g
	}
	return nil
}

// balancing is what the body's balancing came to since it was asked last; nil where it does none.
func (s *session) balancing() *result.Balancing {
	if b, ok := s.body.(Balancer); ok && !s.closed {
		return b.Balancing()
	}
	return nil
}

func (s *session) poison() error {
	if g := s.guard(); g != nil {
		return s.protect("Poison", g.Poison)
	}
	return nil
}

func (s *session) inspect() (*result.Validation, error) {
	g := s.guard()
	if g == nil {
		return nil, nil
	}
	var v result.Validation
	err := s.protect("Inspect", func() (err error) { v, err = g.Inspect(); return err })
	return &v, err
}

// times puts what the clock has measured into the report.
func (s *session) times(r *report) {
	if d, ok := s.clk.Elapsed(); ok {
		r.Clocked, r.Seconds = true, d.Seconds()
	}
	r.Laps = make([]float64, len(s.laps))
	for i, name := range s.laps {
		for _, l := range s.clk.laps {
			if l.name == name {
				r.Laps[i] = time.Duration(l.ns).Seconds()
			}
		}
	}
}

func (s *session) validating() bool {
	v, there := s.c.Params["validate"].(bool)
	return v || !there
}

// text is a parameter that may be missing or null.
func (s *session) text(name string) string {
	t, _ := s.c.Params[name].(string)
	return t
}

func (s *session) device() string {
	if d := s.pe.Device; d != nil && d.Driver() != gpu.CPU {
		return d.Info().UUID
	}
	return ""
}
