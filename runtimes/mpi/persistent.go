// Persistent requests: an operation set up once and started many times.
package mpi

import "gpubench/gpu"

// Persistent is a send or receive that can be started again and again
// (MPI_Send_init, MPI_Recv_init). Starting it does not allocate.
type Persistent struct {
	c         *Comm
	send      bool
	buf       gpu.Memory
	peer, tag int
	r         Request
	active    bool
}

// SendInit sets up a send.
func (c *Comm) SendInit(buf gpu.Memory, dst, tag int) *Persistent {
	return &Persistent{c: c, send: true, buf: buf, peer: dst, tag: tag}
}

// RecvInit sets up a receive.
func (c *Comm) RecvInit(buf gpu.Memory, src, tag int) *Persistent {
	return &Persistent{c: c, buf: buf, peer: src, tag: tag}
}

// Start begins the operation. Starting one that is under way is a bug.
func (p *Persistent) Start() (err error) {
	if p.active {
		panic("mpi: start of a persistent request that is under way")
	}
	if p.send {
		p.r, err = p.c.Isend(p.buf, p.peer, p.tag)
	} else {
		p.r, err = p.c.Irecv(p.buf, p.peer, p.tag)
	}
	p.active = err == nil
	return err
}

// Wait ends the operation, which can then be started again. Where none is
// under way it returns at once.
func (p *Persistent) Wait() (Status, error) {
	if !p.active {
		return nobody, nil
	}
	p.active = false
	return p.c.Wait(p.r)
}

// Test makes one pass of progress; done says that the operation has ended.
func (p *Persistent) Test() (done bool, st Status, err error) {
	if !p.active {
		return true, nobody, nil
	}
	done, st, err = p.c.Test(p.r)
	p.active = !done
	return done, st, err
}

// Cancel asks for the operation's end; Wait says how it went.
func (p *Persistent) Cancel() error {
	if !p.active {
		return nil
	}
	return p.c.Cancel(p.r)
}

// Startall starts all of ps in order, and stops at the first error.
func Startall(ps []*Persistent) error {
	for _, p := range ps {
		if err := p.Start(); err != nil {
			return err
		}
	}
	return nil
}

// WaitallPersistent ends all of ps. The first error is returned, after all
// have ended.
func WaitallPersistent(ps []*Persistent) error {
	var first error
	for _, p := range ps {
		if _, err := p.Wait(); err != nil && first == nil {
			first = err
		}
	}
	return first
}
