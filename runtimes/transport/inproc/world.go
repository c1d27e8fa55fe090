// Package inproc is the transport between PEs that are locked threads of one process: spinning mailboxes between each
// two of them, no Go channel and no lock on the way of a message.
//
// Small host messages and headers travel inside the mailbox (eager). For everything else the mailbox carries a
// descriptor, and the receiver copies straight from the sender's buffer, then says so (rendezvous): host memory by the
// processor, device memory by one copy on the receiver's own stream, which an event ends.
//
// The process needs GOMAXPROCS of at least the number of PEs plus one, since a PE that waits does not give its
// processor back to Go's scheduler.
package inproc

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"gpubench/gpu"
	"gpubench/runtimes/transport"
)

// What has become of a PE.
const (
	unborn uint32 = iota // its Driver has not been called yet
	alive
	closed // it ended by itself
	killed
)

// peer is what all PEs may see of one.
type peer struct {
	state atomic.Uint32
	sends sendTable
	dev   *gpu.Device // written before state becomes alive
	_     [64]byte
}

// World is the set of PEs of one process.
type World struct {
	n      int
	rings  []*ring // [to*n+from]
	peers  []peer
	deaths atomic.Uint32 // how many PEs have been closed or killed
	mu     sync.Mutex    // for Driver and Kill alone
	host   string
	pid    int
}

// NewWorld makes the mailboxes for n PEs.
func NewWorld(n int) *World {
	if n < 1 {
		panic("inproc: a world of no PEs")
	}
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	w := &World{n: n, peers: make([]peer, n), rings: make([]*ring, n*n), host: host, pid: os.Getpid()}
	for to := range n {
		for from := range n {
			if to != from {
				w.rings[to*n+from] = newRing(n)
			}
		}
	}
	return w
}

// Driver is PE rank's side. It is called on that PE's locked thread, with its device bound there (nil: host memory
// only). A rank can be opened once.
func (w *World) Driver(rank int, dev *gpu.Device) (transport.Driver, error) {
	if rank < 0 || rank >= w.n {
		panic(fmt.Sprintf("inproc: no PE %d in a world of %d", rank, w.n))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	p := &w.peers[rank]
	switch p.state.Load() {
	case killed:
		return nil, fmt.Errorf("inproc: PE %d has been killed: %w", rank, transport.ErrPeerDied)
	case unborn:
	default:
		panic(fmt.Sprintf("inproc: PE %d is opened twice", rank))
	}
	for i := range w.peers {
		if o := w.peers[i].dev; o != nil && dev != nil && o.Driver() != dev.Driver() {
			return nil, &transport.Error{Op: "open", Rank: rank, Peer: i, Tag: transport.AnyTag, Kind: transport.ErrUnsupported,
				Detail: fmt.Sprintf("this PE has a device of driver %q, the other of %q", dev.Driver(), o.Driver()),
				Mend:   "give all PEs of a process the same --device"}
		}
	}
	d, err := newDriver(w, rank, dev)
	if err != nil {
		return nil, fmt.Errorf("inproc: PE %d: %w", rank, err)
	}
	p.dev = dev
	p.state.Store(alive)
	return d, nil
}

// Kill marks a PE as dead: whoever waits for it gets transport.ErrPeerDied, and so do its own calls. Any thread may call
// it. The PE's buffers must stay until its driver has been closed.
func (w *World) Kill(rank int) { w.end(rank, killed) }

func (w *World) end(rank int, state uint32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.peers[rank].state.Load(); s == killed || s == closed {
		return
	}
	w.peers[rank].state.Store(state)
	w.deaths.Add(1)
}

// device is PE rank's, nil where it has none or has not come yet.
func (w *World) device(rank int) *gpu.Device {
	if w.peers[rank].state.Load() == unborn {
		return nil
	}
	return w.peers[rank].dev
}

// errKilled is what a killed PE's own calls return.
var errKilled = errors.New("this PE has been killed")
