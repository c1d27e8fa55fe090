// Tests of control messages and of pacing.
package bench

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gpubench/gpu"
	"gpubench/internal/result"
	"gpubench/runtimes/transport"
)

func TestControl(t *testing.T) {
	for n := 1; n <= 9; n++ {
		onPEs(t, n, nil, func(pe *PE) {
			c := pe.Control
			for i, size := range []int{0, 1, frameBytes - 1, frameBytes, 3*frameBytes + 5} {
				got, err := c.Broadcast(bytes.Repeat([]byte{byte(pe.Rank + i)}, size))
				if err != nil || !bytes.Equal(got, bytes.Repeat([]byte{byte(i)}, size)) {
					t.Errorf("PE %d of %d: broadcast of %d B: %d B, %v", pe.Rank, n, size, len(got), err)
				}
				all, err := c.Gather(bytes.Repeat([]byte{byte(pe.Rank)}, size*(pe.Rank+1)))
				if err != nil || (pe.Rank == 0) != (len(all) == n) {
					t.Errorf("PE %d of %d: gather: %d, %v", pe.Rank, n, len(all), err)
				}
				for from, b := range all {
					if !bytes.Equal(b, bytes.Repeat([]byte{byte(from)}, size*(from+1))) {
						t.Errorf("%d PEs: gathered %d B from PE %d", n, len(b), from)
					}
				}
				if err := c.Barrier(); err != nil {
					t.Error(err)
				}
			}
			if x, err := c.MaxFloat64(float64((pe.Rank*11)%n) - 3); err != nil || x != float64(n-1)-3 {
				t.Errorf("max of %d PEs is %v, %v", n, x, err)
			}
			if x, err := c.BroadcastFloat64(float64(pe.Rank) + 0.5); err != nil || x != 0.5 {
				t.Errorf("broadcast %v, %v", x, err)
			}
		})
	}
}

func TestBarrierWaitsForTheLast(t *testing.T) {
	var last time.Time
	onPEs(t, 3, nil, func(pe *PE) {
		if pe.Rank == 2 {
			time.Sleep(20 * time.Millisecond) // longer than a spin
			last = time.Now()
		}
		if err := pe.Control.Barrier(); err != nil {
			t.Error(err)
		}
		if now := time.Now(); now.Before(last) || last.IsZero() {
			t.Errorf("PE %d left before the last had come", pe.Rank)
		}
	})
}

func TestPatienceEnds(t *testing.T) {
	onPEs(t, 2, nil, func(pe *PE) {
		pe.Control.patience = 30 * time.Millisecond
		if pe.Rank == 0 {
			_, err := pe.Control.Gather(nil)
			if !errors.Is(err, transport.ErrDeadline) || !strings.Contains(err.Error(), "30ms") {
				t.Errorf("error %v", err)
			}
			return
		}
		for until := time.Now().Add(200 * time.Millisecond); time.Now().Before(until); time.Sleep(time.Millisecond) {
			_ = pe.Endpoint.Progress()
		}
	})
}

// TestControlIsNotTheModels: a model's wildcard receive does not take a
// control message.
func TestControlIsNotTheModels(t *testing.T) {
	onPEs(t, 2, nil, func(pe *PE) {
		buf := make([]byte, 8)
		r, err := pe.Endpoint.Irecv(transport.CtxModel, gpu.HostMemory(buf), transport.AnySource, transport.AnyTag)
		if err != nil {
			t.Fatal(err)
		}
		if err := pe.Control.Barrier(); err != nil {
			t.Error(err)
		}
		if _, err := pe.Control.MaxFloat64(1); err != nil {
			t.Error(err)
		}
		if done, st, err := pe.Endpoint.Test(r); done {
			if err == nil { // else the other PE has left already
				t.Errorf("the model received a control message: %+v", st)
			}
			return
		}
		_ = pe.Endpoint.Cancel(r)
		_, _ = pe.Endpoint.Wait(r)
	})
}

// TestPace: whatever an iteration takes, counts are exact, samples long
// enough, and the number of batches bounded.
func TestPace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		iterations := rapid.IntRange(1, 20000).Draw(t, "iterations")
		warmup := rapid.IntRange(0, 300).Draw(t, "warmup")
		minBatch := rapid.IntRange(0, 50).Draw(t, "minBatch")
		each := math.Pow(10, rapid.Float64Range(-9, -2).Draw(t, "log10 of seconds"))
		noise := rapid.SliceOfN(rapid.Float64Range(0.5, 3), 1, 20).Draw(t, "noise")
		p, err := newPace(iterations, 0, warmup, minBatch)
		if err != nil {
			t.Fatal(err)
		}
		warm, timed, batches := 0, 0, 0
		for n := p.next(); n > 0; n = p.next() {
			if batches++; batches > 2*maxSamples+20 {
				t.Fatal("too many batches")
			}
			if p.warming {
				warm += n
			} else {
				timed += n
				if n < min(minBatch, iterations) {
					t.Fatalf("a batch of %d, at least %d", n, minBatch)
				}
			}
			p.note(batch{n: n, seconds: float64(n) * each * noise[batches%len(noise)]})
		}
		if warm != warmup || timed != iterations {
			t.Fatalf("%d and %d iterations, wanted %d and %d", warm, timed, warmup, iterations)
		}
		s := p.finish()
		total := 0
		for _, b := range s {
			total += b.n
			if b.seconds < floor.Seconds() && len(s) > 1 {
				t.Fatalf("a sample of %g s", b.seconds)
			}
		}
		if total != iterations || len(s) > maxSamples+1 {
			t.Fatalf("%d iterations in %d samples", total, len(s))
		}
	})
}

func TestPaceByTime(t *testing.T) {
	for _, each := range []float64{1e-8, 1e-6, 1e-4, 0.02, 3} {
		p, err := newPace(0, 0.5, 10, 0)
		if err != nil {
			t.Fatal(err)
		}
		var timed float64
		warm := 0
		for n := p.next(); n > 0; n = p.next() {
			if p.warming {
				warm += n
			} else {
				timed += float64(n) * each
			}
			p.note(batch{n: n, seconds: float64(n) * each})
		}
		if warm < 10 || timed < 0.5*(1-1e-9) || timed > 0.5+1.01*math.Max(each, 0.001) || len(p.finish()) > maxSamples+1 {
			t.Errorf("%g s an iteration: %d warm-up, %g s in %d samples", each, warm, timed, len(p.samples))
		}
	}
}

func TestPaceRefuses(t *testing.T) {
	for _, c := range [][3]float64{{-1, 0, 0}, {0, 0, 0}, {0, -1, 0}, {1, 0, -1}} {
		if _, err := newPace(int(c[0]), c[1], int(c[2]), 0); err == nil {
			t.Errorf("%v was taken", c)
		}
	}
	// A clock that stands still ends the loop all the same.
	p, _ := newPace(0, 0.001, 1, 0)
	n := 0
	for k := p.next(); k > 0 && n < 3_000_000; k = p.next() {
		p.note(batch{n: k})
		n++
	}
	if n == 3_000_000 {
		t.Error("no end")
	}
}

func ExampleRegistry() {
	none := map[Model]func(*PE, result.Params) (Body, error){None: nil}
	r := NewRegistry(&Benchmark{Name: "a", Metrics: []Metric{{Name: "latency", Unit: "s"}}, New: none})
	b, ok := r.Lookup("a")
	fmt.Println(b.Name, ok, len(r.All()))
	_, ok = r.Lookup("b")
	fmt.Println(ok)
	// Output:
	// a true 1
	// false
}
