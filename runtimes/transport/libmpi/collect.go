// The library's own collectives.
package libmpi

/*
#cgo noescape gb_w_collect
#cgo nocallback gb_w_collect
#include "world.h"
*/
import "C"

import (
	"fmt"
	"math"

	"gpubench/runtimes/transport"
)

var _ transport.Collector = (*Driver)(nil)

// Collect begins a collective of the MPI library, or goes on with it: see transport.Collector. It is MPI_Iallreduce and so
// on and MPI_Test, on a communicator of its own, always through cgo: what the library does when it begins one is not short.
func (d *Driver) Collect(c *transport.Collective, polls int) (over bool, err error) {
	if d.closed {
		panic("libmpi: a collective after Close")
	}
	var gone C.gb_from
	var result C.int
	if c == nil {
		result = C.gb_w_collect(nil, &gone, C.int(polls))
	} else {
		bytes := c.Send.Len
		switch c.Kind {
		case transport.Bcast:
			bytes = c.Recv.Len
		case transport.Alltoall:
			bytes /= d.caps.Size
		}
		if bytes > math.MaxInt32 {
			return false, fmt.Errorf("%d B are more than MPI counts (%d): %w", bytes, math.MaxInt32, transport.ErrUnsupported)
		}
		result = C.gb_w_collect(&C.gb_coll{send: C.uint64_t(c.Send.Addr), recv: C.uint64_t(c.Recv.Addr), bytes: C.int64_t(bytes),
			root: C.int32_t(c.Root), kind: C.uint8_t(c.Kind)}, &gone, C.int(polls))
	}
	switch result {
	case 0:
		return true, nil
	case 1:
		return false, nil
	case 2:
		return false, d.peerGone(int(gone.peer))
	}
	return false, d.failure()
}

var _ = [1]struct{}{}[transport.Barrier-C.GB_BARRIER]
var _ = [1]struct{}{}[transport.Bcast-C.GB_BCAST]
var _ = [1]struct{}{}[transport.Reduce-C.GB_REDUCE]
var _ = [1]struct{}{}[transport.Allreduce-C.GB_ALLREDUCE]
var _ = [1]struct{}{}[transport.Allgather-C.GB_ALLGATHER]
var _ = [1]struct{}{}[transport.Alltoall-C.GB_ALLTOALL]
var _ = [1]struct{}{}[transport.ReduceScatter-C.GB_REDUCE_SCATTER]
