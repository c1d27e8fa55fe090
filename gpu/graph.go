// Graph: work captured once and launched many times.

package gpu

import "github.com/barnex/cuda5/cu"

// Graph is captured work, ready to be launched.
type Graph struct {
	resource
	exec cu.GraphExec
	work int64 // what a launch gives a stream: what was given to the captured one
}

// Capture records what f queues in s, and in streams that f joins to it by events, instead of running it. An error of
// f comes back, wrapped by nothing, and no graph is made.
func (s *Stream) Capture(f func() error) (*Graph, error) {
	s.check()
	call := "cuStreamBeginCapture"
	if err := s.beginCapture(&call); err != nil {
		return nil, err
	}
	before := s.given
	captured, err := s.runCapture(f)
	work := s.given.Work - before.Work
	s.given = before // nothing of it has run
	if err != nil {
		return nil, err
	}
	g, err := s.instantiate(captured)
	if err == nil {
		g.work = work
	}
	return g, err
}

func (s *Stream) beginCapture(call *string) (err error) {
	defer catch(call, &err)
	// Thread-local: other PEs' threads may allocate meanwhile.
	cu.StreamBeginCapture(s.h, cu.STREAM_CAPTURE_MODE_THREAD_LOCAL)
	return nil
}

// runCapture ends the capture in any case, also when f panics.
func (s *Stream) runCapture(f func() error) (g cu.Graph, err error) {
	defer func() {
		captured, ended := s.endCapture()
		if ended != nil || err != nil {
			if captured != 0 {
				destroyGraph(captured)
			}
			captured = 0
			if err == nil { // else the end fails as a consequence
				err = ended
			}
		}
		g = captured
	}()
	return 0, f()
}

func (s *Stream) endCapture() (g cu.Graph, err error) {
	call := "cuStreamEndCapture"
	defer catch(&call, &err)
	return cu.StreamEndCapture(s.h), nil
}

func destroyGraph(g cu.Graph) (err error) {
	call := "cuGraphDestroy"
	defer catch(&call, &err)
	cu.GraphDestroy(&g)
	return nil
}

func (s *Stream) instantiate(captured cu.Graph) (g *Graph, err error) {
	defer destroyGraph(captured) // the executable form does not need it
	call := "cuGraphInstantiate"
	defer catch(&call, &err)
	g = &Graph{exec: cu.GraphInstantiate(captured)}
	s.dev.own(&g.resource, "graph", g.release)
	return g, nil
}

func (g *Graph) release() (err error) {
	call := "cuGraphExecDestroy"
	defer catch(&call, &err)
	cu.GraphExecDestroy(&g.exec)
	return nil
}

// Launch queues the captured work in s.
func (g *Graph) Launch(s *Stream) error {
	g.check()
	s.alive()
	err := done("cuGraphLaunch", cu.TryGraphLaunch(g.exec, s.h))
	if err == nil {
		s.given.Work += g.work
	}
	return err
}

// Close destroys the graph. Closing twice panics.
func (g *Graph) Close() error { return g.close() }
