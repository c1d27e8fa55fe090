// Copies between host and device, within a device and between two: by copy engine and by kernel.

package device

import (
	"errors"
	"fmt"

	"gpubench/gpu"
	"gpubench/internal/bench"
	"gpubench/internal/result"
	"gpubench/internal/suite/phases"
	"gpubench/internal/suite/slots"
)

// Directions of a copy. On `cpu`, which has no memory but the host's, every copy is hostToHost.
const (
	hostToDevice   = "h2d"
	deviceToHost   = "d2h"
	deviceToDevice = "d2d"
	hostToHost     = "h2h"
)

// Engines of a copy: the driver's copy call, which a GPU gives to a copy engine, or a kernel that loads and stores.
const (
	byCopy   = "copy"
	byKernel = "kernel"
)

// Copies is devcopy.
var Copies = &bench.Benchmark{
	Name: "devcopy",
	Doc:  "copies between host and device, within a device and between two (as nvbandwidth measures them)",
	Params: []bench.Param{
		{Name: "size_bytes", Unit: "B", Doc: "bytes of a copy", Default: int64(64 << 20), Quick: int64(1 << 20)},
		{Name: "direction", Flag: "direction", Doc: "from host or device to which; d2d of two devices are peer copies, on cpu all is h2h",
			Default: hostToDevice, Values: []string{hostToDevice, deviceToHost, deviceToDevice}, All: true},
		{Name: "engine", Flag: "engine", Doc: "what copies: the driver's copy engines, or a kernel that loads and stores",
			Default: byCopy, Values: []string{byCopy, byKernel}, All: true},
		{Name: "host_space", Flag: "host-space", Doc: "the host's memory of copies",
			Default: "pinned", Values: []string{"pinned", "pageable"}, All: true},
		{Name: "ways", Flag: "ways", Doc: "ways of a copy at once", Default: "one", Values: []string{"one", "both"}, All: true},
		{Name: "from", Flag: "from", Doc: "source devices by ordinal", Default: int64(0), Max: maxOrdinal, Devices: true},
		{Name: "to", Flag: "to", Doc: "destination devices by ordinal", Default: int64(0), Max: maxOrdinal, Devices: true},
		{Name: "iterations", Doc: "timed copies in all", Default: int64(50)},
	},
	Metrics: []bench.Metric{
		{Name: "bandwidth", Unit: "B/s", Value: copyBandwidth,
			Doc: "bytes copied over the time by the device's events, each byte counted once; both ways: their sum over the time until both are done"},
		{Name: "latency", Unit: "s", Doc: "time of a copy among others that follow each other in a stream"},
		{Name: "forth_bandwidth", Unit: "B/s", Lap: lapForth, Value: bytesPerSecond, When: bothWays,
			Doc: "both ways: that from the source to the destination alone, over its own time with the other as a load"},
		{Name: "back_bandwidth", Unit: "B/s", Lap: lapBack, Value: bytesPerSecond, When: bothWays,
			Doc: "both ways: that of the other way"},
	},
	New:        map[bench.Model]func(*bench.PE, result.Params) (bench.Body, error){bench.None: newCopies},
	Alone:      true,
	Iterations: counts,
	Memory:     copyMemory,
	Settle:     settleCopy,
}

// maxOrdinal bounds a device's number.
const maxOrdinal = 63

// Laps of the two ways of a case.
const (
	lapForth = "forth"
	lapBack  = "back"
)

func bothWays(p result.Params) bool { return p.String("ways") == "both" }

func copyBandwidth(p result.Params, n int, seconds float64) float64 {
	b := bytesPerSecond(p, n, seconds)
	if bothWays(p) {
		return 2 * b
	}
	return b
}

// copyMemory is both ends, twice with both ways.
func copyMemory(p result.Params) int64 { return 4 * p.Int("size_bytes") }

// settleCopy writes a copy in one way only, so that combinations that are the same copy are one case.
func settleCopy(p result.Params) (flag string, err error) {
	if p.Int("size_bytes") == 0 {
		return "-m", errors.New("copies of 0 B have no bandwidth: give larger ones")
	}
	if p.String("engine") == byKernel && p.Int("size_bytes")%8 != 0 {
		return "--engine", fmt.Errorf("a kernel copies 8 bytes at a time, and %d is no multiple: give copy, or other sizes (-m)", p.Int("size_bytes"))
	}
	if p.String("device") == string(gpu.CPU) {
		p["direction"], p["host_space"], p["ways"], p["from"], p["to"] = hostToHost, "pageable", "one", nil, nil
		return "", nil
	}
	switch p.String("direction") {
	case hostToDevice:
		p["from"] = nil
	case deviceToHost:
		p["to"] = nil
	default:
		p["host_space"] = nil
		switch from, to := p.Int("from"), p.Int("to"); {
		case from == to: // there is one way alone
			p["ways"] = "one"
		case p.String("ways") == "both": // each pair is one case, whichever is named first
			p["from"], p["to"] = min(from, to), max(from, to)
		}
		return "", nil
	}
	if p.String("engine") == byKernel && p.String("host_space") == "pageable" {
		return "--host-space", errors.New("a kernel reaches pinned host memory alone: give pinned, or --engine copy")
	}
	if p.String("ways") == "both" { // the two directions at once are one case
		if p.String("direction") == deviceToHost {
			p["direction"], p["to"], p["from"] = hostToDevice, p["from"], nil
		}
		if p.String("host_space") == "pageable" {
			return "--host-space", errors.New("copies of pageable memory make the host wait, so two are never under way at once: give pinned, or --ways one")
		}
	}
	return "", nil
}

// way is one direction of a case: who queues it, and its slots.
type way struct {
	*side    // the source's device where there is one
	from, to *gpu.Device
	src, dst []gpu.Memory
	step     int // of the pattern: two ways have different ones

	begun, done *gpu.Event // around a round's copies, where there are two ways
	seconds     float64    // of the batch's rounds
	byHost      int64      // copies by hostCopy, which no stream counts
}

// allocated is a buffer and where it is freed.
type allocated struct {
	*side
	buf *gpu.Buffer
}

// copies is the body.
type copies struct {
	pe      *bench.PE
	size    int
	engine  string
	sides   []*side
	buffers []allocated
	ways    []*way // one or two
	timer   *timer
	last    int // copies of the last batch, each way
}

var _ bench.Counted = (*copies)(nil)

func newCopies(pe *bench.PE, p result.Params) (bench.Body, error) {
	return open(&copies{pe: pe, size: int(p.Int("size_bytes")), engine: p.String("engine")}, pe, p)
}

// open opens the devices and makes the ways.
func (b *copies) open(pe *bench.PE, p result.Params) error {
	var ordinals []int
	for _, name := range []string{"from", "to"} {
		if p.Has(name) {
			ordinals = append(ordinals, int(p.Int(name)))
		}
	}
	if len(ordinals) == 0 {
		ordinals = []int{pe.Device.Ordinal()}
	}
	of := map[int]*side{}
	for _, o := range ordinals {
		if of[o] == nil {
			s, err := openSide(pe, o)
			if err != nil {
				return err
			}
			of[o] = s
			b.sides = append(b.sides, s)
		}
	}
	if err := b.peers(); err != nil {
		return err
	}
	first := of[ordinals[0]]
	if err := b.makeWays(p, first, of[ordinals[len(ordinals)-1]]); err != nil {
		return err
	}
	var err error
	if b.timer, err = newTimer(first, p["host_space"] == "pageable"); err != nil {
		return err
	}
	if len(b.ways) == 2 {
		for _, w := range b.ways {
			if err := w.here(w.events); err != nil {
				return err
			}
		}
		b.timer.ended = b.roundEnded
	}
	return errors.Join(b.fill(0), b.preload())
}

// events makes those around the way's own copies.
func (w *way) events() (err error) {
	if w.begun, err = w.dev.NewEvent(true); err == nil {
		w.done, err = w.dev.NewEvent(true)
	}
	return err
}

// roundEnded adds up each way's own time, on its own device's clock.
func (b *copies) roundEnded() error {
	for _, w := range b.ways {
		err := w.here(func() error {
			s, err := w.done.Since(w.begun)
			w.seconds += s
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// preload makes each copy once: a driver that loads kernels when they are first launched, or peers' mappings when they
// are first used, may wait for the device then, which must not stand behind a gate.
func (b *copies) preload() error {
	for _, w := range b.ways {
		if err := w.here(func() error { return b.queue(w, 0, 1) }); err != nil {
			return err
		}
	}
	return b.settle()
}

// peers gives two devices access to each other: without it a peer copy is two, through the host.
func (b *copies) peers() error {
	if len(b.sides) < 2 {
		return nil
	}
	for i, s := range b.sides {
		if err := s.here(func() error { return s.dev.EnablePeer(b.sides[1-i].dev) }); err != nil {
			return err
		}
	}
	return nil
}

// makeWays allocates both ends of each way. Device memory is the sides'; host memory belongs to the first.
func (b *copies) makeWays(p result.Params, from, to *side) error {
	host := gpu.Pageable
	if p.Has("host_space") {
		var err error
		if host, err = gpu.ParseSpace(p.String("host_space")); err != nil {
			return err
		}
	}
	spaces := map[string][2]gpu.Space{
		hostToDevice: {host, gpu.OnDevice}, deviceToHost: {gpu.OnDevice, host},
		deviceToDevice: {gpu.OnDevice, gpu.OnDevice}, hostToHost: {host, host},
	}[p.String("direction")]
	pages, err := gpu.ParsePages(p.String("pages"))
	if err != nil {
		return err
	}
	n := slotsOf(b.pe, p, b.size, b.sides...)
	alloc := func(s *side, space gpu.Space) (list []gpu.Memory, err error) {
		err = s.here(func() (err error) {
			var buf *gpu.Buffer
			if buf, list, err = slots.Make(s.dev, space, pages, n, b.size); err == nil {
				b.buffers = append(b.buffers, allocated{s, buf})
			}
			return err
		})
		return list, err
	}
	add := func(at, from, to *side, src, dst gpu.Space) error {
		w := &way{side: at, from: from.dev, to: to.dev, step: 1000 * len(b.ways)}
		var err error
		if w.src, err = alloc(from, src); err == nil {
			w.dst, err = alloc(to, dst)
		}
		b.ways = append(b.ways, w)
		return err
	}
	if err := add(from, from, to, spaces[0], spaces[1]); err != nil || p.String("ways") != "both" {
		return err
	}
	back := to
	if from == to { // host and device: a stream of its own on the same device
		back = &side{dev: from.dev, set: from.set}
		if err := back.here(func() (err error) { back.stream, err = back.dev.NewStream(); return err }); err != nil {
			return err
		}
		b.sides = append(b.sides, back)
	}
	return add(back, to, from, spaces[1], spaces[0])
}

// queue queues copies lo to hi of a way.
func (b *copies) queue(w *way, lo, hi int) error {
	for i := lo; i < hi; i++ {
		src, dst := w.src[i%len(w.src)], w.dst[i%len(w.dst)]
		var err error
		switch {
		case b.engine == byKernel:
			err = w.set.Copy(w.stream, dst, src)
		case w.dev.Driver() == gpu.CPU:
			hostCopy(dst.Bytes(), src.Bytes())
			w.byHost++
		case w.from != w.to:
			err = w.stream.CopyPeer(dst, w.to, src, w.from)
		default:
			err = w.stream.Copy(dst, src)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Go's copy writes around the caches from 1 MiB on, which is twice as slow where they could hold both buffers: those
// are copied in pieces, as inproc copies messages.
const (
	cachedBytes = 2 << 20
	cachedPiece = 256 << 10
)

func hostCopy(dst, src []byte) {
	if len(src) <= cachedBytes {
		for len(src) > cachedPiece {
			copy(dst[:cachedPiece], src[:cachedPiece])
			dst, src = dst[cachedPiece:], src[cachedPiece:]
		}
	}
	copy(dst, src)
}

// Batch times n copies, or n in each way.
func (b *copies) Batch(n int, clk *bench.Clock) error {
	b.last = n
	if len(b.ways) == 1 {
		return b.timer.time(n, 1, clk, func(lo, hi int) error { return b.queue(b.ways[0], lo, hi) })
	}
	// The second way begins with the first, and the first's end waits for the second's.
	w, back := b.ways[0], b.ways[1]
	w.seconds, back.seconds = 0, 0
	err := b.timer.time(n, 2, clk, func(lo, hi int) error {
		err := back.here(func() error {
			if err := back.stream.WaitEvent(b.timer.first); err != nil {
				return err
			}
			return b.between(back, lo, hi)
		})
		if err == nil {
			err = b.between(w, lo, hi)
		}
		if err == nil {
			err = w.stream.WaitEvent(back.done)
		}
		return err
	})
	clk.Lap(lapForth, phases.Duration(w.seconds))
	clk.Lap(lapBack, phases.Duration(back.seconds))
	return err
}

// between queues copies of a way between its events.
func (b *copies) between(w *way, lo, hi int) error {
	err := w.stream.Record(w.begun)
	if err == nil {
		err = b.queue(w, lo, hi)
	}
	if err == nil {
		err = w.stream.Record(w.done)
	}
	return err
}

// Work is the copies of both ways.
func (b *copies) Work(n int) (least int64, of string) { return int64(n) * int64(len(b.ways)), "copies" }

// Done is what the streams were given, and what the host has copied.
func (b *copies) Done() (n int64) {
	for _, w := range b.ways {
		n += w.stream.Given().Work + w.byHost
	}
	return n
}

// fill writes the pattern of each slot into the sources.
func (b *copies) fill(step int) error {
	return errors.Join(b.each(func(w *way, i int) error {
		s := b.sideOf(w.from)
		return s.here(func() error { return s.pen().Write(w.src[i], w.step+step+i, 0) })
	}), b.settle())
}

// settle waits for all sides.
func (b *copies) settle() error {
	var errs []error
	for _, s := range b.sides {
		errs = append(errs, s.here(s.stream.Sync))
	}
	return errors.Join(errs...)
}

// Poison overwrites the destinations.
func (b *copies) Poison() error {
	b.last = 0
	return errors.Join(b.each(func(w *way, i int) error {
		s := b.sideOf(w.to)
		return s.here(func() error { return s.pen().Poison(w.dst[i]) })
	}), b.settle())
}

func (b *copies) each(f func(w *way, slot int) error) error {
	for _, w := range b.ways {
		for i := range w.src {
			if err := f(w, i); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *copies) sideOf(d *gpu.Device) *side {
	for _, s := range b.sides {
		if s.dev == d {
			return s
		}
	}
	panic("device: a way between devices that the case has not")
}

// Inspect checks what a timed batch's copies left.
func (b *copies) Inspect() (result.Validation, error) { return b.inspect(0) }

func (b *copies) inspect(step int) (result.Validation, error) {
	var v result.Validation
	err := b.each(func(w *way, i int) error {
		if i >= b.last {
			return nil
		}
		s := b.sideOf(w.to)
		return s.here(func() error {
			return s.pen().Check(&v, w.dst[i], w.step+step+i, 0, "copy %v to %v", w.src[i].Space, w.dst[i].Space)
		})
	})
	v.Sent = int64(b.last) * int64(len(b.ways))
	return v, err
}

// Check copies other patterns, untimed.
func (b *copies) Check() (result.Validation, error) {
	const step = 100
	if err := errors.Join(b.fill(step), b.Poison()); err != nil {
		return result.Validation{}, err
	}
	if err := b.Batch(len(b.ways[0].src), &bench.Clock{}); err != nil {
		return result.Validation{}, err
	}
	return b.inspect(step)
}

// Close frees all of it.
func (b *copies) Close() error {
	var errs []error
	if b.timer != nil {
		errs = append(errs, b.timer.close())
	}
	for _, w := range b.ways {
		for _, e := range []*gpu.Event{w.begun, w.done} {
			if e != nil {
				errs = append(errs, w.here(e.Close))
			}
		}
	}
	for _, a := range b.buffers {
		errs = append(errs, a.here(a.buf.Free))
	}
	for i := len(b.sides) - 1; i >= 0; i-- { // a second stream before the device that it is of
		errs = append(errs, b.sides[i].close())
	}
	return errors.Join(errs...)
}
