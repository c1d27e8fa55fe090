// Path: how the case's messages are to travel, and the proof that they did.
package bench

import (
	"fmt"
	"slices"
	"strings"

	"gpubench/gpu"
	"gpubench/internal/result"
	"gpubench/runtimes/transport"
)

// PathOf reads the path from a case's parameters: path, staging (pipelined),
// staging_space (pinned), chunk_bytes (the transport's default).
func PathOf(p result.Params) (transport.PathConfig, error) {
	text := func(name, missing string) string {
		if t, ok := p[name].(string); ok {
			return t
		}
		return missing
	}
	var c transport.PathConfig
	paths := []transport.Path{transport.Host, transport.Staged, transport.Direct}
	i := slices.IndexFunc(paths, func(t transport.Path) bool { return t.String() == text("path", "host") })
	if i < 0 {
		return c, fmt.Errorf("no path is called %q: host, staged or direct", text("path", "host"))
	}
	if c.Path = paths[i]; c.Path != transport.Staged {
		return c, nil
	}
	switch s := text("staging", "pipelined"); s {
	case "pipelined":
		c.Staging = transport.Pipelined
	case "simple":
		c.Staging = transport.Simple
	default:
		return c, fmt.Errorf("no staging is called %q: pipelined or simple", s)
	}
	var err error
	if c.StagingSpace, err = gpu.ParseSpace(text("staging_space", "pinned")); err != nil {
		return c, err
	}
	if p.Has("chunk_bytes") {
		c.Chunk = int(p.Int("chunk_bytes"))
	}
	return c, nil
}

// setPath sets the endpoint's path; chunk 0 is what the case says.
func (s *session) setPath(chunk int) error {
	p, err := PathOf(s.c.Params)
	if err != nil {
		return err
	}
	if chunk > 0 {
		p.Chunk = chunk
	}
	if err := s.pe.Endpoint.SetPath(p); err != nil {
		return err
	}
	s.pe.Endpoint.ResetStats()
	return nil
}

// SideSpace reads SEND[:RECV], a case's space: the first is that of the first
// PE of a pair, side 0, and the second the other's.
func SideSpace(s string, side int) (gpu.Space, error) {
	send, recv, both := strings.Cut(s, ":")
	if side == 0 || !both {
		return gpu.ParseSpace(send)
	}
	return gpu.ParseSpace(recv)
}

// traffic is what the proof needs of an endpoint's counters.
type traffic struct {
	Staged  transport.Traffic // messages that the endpoint staged, sent and received, and collectives of the library
	Direct  transport.Traffic
	Copies  int64 // staging copies
	Copied  int64 // bytes of them
	Headers int64
}

func trafficOf(c transport.Counters) *traffic {
	var t traffic
	for _, side := range [][3]transport.Traffic{c.Sent, c.Received} {
		t.Staged.Messages += side[transport.Staged].Messages
		t.Staged.Bytes += side[transport.Staged].Bytes
		t.Direct.Messages += side[transport.Direct].Messages
		t.Direct.Bytes += side[transport.Direct].Bytes
	}
	for _, k := range []transport.Traffic{c.ToHost, c.ToDevice, c.HostCopies} {
		t.Copies += k.Messages
		t.Copied += k.Bytes
	}
	t.Staged.Messages += c.Collectives[transport.Staged].Messages
	t.Staged.Bytes += c.Collectives[transport.Staged].Bytes
	t.Direct.Messages += c.Collectives[transport.Direct].Messages
	t.Direct.Bytes += c.Collectives[transport.Direct].Bytes
	t.Headers = c.HeadersSent.Messages
	return &t
}

func (t *traffic) add(u traffic) {
	t.Staged.Messages += u.Staged.Messages
	t.Staged.Bytes += u.Staged.Bytes
	t.Direct.Messages += u.Direct.Messages
	t.Direct.Bytes += u.Direct.Bytes
	t.Copies += u.Copies
	t.Copied += u.Copied
	t.Headers += u.Headers
}

// laneOf is what a PE says of the messages it sends.
type laneOf struct {
	pe   int
	lane transport.Lane
}

// lane asks what carries the body's messages; nil where this PE sends none.
func (s *session) lane() *transport.Lane {
	p, ok := s.body.(Prober)
	if !ok || s.closed {
		return nil
	}
	buf, peer := p.Probe()
	if peer == Elsewhere {
		l := &transport.Lane{Name: transport.LaneUnknown, HowKnown: "not given to the transport", Detail: "another library carries the data"}
		if c, ok := s.body.(Carried); ok {
			l.Detail = c.Carrier() + " carries the data"
		}
		return l
	}
	if peer < 0 || peer >= s.pe.Size {
		return nil
	}
	l := s.pe.Endpoint.Lane(buf, peer)
	return &l
}

// pathTaken is the record's lane: what was seen of direct messages, else the
// first PE's whose data was not in host memory all along, else the first's.
func (c *chief) pathTaken() *result.PathTaken {
	path := c.s.text("path")
	if l, ok := c.seen.lane(); ok {
		return &result.PathTaken{Lane: string(l.Name), HowKnown: l.HowKnown, Detail: l.Detail}
	}
	if len(c.lanes) == 0 {
		switch {
		case c.s.b.Alone && c.s.text("device") != "cpu":
			return &result.PathTaken{Lane: "copy", HowKnown: "by construction", Detail: "a device alone: what moved was moved by it"}
		case path == "" || path == "host":
			return &result.PathTaken{Lane: "host", HowKnown: "by construction", Detail: "no device memory was in play"}
		case c.s.pe.Size == 1:
			return &result.PathTaken{Lane: "copy", HowKnown: "by construction", Detail: "one PE: what moved was moved by its own device"}
		case c.silent():
			return &result.PathTaken{Lane: "copy", HowKnown: "by construction", Detail: "no message carried data: what moved was moved by each PE's own device"}
		}
		return &result.PathTaken{Lane: "unknown", Detail: "the body does not say which messages carry its data"}
	}
	chosen := c.lanes[0]
	for _, l := range c.lanes {
		if l.lane.Name != transport.LaneHost {
			chosen = l
			break
		}
	}
	return &result.PathTaken{Lane: string(chosen.lane.Name), HowKnown: chosen.lane.HowKnown, Detail: chosen.lane.Detail}
}

// silent reports that the body sends no data to other PEs, and did not.
func (c *chief) silent() bool {
	_, says := c.s.body.(Prober)
	return says && c.traffic.Staged.Messages == 0 && c.traffic.Direct.Messages == 0
}

// finish holds what was counted against what the case is called. A direct case
// that we staged anywhere is a failure and no figure; and so is a staged one
// that was not. One that the library staged, or of which nobody knows what
// carried it, is ok and never called direct: its lane says so.
func (c *chief) finish() {
	taken := c.pathTaken()
	switch c.s.text("path") {
	case "direct":
		if c.traffic.Copies > 0 || c.traffic.Staged.Messages > 0 {
			c.end(result.Failed, fmt.Sprintf("not direct: %d messages (%d B) were staged through the host, with %d copies", c.traffic.Staged.Messages, c.traffic.Staged.Bytes, c.traffic.Copies))
		}
		if taken.Lane == string(transport.LaneStaged) || taken.Lane == string(transport.LaneHost) && c.s.pe.Size > 1 {
			c.end(result.Failed, fmt.Sprintf("not direct: the lane is %s", taken.Lane))
		}
	case "staged":
		// Where one side lies in host memory, a model may send small messages from there inside its own headers.
		mixed := strings.Contains(c.s.text("space"), ":")
		if len(c.lanes) > 0 && taken.Lane == string(transport.LaneStaged) && c.traffic.Staged.Messages == 0 && !mixed {
			c.end(result.Failed, "not staged: the endpoints staged no message")
		}
	case "host":
		if c.traffic.Copies > 0 || c.traffic.Direct.Messages > 0 {
			c.end(result.Failed, fmt.Sprintf("not host: %d staging copies, %d messages from device memory", c.traffic.Copies, c.traffic.Direct.Messages))
		}
	}
}
