// Gates: streams are held until all that is to be timed has been queued, so that queueing is not in the time.
package kernels

/*
#include <stdint.h>
struct gb_launch;
void gb_gate_wait(const uint64_t *args, const struct gb_launch *l);
void gb_gate_nothing(const uint64_t *args, const struct gb_launch *l);
*/
import "C"

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"gpubench/gpu"
)

var (
	gateWait    = define("gate", "gate_wait", "pii", unsafe.Pointer(C.gb_gate_wait))
	gateNothing = define("gate", "gate_nothing", "i", unsafe.Pointer(C.gb_gate_nothing))
)

// Nothing launches an empty kernel of one thread.
func (k *Set) Nothing(s *gpu.Stream) error {
	return k.launch(s, gateNothing, gpu.Dim3{X: 1, Y: 1, Z: 1}, gpu.Dim3{X: 1, Y: 1, Z: 1}, 0)
}

// GateDepth is how many operations may be queued behind a gate: a driver's queue holds about a thousand launches, and
// a call that finds it full waits for a stream that waits for the gate.
const GateDepth = 512

// gateLooks bounds the waiting kernel: each look goes to the host's memory and takes about a microsecond.
const gateLooks = 20_000_000

// Gate holds streams of one driver from Hold to Open. On `cpu` work is carried out while it is queued, and a gate does
// nothing. Nothing behind it may use pageable memory, since such copies block the host, nor load a module.
type Gate struct {
	set    *Set
	word   *gpu.Buffer // pinned; what it holds opens the gate of that number
	turn   uint32
	kernel bool // the driver cannot wait for a value: a kernel does
	limit  time.Duration
	timer  *time.Timer // nil: open

	mu   sync.Mutex
	held uint32 // the number that is to be opened, 0: none
	late bool   // the time limit opened it
}

// NewGate makes a gate that opens by itself after limit, for a host that cannot go on; it is used on the set's
// thread. Errors: *gpu.UnsupportedError where the device cannot see the word.
func (k *Set) NewGate(limit time.Duration) (*Gate, error) {
	if !k.dev.Info().HostPointersAreSame && k.dev.Driver() != gpu.CPU {
		return nil, &gpu.UnsupportedError{Feature: fmt.Sprintf("gates on %v", k.dev), Reason: "the device knows pinned memory by other addresses than the host"}
	}
	word, err := k.dev.Alloc(gpu.Pinned, 8, gpu.DefaultPages)
	if err != nil {
		return nil, fmt.Errorf("gate: %w", err)
	}
	g := &Gate{set: k, word: word, limit: limit}
	atomic.StoreUint32(g.value(), 0)
	return g, nil
}

func (g *Gate) value() *uint32 { return &gpu.Of[uint32](g.word.Memory())[0] }

// Hold makes what is queued in the stream from now on wait for Open.
func (g *Gate) Hold(s *gpu.Stream) error {
	if g.set.dev.Driver() == gpu.CPU {
		return nil
	}
	if g.timer != nil {
		panic("kernels: Hold of a gate that holds already")
	}
	g.turn++
	if err := g.wait(s); err != nil {
		return fmt.Errorf("gate: %w", err)
	}
	g.mu.Lock()
	g.held, g.late = g.turn, false
	g.mu.Unlock()
	turn := g.turn
	g.timer = time.AfterFunc(g.limit, func() { g.release(turn, true) })
	return nil
}

// release opens the gate of a number, unless that has been done.
func (g *Gate) release(turn uint32, late bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.held == turn {
		atomic.StoreUint32(g.value(), turn)
		g.held, g.late = 0, late
	}
}

func (g *Gate) wait(s *gpu.Stream) error {
	m := g.word.Slice(0, 4)
	if !g.kernel {
		err := s.WaitValue32(m, g.turn)
		if !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
		g.kernel = true
	}
	one := gpu.Dim3{X: 1, Y: 1, Z: 1}
	return g.set.launch(s, gateWait, one, one, uint64(m.Addr), uint64(g.turn), gateLooks)
}

// Open lets the stream go. An error says that the time limit did so before: what was timed has queueing in it.
func (g *Gate) Open() error {
	if g.timer == nil {
		return nil
	}
	g.timer.Stop()
	g.timer = nil
	g.release(g.turn, false)
	if g.late {
		return fmt.Errorf("gate: what was to be timed was not queued within %v: queueing would be in the time", g.limit)
	}
	return nil
}

// Close opens the gate and frees it; the streams that it held must have gone through it.
func (g *Gate) Close() error {
	_ = g.Open() // late or not, nothing is timed any more
	return g.word.Free()
}
