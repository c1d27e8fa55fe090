// Tuning: the chunk size of pipelined staging, measured once a job where it is
// not given.
package bench

import (
	"errors"
	"fmt"

	"gpubench/gpu"
	"gpubench/internal/result"
	"gpubench/internal/stats"
	"gpubench/runtimes/transport"
)

const (
	tuneMessage = 16 << 20 // the longest message that chunk sizes are measured with
	tuneLeast   = 64 << 10 // the smallest candidate: below, a copy's start shows
	tuneMost    = 4 << 20
	tuneRounds  = 5 // that count; one more before them warms up
)

// chunkSizes are the candidates for a message: powers of two, up to the first
// that holds it whole.
func chunkSizes(message int) []int {
	var out []int
	for c := tuneLeast; c <= tuneMost && c < 2*message; c *= 2 {
		out = append(out, c)
	}
	return out
}

// best is the candidate with the least median; of equals the smallest. Its
// arguments are the samples by candidate.
func best(sizes []int, samples [][]float64) int {
	chosen, least := sizes[0], stats.Median(samples[0])
	for i, c := range sizes[1:] {
		if m := stats.Median(samples[i+1]); m < least {
			chosen, least = c, m
		}
	}
	return chosen
}

// message is the length of the messages that a chunk size is measured with.
func (s *session) message() int {
	longest := s.c.LongestStaged
	if longest == 0 {
		longest = s.b.LongestMessage(s.c.Params)
	}
	return int(min(longest, tuneMessage))
}

// chunks is what a chunk size is found for: all else is the job's.
func (s *session) chunks() string { return s.text("space") + " through " + s.text("staging_space") }

// chunk settles the chunk size of a pipelined case, or says that it is to be
// measured first.
func (c *chief) chunk() (measure bool) {
	p, err := PathOf(c.s.c.Params)
	if err != nil || p.Path != transport.Staged || p.Staging != transport.Pipelined {
		return false
	}
	set := func(chunk int, how string) { c.staging = &result.Staging{ChunkBytes: int64(chunk), How: how} }
	found, known := c.s.pe.chunks[c.s.chunks()]
	switch {
	case p.Chunk > 0:
		set(p.Chunk, "given")
	case known:
		c.staging = &found
	case c.s.pe.Size < 2:
		set(transport.DefaultChunk, "default: one PE has nobody to measure it with")
	case c.s.message() <= tuneLeast:
		set(transport.DefaultChunk, fmt.Sprintf("default: no message of the job is longer than the smallest candidate, %d B", tuneLeast))
	default:
		return true
	}
	return false
}

// tuned takes PE 0's samples and keeps the choice for the job's other cases.
func (c *chief) tuned(samples [][]float64) {
	n := c.s.message()
	sizes := chunkSizes(n)
	found := result.Staging{
		ChunkBytes: int64(best(sizes, samples)),
		How: fmt.Sprintf("measured: of %d to %d B the least median of %d round trips of %d B",
			sizes[0], sizes[len(sizes)-1], tuneRounds, n),
	}
	if c.s.pe.chunks == nil {
		c.s.pe.chunks = map[string]result.Staging{}
	}
	c.s.pe.chunks[c.s.chunks()] = found
	c.staging = &found
}

// tune measures a staged round trip between PEs 0 and 1 with each candidate in
// turn, so that a change of the machine's pace meets them all. Every PE makes
// the same barriers, whatever befalls it.
func (s *session) tune(r *report) (err, lost error) {
	const what = "the search for a chunk size"
	sizes := chunkSizes(s.message())
	t := &tuner{ep: s.pe.Endpoint, peer: 1 - s.pe.Rank}
	failed := func(f func() error) {
		if err == nil {
			if err = s.protect(what, f); err != nil {
				err = fmt.Errorf("%s: %w", what, err)
				s.pe.Control.raise()
			}
		}
	}
	if s.pe.Rank < 2 {
		failed(func() error { return t.open(s) })
		defer func() { err = errors.Join(err, t.close()) }()
		r.Tuning = make([][]float64, len(sizes))
	}
	for round := range 1 + tuneRounds {
		for i, chunk := range sizes {
			failed(func() error { return s.setPath(chunk) })
			if lost = s.pe.Control.Barrier(); lost != nil {
				return err, lost
			}
			if s.pe.Rank > 1 {
				continue
			}
			failed(func() error {
				seconds, err := t.roundTrip(s.pe.Rank == 0)
				if round > 0 {
					r.Tuning[i] = append(r.Tuning[i], seconds)
				}
				return err
			})
		}
	}
	return err, nil
}

// tuner is one PE's side of the round trips.
type tuner struct {
	ep   *transport.Endpoint
	peer int
	buf  *gpu.Buffer
}

// open allocates and writes the message, in this PE's space.
func (t *tuner) open(s *session) error {
	space, err := SideSpace(s.text("space"), s.pe.Rank)
	if err != nil {
		return err
	}
	if t.buf, err = s.pe.Device.Alloc(space, s.message(), gpu.DefaultPages); err != nil {
		return err
	}
	if m := t.buf.Memory(); m.HostReadable() {
		clear(m.Bytes())
		return nil
	}
	stream, err := s.pe.Device.NewStream()
	if err != nil {
		return err
	}
	return errors.Join(stream.Fill(t.buf.Memory(), 0), stream.Sync(), stream.Close())
}

func (t *tuner) roundTrip(first bool) (seconds float64, err error) {
	m := t.buf.Memory()
	began := Now()
	if first {
		err = t.ep.Send(transport.CtxModel, m, t.peer, tagTune)
	}
	if err == nil {
		_, err = t.ep.Recv(transport.CtxModel, m, t.peer, tagTune)
	}
	if err == nil && !first {
		err = t.ep.Send(transport.CtxModel, m, t.peer, tagTune)
	}
	return float64(Now()-began) / 1e9, err
}

func (t *tuner) close() error {
	if t.buf == nil {
		return nil
	}
	return t.buf.Free()
}
