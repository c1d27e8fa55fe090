// What the two sides of a rendezvous share.

package inproc

import (
	"sync/atomic"
	"unsafe"

	"gpubench/gpu"
)

// A rendezvous' states. The sender makes it pending; whoever swaps that for something else first decides: the receiver
// claims it and copies, or the sender withdraws it. The receiver ends both.
const (
	pending   uint32 = iota
	claimed          // the receiver reads the sender's buffer
	sharing          // it does, and the sender may help
	withdrawn        // the receiver has not seen that yet
	ended            // the sender may use the state again
)

// sendState is a send whose bytes the receiver fetches. Cache lines of its own, four with shared.
type sendState struct {
	state atomic.Uint32
	index uint32
	buf   gpu.Memory
	dev   *gpu.Device // the sender's
	err   error       // by the receiver before ended: why it could not
	_     [128 - 4 - 4 - 24 - 8 - 16]byte
	copy  shared
	_     [128 - unsafe.Sizeof(shared{})]byte
}

var _ [256]byte = [unsafe.Sizeof(sendState{})]byte{}

// withdraw reports whether the send is off. If not, the receiver is at it.
func (s *sendState) withdraw() bool { return s.state.CompareAndSwap(pending, withdrawn) }

// reading reports whether the receiver is at the buffer.
func (s *sendState) reading() bool {
	now := s.state.Load()
	return now == claimed || now == sharing
}

// end tells the sender, after the receiver's last look at the buffer.
func (s *sendState) end(err error) {
	s.err = err
	s.state.Store(ended)
}

// sendTable has all sendStates of a PE. Only the PE itself adds blocks; others read those whose index they were told.
type sendTable struct {
	blocks [256]atomic.Pointer[[sendBlock]sendState]
}

const sendBlock = 256 // 64 KiB: big enough to begin on a page

func (t *sendTable) at(index uint32) *sendState {
	return &t.blocks[index/sendBlock].Load()[index%sendBlock]
}

// sendPool is the owner's side: which states are free.
type sendPool struct {
	table *sendTable
	free  []*sendState
	used  int // blocks
}

// get is nil when as many sends as the table holds are under way.
func (p *sendPool) get() *sendState {
	if len(p.free) == 0 {
		if p.used == len(p.table.blocks) {
			return nil
		}
		b := new([sendBlock]sendState)
		for i := range b {
			b[i].index = uint32(p.used*sendBlock + i)
			p.free = append(p.free, &b[i])
		}
		p.table.blocks[p.used].Store(b)
		p.used++
	}
	s := p.free[len(p.free)-1]
	p.free = p.free[:len(p.free)-1]
	return s
}

func (p *sendPool) put(s *sendState) {
	s.err, s.dev = nil, nil
	p.free = append(p.free, s)
}
