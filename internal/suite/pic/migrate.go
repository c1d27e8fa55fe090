// Chares that move to another PE: what they take along, what they find there, and what it came to.

package pic

import (
	"errors"
	"math"
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

// Balancing is what the sync points since the last call came to.
func (c *chares) Balancing() *result.Balancing {
	if c.every == 0 {
		return nil
	}
	s, was := c.rt.Balancing(c.arr), c.balanced
	c.balanced = s
	syncs := s.Syncs - was.Syncs
	// No imbalance is less than 1 but by the rounding of sums.
	mean := func(sum float64) float64 {
		if syncs == 0 {
			return math.NaN()
		}
		return max(1, sum/float64(syncs))
	}
	return &result.Balancing{Syncs: syncs, Migrations: s.Moves - was.Moves, MovedBytes: s.Bytes - was.Bytes,
		DecideS: (s.Decided - was.Decided).Seconds(), ImbalanceBefore: mean(s.SumBefore - was.SumBefore),
		ImbalanceAfter: mean(s.SumAfter - was.SumAfter)}
}
