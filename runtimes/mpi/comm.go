// Comm: ranks, point-to-point messages, duplicated communicators.

// Package mpi is the rank model: communicators over a transport.Endpoint with
// two-sided messages, persistent requests, Cartesian topology, and collectives
// that are our own trees and rings, so that they are the same algorithms over
// every transport.
//
// A Comm belongs to its Endpoint's locked OS thread. Buffers are gpu.Memory of
// any space; how device memory travels is the Endpoint's affair. Errors are
// the Endpoint's own and name the peer; a wrong rank, root or length is the
// program's bug and panics.
package mpi

import (
	"fmt"

	"gpubench/gpu"
	"gpubench/runtimes/schedule"
	"gpubench/runtimes/transport"
)

// Wildcards of receives, and the rank that is nobody: a message to or from it
// is complete at once and moves nothing (MPI_PROC_NULL).
const (
	AnySource = transport.AnySource
	AnyTag    = transport.AnyTag
	ProcNull  = -2
)

// Status says what was received. From ProcNull it is {ProcNull, AnyTag, 0}.
type Status = transport.Status

// Request names an operation under way; the zero value is complete.
type Request = transport.Request

// Comm is a communicator: all PEs of an Endpoint, under contexts of their own.
type Comm struct {
	ep         *transport.Endpoint
	rank, size int
	p2p        uint8 // context of point-to-point messages
	tag        int   // of this communicator's collectives, on CtxCollective
	contexts   *contexts
	algorithm  schedule.Algorithm
	scratch    scratch
	pending    []Request  // of Gather, kept from call to call
	both       [2]Message // of Sendrecv and exchange
	ints       [2]int64   // of agree: here, since transports take no stack memory
}

// contexts are those of an Endpoint that duplicates may have. Every PE
// duplicates and frees in the same order, so all hand out the same numbers.
type contexts struct {
	used    [256]bool
	nextTag int
}

// World returns the communicator of all PEs. Duplicates of two worlds of one
// Endpoint would share contexts: make a second one only when the first one's
// are freed.
func World(ep *transport.Endpoint) *Comm {
	return &Comm{
		ep: ep, rank: ep.Rank(), size: ep.Size(),
		p2p: transport.CtxModel, contexts: &contexts{nextTag: 1},
	}
}

// Rank is this PE's number, from 0 to Size-1.
func (c *Comm) Rank() int { return c.rank }

// Size is the number of ranks.
func (c *Comm) Size() int { return c.size }

// Endpoint is what carries the messages.
func (c *Comm) Endpoint() *transport.Endpoint { return c.ep }

// Send returns when buf may be written again. It may wait for the receiver.
func (c *Comm) Send(buf gpu.Memory, dst, tag int) error {
	if dst == ProcNull {
		return nil
	}
	return c.ep.Send(c.p2p, buf, dst, tag)
}

// Recv waits for a message from src (or AnySource) with tag (or AnyTag). One
// longer than buf is transport.ErrTruncated.
func (c *Comm) Recv(buf gpu.Memory, src, tag int) (Status, error) {
	if src == ProcNull {
		return nobody, nil
	}
	return c.ep.Recv(c.p2p, buf, src, tag)
}

var nobody = Status{Source: ProcNull, Tag: AnyTag}

// Isend begins a send. buf must not be written until the request is complete.
func (c *Comm) Isend(buf gpu.Memory, dst, tag int) (Request, error) {
	if dst == ProcNull {
		return Request{}, nil
	}
	return c.ep.Isend(c.p2p, buf, dst, tag)
}

// Irecv begins a receive. buf must not be touched until the request is complete.
func (c *Comm) Irecv(buf gpu.Memory, src, tag int) (Request, error) {
	if src == ProcNull {
		return Request{}, nil
	}
	return c.ep.Irecv(c.p2p, buf, src, tag)
}

// Wait ends the request. For the zero Request it returns the status of ProcNull.
func (c *Comm) Wait(r Request) (Status, error) {
	if r.IsZero() {
		return nobody, nil
	}
	return c.ep.Wait(r)
}

// Waitall ends all requests and sets each to zero. The first error is
// returned, after all have ended.
func (c *Comm) Waitall(rs []Request) error { return c.ep.WaitAll(rs) }

// Test makes one pass of progress; if the request is complete it ends it.
func (c *Comm) Test(r Request) (done bool, st Status, err error) {
	if r.IsZero() {
		return true, nobody, nil
	}
	return c.ep.Test(r)
}

// Cancel asks for the request's end. Wait then returns transport.ErrCancelled,
// or as usual where it was too late.
func (c *Comm) Cancel(r Request) error {
	if r.IsZero() {
		return nil
	}
	return c.ep.Cancel(r)
}

// Iprobe looks for a message that Recv from src (or AnySource) with tag (or
// AnyTag) would take, and makes one pass of progress. It takes nothing. Len is
// transport.LenUnknown where messages are staged in a pipeline.
func (c *Comm) Iprobe(src, tag int) (Status, bool, error) {
	if src == ProcNull {
		return nobody, true, nil
	}
	return c.ep.Probe(c.p2p, src, tag)
}

// Probe waits for a message that Iprobe would find.
func (c *Comm) Probe(src, tag int) (Status, error) {
	if src == ProcNull {
		return nobody, nil
	}
	return c.ep.WaitProbe(c.p2p, src, tag)
}

// Sendrecv sends and receives at once, so that ranks which exchange cannot
// wait for each other. send and recv must not overlap.
func (c *Comm) Sendrecv(send gpu.Memory, dst, sendTag int, recv gpu.Memory, src, recvTag int) (Status, error) {
	if src == ProcNull {
		return nobody, c.Send(send, dst, sendTag)
	}
	if dst == ProcNull {
		return c.Recv(recv, src, recvTag)
	}
	c.both = [...]Message{SendOf(send, dst, sendTag), RecvOf(recv, src, recvTag)}
	err := c.Exchange(c.both[:])
	return c.both[1].Status, err
}

// Message is one of those of an Exchange or a Batch.
type Message = transport.Message

// Batch is messages that go together again and again: its Run is their Exchange, at less cost.
type Batch = transport.Batch

// SendOf is a message to dst.
func SendOf(buf gpu.Memory, dst, tag int) Message {
	return Message{Kind: transport.OpSend, Buf: buf, Peer: dst, Tag: tag}
}

// RecvOf is a message from src (or AnySource) with tag (or AnyTag). Exchange sets its Status.
func RecvOf(buf gpu.Memory, src, tag int) Message {
	return Message{Kind: transport.OpRecv, Buf: buf, Peer: src, Tag: tag}
}

// Exchange begins all of ms, in their order, and returns when all have ended, in the common case in one call of the library
// below. Peers are ranks: ProcNull is not among them. Sends go best before receives: short ones are gone when they are
// posted.
func (c *Comm) Exchange(ms []Message) error { return c.ep.Exchange(c.p2p, ms) }

// Prepare makes a Batch of ms, which it keeps, as MPI_Send_init and MPI_Recv_init do; to run it is MPI_Startall and
// MPI_Waitall.
func (c *Comm) Prepare(ms []Message) (*Batch, error) { return c.ep.Prepare(c.p2p, ms) }

// withdraw ends a receive whose partner failed, so that its buffer is free.
func (c *Comm) withdraw(r Request) {
	if !r.IsZero() {
		_ = c.ep.Cancel(r) // the error that led here is the one to report
		_, _ = c.ep.Wait(r)
	}
}

// Dup returns a communicator of the same ranks whose messages never match this
// one's. All ranks call it, in the same order among their Dups and Frees. An
// Endpoint has few contexts: when they are used up the error is
// transport.ErrUnsupported.
func (c *Comm) Dup() (*Comm, error) {
	d := &Comm{ep: c.ep, rank: c.rank, size: c.size, contexts: c.contexts, algorithm: c.algorithm}
	for ctx := transport.CtxFree; int(ctx) < c.ep.Caps().Contexts; ctx++ {
		if !c.contexts.used[ctx] {
			d.p2p = ctx
			break
		}
	}
	if d.p2p == 0 {
		return nil, &transport.Error{
			Op: "duplicate communicator", Rank: c.rank, Peer: AnySource, Tag: AnyTag,
			Kind: transport.ErrUnsupported, Detail: fmt.Sprintf("all %d contexts are in use", c.ep.Caps().Contexts),
			Mend: "free a communicator first",
		}
	}
	c.contexts.used[d.p2p] = true
	d.tag = c.contexts.nextTag
	c.contexts.nextTag = d.tag%transport.MaxTag + 1 // 0 is the world's
	if err := c.agree(d); err != nil {
		return nil, err
	}
	return d, nil
}

// agree makes sure that all ranks duplicated alike: else their messages would
// pass each other by without a word.
func (c *Comm) agree(d *Comm) error {
	mine := int64(d.p2p)<<32 | int64(d.tag)
	x := c.ints[:]
	x[0], x[1] = mine, -mine
	if err := c.allreduceInts(x, MaxInt64); err != nil {
		return err
	}
	if x[0] != -x[1] {
		panic("mpi: the ranks duplicate and free communicators in different orders")
	}
	return nil
}

// Free gives back what the communicator holds: its context and its scratch
// buffers. None of its operations may be under way. The world's Free leaves
// its contexts alone; it can be used again.
func (c *Comm) Free() error {
	if c.p2p >= transport.CtxFree {
		c.contexts.used[c.p2p] = false
	}
	return c.scratch.free()
}
