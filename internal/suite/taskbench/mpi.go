// The rank model's body, after Task Bench's nonblock program: in each timestep a rank posts the messages of all its points,
// waits for all, and runs its tasks.

package taskbench

import (
	"cmp"
	"errors"
	"slices"

	"gpubench/gpu"
	"gpubench/internal/bench"
	"gpubench/internal/result"
	"gpubench/internal/suite/cut"
	"gpubench/internal/suite/phases"
	"gpubench/internal/suite/taskbench/graph"
	"gpubench/runtimes/mpi"
	"gpubench/runtimes/transport"
)

// ranks is a rank.
type ranks struct {
	*points
	comm  *mpi.Comm
	plans [][]plan      // by graph, by dependence set
	some  []mpi.Message // of a timestep that has not all points, or of several graphs
	odd   *mpi.Batch    // runs them
	timer timer
}

// plan is a rank's messages in one dependence set: sends, which are gone when they are posted if they are short, and then
// receives. Those between two ranks stand in the same order on both, so that one tag is enough: Task Bench's program, which
// gives each pair of points a tag, stops beyond 128 points a rank.
type plan struct {
	wires []wire
	batch [2]*mpi.Batch // of all of them, by parity of the timestep that sends; nil: of more than mostPrepared
}

// wire is one message.
type wire struct {
	from, to int            // points
	m        [2]mpi.Message // by parity of the timestep that sends
}

// mostPrepared bounds the messages of a plan that are kept ready to go.
const mostPrepared = 256

const tagTask = 1

func newMPI(pe *bench.PE, p result.Params) (bench.Body, error) {
	w, err := newPoints(pe, p, false)
	if err != nil {
		return nil, err
	}
	r := &ranks{points: w, comm: mpi.World(pe.Endpoint)}
	if err := r.timer.open(w); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	if r.odd, err = r.comm.Prepare(nil); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	for i := range w.graphs {
		g := &w.graphs[i]
		plans := make([]plan, g.Sets())
		r.plans = append(r.plans, plans)
		for set := range plans {
			if plans[set], err = r.plan(g, w.mine[i], set); err != nil {
				return nil, errors.Join(err, r.Close())
			}
		}
	}
	return r, nil
}

func (r *ranks) plan(g *graph.Graph, own []*point, set int) (p plan, err error) {
	first, past := cut.Range(g.Width, r.pe.Size, r.pe.Rank)
	var recvs []wire
	for _, q := range own {
		for _, to := range q.sets[set].to {
			if to < first || to >= past {
				peer := cut.BlockOf(to, g.Width, r.pe.Size)
				p.wires = append(p.wires, wire{q.id, to, [2]mpi.Message{mpi.SendOf(q.out[0], peer, tagTask), mpi.SendOf(q.out[1], peer, tagTask)}})
			}
		}
		for _, s := range q.sets[set].from {
			if s.here == nil {
				m := mpi.RecvOf(q.in[s.slot], cut.BlockOf(s.point, g.Width, r.pe.Size), tagTask)
				recvs = append(recvs, wire{s.point, q.id, [2]mpi.Message{m, m}})
			}
		}
	}
	// By sender, then receiver, as the sends are.
	slices.SortFunc(recvs, func(a, b wire) int { return cmp.Or(a.from-b.from, a.to-b.to) })
	p.wires = append(p.wires, recvs...)
	if len(p.wires) <= mostPrepared {
		for parity := range p.batch {
			ms := make([]mpi.Message, 0, len(p.wires))
			for _, w := range p.wires {
				ms = append(ms, w.m[parity])
			}
			if p.batch[parity], err = r.comm.Prepare(ms); err != nil {
				return p, err
			}
		}
	}
	return p, nil
}

// Batch runs the graphs n times, with a barrier after each.
func (r *ranks) Batch(n int, clk *bench.Clock) error {
	r.timer.begin(r.points, clk)
	return r.copies(clk, func() error { return r.run(n, clk) })
}

func (r *ranks) run(n int, clk *bench.Clock) error {
	clk.Start()
	for range n {
		for t := range r.graphs[0].Steps {
			if r.phases {
				if err := r.timed(t); err != nil {
					return err
				}
				continue
			}
			if err := r.exchange(t); err != nil {
				return err
			}
			if err := r.compute(t); err != nil {
				return err
			}
		}
		if !r.host {
			if err := errors.Join(r.timer.finish((*gpu.Event).Sync), r.stream.Sync()); err != nil {
				return err
			}
		}
		if err := r.comm.Barrier(); err != nil {
			return err
		}
	}
	clk.Stop()
	return nil
}

// timed is a timestep with the times of its phases.
func (r *ranks) timed(t int) error {
	r.timer.Mark()
	if err := r.exchange(t); err != nil {
		return err
	}
	r.timer.Lap(phases.Wait, 1)
	return r.timer.tasks(r.stream, t, (*gpu.Event).Sync, func() error { return r.compute(t) })
}

// exchange brings the inputs of timestep t.
func (r *ranks) exchange(t int) error {
	if t == 0 {
		return nil
	}
	b := r.due(t)
	if b == nil {
		return nil
	}
	if !r.host {
		if err := r.stream.Sync(); err != nil { // outputs leave when their tasks are over
			return err
		}
		r.timer.Mark()
	}
	if !r.phases {
		return b.Run()
	}
	if err := b.Start(); err != nil {
		return err
	}
	r.timer.Lap(phases.Post, 1)
	return b.Wait()
}

// due is the messages that bring the inputs of timestep t, nil if there are none.
func (r *ranks) due(t int) *mpi.Batch {
	if len(r.graphs) == 1 && t >= r.even[0] {
		p := &r.plans[0][r.setAt(0, t)]
		if len(p.wires) == 0 {
			return nil
		}
		if b := p.batch[(t-1)&1]; b != nil {
			return b
		}
	}
	r.gather(t)
	if len(r.some) == 0 {
		return nil
	}
	r.odd.Set(r.some)
	return r.odd
}

// gather finds the messages of timestep t one by one: sends of all graphs, then receives, so that no rank waits before it
// has sent.
func (r *ranks) gather(t int) {
	r.some = r.some[:0]
	for _, kind := range []transport.OpKind{transport.OpSend, transport.OpRecv} {
		for i := range r.graphs {
			wires := r.plans[i][r.setAt(i, t)].wires
			for k := range wires {
				w := &wires[k]
				if m := &w.m[(t-1)&1]; m.Kind == kind && (t >= r.even[i] || joins(&r.graphs[i], w, t)) {
					r.some = append(r.some, *m)
				}
			}
		}
	}
}

// joins reports whether timestep t has the message's receiver, and the one before its sender.
func joins(g *graph.Graph, w *wire, t int) bool { return g.Has(t, w.to) && g.Has(t-1, w.from) }

func inside(point, first, n int) bool { return uint(point-first) < uint(n) }

// compute runs the rank's tasks of timestep t.
func (r *ranks) compute(t int) error {
	for i := range r.graphs {
		g := &r.graphs[i]
		for _, q := range r.mine[i] {
			if t >= r.even[i] || g.Has(t, q.id) {
				if err := r.execute(q, t); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// Check is the untimed pass.
func (r *ranks) Check() (result.Validation, error) {
	return r.checked(func() error { return r.Batch(1, &bench.Clock{}) })
}

// Close frees what the rank has.
func (r *ranks) Close() error {
	for _, plans := range r.plans {
		for i := range plans {
			for _, b := range plans[i].batch {
				b.Free()
			}
		}
	}
	r.odd.Free()
	r.plans = nil
	return errors.Join(r.timer.close(), r.points.Close())
}
