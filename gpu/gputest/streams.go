// Streams: order within one, none between two, events, host functions, graphs.

package gputest

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"gpubench/gpu"
)

func init() {
	add(
		test{"order", order},
		test{"overlap", overlap},
		test{"wait event", waitEvent},
		test{"event times", eventTimes},
		test{"host function", hostFunction},
		test{"gate", gate},
		test{"graph", graphs},
		test{"graph of two streams", graphOfTwo},
		test{"capture that fails", failedCapture},
	)
}

// order: of many writes to one place, the last counts; and what reads it sees the write before it.
func order(t *testing.T, d *gpu.Device) {
	const n, rounds = 10001, 60
	s := stream(t, d)
	work, log := alloc(t, d, gpu.OnDevice, n), alloc(t, d, gpu.Pinned, rounds*n)
	defer free(t, s, work, log)
	for i := range rounds {
		must(t, s.Fill(work.Memory(), byte(i)))
		must(t, s.Copy(log.Slice(i*n, n), work.Memory()))
	}
	must(t, s.Sync())
	for i, b := range log.Memory().Bytes() {
		if b != byte(i/n) {
			t.Fatalf("round %d saw %d", i/n, b)
		}
	}
	if done, err := s.Query(); !done || err != nil {
		t.Errorf("Query after Sync: %v, %v", done, err)
	}
}

// held queues a host function that does not return before the gate is opened.
func held(t testing.TB, s *gpu.Stream) (open func()) {
	gate := make(chan struct{})
	must(t, s.HostFunc(func() { <-gate }))
	return func() { close(gate) }
}

// overlap: a stream that is held does not hold another.
func overlap(t *testing.T, d *gpu.Device) {
	if synchronous(d) {
		t.Skipf("%v carries out work while it is queued", d)
	}
	a, b := stream(t, d), stream(t, d)
	x, y := alloc(t, d, gpu.OnDevice, 1000), alloc(t, d, gpu.OnDevice, 1000)
	e := event(t, d, false)
	defer free(t, e, a, b, x, y)
	open := held(t, a)
	must(t, a.Fill(x.Memory(), 1))
	must(t, a.Record(e))
	must(t, b.Fill(y.Memory(), 2))
	must(t, b.Sync())
	if done, err := a.Query(); done || err != nil {
		t.Errorf("Query of a held stream: %v, %v", done, err)
	}
	if done, err := e.Query(); done || err != nil {
		t.Errorf("Query of an event that is held: %v, %v", done, err)
	}
	open()
	must(t, e.Sync())
	if done, err := e.Query(); !done || err != nil {
		t.Errorf("Query after Sync: %v, %v", done, err)
	}
	must(t, a.Sync())
	if got := contents(t, d, a, x.Memory())[999]; got != 1 {
		t.Errorf("the held stream wrote %d", got)
	}
}

// waitEvent: a stream that waits for another's event comes after it, also where the event is recorded again later.
func waitEvent(t *testing.T, d *gpu.Device) {
	const n = 100_003
	a, b := stream(t, d), stream(t, d)
	x, y := alloc(t, d, gpu.OnDevice, n), alloc(t, d, gpu.OnDevice, n)
	e := event(t, d, false)
	defer free(t, e, a, b, x, y)
	if done, err := e.Query(); !done || err != nil {
		t.Errorf("Query of an event never recorded: %v, %v", done, err)
	}
	must(t, b.WaitEvent(e)) // never recorded: no wait
	must(t, b.Sync())
	for round := range 20 {
		open := func() {}
		if !synchronous(d) {
			open = held(t, a)
		}
		must(t, a.Fill(x.Memory(), byte(round+1)))
		must(t, a.Record(e))
		must(t, b.WaitEvent(e))
		must(t, a.Record(e)) // the wait is for the record before it
		must(t, b.Copy(y.Memory(), x.Memory()))
		open()
		got := contents(t, d, b, y.Memory())
		if got[0] != byte(round+1) || got[n-1] != byte(round+1) {
			t.Fatalf("round %d: the stream that waits saw %d … %d", round, got[0], got[n-1])
		}
		must(t, a.Sync())
	}
}

func eventTimes(t *testing.T, d *gpu.Device) {
	const events = 8
	s := stream(t, d)
	b := alloc(t, d, gpu.OnDevice, 1<<20)
	defer free(t, s, b)
	var marks [events]*gpu.Event
	start := time.Now()
	for i := range marks {
		marks[i] = event(t, d, true)
		defer free(t, marks[i])
		must(t, s.Record(marks[i]))
		must(t, s.Fill(b.Memory(), byte(i)))
		must(t, s.HostFunc(func() { time.Sleep(2 * time.Millisecond) }))
	}
	must(t, s.Sync())
	limit := time.Since(start).Seconds() + 1e-3
	total := 0.0
	for i := range marks[1:] {
		dt, err := marks[i+1].Since(marks[i])
		must(t, err)
		if dt < 1.5e-3 || dt > limit {
			t.Errorf("%g s between event %d and the next; a host function of 2 ms lies between", dt, i)
		}
		total += dt
	}
	all, err := marks[events-1].Since(marks[0])
	must(t, err)
	if diff := all - total; diff > 1e-4 || diff < -1e-4 {
		t.Errorf("the parts add up to %g s, the whole is %g s", total, all)
	}
	untimed := event(t, d, false)
	defer free(t, untimed)
	panics(t, "Since of an untimed event", func() { untimed.Since(marks[0]) }, "without timing")
}

func hostFunction(t *testing.T, d *gpu.Device) {
	s := stream(t, d)
	b := alloc(t, d, gpu.Pinned, 1)
	defer free(t, s, b)
	var seen []byte
	for i := range 5 {
		must(t, s.Fill(b.Memory(), byte(i)))
		must(t, s.HostFunc(func() { seen = append(seen, b.Memory().Bytes()[0]) }))
	}
	must(t, s.Sync())
	if string(seen) != "\x00\x01\x02\x03\x04" {
		t.Errorf("host functions saw %v", seen)
	}
}

// gate: a stream waits for a word that the host writes.
func gate(t *testing.T, d *gpu.Device) {
	if synchronous(d) {
		t.Skipf("%v carries out work while it is queued", d)
	}
	s := stream(t, d)
	word, out := alloc(t, d, gpu.Pinned, 4), alloc(t, d, gpu.Pinned, 4)
	defer free(t, s, word, out)
	gpu.Of[uint32](word.Memory())[0] = 0
	gpu.Of[uint32](out.Memory())[0] = 0
	err := s.WaitValue32(word.Memory(), 7)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	must(t, err)
	must(t, s.WriteValue32(out.Memory(), 9))
	time.Sleep(5 * time.Millisecond)
	if done, err := s.Query(); done || err != nil {
		t.Errorf("behind a closed gate: %v, %v", done, err)
	}
	atomic.StoreUint32(&gpu.Of[uint32](word.Memory())[0], 7)
	must(t, s.Sync())
	if got := gpu.Of[uint32](out.Memory())[0]; got != 9 {
		t.Errorf("WriteValue32 wrote %d", got)
	}
	panics(t, "a gate at an odd address", func() { s.WaitValue32(gpu.Memory{Addr: 1, Len: 4}, 0) }, "aligned")
}

func graphs(t *testing.T, d *gpu.Device) {
	const n = 5000
	s := stream(t, d)
	in, work, out := alloc(t, d, gpu.Pinned, n), alloc(t, d, gpu.OnDevice, n), alloc(t, d, gpu.Pinned, n)
	defer free(t, s, in, work, out)
	clear(out.Memory().Bytes())
	g, err := s.Capture(func() error {
		if err := s.Copy(work.Memory(), in.Memory()); err != nil {
			return err
		}
		if err := s.Fill(work.Slice(0, 1), 0xEE); err != nil {
			return err
		}
		return s.Copy(out.Memory(), work.Memory())
	})
	must(t, err)
	must(t, s.Sync())
	if out.Memory().Bytes()[5] != 0 || s.Given().Work != 0 {
		t.Errorf("capturing ran the work: %d, %+v", out.Memory().Bytes()[5], s.Given())
	}
	for round := range 5 {
		for i, b := 0, in.Memory().Bytes(); i < n; i++ {
			b[i] = pattern(round, i)
		}
		must(t, g.Launch(s))
		must(t, s.Sync())
		got := out.Memory().Bytes()
		for i, b := range got {
			want := pattern(round, i)
			if i == 0 {
				want = 0xEE
			}
			if b != want {
				t.Fatalf("launch %d: byte %d is %#x, not %#x", round, i, b, want)
			}
		}
	}
	if got := s.Given(); got != (gpu.Given{Work: 5 * 3, Waits: 6}) {
		t.Errorf("five launches of three pieces of work are counted as %+v", got)
	}
	free(t, g)
	panics(t, "Launch of a closed graph", func() { g.Launch(s) }, "closed graph")
}

// graphOfTwo forks into a second stream and joins it again.
func graphOfTwo(t *testing.T, d *gpu.Device) {
	a, b := stream(t, d), stream(t, d)
	x := alloc(t, d, gpu.OnDevice, 2000)
	fork, join := event(t, d, false), event(t, d, false)
	defer free(t, a, b, x, fork, join)
	g, err := a.Capture(func() error {
		return errors.Join(
			a.Fill(x.Memory(), 1),
			a.Record(fork),
			b.WaitEvent(fork),
			a.Fill(x.Slice(0, 1000), 2),
			b.Fill(x.Slice(1000, 1000), 3),
			b.Record(join),
			a.WaitEvent(join),
			a.Fill(x.Slice(999, 2), 4),
		)
	})
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	must(t, err)
	defer free(t, g)
	for range 3 {
		must(t, a.Fill(x.Memory(), 0))
		must(t, g.Launch(a))
		for i, got := range contents(t, d, a, x.Memory()) {
			want := byte(2)
			if i == 999 || i == 1000 {
				want = 4
			} else if i > 1000 {
				want = 3
			}
			if got != want {
				t.Fatalf("byte %d is %d, not %d", i, got, want)
			}
		}
	}
}

func failedCapture(t *testing.T, d *gpu.Device) {
	s := stream(t, d)
	b := alloc(t, d, gpu.Pinned, 10)
	defer free(t, s, b)
	mine := errors.New("mine")
	if g, err := s.Capture(func() error { return mine }); g != nil || err != mine {
		t.Errorf("Capture of a function that fails: %v, %v", g, err)
	}
	func() {
		defer func() {
			if r := recover(); r != "mine" {
				t.Errorf("Capture of a function that panics: %v", r)
			}
		}()
		s.Capture(func() error { panic("mine") })
	}()
	// The stream must be as good as before.
	must(t, s.Fill(b.Memory(), 8))
	must(t, s.Sync())
	if b.Memory().Bytes()[9] != 8 {
		t.Error("the stream does not work after a failed capture")
	}
}
