// Ways: the paths, stagings and spaces that the steps go through.

package transporttest

import (
	"errors"
	"fmt"

	"gpubench/gpu"
	"gpubench/runtimes/transport"
)

// way is a path and where the two sides' buffers are.
type way struct {
	path     transport.PathConfig
	from, to gpu.Space
}

func (w way) String() string {
	p := w.path
	if p.Path != transport.Staged {
		return fmt.Sprintf("%v %v to %v", p.Path, w.from, w.to)
	}
	return fmt.Sprintf("staged %v (%v, chunk %d) %v to %v", p.Staging, p.StagingSpace, p.Chunk, w.from, w.to)
}

// spacePairs are from and to; the first is all there is without a device.
var spacePairs = [][2]gpu.Space{
	{gpu.Pageable, gpu.Pageable},
	{gpu.Pinned, gpu.Pageable},
	{gpu.OnDevice, gpu.OnDevice},
	{gpu.OnDevice, gpu.Pageable},
	{gpu.Pinned, gpu.OnDevice},
	{gpu.Managed, gpu.Managed},
	{gpu.Managed, gpu.OnDevice},
}

// stagings are tried for the path staged. The small chunk makes many of one message.
var stagings = []transport.PathConfig{
	{Path: transport.Staged, Staging: transport.Pipelined, StagingSpace: gpu.Pinned, Chunk: 4096},
	{Path: transport.Staged, Staging: transport.Pipelined, StagingSpace: gpu.Pageable, Chunk: 100000},
	{Path: transport.Staged, Staging: transport.Simple, StagingSpace: gpu.Pinned},
}

// ways are all that this endpoint can go. Every PE has the same.
func (pe *PE) ways() []way {
	caps := pe.Caps()
	var out []way
	for _, s := range spacePairs {
		deviceless := pe.Device() == nil
		if deviceless && (s[0] > gpu.Pinned || s[1] > gpu.Pinned) {
			continue
		}
		onDevice := s[0] == gpu.OnDevice || s[1] == gpu.OnDevice
		if !onDevice && caps.Spaces[s[0]] && caps.Spaces[s[1]] {
			out = append(out, way{transport.PathConfig{Path: transport.Host}, s[0], s[1]})
		}
		if onDevice && caps.Spaces[gpu.OnDevice] && caps.Spaces[s[0]] && caps.Spaces[s[1]] {
			out = append(out, way{transport.PathConfig{Path: transport.Direct}, s[0], s[1]})
		}
		if !deviceless {
			for _, p := range stagings {
				out = append(out, way{p, s[0], s[1]})
			}
		}
	}
	return out
}

// Ways names all that an endpoint can go, as the steps take them: "staged simple (pinned, chunk 0) device to device".
func Ways(ep *transport.Endpoint) []string {
	var out []string
	for _, w := range NewPE(ep).ways() {
		out = append(out, w.String())
	}
	return out
}

// each runs f once a way, with the path set on every PE.
func (pe *PE) each(f func(w way) error) error {
	for _, w := range pe.ways() {
		if err := pe.SetPath(w.path); err != nil {
			return err
		}
		if err := pe.sync(); err != nil {
			return err
		}
		if err := f(w); err != nil {
			return fmt.Errorf("%v: %w", w, err)
		}
		if err := pe.sync(); err != nil {
			return err
		}
	}
	return pe.SetPath(transport.PathConfig{})
}

// buffer allocates this PE's side of n bytes: PE 0 sends.
func (pe *PE) buffer(w way, n int) (gpu.Memory, error) {
	if pe.Rank() == 0 {
		return pe.alloc(w.from, n)
	}
	return pe.alloc(w.to, n)
}

// want checks an error's kind, and that it is a *transport.Error.
func want(err, kind error) error {
	var te *transport.Error
	switch {
	case err == nil:
		return fmt.Errorf("no error, expected %q", kind)
	case !errors.Is(err, kind):
		return fmt.Errorf("expected %q, got: %w", kind, err)
	case !errors.As(err, &te):
		return fmt.Errorf("not a *transport.Error: %w", err)
	}
	return nil
}
