// Chares that move to another PE: what they take along, what they find there, and what it came to.

package pic

import (
	"errors"
	"slices"

	"gpubench/internal/result"
	"gpubench/runtimes/charm"
)

// Pup packs a chare: its particles and the charges of its cells, as AMPI/PIC packs a rank.
func (b *chare) Pup(p *charm.Pup) {
	if p.Unpacking() {
		b.block = &block{}
	}
	charm.PupValue(p, &b.steps)
	p.Int(&b.left)
	p.Int(&b.n)
	p.Int(&b.arrays.Capacity)
	p.Buffer(&b.particles)
	p.Buffer(&b.charges)
	if p.Leaving() {
		w := b.w
		w.blocks = slices.DeleteFunc(w.blocks, func(o *block) bool { return o == b.block })
		w.spare = append(w.spare, b.gear)
	}
}

// arrive gives a chare that has moved what belongs to its new PE.
func (c *chares) arrive(self charm.Elem[chare], at charm.Index, b *chare) error {
	b.home, b.self, b.w, b.at = c, self, c.part, at
	err := b.equip()
	if err == nil {
		err = b.layOut(b.arrays.Capacity)
	}
	if err != nil {
		return errors.Join(err, b.gear.close()) // the runtime has particles and charges
	}
	b.connect()
	c.blocks = append(c.blocks, b.block)
	return nil
}

// Balancing is what the sync points came to.
func (c *chares) Balancing() *result.Balancing {
	if c.every == 0 {
		return nil
	}
	s := c.rt.Balancing(c.arr)
	b := &result.Balancing{Syncs: s.Syncs, Migrations: s.Moves, MovedBytes: s.Bytes, DecideS: s.Decided.Seconds()}
	if s.Syncs > 0 {
		b.ImbalanceBefore, b.ImbalanceAfter = s.SumBefore/float64(s.Syncs), s.SumAfter/float64(s.Syncs)
	}
	return b
}
