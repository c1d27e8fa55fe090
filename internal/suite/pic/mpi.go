// The rank model's body: a rank has one block, and exchanges with those next to it, numbers first and then particles, as
// MPI1/PIC-static does.

package pic

import (
	"errors"
	"time"

	"gpubench/gpu"
	"gpubench/internal/bench"
	"gpubench/internal/result"
	"gpubench/internal/suite/phases"
	"gpubench/runtimes/mpi"
)

const (
	tagCount = iota
	tagParticles
)

type ranks struct {
	*part
	b     *block
	comm  *mpi.Comm
	recvs []mpi.Request
	sends []mpi.Request
}

func newMPI(pe *bench.PE, p result.Params) (bench.Body, error) {
	q, err := newProblem(p)
	if err != nil {
		return nil, err
	}
	w, err := q.newPart(pe, p)
	if err != nil {
		return nil, err
	}
	r := &ranks{part: w, comm: mpi.World(pe.Endpoint)}
	b, err := w.newBlock(pe.Rank)
	w.blocks = append(w.blocks, b)
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	r.b = b
	return r, nil
}

func (r *ranks) Batch(n int, clk *bench.Clock) error {
	before := r.pe.Endpoint.CopySeconds()
	r.applied += int64(n) // before: an iteration that is left out is to be seen
	clk.Start()
	for range n {
		if err := r.step(clk); err != nil {
			return err
		}
	}
	if err := r.b.stream.Sync(); err != nil {
		return err
	}
	if err := r.b.previous(clk); err != nil {
		return err
	}
	clk.Stop()
	r.lapCopies(clk, before)
	return nil
}

func (r *ranks) step(clk *bench.Clock) error {
	if err := r.b.move(); err != nil {
		return err
	}
	for again := true; again; {
		err := r.b.packed.Sync()
		if err != nil {
			return err
		}
		if again, err = r.b.leave(); err != nil {
			return err
		}
	}
	if _, err := r.b.account(clk); err != nil {
		return err
	}
	began := bench.Now()
	if err := r.exchange(clk, tagCount, r.b.coming, r.b.count); err != nil {
		return err
	}
	if err := r.b.expect(); err != nil {
		return err
	}
	if err := r.exchange(clk, tagParticles, r.b.ahead, r.b.outgoing); err != nil {
		return err
	}
	clk.Lap(lapComm, time.Duration(bench.Now()-began))
	return r.b.attach()
}

// exchange sends to and receives from every neighbour; what is empty is not sent.
func (r *ranks) exchange(clk *bench.Clock, tag int, in, out func(i int) gpu.Memory) error {
	r.recvs, r.sends = r.recvs[:0], r.sends[:0]
	began := r.now()
	for i, n := range r.b.near {
		var q mpi.Request
		if m := in(i); m.Len > 0 {
			var err error
			if q, err = r.comm.Irecv(m, n.block, tag); err != nil {
				return err
			}
		}
		r.recvs = append(r.recvs, q)
	}
	for i, n := range r.b.near {
		if m := out(i); m.Len > 0 {
			q, err := r.comm.Isend(m, n.block, tag)
			if err != nil {
				return err
			}
			r.sends = append(r.sends, q)
		}
	}
	posted := r.now()
	for i, q := range r.recvs {
		if in(i).Len == 0 {
			continue
		}
		st, err := r.comm.Wait(q)
		if err != nil {
			return err
		}
		if st.Len != in(i).Len {
			return r.b.short(i, st.Len, in(i).Len)
		}
	}
	if err := r.comm.Waitall(r.sends); err != nil || !r.phases {
		return err
	}
	clk.Lap(phases.Post, time.Duration(posted-began))
	clk.Lap(phases.Wait, time.Duration(r.now()-posted))
	return nil
}

// Probe names a message that carries data, and the PE it goes to. Few particles may have crossed no border.
func (r *ranks) Probe() (gpu.Memory, int) {
	if len(r.b.near) == 0 || r.left == 0 {
		return gpu.Memory{}, -1
	}
	return r.b.out.Memory(), r.b.near[0].block
}

func (r *ranks) Close() error { return r.part.Close() }
