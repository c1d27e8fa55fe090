package charm

import (
	"unsafe"

	"gpubench/gpu"
)

// mobile is what an array whose chares move has besides.
type mobile struct {
	balancer Balancer
	fresh    func() unsafe.Pointer
	pup      func(chare unsafe.Pointer, p *Pup)
	arrive   func(el *element) error
	stats    BalanceStats
}

func (c *core) newMobile(coll *collection, b Balancer) *mobile { return &mobile{balancer: b} }

func (c *core) atSync(el *element, resume uint16) { panic("charm: AtSync: moving comes with the next commit") }

// cargo is the buffers of a chare that moves.
type cargo struct{ buffers []*gpu.Buffer }

// Buffer passes over a buffer of a chare that moves: its contents travel on their own, as the Endpoint's path says, into
// a new buffer of the same space, length and pages on the new PE's device, and the old one is freed when they have left.
// A nil buffer stays nil. No stream may write the buffer any more. In a message, which cannot carry buffers, it panics.
func (p *Pup) Buffer(b **gpu.Buffer) {
	if p.move == nil {
		panic("charm: Pup.Buffer in a message: only chares that move take buffers along")
	}
}

// Leaving reports whether the chare is packed to move, and is not used here any more: time to close what only its PE can.
func (p *Pup) Leaving() bool { return p.move != nil && p.mode == pupPacking }
