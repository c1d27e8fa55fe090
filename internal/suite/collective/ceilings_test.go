package collective

import (
	"testing"

	"gpubench/internal/result"
)

// The bytes are those that nccl-tests' bus bandwidth counts: the limit of a time is that of the bus bandwidth.
func TestCeilings(t *testing.T) {
	const size = 1 << 20
	for _, c := range []struct {
		name, device, path, placement, collective string
		pes                                       int64
		bytes                                     int64 // 0: none
	}{
		{"allreduce", "cpu", "host", "node", own, 2, size},
		{"allreduce", "cpu", "host", "node", own, 4, size * 3 / 2},
		{"bcast", "cpu", "host", "node", own, 4, size},
		{"reduce_scatter", "cpu", "host", "node", own, 4, size * 3 / 4},
		{"allgather", "cpu", "host", "node", own, 4, size * 3}, // blocks of the size
		{"alltoall", "cuda", "direct", "peer", own, 4, size * 3},
		{"allreduce", "cuda", "direct", "same_gpu", own, 4, 4 * size * 3 / 2}, // all through one memory
		{"allreduce", "cuda", "direct", "peer", byNCCL, 4, 0},
		{"allreduce", "cpu", "host", "node", library, 4, 0},
		{"allreduce", "cuda", "staged", "peer", own, 4, 0},
		{"allreduce", "cpu", "host", "remote", own, 4, 0},
		{"allreduce", "cpu", "host", "node", own, 256, 0}, // shares too small for a copy to count
	} {
		p := result.Params{"device": c.device, "path": c.path, "placement": c.placement, "collective": c.collective, "pes": c.pes,
			"space": "device", "size_bytes": int64(size), "size_is": "per_pe", "buffers": "same", "pages": "default"}
		for _, b := range Benchmarks {
			if b.Name != c.name {
				continue
			}
			list := b.Ceilings(p)
			if (len(list) > 0) != (c.bytes > 0) {
				t.Errorf("%+v: %d ceilings", c, len(list))
			}
			for _, l := range list {
				if l.Bytes != c.bytes {
					t.Errorf("%+v: %d B", c, l.Bytes)
				}
			}
		}
	}
}
