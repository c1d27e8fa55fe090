// Graph: work that was recorded once and is launched as a whole.

package gpu

import "github.com/barnex/cuda5/cu"

// Graph is captured work, ready to launch.
type Graph struct {
	dev    *Device
	exec   cu.GraphExec
	closed bool
}

// Capture records what f enqueues on s (and on streams that wait for its events) instead of running it. A failed f, or
// work that cannot be captured, leaves no graph.
func (s *Stream) Capture(f func() error) (*Graph, error) {
	s.check()
	if err := call("cuStreamBeginCapture", func() { cu.StreamBeginCapture(s.h, cu.STREAM_CAPTURE_MODE_THREAD_LOCAL) }); err != nil {
		return nil, err
	}
	inner := f()
	var g cu.Graph
	err := call("cuStreamEndCapture", func() { g = cu.StreamEndCapture(s.h) })
	if g != 0 {
		defer func() { _ = call("cuGraphDestroy", func() { cu.GraphDestroy(&g) }) }()
	}
	if inner != nil {
		return nil, inner
	}
	if err != nil {
		return nil, err
	}
	out := &Graph{dev: s.dev}
	if err := call("cuGraphInstantiate", func() { out.exec = cu.GraphInstantiate(g) }); err != nil {
		return nil, err
	}
	s.dev.track(out, "graph", 0)
	return out, nil
}

// Launch runs the graph in the order of s.
func (g *Graph) Launch(s *Stream) error {
	if g.closed {
		panic("gpu: launch of a graph after Close")
	}
	s.check()
	return failure("cuGraphLaunch", cu.TryGraphLaunch(g.exec, s.h))
}

// Close destroys the graph; launches that are under way end first.
func (g *Graph) Close() error {
	g.dev.here()
	if g.closed {
		panic("gpu: Close of a graph after Close")
	}
	g.closed = true
	g.dev.untrack(g)
	return call("cuGraphExecDestroy", func() { cu.GraphExecDestroy(&g.exec) })
}
