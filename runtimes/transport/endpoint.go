// Package transport moves bytes between processing elements (PEs): tagged messages with MPI's matching rules, and small
// active messages (headers). Endpoint holds what is the same for all: checks, staging through host memory, deadlines,
// counters. A Driver underneath moves the bytes: inproc (threads of this process), libmpi (the user's MPI), libucx (UCX
// without any MPI).
//
// An Endpoint belongs to one locked OS thread, that of its PE: every call comes from there, and only calls make
// progress. Nothing is allocated per message once the pools have grown.
package transport

import (
	"errors"
	"fmt"
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

// String is the name used in flags and records.
func (p Path) String() string { return [...]string{"host", "staged", "direct"}[p] }

// Staging is how the path Staged works.
type Staging uint8

const (
	Pipelined Staging = iota // in chunks that overlap
	Simple                   // whole buffer to the host, then send
)

// String is the name used in flags and records.
func (s Staging) String() string { return [...]string{"pipelined", "simple"}[s] }

// PathConfig says how messages travel. Every PE must have the same one while messages are under way. CtxControl is not
// concerned: it always carries plain host memory.
type PathConfig struct {
	Path         Path
	Staging      Staging
	StagingSpace gpu.Space // Pinned or Pageable; the zero value is Pageable
	Chunk        int       // bytes of a pipelined chunk, 0: DefaultChunk
}

// Config is what an Endpoint is made with.
type Config struct {
	Device   *gpu.Device   // for staging; nil where none is done. Bound to the calling thread
	Deadline time.Duration // how long a wait may last; 0: DefaultDeadline; negative: for ever
	Yield    bool          // waits give the core away between polls: for more PEs than cores
}

const (
	DefaultDeadline = time.Minute
	DefaultChunk    = 256 << 10 // what MVAPICH2 takes (MV2_CUDA_BLOCK_SIZE): below, a copy's start shows
	MinChunk        = 4 << 10   // the smallest chunk, and the smallest staging buffer
	MaxChunk        = 1 << 30
)

// Endpoint is one PE's door to the others.
type Endpoint struct {
	d    Driver
	caps Caps
	dev  *gpu.Device

	deadline time.Duration
	alarm    func() bool
	yield    bool
	polls    int // passes of one crossing while waiting

	path  PathConfig
	paths int     // how often it was set
	mode  [4]mode // by gpu.Space, for all contexts but CtxControl

	slots []*slot // by operation id
	free  []*slot
	one   [1]Op // the operation that Isend and Send post
	once  Batch // that Exchange runs
	queue []Op  // of staging: to be posted by the next turn

	stage  stager
	stats  Counters
	fatal  error
	closed bool

	done [256]Completion // of one crossing
}

// mode is what happens to memory of a space.
type mode uint8

const (
	modePlain  mode = iota // given to the driver
	modeStaged             // through transfer
	modeRefused
)

// New takes over d: Close closes it.
func New(d Driver, c Config) (*Endpoint, error) {
	caps := d.Caps()
	if caps.Contexts < 8 || caps.MaxHeader < 1024 || caps.Size < 1 || caps.Rank < 0 || caps.Rank >= caps.Size {
		panic(fmt.Sprintf("transport: driver %q has impossible Caps: %+v", caps.Name, caps))
	}
	e := &Endpoint{d: d, caps: caps, dev: c.Device, yield: c.Yield, polls: spinPolls}
	if c.Yield {
		e.polls = yieldPolls
	}
	e.SetDeadline(c.Deadline)
	if err := e.SetPath(PathConfig{}); err != nil {
		return nil, err
	}
	return e, nil
}

// Rank is this PE, from 0.
func (e *Endpoint) Rank() int { return e.caps.Rank }

// Size is the number of PEs.
func (e *Endpoint) Size() int { return e.caps.Size }

// Caps is the driver's.
func (e *Endpoint) Caps() Caps { return e.caps }

// Device is what staging copies with, nil if there is none.
func (e *Endpoint) Device() *gpu.Device { return e.dev }

// Path is the one in force, with its defaults filled in.
func (e *Endpoint) Path() PathConfig { return e.path }

// SetDeadline says how long a wait may last; 0: DefaultDeadline; negative: for ever.
func (e *Endpoint) SetDeadline(d time.Duration) {
	if d == 0 {
		d = DefaultDeadline
	}
	e.deadline = d
}

// Deadline is how long a wait may last; negative: for ever.
func (e *Endpoint) Deadline() time.Duration { return e.deadline }

// SetPath says how messages travel from now on. It is refused while staged messages are under way, and with
// ErrUnsupported where the path cannot be.
func (e *Endpoint) SetPath(p PathConfig) error {
	refuse := func(format string, args ...any) error {
		return &Error{Op: "set path " + p.Path.String(), Rank: e.caps.Rank, Peer: AnySource, Tag: AnyTag,
			Kind: ErrUnsupported, Detail: fmt.Sprintf(format, args...)}
	}
	if p.Chunk == 0 {
		p.Chunk = DefaultChunk
	}
	switch {
	case p.Path > Direct || p.Staging > Simple:
		panic(fmt.Sprintf("transport: no such path: %+v", p))
	case e.stage.active > 0:
		return &Error{Op: "set path", Rank: e.caps.Rank, Peer: AnySource, Tag: AnyTag, Kind: ErrArgument,
			Detail: fmt.Sprintf("%d staged messages are under way", e.stage.active), Mend: "wait for them first"}
	case p.Path != Staged:
	case e.dev == nil:
		return refuse("this PE has no device to copy with")
	case p.StagingSpace > gpu.Pinned:
		return refuse("staging buffers in %v memory: want pinned or pageable", p.StagingSpace)
	case p.Chunk < MinChunk || p.Chunk > MaxChunk:
		return refuse("chunks of %d B: want %d to %d", p.Chunk, MinChunk, MaxChunk)
	}
	if p.Path == Staged {
		if err := e.stage.open(e.dev, p); err != nil {
			return fmt.Errorf("PE %d: set path staged: %w", e.caps.Rank, err)
		}
	}
	e.path = p
	e.paths++
	for _, s := range gpu.Spaces {
		e.mode[s] = e.modeOf(s)
	}
	return nil
}

func (e *Endpoint) modeOf(s gpu.Space) mode {
	host := s <= gpu.Pinned
	switch {
	case e.path.Path == Staged && (!host || e.path.Staging == Pipelined):
		// Pipelined messages have a header, whatever the memory: the other side may be the one that stages.
		return modeStaged
	case e.path.Path == Host && s == gpu.OnDevice, !e.caps.Spaces[s]:
		return modeRefused
	}
	return modePlain
}

// Lane says what carries messages of such a buffer to that peer. It may ask the library: not for timed code.
func (e *Endpoint) Lane(buf gpu.Memory, peer int) Lane {
	if e.path.Path == Staged && buf.Space > gpu.Pinned {
		detail := fmt.Sprintf("simple, through %v memory", e.path.StagingSpace)
		if e.path.Staging == Pipelined {
			detail = fmt.Sprintf("pipelined through %v memory, chunks of %d B", e.path.StagingSpace, e.path.Chunk)
		}
		return Lane{Name: LaneStaged, HowKnown: "by construction", Detail: detail}
	}
	return e.d.Lane(Op{Kind: OpSend, Ctx: CtxModel, Peer: int32(peer), Buf: buf})
}

// Close closes the driver and frees the staging buffers. What is under way is given up; a second Close does nothing.
func (e *Endpoint) Close() error {
	if e.closed {
		return nil
	}
	e.closed = true
	// The device first: it may still write what the driver is about to let go of.
	err := e.stage.quiet()
	return errors.Join(err, e.d.Close(), e.stage.close())
}
