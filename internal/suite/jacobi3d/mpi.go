// The rank model's body: a rank runs its blocks side by side, all their faces
// under way at once.

package jacobi3d

import (
	"errors"
	"time"

	"gpubench/internal/bench"
	"gpubench/internal/result"
	"gpubench/kernels"
	"gpubench/runtimes/mpi"
)

type ranks struct {
	*part3D
	comm  *mpi.Comm
	recvs []*mpi.Persistent
	sends []*mpi.Persistent
	sizes []int // of recvs
}

func newMPI(pe *bench.PE, p result.Params) (bench.Body, error) {
	q, err := newProblem(p)
	if err != nil {
		return nil, err
	}
	w, err := q.mine(pe, p)
	if err != nil {
		return nil, err
	}
	r := &ranks{part3D: w, comm: mpi.World(pe.Endpoint)}
	for i, b := range w.blocks {
		for f := range kernels.Face(kernels.Faces) {
			at, ok := q.neighbour(b.at, f)
			if !ok {
				continue
			}
			n := q.index(at)
			// A tag names the receiving block among its rank's, and its face.
			r.recvs = append(r.recvs, r.comm.RecvInit(b.in[f], q.owner(n), i*kernels.Faces+int(f)))
			r.sizes = append(r.sizes, b.in[f].Len)
			r.sends = append(r.sends, r.comm.SendInit(b.out[f], q.owner(n), n%q.perPE()*kernels.Faces+int(f.Opposite())))
		}
	}
	return r, nil
}

func (r *ranks) Batch(n int, clk *bench.Clock) error {
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
	r.applied += n
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
	for _, b := range r.blocks {
		if err := b.interior(); err != nil {
			return err
		}
	}
	for i, p := range r.recvs {
		st, err := p.Wait()
		if err != nil {
			return err
		}
		if st.Len != r.sizes[i] {
			return short(st.Source, st.Len, r.sizes[i])
		}
	}
	if err := mpi.WaitallPersistent(r.sends); err != nil {
		return err
	}
	clk.Lap(lapComm, time.Duration(bench.Now()-began))
	for _, b := range r.blocks {
		if err := b.shell(); err != nil {
			return err
		}
	}
	return nil
}
