// The rank model's body: a rank runs its blocks side by side, all their faces
// under way at once.

package stencil

import (
	"errors"
	"time"

	"gpubench/internal/bench"
	"gpubench/internal/result"
	"gpubench/internal/suite/phases"
	"gpubench/kernels"
	"gpubench/runtimes/mpi"
)

type ranks struct {
	*share
	comm  *mpi.Comm
	recvs []*mpi.Persistent
	sends []*mpi.Persistent
	sizes []int // of recvs
}

func (q *Problem) newRanks(pe *bench.PE, p result.Params) (bench.Body, error) {
	w, err := q.share(pe, p)
	if err != nil {
		return nil, err
	}
	r := &ranks{share: w, comm: mpi.World(pe.Endpoint)}
	for i, b := range w.blocks {
		for f := range kernels.Face(kernels.Faces) {
			if !b.travel.Has(f) {
				continue
			}
			at, _ := w.neighbour(b.at, f)
			n := w.Index(at)
			// A tag names the receiving block among its rank's, and its face.
			r.recvs = append(r.recvs, r.comm.RecvInit(b.in[f], w.Owner(n), i*kernels.Faces+int(f)))
			r.sizes = append(r.sizes, b.in[f].Len)
			r.sends = append(r.sends, r.comm.SendInit(b.out[f], w.Owner(n), n%w.PerPE()*kernels.Faces+int(f.Opposite())))
		}
	}
	if w.part == partComm {
		return guardedRanks{r, guard{w}}, nil
	}
	return r, nil
}

func (r *ranks) Batch(n int, clk *bench.Clock) error {
	return r.batch(n, clk, func() error { return r.run(n, clk) })
}

func (r *ranks) run(n int, clk *bench.Clock) error {
	clk.Start()
	for range n {
		if err := r.iterate(clk); err != nil {
			return err
		}
	}
	for _, b := range r.blocks {
		if err := b.finish(clk); err != nil {
			return err
		}
	}
	clk.Stop()
	return nil
}

func (r *ranks) iterate(clk *bench.Clock) error {
	for _, b := range r.blocks {
		if err := b.pack(); err != nil {
			return err
		}
	}
	// Receives are posted when the faces before them have been taken in, which
	// `ready` tells; sends leave when theirs are packed.
	for _, b := range r.blocks {
		if err := b.ready.Sync(); err != nil {
			return err
		}
		if err := b.account(clk); err != nil {
			return err
		}
	}
	began := bench.Now()
	if err := errors.Join(mpi.Startall(r.recvs), mpi.Startall(r.sends)); err != nil {
		return err
	}
	posted := began
	if r.phases {
		posted = bench.Now()
	}
	for _, b := range r.blocks {
		if err := b.interior(); err != nil {
			return err
		}
	}
	if err := r.arrive(); err != nil {
		return err
	}
	arrived := bench.Now()
	clk.Lap(lapComm, time.Duration(arrived-began))
	if r.phases {
		clk.Lap(phases.Post, time.Duration(posted-began))
		clk.Lap(phases.Wait, time.Duration(arrived-posted))
	}
	for _, b := range r.blocks {
		if err := b.shell(); err != nil {
			return err
		}
	}
	return nil
}

// arrive waits for the faces, those that come and those that leave.
func (r *ranks) arrive() error {
	for i, p := range r.recvs {
		st, err := p.Wait()
		if err != nil {
			return err
		}
		if st.Len != r.sizes[i] {
			return short(st.Source, st.Len, r.sizes[i])
		}
	}
	return mpi.WaitallPersistent(r.sends)
}

func (r *ranks) Check() (result.Validation, error) {
	return r.check(func(n int) error { return r.Batch(n, new(bench.Clock)) })
}
