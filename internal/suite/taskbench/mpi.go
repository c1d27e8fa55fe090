// The rank model's body, after Task Bench's nonblock program: in each timestep a rank posts the messages of all its points,
// waits for all, and runs its tasks.

package taskbench

import (
	"errors"

	"gpubench/internal/bench"
	"gpubench/internal/result"
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
}

// plan is a rank's messages in one dependence set: sends, which are gone when they are posted if they are short, and then
// receives. Those between two ranks stand in the same order on both, so that one tag is enough: Task Bench's program, which
// gives each pair of points a tag, stops beyond 128 points a rank.
type plan struct {
	wires []wire
	whole [2][]mpi.Message // by parity of the timestep that sends, of all wires
	batch [2]*mpi.Batch    // of them
}

// wire is one message.
type wire struct{ from, to int } // points

const tagTask = 1

func newMPI(pe *bench.PE, p result.Params) (bench.Body, error) {
	w, err := newPoints(pe, p, false)
	if err != nil {
		return nil, err
	}
	r := &ranks{points: w, comm: mpi.World(pe.Endpoint)}
	for i := range w.graphs {
		g := &w.graphs[i]
		plans := make([]plan, g.Sets())
		r.plans = append(r.plans, plans)
		for set := range plans {
			plans[set] = r.plan(g, w.mine[i], set)
			for parity := range plans[set].batch {
				if plans[set].batch[parity], err = r.comm.Prepare(plans[set].whole[parity]); err != nil {
					return r, errors.Join(err, r.Close())
				}
			}
		}
	}
	return r, nil
}

func (r *ranks) plan(g *graph.Graph, own []*point, set int) plan {
	var p plan
	first, past := block(g.Width, r.pe.Rank, r.pe.Size)
	for _, q := range own {
		for _, to := range q.sets[set].to {
			if to < first || to >= past {
				peer := owner(g.Width, to, r.pe.Size)
				p.add(wire{q.id, to}, mpi.SendOf(q.out[0], peer, tagTask), mpi.SendOf(q.out[1], peer, tagTask))
			}
		}
	}
	// By sender, then receiver, as the sends are.
	for from := range g.Width {
		if first <= from && from < past {
			continue
		}
		for _, to := range g.Dependents(set, from) {
			if first <= to && to < past {
				q := own[to-first]
				for _, s := range q.sets[set].from {
					if s.point == from {
						m := mpi.RecvOf(q.in[s.slot], owner(g.Width, from, r.pe.Size), tagTask)
						p.add(wire{from, to}, m, m)
					}
				}
			}
		}
	}
	return p
}

func (p *plan) add(w wire, even, odd mpi.Message) {
	p.wires = append(p.wires, w)
	p.whole[0], p.whole[1] = append(p.whole[0], even), append(p.whole[1], odd)
}

// Batch runs the graphs n times, with a barrier after each.
func (r *ranks) Batch(n int, clk *bench.Clock) error {
	clk.Start()
	for range n {
		for t := range r.graphs[0].Steps {
			if err := r.exchange(t); err != nil {
				return err
			}
			if err := r.compute(t); err != nil {
				return err
			}
		}
		if !r.host {
			if err := r.stream.Sync(); err != nil {
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

// exchange brings the inputs of timestep t.
func (r *ranks) exchange(t int) error {
	if t == 0 {
		return nil
	}
	if len(r.graphs) == 1 && t >= r.even[0] {
		p := &r.plans[0][r.setAt(0, t)]
		if len(p.wires) == 0 {
			return nil
		}
		if err := r.leave(); err != nil {
			return err
		}
		return p.batch[(t-1)&1].Run()
	}
	r.gather(t)
	if len(r.some) == 0 {
		return nil
	}
	if err := r.leave(); err != nil {
		return err
	}
	return r.comm.Exchange(r.some)
}

// leave waits for the tasks whose outputs are about to leave.
func (r *ranks) leave() error {
	if r.host {
		return nil
	}
	return r.stream.Sync()
}

// gather finds the messages that bring the inputs of timestep t: sends of all graphs, then receives, so that no rank waits
// before it has sent.
func (r *ranks) gather(t int) {
	r.some = r.some[:0]
	for _, kind := range []transport.OpKind{transport.OpSend, transport.OpRecv} {
		for i := range r.graphs {
			p := &r.plans[i][r.setAt(i, t)]
			for k, m := range p.whole[(t-1)&1] {
				if m.Kind == kind && (t >= r.even[i] || joins(&r.graphs[i], p.wires[k], t)) {
					r.some = append(r.some, m)
				}
			}
		}
	}
}

// joins reports whether timestep t has the message's receiver, and the one before its sender.
func joins(g *graph.Graph, w wire, t int) bool { return g.Has(t, w.to) && g.Has(t-1, w.from) }

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

// Close gives back the batches, then the buffers.
func (r *ranks) Close() error {
	for _, plans := range r.plans {
		for i := range plans {
			for _, b := range plans[i].batch {
				if b != nil {
					b.Free()
				}
			}
		}
	}
	r.plans = nil
	return r.points.Close()
}
