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
	"gpubench/internal/suite/phases"
	"gpubench/internal/suite/taskbench/graph"
	"gpubench/runtimes/mpi"
)

// ranks is a rank.
type ranks struct {
	*points
	comm  *mpi.Comm
	plans [][]plan // by graph, by dependence set
	reqs  []mpi.Request
	timer timer
}

// plan is a rank's messages in one dependence set. Those between two ranks stand in the same order on both, so that one tag
// is enough: Task Bench's program, which gives each pair of points a tag, stops beyond 128 points a rank.
type plan struct{ recvs, sends []wire }

// wire is one message.
type wire struct {
	from, to int // points
	peer     int // rank
	mem      [2]gpu.Memory
}

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
	for i := range w.graphs {
		g := &w.graphs[i]
		plans := make([]plan, g.Sets())
		for set := range plans {
			plans[set] = r.plan(g, w.mine[i], set)
		}
		r.plans = append(r.plans, plans)
	}
	return r, nil
}

func (r *ranks) plan(g *graph.Graph, own []*point, set int) plan {
	var p plan
	first, past := block(g.Width, r.pe.Rank, r.pe.Size)
	for _, q := range own {
		for _, to := range q.sets[set].to {
			if to < first || to >= past {
				p.sends = append(p.sends, wire{q.id, to, owner(g.Width, to, r.pe.Size), q.out})
			}
		}
		for _, s := range q.sets[set].from {
			if s.here == nil {
				p.recvs = append(p.recvs, wire{s.point, q.id, owner(g.Width, s.point, r.pe.Size), [2]gpu.Memory{q.in[s.slot], q.in[s.slot]}})
			}
		}
	}
	// By sender, then receiver, as the sends are.
	slices.SortFunc(p.recvs, func(a, b wire) int { return cmp.Or(a.from-b.from, a.to-b.to) })
	return p
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

// exchange brings the inputs of timestep t. Sends go first: short ones are gone when they are posted, so that nothing is
// under way and each receive can wait by itself, the transport's fastest way. (A step of stencil_1d over Open MPI took 180 ns so,
// 280 with the receives posted before.) Else all are posted and waited for together.
func (r *ranks) exchange(t int) error {
	if t == 0 {
		return nil
	}
	if !r.host && r.talks(t) {
		if err := r.stream.Sync(); err != nil { // outputs leave when their tasks are over
			return err
		}
		r.timer.Mark()
	}
	r.reqs = r.reqs[:0]
	for i := range r.graphs {
		sends := r.plans[i][r.setAt(i, t)].sends
		for k := range sends {
			if w := &sends[k]; t >= r.even[i] || joins(&r.graphs[i], w, t) {
				if err := r.send(w, t); err != nil {
					return err
				}
			}
		}
	}
	r.timer.Lap(phases.Post, 1)
	for i := range r.graphs {
		recvs := r.plans[i][r.setAt(i, t)].recvs
		for k := range recvs {
			if w := &recvs[k]; t >= r.even[i] || joins(&r.graphs[i], w, t) {
				if err := r.receive(w); err != nil {
					return err
				}
			}
		}
	}
	if len(r.reqs) == 0 {
		return nil
	}
	return r.comm.Waitall(r.reqs)
}

// talks reports whether there are messages at timestep t at all.
func (r *ranks) talks(t int) bool {
	for i := range r.graphs {
		if p := &r.plans[i][r.setAt(i, t)]; len(p.recvs)+len(p.sends) > 0 {
			return true
		}
	}
	return false
}

func (r *ranks) send(w *wire, t int) error {
	q, err := r.comm.Post(w.mem[(t-1)&1], w.peer, tagTask)
	if !q.IsZero() {
		r.reqs = append(r.reqs, q)
	}
	return err
}

func (r *ranks) receive(w *wire) error {
	if len(r.reqs) == 0 {
		_, err := r.comm.Recv(w.mem[0], w.peer, tagTask)
		return err
	}
	q, err := r.comm.Irecv(w.mem[0], w.peer, tagTask)
	r.reqs = append(r.reqs, q)
	return err
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
func (r *ranks) Close() error { return errors.Join(r.timer.close(), r.points.Close()) }
