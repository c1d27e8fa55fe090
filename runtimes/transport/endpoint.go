// Package transport moves bytes between processing elements (PEs): tagged messages with MPI's matching rules, and small
// active messages (headers). Endpoint holds what is the same for all: checks, staging through host memory, deadlines,
// counters. A Driver underneath moves the bytes: inproc (threads of this process), libmpi (the user's MPI).
//
// An Endpoint belongs to one locked OS thread, that of its PE: every call comes from there, and only calls make
// progress.
package transport

import (
	"time"

	"gpubench/gpu"
)

// Path is how data travels.
type Path uint8

const (
	Host   Path = iota // host memory as it is; device memory is refused
	Staged             // device memory through host buffers of the Endpoint
	Direct             // the device pointer is given to the driver
)

// Staging is how the path Staged works.
type Staging uint8

const (
	Pipelined Staging = iota // in chunks that overlap
	Simple                   // whole buffer to the host, then send
)

// PathConfig says how messages travel. Every PE must have the same one while messages are under way; CtxControl is not
// concerned.
type PathConfig struct {
	Path         Path
	Staging      Staging
	StagingSpace gpu.Space // Pinned or Pageable; the zero value is Pageable
	Chunk        int       // bytes of a pipelined chunk, 0: DefaultChunk
}

// Config is what an Endpoint is made with.
type Config struct {
	Device   *gpu.Device   // for staging; nil where no device memory is sent. Bound to the calling thread
	Deadline time.Duration // how long a wait may last; 0: DefaultDeadline; negative: for ever
	Yield    bool          // waits give the core away between polls: for more PEs than cores
}

const (
	DefaultDeadline = time.Minute
	DefaultChunk    = 256 << 10
)

// Status says what was received.
type Status struct {
	Source, Tag int
	Len         int // bytes
}

// Request names an operation under way. It is a plain value; the zero Request is complete (MPI_REQUEST_NULL). Wait, or a
// Test that returns true, ends it: a later use of it (or a copy) panics.
type Request struct {
	s   *slot
	gen uint32
}

// IsZero reports whether r names no operation.
func (r Request) IsZero() bool { return r.s == nil }

type slot struct{}

// Traffic counts messages and their payload bytes.
type Traffic struct{ Messages, Bytes int64 }

// Counters says what went through an Endpoint since New (or the last ResetStats).
type Counters struct {
	Sent, Received [3]Traffic // by Path really taken; Received counts completed ones
	ToHost         Traffic    // staging copies device to host
	ToDevice       Traffic    // staging copies host to device
	HostCopies     Traffic    // staging copies host to host
	HeadersSent    Traffic
	HeadersTaken   Traffic
	HeaderRetries  int64 // SendHeader found the queue full
}

type Endpoint struct {
	d Driver
}

// New takes over d: Close closes it.
func New(d Driver, c Config) (*Endpoint, error) { panic("transport: pending") }

func (e *Endpoint) Rank() int                          { panic("transport: pending") }
func (e *Endpoint) Size() int                          { panic("transport: pending") }
func (e *Endpoint) Caps() Caps                         { panic("transport: pending") }
func (e *Endpoint) Device() *gpu.Device                { panic("transport: pending") }
func (e *Endpoint) Stats() Counters                    { panic("transport: pending") }
func (e *Endpoint) ResetStats()                        { panic("transport: pending") }
func (e *Endpoint) SetPath(p PathConfig) error         { panic("transport: pending") }
func (e *Endpoint) Path() PathConfig                   { panic("transport: pending") }
func (e *Endpoint) SetDeadline(d time.Duration)        { panic("transport: pending") }
func (e *Endpoint) Lane(buf gpu.Memory, peer int) Lane { panic("transport: pending") }

func (e *Endpoint) Isend(ctx uint8, buf gpu.Memory, dst, tag int) (Request, error) {
	panic("transport: pending")
}
func (e *Endpoint) Irecv(ctx uint8, buf gpu.Memory, src, tag int) (Request, error) {
	panic("transport: pending")
}

// Send and Recv are the blocking ones: one crossing into the driver in the common case.
func (e *Endpoint) Send(ctx uint8, buf gpu.Memory, dst, tag int) error { panic("transport: pending") }
func (e *Endpoint) Recv(ctx uint8, buf gpu.Memory, src, tag int) (Status, error) {
	panic("transport: pending")
}

// Wait ends r. On ErrDeadline too r is over (it was cancelled).
func (e *Endpoint) Wait(r Request) (Status, error) { panic("transport: pending") }

// WaitAll ends all of rs and sets each to the zero Request. The first error is returned, after all have ended.
func (e *Endpoint) WaitAll(rs []Request) error { panic("transport: pending") }

// Test makes one pass of progress and ends r if it is complete.
func (e *Endpoint) Test(r Request) (done bool, st Status, err error) { panic("transport: pending") }

// Completed reports whether Wait would return at once. It makes no progress.
func (e *Endpoint) Completed(r Request) bool { panic("transport: pending") }

// Progress makes one pass of progress.
func (e *Endpoint) Progress() error { panic("transport: pending") }

// Cancel asks for r's end. Wait then returns ErrCancelled, or as usual where it was too late.
func (e *Endpoint) Cancel(r Request) error { panic("transport: pending") }

// SendHeader sends an active message; while the queue is full it makes progress.
func (e *Endpoint) SendHeader(peer int, h []byte) error { panic("transport: pending") }

// RecvHeader takes the next active message, if one is there, and makes one pass of progress.
func (e *Endpoint) RecvHeader(buf []byte) (peer, n int, ok bool, err error) {
	panic("transport: pending")
}

func (e *Endpoint) Close() error { panic("transport: pending") }
