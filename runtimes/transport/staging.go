// Staging: device memory through host buffers, as state machines that an Endpoint's turns advance.
//
// Simple: the whole buffer is copied to the host, sent as one plain message, and copied to the device.
//
// Pipelined: the first message, with the sender's context and tag, is a header of 24 bytes and the first bytes (at most
// firstBytes, so that every receiver has room for it); the rest follows in chunks on CtxStaging, with the header's
// sequence number as tag. What follows leaves only after the first message has, so that a send can be cancelled until
// the receiver has taken it. Every message on the contexts but CtxControl has this form, whatever memory it is in, since
// a sender does not know what the receiver's is; host buffers are not copied but for the first message's bytes.
//
// Copies to the host go on one stream and copies to the device on another, each message's chunks up to stageDepth at a
// time, so that both directions and the wire overlap.

package transport

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/bits"

	"gpubench/gpu"
)

const (
	headerBytes = 24
	dataAt      = 64             // where the data of a staging buffer begins; the header lies right before it
	firstBytes  = 64 << 10       // the most data in a first message
	hostFirst   = 8 << 10        // the same from host memory, where each byte of it costs a copy
	stageDepth  = 4              // chunks of one message under way
	headerMagic = uint16(0x5047) // catches a peer that does not pipeline
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli) // an instruction of the processor's

// header is what a first message begins with.
type header struct {
	total int
	chunk int
	first int    // bytes that this message carries
	seq   uint16 // of the pair of PEs; the tag of what follows
}

func (h header) write(b []byte) {
	binary.LittleEndian.PutUint64(b, uint64(h.total))
	binary.LittleEndian.PutUint32(b[8:], uint32(h.chunk))
	binary.LittleEndian.PutUint32(b[12:], uint32(h.first))
	binary.LittleEndian.PutUint16(b[16:], h.seq)
	binary.LittleEndian.PutUint16(b[18:], headerMagic)
	binary.LittleEndian.PutUint32(b[20:], crc32.Checksum(b[:20], castagnoli))
}

// readHeader checks a first message of len(b) bytes.
func readHeader(b []byte) (header, error) {
	if len(b) < headerBytes {
		return header{}, fmt.Errorf("a message of %d B, too short for the header of pipelined staging, %d B: %w", len(b), headerBytes, ErrMismatch)
	}
	if want, got := crc32.Checksum(b[:20], castagnoli), binary.LittleEndian.Uint32(b[20:]); want != got {
		return header{}, fmt.Errorf("the header of pipelined staging, offset 20: expected checksum %#08x, found %#08x: %w", want, got, ErrMismatch)
	}
	h := header{
		total: int(binary.LittleEndian.Uint64(b)),
		chunk: int(binary.LittleEndian.Uint32(b[8:])),
		first: int(binary.LittleEndian.Uint32(b[12:])),
		seq:   binary.LittleEndian.Uint16(b[16:]),
	}
	n := len(b) - headerBytes
	if n != h.first {
		return h, fmt.Errorf("a staged message's first part, offset %d: expected %d bytes, found %d: %w", min(n, h.first), h.first, n, ErrMismatch)
	}
	if binary.LittleEndian.Uint16(b[18:]) != headerMagic || h.total < n || h.chunk <= 0 || h.chunk > MaxChunk || h.seq > MaxTag || n == 0 && h.total > 0 {
		return header{}, fmt.Errorf("a staging header of %d B in chunks of %d B over a message of %d B: %w",
			h.total, h.chunk, n, ErrMismatch)
	}
	return h, nil
}

// transfer is one staged message.
type transfer struct {
	next, prev *transfer // in stager.firsts
	s          *slot     // the request
	buf        gpu.Memory
	total      int  // bytes of the message; of a receive: once known
	header     int  // headerBytes, or 0 for simple
	device     bool // buf is reached through copies
	queued     bool // in stager.firsts
	left       bool // the first message is through
	peer, tag  int32
	seq        uint16
	chunk      int
	begun      int   // bytes that have a part or are through
	live       int   // parts that are not over
	parts      *part // of a send: those not posted, in order
	last       *part
	err        error
	discard    bool // what comes is thrown away: truncated, or nobody waits
}

// part is one wire message of a transfer, with the copy before or after it.
type part struct {
	t       *transfer
	next    *part // in its copy queue
	sibling *part // in its transfer's unposted parts
	s       *slot // while it is on the wire
	b       *hostBuf
	off, n  int
	first   bool
	ready   bool // copied: may be posted
	mark    mark
}

// mark is the events of a copy: its end, and its beginning where copies are timed.
type mark struct{ began, ended *gpu.Event }

// hostBuf is a staging buffer of 1<<class bytes of data.
type hostBuf struct {
	b     *gpu.Buffer
	m     gpu.Memory
	class int
	space gpu.Space
}

// stager is the part of an Endpoint that stages.
type stager struct {
	dev      *gpu.Device
	space    gpu.Space
	toHost   copyQueue
	toDevice copyQueue
	active   int // transfers
	firsts   struct{ head, tail *transfer }
	seqs     []uint16          // by destination
	bufs     [2][40][]*hostBuf // free ones, by gpu.Space and class
	all      []*hostBuf
	timed    bool
	seconds  float64   // of timed copies that are over
	marks    [2][]mark // free ones, without and with a beginning
	freeT    []*transfer
	freeP    []*part
}

// copyQueue is a stream and what it copies, in order.
type copyQueue struct {
	stream     *gpu.Stream
	head, tail *part
}

// open makes the streams at the first use.
func (g *stager) open(dev *gpu.Device, p PathConfig) error {
	g.dev, g.space = dev, p.StagingSpace
	for _, q := range []*copyQueue{&g.toHost, &g.toDevice} {
		if q.stream == nil {
			s, err := dev.NewStream()
			if err != nil {
				return fmt.Errorf("stream for staging copies: %w", err)
			}
			q.stream = s
		}
	}
	return nil
}

// quiet waits until no copy is under way.
func (g *stager) quiet() error {
	var err error
	for _, q := range []*copyQueue{&g.toHost, &g.toDevice} {
		if q.stream != nil {
			err = errors.Join(err, q.stream.Sync())
		}
	}
	return err
}

// close frees everything. The driver holds no buffer any more.
func (g *stager) close() error {
	var errs []error
	for _, q := range []*copyQueue{&g.toHost, &g.toDevice} {
		for p := q.head; p != nil; p = p.next {
			g.unmark(p.mark)
		}
		if q.stream != nil {
			errs = append(errs, q.stream.Close())
		}
	}
	for _, m := range append(g.marks[0], g.marks[1]...) {
		errs = append(errs, m.ended.Close())
		if m.began != nil {
			errs = append(errs, m.began.Close())
		}
	}
	for _, b := range g.all {
		errs = append(errs, b.b.Free())
	}
	*g = stager{}
	return errors.Join(errs...)
}

// buffer is a staging buffer for n bytes of data.
func (g *stager) buffer(n int) (*hostBuf, error) {
	class := bits.Len(uint(max(n, MinChunk) - 1))
	free := &g.bufs[g.space][class]
	if k := len(*free); k > 0 {
		b := (*free)[k-1]
		*free = (*free)[:k-1]
		return b, nil
	}
	b, err := g.dev.Alloc(g.space, dataAt+1<<class, gpu.DefaultPages)
	if err != nil {
		return nil, fmt.Errorf("staging buffer of %d B: %w", 1<<class, err)
	}
	h := &hostBuf{b: b, m: b.Memory(), class: class, space: g.space}
	g.all = append(g.all, h)
	return h, nil
}

func (g *stager) release(b *hostBuf) {
	g.bufs[b.space][b.class] = append(g.bufs[b.space][b.class], b)
}

// newMark gives the events of one copy.
func (g *stager) newMark() (m mark, err error) {
	free := &g.marks[0]
	if g.timed {
		free = &g.marks[1]
	}
	if k := len(*free); k > 0 {
		m, *free = (*free)[k-1], (*free)[:k-1]
		return m, nil
	}
	if m.ended, err = g.dev.NewEvent(g.timed); err != nil || !g.timed {
		return m, err
	}
	if m.began, err = g.dev.NewEvent(true); err != nil {
		return mark{}, errors.Join(err, m.ended.Close())
	}
	return m, nil
}

func (g *stager) unmark(m mark) {
	if m.began != nil {
		g.marks[1] = append(g.marks[1], m)
	} else {
		g.marks[0] = append(g.marks[0], m)
	}
}

// TimeCopies has the device time the staging copies that begin from now on, with one more event each, or ends that.
func (e *Endpoint) TimeCopies(on bool) { e.stage.timed = on }

// CopySeconds is the time of all staging copies that were timed and are over, by the device's events, copies that ran side
// by side each in full.
func (e *Endpoint) CopySeconds() float64 { return e.stage.seconds }

// start begins p's copy on q.
func (g *stager) start(q *copyQueue, p *part, dst, src gpu.Memory) error {
	m, err := g.newMark()
	if err != nil {
		return fmt.Errorf("staging copy of %d B: %w", dst.Len, err)
	}
	if m.began != nil {
		err = q.stream.Record(m.began)
	}
	if err == nil && dst.Len > 0 {
		if err := q.stream.Copy(dst, src); err != nil {
			g.unmark(m)
			return fmt.Errorf("staging copy of %d B, %v to %v: %w", dst.Len, src.Space, dst.Space, err)
		}
	}
	if err == nil {
		err = q.stream.Record(m.ended)
	}
	if err != nil {
		g.unmark(m)
		return fmt.Errorf("staging copy of %d B: %w", dst.Len, errors.Join(err, q.stream.Sync()))
	}
	p.mark, p.next = m, nil
	if q.tail == nil {
		q.head = p
	} else {
		q.tail.next = p
	}
	q.tail = p
	return nil
}

// copied is the next part of q whose copy is over, nil if there is none.
func (g *stager) copied(q *copyQueue) (*part, error) {
	p := q.head
	if p == nil {
		return nil, nil
	}
	over, err := p.mark.ended.Query()
	if !over && err == nil {
		return nil, nil
	}
	q.head = p.next
	if q.head == nil {
		q.tail = nil
	}
	if m := p.mark; m.began != nil && err == nil {
		var s float64
		s, err = m.ended.Since(m.began)
		g.seconds += s
	}
	g.unmark(p.mark)
	p.mark, p.next = mark{}, nil
	if err != nil {
		err = fmt.Errorf("staging copy of %d B: %w", p.n, err)
	}
	return p, err
}

// data is where n bytes of p's staging buffer lie; wire the same with the header before them.
func (p *part) data() gpu.Memory { return p.b.m.Slice(dataAt, p.n) }

func (p *part) wire() gpu.Memory {
	if p.b == nil {
		return p.t.buf.Slice(p.off, p.n)
	}
	h := 0
	if p.first {
		h = p.t.header
	}
	return p.b.m.Slice(dataAt-h, h+p.n)
}

func (g *stager) newPart(t *transfer, off, n int) *part {
	var p *part
	if k := len(g.freeP); k > 0 {
		p = g.freeP[k-1]
		g.freeP = g.freeP[:k-1]
	} else {
		p = new(part)
	}
	*p = part{t: t, off: off, n: n, first: off == 0 && !t.left}
	t.live++
	return p
}

// drop frees p.
func (g *stager) drop(p *part) {
	p.t.live--
	if p.b != nil {
		g.release(p.b)
	}
	*p = part{}
	g.freeP = append(g.freeP, p)
}
