// Steps about what is refused: bad arguments, truncation, paths that cannot be.

package transporttest

import (
	"errors"
	"fmt"

	"gpubench/gpu"
	"gpubench/runtimes/transport"
)

func arguments(pe *PE) error {
	m, err := pe.host(64)
	if err != nil {
		return err
	}
	me, n := pe.Rank(), pe.Size()
	bad := m
	bad.Len = -1
	null := gpu.Memory{Len: 8}
	for _, c := range []struct {
		ctx       int
		buf       gpu.Memory
		peer, tag int
		both      bool // bad for a receive as well
	}{
		{1, m, n, 0, true}, {1, m, -2, 0, true}, {1, m, transport.AnySource, 0, false},
		{1, m, me, transport.MaxTag + 1, true}, {1, m, me, -2, true}, {1, m, me, transport.AnyTag, false},
		{1, bad, me, 0, true}, {1, null, me, 0, true}, {int(transport.CtxStaging), m, me, 0, true},
		{pe.Caps().Contexts, m, me, 0, true},
	} {
		if c.ctx > 255 {
			continue
		}
		_, err := pe.Isend(uint8(c.ctx), c.buf, c.peer, c.tag)
		if err := want(err, transport.ErrArgument); err != nil {
			return fmt.Errorf("Isend %+v: %w", c, err)
		}
		if err := want(pe.Send(uint8(c.ctx), c.buf, c.peer, c.tag), transport.ErrArgument); err != nil {
			return fmt.Errorf("Send %+v: %w", c, err)
		}
		if !c.both {
			continue
		}
		_, err = pe.Irecv(uint8(c.ctx), c.buf, c.peer, c.tag)
		if err := want(err, transport.ErrArgument); err != nil {
			return fmt.Errorf("Irecv %+v: %w", c, err)
		}
		_, err = pe.Recv(uint8(c.ctx), c.buf, c.peer, c.tag)
		if err := want(err, transport.ErrArgument); err != nil {
			return fmt.Errorf("Recv %+v: %w", c, err)
		}
		if c.buf != m {
			continue
		}
		_, _, err = pe.Probe(uint8(c.ctx), c.peer, c.tag)
		if err := want(err, transport.ErrArgument); err != nil {
			return fmt.Errorf("Probe %+v: %w", c, err)
		}
	}
	return want(pe.SendHeader(n, nil), transport.ErrArgument)
}

// truncation: an error for the receiver alone, and the pair goes on.
func truncation(pe *PE) error {
	return pe.each(func(w way) error {
		if pe.Rank() > 1 {
			return nil
		}
		for _, n := range []int{1, 100, 3000, 70000, 300000} {
			m, err := pe.buffer(w, n)
			if err != nil {
				return err
			}
			for round := range 3 {
				if pe.Rank() == 0 {
					if err := pe.fill(m, uint64(round)); err != nil {
						return err
					}
					if err := pe.Send(model, m, 1, 1); err != nil {
						return fmt.Errorf("%d B: %w", n, err)
					}
					continue
				}
				if round == 1 { // the middle one is too long
					_, err := pe.Recv(model, m.Slice(0, n-1), 0, 1)
					if err := want(err, transport.ErrTruncated); err != nil {
						return fmt.Errorf("%d B into %d: %w", n, n-1, err)
					}
					continue
				}
				if err := pe.expect(m, 0, 1, uint64(round)); err != nil {
					return fmt.Errorf("%d B, round %d: %w", n, round, err)
				}
			}
		}
		return nil
	})
}

// refused: what cannot be is a typed error that says what is missing.
func refused(pe *PE) error {
	m, err := pe.alloc(gpu.OnDevice, 64)
	if err != nil {
		return err
	}
	attempts := []struct {
		path transport.PathConfig
		ctx  uint8
	}{
		{transport.PathConfig{Path: transport.Host}, model},
		{transport.PathConfig{Path: transport.Host}, transport.CtxControl},
		{transport.PathConfig{Path: transport.Direct}, transport.CtxControl},
	}
	if !pe.Caps().Spaces[gpu.OnDevice] {
		attempts = append(attempts, attempts[0])
		attempts[3].path.Path = transport.Direct
		if pe.Caps().Why[gpu.OnDevice] == "" {
			return errors.New("Caps do not say why device memory is not taken")
		}
	}
	for _, a := range attempts {
		if err := pe.SetPath(a.path); err != nil {
			return err
		}
		if err := want(pe.Send(a.ctx, m, 0, 1), transport.ErrUnsupported); err != nil {
			return fmt.Errorf("Send of device memory, %+v: %w", a, err)
		}
		_, err := pe.Irecv(a.ctx, m, 0, 1)
		if err := want(err, transport.ErrUnsupported); err != nil {
			return fmt.Errorf("Irecv of device memory, %+v: %w", a, err)
		}
		if !errors.Is(err, errors.ErrUnsupported) {
			return fmt.Errorf("not errors.ErrUnsupported: %w", err)
		}
	}
	for _, p := range []transport.PathConfig{
		{Path: transport.Staged, StagingSpace: gpu.OnDevice},
		{Path: transport.Staged, Chunk: 1},
	} {
		if err := want(pe.SetPath(p), transport.ErrUnsupported); err != nil {
			return fmt.Errorf("SetPath %+v: %w", p, err)
		}
	}
	if pe.Device() == nil {
		return want(pe.SetPath(transport.PathConfig{Path: transport.Staged}), transport.ErrUnsupported)
	}
	return pe.SetPath(transport.PathConfig{})
}

// mismatched: a plain message to a PE that expects pipelined ones is noticed.
func mismatched(pe *PE) error {
	if pe.Device() == nil {
		return skipError{"staging needs a device"}
	}
	for _, n := range []int{0, 16, 200000} {
		m, err := pe.host(n)
		if err != nil {
			return err
		}
		if pe.Rank() == 0 {
			if err := pe.Send(model, m, 1, 1); err != nil {
				return err
			}
		}
		if pe.Rank() == 1 {
			if err := pe.SetPath(transport.PathConfig{Path: transport.Staged}); err != nil {
				return err
			}
			_, err := pe.Recv(model, m, 0, 1)
			if err := want(err, transport.ErrMismatch); err != nil {
				return fmt.Errorf("%d B: %w", n, err)
			}
			if err := pe.SetPath(transport.PathConfig{}); err != nil {
				return err
			}
		}
		if err := pe.sync(); err != nil {
			return err
		}
	}
	return nil
}
