// What a device alone says of others: by these functions benchmarks declare what bounds them.

package device

import (
	"gpubench/gpu"
	"gpubench/internal/limits"
	"gpubench/internal/result"
)

const (
	// leastCopy is from which size on a message is bounded by a copy: below it is by how fast two processors hear of each
	// other, and of device memory a processor may read a little by itself.
	leastCopy = 8 << 10
	// leastShared is from which size on the sender's core may take part in a copy to the receiver.
	leastShared = 256 << 10
	// leastStream is from which size of a field on its iterations are bounded by memory, and mostStream from where on
	// larger ones say no more: no cache holds them.
	leastStream = 256 << 10
	mostStream  = 256 << 20
)

// Between is what bounds messages of so many bytes between two PEs, in one way or, with ways 2, in both at once: the
// copy that each has to make at least, in the same cache state and pages. None where a network or two kinds of memory
// are between them, and for staged messages, whose legs bound them.
//
// For metrics in seconds it is the time of one message; for rates it is payload of all ways. In host memory a core copies
// at most as fast as one that does nothing else: the receiver's, and of long messages the sender's too.
func Between(p result.Params, bytes int64, ways int) []limits.Ceiling {
	if bytes < leastCopy {
		return nil
	}
	own := result.Params{"size_bytes": (bytes + 7) / 8 * 8, "buffers": p["buffers"], "pages": p["pages"]}
	c := limits.Ceiling{Benchmark: Copies.Name, Device: text(p, "device"), Bytes: bytes}
	engines := []string{byCopy, byKernel}
	switch path, placement := text(p, "path"), text(p, "placement"); {
	case path == "host" && placement == result.Node:
		c.Name = "memory copy"
		engines = engines[:1] // the two PEs' cores copy, and no others
		if c.Scale = float64(ways); bytes >= leastShared {
			c.Scale = 2
		}
	case path != "direct" || text(p, "space") != gpu.OnDevice.String():
		return nil
	case placement == result.SameGPU:
		c.Name = "device copy"
		own["direction"], own["from"], own["to"] = deviceToDevice, int64(0), int64(0)
	case placement == result.Peer:
		c.Name = "peer copy"
		own["direction"], own["from"], own["to"] = deviceToDevice, int64(0), int64(1)
		if ways == 2 {
			own["ways"] = "both"
		}
	default:
		return nil
	}
	var out []limits.Ceiling
	for _, engine := range engines {
		c.Own = own.With("engine", engine)
		out = append(out, c)
	}
	return out
}

// Through is what bounds an iteration that reads and writes so many bytes of fields at least once, over all PEs: a copy
// of as many through the memory of the PEs' devices. None for small fields, and where it is not known how many devices
// there are.
func Through(p result.Params, bytes int64) []limits.Ceiling { return through(p, bytes, 1) }

// InPlace is what bounds an iteration that reads so many bytes of fields at least, and writes them where they were: the
// two arrays of the copy take as much memory together, so that a cache that holds the fields holds them too.
func InPlace(p result.Params, bytes int64) []limits.Ceiling { return through(p, bytes, 2) }

// through is a copy of so many bytes over all PEs, made as so many copies.
func through(p result.Params, bytes, copies int64) []limits.Ceiling {
	devices := int64(1)
	if p.Int("pes") > 1 {
		switch text(p, "placement") {
		case result.SameGPU, result.Node:
		case result.Peer:
			devices = p.Int("pes")
		default:
			return nil
		}
	}
	each := bytes / devices / 8 * 8
	size := each / copies / 8 * 8
	if size < leastStream {
		return nil
	}
	return []limits.Ceiling{{Name: "stream copy", Benchmark: Streams.Name, Device: text(p, "device"), Bytes: each,
		Own: result.Params{"size_bytes": min(size, mostStream), "operation": opCopy}}}
}

// text is a parameter that may be null.
func text(p result.Params, name string) string {
	s, _ := p[name].(string)
	return s
}
