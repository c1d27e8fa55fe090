// The message-driven body: a chare for each point of each graph, which runs its tasks as their inputs arrive.

package taskbench

import (
	"errors"
	"fmt"

	"gpubench/gpu"
	"gpubench/internal/bench"
	"gpubench/internal/result"
	"gpubench/internal/suite/cut"
	"gpubench/internal/suite/phases"
	"gpubench/runtimes/charm"
)

// chare is a point that drives itself. Every dependence but a point's on itself is a message on the channel between the
// two chares, on one PE too.
type chare struct {
	*point
	w        *points
	self     charm.Elem[chare]
	arr      charm.Array[chare]
	from, to [][]*charm.Channel // as sets: by dependence set, then as sources and dependents; nil: itself
	recvs    []*charm.Op
	sends    [2][]*charm.Op // by parity of the timestep whose output is under way
	done     [2]*gpu.Event  // behind the task of an even or odd timestep; nil on the host
	clk      *bench.Clock
	timer    timer
	side     int // chares of the PE, which wait side by side
}

// runs is how many there are from this one on.
type runs struct{ N int }

var (
	chareRun  charm.Entry[chare, runs]
	chareDone charm.Entry[chare, runs]
)

// sameRuns reduces what is the same everywhere.
var sameRuns charm.Reducer[runs]

func init() {
	sameRuns = charm.Combiner("taskbench.runs", func(acc *runs, in runs) { *acc = in })
	chareRun = charm.Threaded("taskbench.run", (*chare).run)
	chareDone = charm.Method("taskbench.done", (*chare).over)
}

// chares is a PE's body.
type chares struct {
	*points
	rt   *charm.Runtime
	arr  charm.Array[chare]
	mine []*chare
}

func newCharm(pe *bench.PE, p result.Params) (bench.Body, error) {
	w, err := newPoints(pe, p, true)
	if err != nil {
		return nil, err
	}
	c := &chares{points: w}
	if c.rt, err = charm.New(pe.Endpoint, charm.Config{Yield: pe.Oversubscribed}); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	width := w.graphs[0].Width
	place := charm.MapFunc("taskbench", func(at charm.Index, _ charm.Shape, pes int) int { return cut.BlockOf(at[1], width, pes) })
	c.arr, err = charm.NewArray(c.rt.PE(), "taskbench", charm.Grid(len(w.graphs), width), place,
		func(self charm.Elem[chare], at charm.Index) (*chare, error) {
			first, _ := cut.Range(width, pe.Size, pe.Rank)
			b := &chare{point: w.mine[at[0]][at[1]-first], w: w, self: self}
			c.mine = append(c.mine, b)
			return b, errors.Join(b.events(), b.timer.open(w))
		})
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	for _, b := range c.mine {
		b.arr, b.side = c.arr, len(c.mine)
		b.connect(c.rt.PE())
	}
	return c, nil
}

// events makes what tells that a task on the device is over.
func (b *chare) events() (err error) {
	for i := range b.done {
		if b.w.host {
			break
		}
		if b.done[i], err = b.w.pe.Device.NewEvent(false); err != nil {
			return err
		}
	}
	return nil
}

func (b *chare) connect(pe *charm.PE) {
	channel := func(point int) *charm.Channel {
		if point == b.id {
			return nil
		}
		return charm.Connect(pe, b.self, b.arr.At(b.g.Index, point), 0)
	}
	for _, wire := range b.sets {
		from, to := make([]*charm.Channel, len(wire.from)), make([]*charm.Channel, len(wire.to))
		for i, s := range wire.from {
			from[i] = channel(s.point)
		}
		for i, point := range wire.to {
			to[i] = channel(point)
		}
		b.from, b.to = append(b.from, from), append(b.to, to)
	}
}

// Batch runs the graphs n times; the chare of graph 0's first point starts each run but the first when all have ended the one
// before.
func (c *chares) Batch(n int, clk *bench.Clock) error {
	return c.copies(clk, func() error {
		return c.rt.Run(func(pe *charm.PE) {
			for _, b := range c.mine {
				b.clk = clk
				b.timer.begin(c.points, clk)
				chareRun.Send(pe, b.self, runs{n})
			}
		})
	})
}

// run is one run of the graph at this point.
func (b *chare) run(t *charm.Thread, r runs) {
	b.clk.Start()
	ran := 0
	for step := range b.g.Steps {
		if !b.g.Has(step, b.id) {
			continue
		}
		if err := b.step(t, step); err != nil {
			t.Fail(err)
			return
		}
		ran++
	}
	if ran != b.tasks { // the messages of a task that is left out would be waited for
		t.Fail(fmt.Errorf("point %d: expected %d tasks in a run, found %d", b.id, b.tasks, ran))
		return
	}
	if err := b.finish(t); err != nil {
		t.Fail(err)
		return
	}
	b.clk.Stop()
	charm.Contribute(t.PE, b.arr.All(), b.self, r, sameRuns, chareDone.To(b.arr.At(0, 0)))
}

// over is called where all have ended a run.
func (b *chare) over(pe *charm.PE, r runs) {
	if r.N--; r.N == 0 {
		pe.Exit()
		return
	}
	chareRun.Broadcast(pe, b.arr.All(), r)
}

// step is one task: its inputs, the task, its output to those who depend on it.
func (b *chare) step(t *charm.Thread, step int) error {
	b.timer.Mark()
	if err := b.receive(t, step); err != nil {
		return err
	}
	// What the output buffer held is two timesteps old, and may still be under way.
	parity := step & 1
	if err := b.sent(t, parity); err != nil {
		return err
	}
	b.timer.Lap(phases.Wait, b.side)
	if err := b.execute(t, step); err != nil {
		return err
	}
	b.timer.Mark()
	err := b.send(t, step, parity)
	b.timer.Lap(phases.Post, 1)
	return err
}

func (b *chare) execute(t *charm.Thread, step int) error {
	if !b.w.phases {
		return b.w.execute(b.point, step)
	}
	return b.timer.tasks(b.w.stream, step, eventOf(t), func() error { return b.w.execute(b.point, step) })
}

// eventOf is how a thread waits for an event of the device.
func eventOf(t *charm.Thread) func(*gpu.Event) error {
	return func(ev *gpu.Event) error { return t.WaitEvent(ev) }
}

func (b *chare) receive(t *charm.Thread, step int) error {
	set := b.g.SetAt(step)
	first, n := b.g.Window(step - 1)
	b.recvs = b.recvs[:0]
	for i, ch := range b.from[set] {
		if s := &b.sets[set].from[i]; ch != nil && inside(s.point, first, n) {
			b.recvs = append(b.recvs, ch.Irecv(t.PE, b.in[s.slot]))
		}
	}
	b.timer.Lap(phases.Post, 1)
	for _, op := range b.recvs {
		n, err := t.Wait(op)
		if err != nil {
			return err
		}
		if n != b.out[0].Len {
			return fmt.Errorf("%s: an input of %d bytes, expected %d", b.name(step), n, b.out[0].Len)
		}
	}
	return nil
}

func (b *chare) send(t *charm.Thread, step, parity int) error {
	if step+1 == b.g.Steps {
		return nil
	}
	var after charm.Event
	if ev := b.done[parity]; ev != nil {
		if err := b.w.stream.Record(ev); err != nil {
			return err
		}
		after = ev
	}
	set := b.g.SetAt(step + 1)
	first, n := b.g.Window(step + 1)
	for i, ch := range b.to[set] {
		if ch != nil && inside(b.sets[set].to[i], first, n) {
			b.sends[parity] = append(b.sends[parity], ch.Isend(t.PE, b.out[parity], after))
		}
	}
	return nil
}

// sent waits for the messages that carry an output.
func (b *chare) sent(t *charm.Thread, parity int) error {
	err := t.WaitAll(b.sends[parity])
	b.sends[parity] = b.sends[parity][:0]
	return err
}

// finish waits for all that the chare has under way.
func (b *chare) finish(t *charm.Thread) error {
	for parity := range b.sends {
		if err := b.sent(t, parity); err != nil {
			return err
		}
	}
	if ev := b.done[0]; ev != nil {
		if err := b.w.stream.Record(ev); err != nil {
			return err
		}
		if err := t.WaitEvent(ev); err != nil {
			return err
		}
	}
	return b.timer.finish(eventOf(t))
}

// Check is the untimed pass.
func (c *chares) Check() (result.Validation, error) {
	return c.checked(func() error { return c.Batch(1, &bench.Clock{}) })
}

// Close closes the runtime and frees the buffers.
func (c *chares) Close() error {
	errs := []error{c.rt.Close()}
	for _, b := range c.mine {
		for _, ev := range b.done {
			if ev != nil {
				errs = append(errs, ev.Close())
			}
		}
		errs = append(errs, b.timer.close())
	}
	return errors.Join(append(errs, c.points.Close())...)
}
