// Tests on PEs that are threads, over inproc.
package charm_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"gpubench/gpu"
	"gpubench/runtimes/charm"
	"gpubench/runtimes/transport"
	"gpubench/runtimes/transport/inproc"
	"gpubench/runtimes/transport/inproc/inproctest"
)

// world is what onPEs runs on.
type world struct {
	n      int
	config charm.Config
	wrap   func(rank int, d transport.Driver) transport.Driver
	device func(rank int) (*gpu.Device, error)
	path   transport.PathConfig
	in     *inproc.World
	spin   bool // never give a core away
}

// onPEs runs body on n PEs, each a locked thread with an Endpoint and a Runtime, and returns what each returned.
func (w world) onPEs(tb testing.TB, body func(rt *charm.Runtime) error) []error {
	tb.Helper()
	crowded := w.n > runtime.NumCPU() || !w.spin // tests share the cores with others
	w.config.Yield = w.config.Yield || crowded
	if w.config.Deadline == 0 {
		w.config.Deadline = 20 * time.Second
	}
	pes := inproctest.PEs{N: w.n, World: w.in, Open: w.device, Wrap: w.wrap, Config: transport.Config{Yield: crowded}, Path: w.path}
	return pes.Run(func(ep *transport.Endpoint) error {
		rt, err := charm.New(ep, w.config)
		if err != nil {
			return err
		}
		return firstOf(body(rt), rt.Close())
	})
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// mustRun is onPEs with no errors.
func (w world) mustRun(tb testing.TB, body func(rt *charm.Runtime) error) {
	tb.Helper()
	for rank, err := range w.onPEs(tb, body) {
		if err != nil {
			tb.Fatalf("PE %d: %v", rank, err)
		}
	}
}

// slow is a driver whose queues are full, and whose headers are late, at random.
type slow struct {
	transport.Driver
	rnd *rand.Rand
}

func newSlow(rank int, d transport.Driver) transport.Driver {
	return &slow{d, rand.New(rand.NewPCG(uint64(rank), 7))}
}

func (s *slow) SendHeader(peer int, h []byte) (bool, error) {
	if s.rnd.IntN(3) == 0 {
		return false, nil
	}
	return s.Driver.SendHeader(peer, h)
}

func (s *slow) RecvHeader(buf []byte) (int, int, bool, error) {
	if s.rnd.IntN(3) == 0 {
		return 0, 0, false, nil
	}
	return s.Driver.RecvHeader(buf)
}

func (s *slow) Do(ops []transport.Op, done []transport.Completion, polls int) (int, error) {
	if s.rnd.IntN(3) == 0 {
		done = done[:min(len(done), 1)]
	}
	return s.Driver.Do(ops, done, polls)
}

// pages keeps host memory for messages alive.
func hostMemory(n int) gpu.Memory {
	b := make([]byte, max(n, 1))
	kept.Lock()
	kept.all = append(kept.all, b)
	kept.Unlock()
	return gpu.HostMemory(b[:n])
}

var kept struct {
	sync.Mutex
	all [][]byte
}

func each(t *testing.T, counts []int, f func(t *testing.T, w world)) {
	for _, n := range counts {
		t.Run(fmt.Sprintf("%d PEs", n), func(t *testing.T) { f(t, world{n: n}) })
		t.Run(fmt.Sprintf("%d slow PEs", n), func(t *testing.T) { f(t, world{n: n, wrap: newSlow}) })
	}
}
