// Ranks: the point-to-point benchmarks in the rank model, and what makes their
// bodies in all models.

package suite

import (
	"gpubench/internal/bench"
	"gpubench/internal/result"
	"gpubench/runtimes/charm"
	"gpubench/runtimes/mpi"
)

// Tags of the rank model's messages.
const (
	tagData = iota + 1
	tagAck
)

// ranks is a PE's body: one side of a pair, or idle.
type ranks struct {
	*messages
	comm *mpi.Comm
	// Requests of a window's sends and receives.
	sends, recvs []mpi.Request
	run          func(b *ranks, n int) error
}

func (b *ranks) Batch(n int, clk *bench.Clock) error {
	if b.peer < 0 {
		return nil
	}
	b.start(clk, n)
	if err := b.run(b, n); err != nil {
		return err
	}
	b.stop()
	return nil
}

func (b *ranks) Check() (result.Validation, error) {
	return b.check(func(n int) error { return b.Batch(n, &bench.Clock{}) }, b.window)
}

// makers makes a benchmark's bodies: of says how its messages go, the others
// what a side does in n iterations.
func makers(of func(result.Params) shape, asRank func(*ranks, int) error, asChare func(*player, *charm.Thread, int) error) map[bench.Model]func(*bench.PE, result.Params) (bench.Body, error) {
	return map[bench.Model]func(*bench.PE, result.Params) (bench.Body, error){
		bench.MPI: func(pe *bench.PE, p result.Params) (bench.Body, error) {
			s := of(p)
			m, err := newMessages(pe, p, s)
			if err != nil {
				return nil, err
			}
			return &ranks{messages: m, comm: mpi.World(pe.Endpoint), run: asRank,
				sends: make([]mpi.Request, s.window), recvs: make([]mpi.Request, s.window)}, nil
		},
		bench.Charm: func(pe *bench.PE, p result.Params) (bench.Body, error) { return newPair(pe, p, of(p), asChare) },
	}
}
