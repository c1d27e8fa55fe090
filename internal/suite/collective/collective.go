// Package collective is the collective benchmarks: barrier, bcast, reduce, allreduce, allgather, alltoall and
// reduce_scatter, one table of them and one body per model.
//
// What an operation is and how it is timed follows the OSU Micro-Benchmarks 7.4 (c/mpi/collective/blocking): each operation
// is timed by itself on every PE, with a barrier before it that is not. Bandwidths are those of nccl-tests
// (doc/PERFORMANCE.md). Reductions add up float64s.
package collective

import (
	"fmt"
	"slices"
	"strings"

	"gpubench/gpu"
	"gpubench/internal/bench"
	"gpubench/internal/result"
	"gpubench/runtimes/charm"
	"gpubench/runtimes/charm/team"
	"gpubench/runtimes/mpi"
	"gpubench/runtimes/schedule"
)

// collective is a row of the table. Its unit is size_bytes, or with size_is=total a PE's share of it: see unit.
type collective struct {
	name, doc string
	// What a PE holds, as far as it has a use for it; see shape.
	send, recv func(s shape) int
	reduces    bool // adds up float64s; else it moves bytes
	rooted     bool // PE 0's part is another than the others'
	// by are the algorithms of ours that can be asked for; empty: there is one, which is neither a tree nor a ring.
	by []string
	// messages is how many an operation of ours sends at least over n PEs, in a ring or not; nil: the barrier's, which is
	// the model's.
	messages func(n int, ring bool) int
	// bus is what nccl-tests' bus bandwidth is to the algorithm's over n PEs; nil: no data, no bandwidth.
	bus func(n float64) float64

	mpi  func(c mpi.Collectives, send, recv gpu.Memory, op mpi.Op, root int) error
	team func(m *team.Team, t *charm.Thread, send, recv gpu.Memory, op team.Op, root int) error
}

// shape is one PE's view of the data.
type shape struct {
	size      int // bytes of a unit
	pes, rank int
}

func (s shape) none() int  { return 0 }
func (s shape) one() int   { return s.size }
func (s shape) all() int   { return s.size * s.pes }
func (s shape) share() int { return s.shareAt().Len }

// shareAt is this PE's share of a vector that begins at address 0: see mpi.Share.
func (s shape) shareAt() gpu.Memory {
	return mpi.Share(gpu.Memory{Len: s.size}, elementBytes, s.pes, s.rank)
}

const elementBytes = 8

// perPE is the factor of collectives in which each PE keeps 1/n of the data and moves the rest.
func perPE(n float64) float64 { return (n - 1) / n }

func once(float64) float64 { return 1 }

// toEach is a message from every PE to every other one, or as many steps of a ring.
func toEach(n int, _ bool) int { return n * (n - 1) }

func when(is bool, n int) int {
	if is {
		return n
	}
	return 0
}

var table = []*collective{
	{
		name: "barrier", doc: "time until all PEs have come (osu_barrier)",
		send: shape.none, recv: shape.none,
		mpi: func(c mpi.Collectives, _, _ gpu.Memory, _ mpi.Op, _ int) error { return c.Barrier() },
	},
	{
		name: "bcast", doc: "PE 0's buffer to all PEs (osu_bcast)",
		send: shape.one, recv: shape.one, rooted: true, bus: once, by: []string{tree, ring},
		messages: func(n int, ring bool) int { return n - 1 + when(ring, n*(n-1)) },
		mpi:      func(c mpi.Collectives, _, recv gpu.Memory, _ mpi.Op, root int) error { return c.Bcast(recv, root) },
		team: func(m *team.Team, t *charm.Thread, _, recv gpu.Memory, _ team.Op, root int) error {
			return m.Bcast(t, recv, root)
		},
	},
	{
		name: "reduce", doc: "sum of all PEs' float64s on PE 0 (osu_reduce)",
		send: shape.one, recv: shape.one, rooted: true, reduces: true, bus: once, by: []string{tree, ring},
		messages: func(n int, ring bool) int { return n - 1 + when(ring, n*(n-1)) },
		mpi: func(c mpi.Collectives, send, recv gpu.Memory, op mpi.Op, root int) error {
			return c.Reduce(send, recv, op, root)
		},
		team: func(m *team.Team, t *charm.Thread, send, recv gpu.Memory, op team.Op, root int) error {
			return m.Reduce(t, send, recv, op, root)
		},
	},
	{
		name: "allreduce", doc: "sum of all PEs' float64s on every PE (osu_allreduce)",
		send: shape.one, recv: shape.one, reduces: true, bus: func(n float64) float64 { return 2 * perPE(n) }, by: []string{tree, ring},
		messages: func(n int, ring bool) int { return 2 * (n - 1) * (1 + when(ring, n-1)) },
		mpi: func(c mpi.Collectives, send, recv gpu.Memory, op mpi.Op, _ int) error {
			return c.Allreduce(send, recv, op)
		},
		team: func(m *team.Team, t *charm.Thread, send, recv gpu.Memory, op team.Op, _ int) error {
			return m.Allreduce(t, send, recv, op)
		},
	},
	{
		name: "allgather", doc: "all PEs' blocks, one after the other, on every PE (osu_allgather)",
		send: shape.one, recv: shape.all, bus: perPE, by: []string{ring}, messages: toEach,
		mpi: func(c mpi.Collectives, send, recv gpu.Memory, _ mpi.Op, _ int) error { return c.Allgather(send, recv) },
		team: func(m *team.Team, t *charm.Thread, send, recv gpu.Memory, _ team.Op, _ int) error {
			return m.Allgather(t, send, recv)
		},
	},
	{
		name: "alltoall", doc: "a block from every PE to every PE (osu_alltoall)",
		send: shape.all, recv: shape.all, bus: perPE, messages: toEach,
		mpi: func(c mpi.Collectives, send, recv gpu.Memory, _ mpi.Op, _ int) error { return c.Alltoall(send, recv) },
		team: func(m *team.Team, t *charm.Thread, send, recv gpu.Memory, _ team.Op, _ int) error {
			return m.Alltoall(t, send, recv)
		},
	},
	{
		name: "reduce_scatter", doc: "sum of all PEs' float64s, a share on each PE (osu_reduce_scatter)",
		send: shape.one, recv: shape.share, reduces: true, bus: perPE, by: []string{ring}, messages: toEach,
		mpi: func(c mpi.Collectives, send, recv gpu.Memory, op mpi.Op, _ int) error {
			return c.ReduceScatter(send, recv, op)
		},
		team: func(m *team.Team, t *charm.Thread, send, recv gpu.Memory, op team.Op, _ int) error {
			return m.ReduceScatter(t, send, recv, op)
		},
	},
}

// Benchmarks are those of the table, in its order.
var Benchmarks = func() (all []*bench.Benchmark) {
	for _, c := range table {
		all = append(all, c.benchmark())
	}
	return all
}()

func (c *collective) benchmark() *bench.Benchmark {
	b := &bench.Benchmark{
		Name: c.name, Doc: c.doc,
		Metrics: []bench.Metric{{
			Name: "latency", Unit: "s", Lap: lapOperation,
			Doc: "time of an operation, a barrier before each outside; mean over a batch, largest PE. latency_mean, over the PEs, is OSU's",
		}},
		New: map[bench.Model]func(*bench.PE, result.Params) (bench.Body, error){
			bench.MPI:   func(pe *bench.PE, p result.Params) (bench.Body, error) { return newMPI(c, pe, p) },
			bench.Charm: func(pe *bench.PE, p result.Params) (bench.Body, error) { return newCharm(c, pe, p) },
		},
		MinPEs: 2, Iterations: counts, Settle: c.settle,
	}
	if c.hasData() {
		b.Params = append(b.Params, bench.Param{Name: "size_bytes", Unit: "B", Doc: c.sizeDoc(), Default: int64(1 << 10), Quick: int64(64 << 10)})
		if c.inBlocks() {
			b.Params = append(b.Params, bench.Param{Name: "size_is", Default: "per_pe", Flag: "size-is", Values: []string{"per_pe", "total"},
				Doc: "what size_bytes is of: a block, as OSU's (per_pe), or all PEs' blocks, as nccl-tests' (total)"})
		}
		b.Metrics = append(b.Metrics, c.bandwidths()...)
		b.Memory = c.memory
		b.Longest = c.unit
		b.Ceilings = c.ceilings
	}
	b.Params = append(b.Params,
		bench.Param{Name: "collective", Doc: "our own, by size trees or rings (own), or trees or rings for all sizes (tree, ring); those of the MPI library " +
			"(model mpi over mpi), or NCCL's (model mpi, path direct)",
			Default: own, Flag: "collective", Values: []string{own, tree, ring, library, byNCCL}},
		bench.Param{Name: "iterations", Doc: "timed operations in all", Default: int64(1000)})
	return b
}

// Whose collectives are measured.
const (
	own     = "own" // trees or rings by size
	tree    = "tree"
	ring    = "ring"
	library = "library"
	byNCCL  = "nccl"
)

// lapOperation is the clock's lap of the operations alone.
const lapOperation = "operation"

func (c *collective) hasData() bool { return c.bus != nil }

// inBlocks: the size is of a block that each PE gives or gets, and there are as many as PEs.
func (c *collective) inBlocks() bool { return c.recv(shape{size: 8, pes: 2}) == 16 }

func (c *collective) sizeDoc() string {
	switch {
	case c.inBlocks():
		return "of a PE's block, or of all together: see size_is"
	case c.reduces:
		return "of the vector that each PE adds, a multiple of 8"
	}
	return "of the buffer"
}

// counts are OSU's (util/osu_util.h, COLL_LOOP_SMALL and its like; the switch is at 8 KiB).
func counts(size int64, quick bool) (timed, warmup int64) {
	large := size > 8<<10
	switch {
	case quick && large:
		return 20, 2
	case quick:
		return 100, 10
	case large:
		return 100, 10
	}
	return 1000, 100
}

// unit is the bytes of a block, or of the whole where there are no blocks. A total is cut down to whole blocks, as
// nccl-tests do it.
func (c *collective) unit(p result.Params) int64 {
	if c.inBlocks() && p.String("size_is") == "total" {
		return p.Int("size_bytes") / p.Int("pes")
	}
	return p.Int("size_bytes")
}

// total is nccl-tests' size: the larger of what a PE gives and gets.
func (c *collective) total(p result.Params) int64 {
	if c.inBlocks() {
		return c.unit(p) * p.Int("pes")
	}
	return c.unit(p)
}

func (c *collective) bandwidths() []bench.Metric {
	value := func(factor func(n float64) float64) func(p result.Params, n int, seconds float64) float64 {
		return func(p result.Params, n int, seconds float64) float64 {
			return float64(c.total(p)) * float64(n) / seconds * factor(float64(p.Int("pes")))
		}
	}
	return []bench.Metric{
		{Name: "bandwidth", Unit: "B/s", Doc: "all PEs' data / latency (nccl-tests' algbw)", Value: value(once)},
		{Name: "bus_bandwidth", Unit: "B/s", Doc: "bandwidth × what each PE must move of it (nccl-tests' busbw)", Value: value(c.bus)},
	}
}

// ours says that the collective is our own, and algorithm by which algorithm.
func ours(p result.Params) bool {
	by := p.String("collective")
	return by != library && by != byNCCL
}

func algorithm(p result.Params) schedule.Algorithm {
	return map[string]schedule.Algorithm{tree: schedule.Tree, ring: schedule.Ring}[p.String("collective")]
}

// memory is what each PE gives and gets, of a sum the scratch of two vectors, and all that once more in host memory where
// it is staged.
func (c *collective) memory(p result.Params) int64 {
	s := shape{size: int(c.unit(p)), pes: int(p.Int("pes"))}
	each := c.send(s) + c.recv(s)
	if c.reduces {
		each += 2 * s.size
	}
	if p.String("path") == "staged" {
		each *= 2
	}
	return int64(each) * p.Int("pes")
}

// settle says which parameters do not go together.
func (c *collective) settle(p result.Params) (flag string, err error) {
	if by := p.String("collective"); (by == tree || by == ring) && !slices.Contains(c.by, by) {
		return "", fmt.Errorf("%s has no %s: give --collective %s", c.name, by, strings.Join(append([]string{own}, c.by...), " or "))
	}
	if p.String("collective") == byNCCL {
		switch {
		case p.String("model") != string(bench.MPI):
			return "--model", fmt.Errorf("NCCL's collectives are of the rank model: give mpi, or --collective own")
		case p.String("path") != "direct":
			return "--collective", fmt.Errorf("NCCL takes device memory alone: give --path direct, or --collective own")
		case !c.hasData():
			return "--collective", fmt.Errorf("NCCL has no %s: give --collective own", c.name)
		case c.recv(shape{size: 16, pes: 2}) == 8 && p.Int("size_bytes")%(elementBytes*p.Int("pes")) != 0:
			return "-m", fmt.Errorf("NCCL's %s has equal shares: give multiples of %d for %d PEs", c.name, elementBytes*p.Int("pes"), p.Int("pes"))
		}
	}
	if p.String("collective") == library {
		switch {
		case p.String("model") != string(bench.MPI):
			return "--model", fmt.Errorf("the library's collectives are of the rank model: give mpi, or --collective own")
		case p.String("transport") != "mpi":
			return "--collective", fmt.Errorf("%s stands on no library with collectives: give --transport mpi, or --collective own",
				p.String("transport"))
		case p.String("path") == "staged": // in one piece, whatever was asked for
			p["staging"], p["chunk_bytes"] = "simple", nil
		}
	}
	switch {
	case !c.hasData() && p.String("path") != "host":
		return "--path", fmt.Errorf("a barrier carries no data: give host")
	case strings.Contains(p.String("space"), ":"):
		return "--space", fmt.Errorf("collectives have no two sides: give one space")
	case !c.hasData():
	case c.reduces && p.Int("size_bytes")%elementBytes != 0:
		return "-m", fmt.Errorf("%s adds up float64s: give multiples of %d, not %d", c.name, elementBytes, p.Int("size_bytes"))
	case c.unit(p) < 1:
		return "-m", fmt.Errorf("%d B leave nothing to send for %d PEs: give more", p.Int("size_bytes"), p.Int("pes"))
	}
	return "", nil
}
