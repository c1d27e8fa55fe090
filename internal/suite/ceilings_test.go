package suite

import (
	"testing"

	"gpubench/internal/result"
)

func TestWhatBoundsPairs(t *testing.T) {
	for _, c := range []struct {
		name, device, path, placement string
		pes                           int64
		scale                         float64 // of the first ceiling; -1: there is none
	}{
		{"pingpong", "cpu", "host", "node", 4, 1},
		{"bandwidth", "cpu", "host", "node", 4, 1},
		{"bibandwidth", "cpu", "host", "node", 2, 2},
		{"multi_latency", "cpu", "host", "node", 8, 1}, // however many there are, a message is a copy
		{"multi_bandwidth", "cpu", "host", "node", 2, 1},
		{"multi_bandwidth", "cpu", "host", "node", 9, 4},
		{"multi_bandwidth", "cuda", "direct", "same_gpu", 8, 0}, // one memory
		{"multi_bandwidth", "cuda", "direct", "peer", 2, 0},
		{"multi_bandwidth", "cuda", "direct", "peer", 4, -1},
		{"multi_bandwidth", "cpu", "host", "remote", 4, -1},
	} {
		b, ok := All().Lookup(c.name)
		if !ok {
			t.Fatalf("no %s", c.name)
		}
		list := b.Ceilings(result.Params{"device": c.device, "path": c.path, "placement": c.placement, "pes": c.pes,
			"space": "device", "size_bytes": int64(65536), "buffers": "same", "pages": "default"})
		switch {
		case (len(list) > 0) != (c.scale >= 0):
			t.Errorf("%+v: %d ceilings", c, len(list))
		case len(list) > 0 && (list[0].Scale != c.scale || list[0].Bytes != 65536):
			t.Errorf("%+v: scale %g, %d B", c, list[0].Scale, list[0].Bytes)
		}
	}
}
