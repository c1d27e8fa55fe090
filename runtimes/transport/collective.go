// Collectives of a library's own, for drivers that have them: what our own algorithms are held against.

package transport

import (
	"fmt"

	"gpubench/gpu"
)

// CollectiveKind says which collective. MPI's of that name (MPI 4.1, chapter 6), over all PEs.
type CollectiveKind uint8

// Those that reduce add up float64s.
const (
	Barrier       CollectiveKind = iota
	Bcast                        // Root's Recv becomes everybody's
	Reduce                       // the sum of all Send in Root's Recv
	Allreduce                    // and in everybody's
	Allgather                    // everybody's Send, in the order of PEs, in everybody's Recv
	Alltoall                     // block r of Send to PE r
	ReduceScatter                // the sum of all Send, in shares as equal as can be: the first ones have one float64 more
)

// String is MPI's name without the prefix.
func (k CollectiveKind) String() string {
	return [...]string{"barrier", "bcast", "reduce", "allreduce", "allgather", "alltoall", "reduce-scatter"}[k]
}

// Collective is one call of a library's collective. Send and Recv do not overlap and stay untouched until it has ended.
type Collective struct {
	Kind       CollectiveKind
	Send, Recv gpu.Memory // empty where the collective has no use for it
	Root       int
}

// Collector is a driver whose library has collectives.
type Collector interface {
	// Collect begins c, or with nil goes on with the one under way, for so many passes of progress, and reports whether it
	// is over. There is one at a time. After an error it may be under way for ever: its buffers are in use until Close, and
	// Collect of another is an error.
	Collect(c *Collective, polls int) (over bool, err error)
}

// Collect is d's Collect, ErrUnsupported where it has none: for drivers that stand before another.
func Collect(d Driver, c *Collective, polls int) (over bool, err error) {
	lib, ok := As[Collector](d)
	if !ok {
		return false, fmt.Errorf("transport %s stands on no library with collectives: %w", d.Caps().Name, ErrUnsupported)
	}
	return lib.Collect(c, polls)
}

// least is what a collective has to bring to this PE at least, in bytes; added up over the PEs: of sums, where PEs alone add
// up, what a tree or a ring moves.
func (c *Collective) least(rank, size int) int {
	switch c.Kind {
	case Bcast:
		if rank != c.Root {
			return c.Recv.Len
		}
	case Reduce:
		if rank != c.Root {
			return c.Send.Len
		}
	case Allreduce:
		return 2 * c.Send.Len * (size - 1) / size
	case Allgather:
		return c.Send.Len * (size - 1)
	case Alltoall:
		return c.Send.Len / size * (size - 1)
	case ReduceScatter:
		return c.Send.Len - c.Recv.Len
	}
	return 0
}

// Collective carries out a collective of the library under the driver, on every PE in the same order. Device memory is
// refused on the path host, goes through host memory of the Endpoint on the path staged, in one piece whatever the staging
// is, and is given to the library on the path direct: which of its collectives take it, the library does not tell, and one
// that does not may end the process. It is bounded by the deadline as all waits are, and ends early where a PE has died.
// ErrUnsupported: the driver's library has none, or is not given such memory.
func (e *Endpoint) Collective(c Collective) error {
	if e.closed {
		panic("transport: use of a closed Endpoint")
	}
	if e.fatal != nil {
		return e.collectiveError(&c, kindOf(e.fatal), e.fatal, "", "")
	}
	if _, ok := As[Collector](e.d); !ok {
		return e.collectiveError(&c, ErrUnsupported, nil, "transport "+e.caps.Name+" stands on no library with collectives", "take transport mpi")
	}
	way := Host
	for _, m := range []gpu.Memory{c.Send, c.Recv} {
		if m.Len == 0 || m.Space <= gpu.Pinned {
			continue
		}
		switch {
		case e.path.Path == Host && m.Space == gpu.OnDevice:
			return e.collectiveError(&c, ErrUnsupported, nil, "device memory on the path host", "take the path staged or direct")
		case e.path.Path != Staged && !e.caps.Spaces[m.Space]:
			return e.collectiveError(&c, ErrUnsupported, nil,
				fmt.Sprintf("%s does not take %v memory: %s", e.caps.Name, m.Space, e.caps.Why[m.Space]), "take the path staged")
		}
		way = e.path.Path
	}
	var err error
	if way == Staged {
		err = e.collectStaged(c)
	} else {
		err = e.collect(&c)
	}
	if err == nil {
		e.stats.Collectives[way].add(c.least(e.caps.Rank, e.caps.Size))
	}
	return err
}

func (e *Endpoint) collectiveError(c *Collective, kind, err error, detail, mend string) error {
	return &Error{Op: "library's " + c.Kind.String(), Rank: e.caps.Rank, Peer: AnySource, Tag: AnyTag, Kind: kind, Err: err,
		Detail: detail, Mend: mend}
}

// collect gives c to the library and waits for its end.
func (e *Endpoint) collect(c *Collective) error {
	var t timer
	over, err := Collect(e.d, c, e.polls)
	for !over && err == nil {
		if e.over(&t) {
			kind := t.why()
			return e.collectiveError(c, kind, nil, "not complete, and it cannot be cancelled: its buffers are in use until the endpoint is closed", mends[kind])
		}
		over, err = Collect(e.d, nil, e.polls)
	}
	if err == nil {
		return nil
	}
	kind := kindOf(err)
	return e.collectiveError(c, kind, err, "", mends[kind])
}
