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

// Collective carries out a collective of the library under the driver, on every PE in the same order, on host memory. It
// is bounded by the deadline as all waits are, and ends early where a PE has died. ErrUnsupported: the driver's library has
// none.
func (e *Endpoint) Collective(c Collective) error {
	wrong := func(kind, err error, detail, mend string) error {
		return &Error{Op: "library's " + c.Kind.String(), Rank: e.caps.Rank, Peer: AnySource, Tag: AnyTag, Kind: kind, Err: err,
			Detail: detail, Mend: mend}
	}
	if e.closed {
		panic("transport: use of a closed Endpoint")
	}
	if e.fatal != nil {
		return wrong(kindOf(e.fatal), e.fatal, "", "")
	}
	lib, ok := As[Collector](e.d)
	if !ok {
		return wrong(ErrUnsupported, nil, "transport "+e.caps.Name+" stands on no library with collectives", "take transport mpi")
	}
	for _, m := range []gpu.Memory{c.Send, c.Recv} {
		if m.Space > gpu.Pinned {
			return wrong(ErrUnsupported, nil,
				fmt.Sprintf("%v memory: a library's non-blocking reductions add it up on the host, and crash", m.Space),
				"take the path host")
		}
	}
	var t timer
	over, err := lib.Collect(&c, e.polls)
	for !over && err == nil {
		if e.over(&t) {
			kind := t.why()
			return wrong(kind, nil, "not complete, and it cannot be cancelled: its buffers are in use until the endpoint is closed", mends[kind])
		}
		over, err = lib.Collect(nil, e.polls)
	}
	if err != nil {
		kind := kindOf(err)
		return wrong(kind, err, "", mends[kind])
	}
	return nil
}
