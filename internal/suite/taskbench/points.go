// Points: one PE's share of the graphs, which both models work on. Buffers, what a task does, and its checks.

package taskbench

import (
	"errors"
	"fmt"

	"gpubench/gpu"
	"gpubench/internal/bench"
	"gpubench/internal/result"
	"gpubench/internal/suite/cut"
	"gpubench/internal/suite/phases"
	"gpubench/internal/suite/taskbench/graph"
	"gpubench/kernels"
)

// points is one PE's share.
type points struct {
	pe     *bench.PE
	p      result.Params
	graphs []graph.Graph
	sets   []int // dependence sets, by graph
	even   []int // by graph: from this timestep on it and the one before have all points
	kernel kernel
	size   int64   // of a task: iterations of its kernel
	spread float64 // of sizes, by load_imbalance
	blocks int
	pieces int64
	host   bool // the host writes outputs and checks them
	// byPoint: every dependency is a message but a point's on itself; else those of the PE's own points are read where they lie.
	byPoint bool

	set     *kernels.Set
	stream  *gpu.Stream
	space   gpu.Space
	pages   gpu.Pages
	buffers []*gpu.Buffer
	lanes   gpu.Memory // what compute-bound tasks leave, one after the other
	look    gpu.Memory // where the host reads what lies on the device

	mine  [][]*point // by graph: points of this PE, from first(graph width) on
	epoch int64      // added to the timestep in outputs: tells the runs of the untimed pass apart
	check *checker   // in the untimed pass

	written    []gpu.Memory        // outputs and receive buffers of each graph, all in one
	busy       int64               // what the last busy_wait came to
	references map[int64][]float64 // by iterations: what a compute-bound task must leave, as refer has it

	phases bool // --phases
}

// point is one point of a graph, in all timesteps.
type point struct {
	g       *graph.Graph
	id      int           // in its graph
	out     [2]gpu.Memory // what the task of an even or odd timestep puts out
	in      []gpu.Memory  // where messages arrive
	scratch gpu.Memory
	draws   []float64 // of load_imbalance, by timestep
	sets    []wiring  // by dependence set
	tasks   int       // in a run
	due     int       // in the untimed pass: the timestep of its next task
}

// wiring is a point's dependencies in one set.
type wiring struct {
	from []source
	to   []int // dependents
}

// source is one dependency.
type source struct {
	point int
	here  *point // whose output is read where it lies; nil: a message brings it
	slot  int    // of in
}

// newPoints makes a PE's share.
func newPoints(pe *bench.PE, p result.Params, byPoint bool) (w *points, err error) {
	w = &points{pe: pe, p: p, graphs: graphs(p), kernel: kernelOf[p.String("task_kernel")], blocks: int(p.Int("task_blocks")),
		pieces: p.Int("scratch_pieces"), host: pe.Device.Driver() == gpu.CPU, phases: phases.On(p),
		byPoint: byPoint}
	pe.Endpoint.TimeCopies(w.phases)
	if v, ok := p["task_size"].(int64); ok {
		w.size = v
	}
	if p.Has("imbalance") {
		w.spread = p.Float("imbalance")
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	if w.set, err = kernels.Load(pe.Device); err != nil {
		return w, err
	}
	if w.stream, err = pe.Device.NewStream(); err != nil {
		return w, err
	}
	if w.space, err = gpu.ParseSpace(p.String("space")); err != nil {
		return w, err
	}
	if w.pages, err = gpu.ParsePages(p.String("pages")); err != nil {
		return w, err
	}
	if w.lanes, err = w.alloc(w.space, w.blocks*kernels.TaskLaneBytes); err != nil {
		return w, err
	}
	if w.look, err = w.alloc(gpu.Pinned, max(w.lanes.Len, int(p.Int("scratch_bytes")))); err != nil {
		return w, err
	}
	for i := range w.graphs {
		g := &w.graphs[i]
		if err = g.Check(); err != nil {
			return w, err
		}
		w.sets, w.even = append(w.sets, g.Sets()), append(w.even, max(1, g.Settled()+1))
		if err = w.add(g); err != nil {
			return w, err
		}
	}
	return w, w.stream.Sync()
}

// kernel is what tasks do, as a number: a task may be no longer than two comparisons of words.
type kernel uint8

const (
	kernelEmpty kernel = iota
	kernelBusy
	kernelCompute
	kernelMemory
)

var kernelOf = map[string]kernel{
	empty: kernelEmpty, busyWait: kernelBusy, computeBound: kernelCompute, loadImbalance: kernelCompute, memoryBound: kernelMemory,
}

// setAt is the dependence set of a graph at timestep t.
func (w *points) setAt(i, t int) int {
	if w.sets[i] == 1 {
		return 0
	}
	return w.graphs[i].SetAt(t)
}

// bufferAlign keeps buffers on cache lines of their own.
const bufferAlign = 128

// alloc gives memory that is written before it is measured.
func (w *points) alloc(space gpu.Space, n int) (gpu.Memory, error) {
	b, err := w.pe.Device.Alloc(space, max(n, bufferAlign), w.pages)
	if err != nil {
		return gpu.Memory{}, err
	}
	w.buffers = append(w.buffers, b)
	return b.Slice(0, n), w.fill(w.stream, b.Memory(), poison)
}

// poison is what no output has in its first byte for long: runs of it stand for a timestep of -1.
const poison = 0xff

func (w *points) fill(s *gpu.Stream, m gpu.Memory, v byte) error {
	if m.Space <= gpu.Pinned {
		b := m.Bytes()
		for i := range b {
			b[i] = v
		}
		return nil
	}
	return s.Fill(m, v)
}

// add makes the PE's points of a graph.
func (w *points) add(g *graph.Graph) error {
	first, past := cut.Range(g.Width, w.pe.Size, w.pe.Rank) // as Task Bench's programs have them
	own := make([]*point, past-first)
	for i := range own {
		own[i] = &point{g: g, id: first + i}
	}
	w.mine = append(w.mine, own)
	slots := make([]int, len(own))
	for i, q := range own {
		for set := range g.Sets() {
			var wire wiring
			wire.to = g.Dependents(set, q.id)
			used := 0
			for _, d := range g.Dependencies(set, q.id) {
				s := source{point: d}
				switch {
				case d == q.id, !w.byPoint && first <= d && d < past:
					s.here = own[d-first]
				default:
					s.slot = used
					used++
				}
				wire.from = append(wire.from, s)
			}
			slots[i] = max(slots[i], used)
			q.sets = append(q.sets, wire)
		}
		for t := q.next(0); t < g.Steps; t = q.next(t + 1) {
			q.tasks++
		}
		if w.p.Has("imbalance") {
			q.draws = make([]float64, g.Steps)
			for t := range q.draws {
				q.draws[t] = graph.Uniform(g.Index, t, q.id)
			}
		}
	}
	return w.furnish(own, slots)
}

// furnish gives points their buffers, of which slots take messages. They lie in one allocation: each has guard pages, and
// a process may have only so many mappings.
func (w *points) furnish(own []*point, slots []int) error {
	n := int(w.p.Int("output_bytes"))
	stride := (n + bufferAlign - 1) / bufferAlign * bufferAlign
	total := 0
	for _, k := range slots {
		total += (2 + k) * stride
	}
	all, err := w.alloc(w.space, total)
	if err != nil {
		return err
	}
	w.written = append(w.written, all)
	next := 0
	for i, q := range own {
		q.in = make([]gpu.Memory, slots[i])
		for _, m := range [][]gpu.Memory{q.out[:], q.in} {
			for k := range m {
				m[k] = all.Slice(next, n)
				next += stride
			}
		}
	}
	if w.kernel != kernelMemory {
		return nil
	}
	each := int(w.p.Int("scratch_bytes"))
	stride = (each + bufferAlign - 1) / bufferAlign * bufferAlign
	if all, err = w.alloc(w.space, len(own)*stride); err != nil {
		return err
	}
	for i, q := range own {
		q.scratch = all.Slice(i*stride, each)
		if err := w.prepare(q); err != nil {
			return err
		}
	}
	return nil
}

// word is how a point names itself in its output: below the graph's number.
func (q *point) word(id int) int64 { return int64(q.g.Index)<<32 | int64(id) }

// input is where a dependency's output of timestep t-1 lies when the task of timestep t runs.
func (q *point) input(s source, t int) gpu.Memory {
	if s.here != nil {
		return s.here.out[(t-1)&1]
	}
	return q.in[s.slot]
}

// iterations is the size of the point's task at timestep t.
func (w *points) iterations(q *point, t int) int64 {
	if q.draws == nil {
		return w.size
	}
	return graph.Imbalanced(w.size, w.spread, q.draws[t])
}

// execute is one task: its inputs have arrived, its output may be overwritten.
func (w *points) execute(q *point, t int) error {
	if w.check != nil {
		if err := w.before(q, t); err != nil {
			return err
		}
	}
	out, step := q.out[t&1], w.epoch+int64(t)
	var err error
	switch w.kernel {
	case kernelCompute:
		err = w.set.TaskCompute(w.stream, out, w.lanes, step, q.word(q.id), w.iterations(q, t), w.blocks)
	case kernelMemory:
		first := int64(t) * w.size % w.pieces
		err = w.set.TaskMemory(w.stream, out, q.scratch, step, q.word(q.id), first, w.size, w.pieces, w.blocks)
	default:
		err = w.onHost(q, out, step)
	}
	if err == nil && w.check != nil {
		err = w.after(q, t)
	}
	return err
}

// onHost is a task whose kernel is the host's; its output is written where it lies.
func (w *points) onHost(q *point, out gpu.Memory, step int64) error {
	if w.host {
		kernels.TaskBytes(out.Bytes(), step, q.word(q.id))
	} else if err := w.set.TaskCompute(w.stream, out, w.lanes, step, q.word(q.id), 0, w.blocks); err != nil {
		return err
	}
	if w.kernel == kernelBusy {
		w.busy = kernels.TaskBusy(w.size)
	}
	return nil
}

// SetLevel sets the size of tasks: what a search varies.
func (w *points) SetLevel(size int64) { w.size = size }

// Probe names a message that carries data, and the PE it goes to. Few timesteps may have none, whatever the pattern.
func (w *points) Probe() (gpu.Memory, int) {
	for i, own := range w.mine {
		for _, q := range own {
			for t := 1; t < min(q.g.Steps, w.even[i]+w.sets[i]); t++ {
				if !q.g.Has(t-1, q.id) {
					continue
				}
				for _, to := range q.sets[w.setAt(i, t)].to {
					if pe := cut.BlockOf(to, q.g.Width, w.pe.Size); pe != w.pe.Rank && q.g.Has(t, to) {
						return q.out[0], pe
					}
				}
			}
		}
	}
	return gpu.Memory{}, -1
}

// Close frees the buffers.
func (w *points) Close() error {
	var errs []error
	w.pe.Endpoint.TimeCopies(false)
	for _, b := range w.buffers {
		errs = append(errs, b.Free())
	}
	w.buffers = nil
	if w.stream != nil {
		errs = append(errs, w.stream.Close())
		w.stream = nil
	}
	return errors.Join(errs...)
}

func (q *point) name(t int) string {
	if q.g.Index > 0 {
		return fmt.Sprintf("task (%d, %d) of graph %d", t, q.id, q.g.Index)
	}
	return fmt.Sprintf("task (%d, %d)", t, q.id)
}
