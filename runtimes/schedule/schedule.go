// Package schedule is what the collectives of both models have in common: into which pieces data is cut, and who passes which
// piece to whom in which step. It is pure; how a piece is sent, and waited for, is a model's affair. So what is compared between
// the models is the models and not two algorithms.
//
// Rings and the point from where on they are taken follow Thakur, Rabenseifner and Gropp, Optimization of Collective
// Communication Operations in MPICH, 2005, sections 3 and 4.
package schedule

import "gpubench/gpu"

// RingBytes is from where on trees give way to rings: a ring sends 2(n−1)/n of the data per member where a tree sends log2 n
// times all of it.
const RingBytes = 64 << 10

// Algorithm is how data of a broadcast or a reduction goes.
type Algorithm int

// The algorithms. The zero value is the one that is chosen by size.
const (
	BySize Algorithm = iota // Tree below RingBytes and between two members, else Ring
	Tree                    // all of it along a tree, or for all-reduce by recursive doubling where a model has that
	Ring                    // in pieces round a ring
)

// Rings reports whether n bytes go round a ring of so many members.
func (a Algorithm) Rings(n, members int) bool {
	if a == BySize {
		return n >= RingBytes && members > 2
	}
	return a == Ring
}

// Pieces is memory cut into one piece per member. The first ones have one element more where it does not come out even.
type Pieces struct {
	m                gpu.Memory
	size, each, more int // bytes of an element, elements of a piece, pieces with one more
}

// Cut makes pieces of elements of elementBytes, one for each of so many members.
func Cut(m gpu.Memory, elementBytes, members int) Pieces {
	n := m.Len / elementBytes
	return Pieces{m, elementBytes, n / members, n % members}
}

// At is piece i.
func (p *Pieces) At(i int) gpu.Memory {
	from, n := i*p.each+min(i, p.more), p.each
	if i < p.more {
		n++
	}
	return p.m.Slice(from*p.size, n*p.size)
}

// From is where pieces i to j-1 lie.
func (p *Pieces) From(i, j int) gpu.Memory {
	first, last := p.At(i), p.At(j-1)
	off := int(first.Addr - p.m.Addr)
	return p.m.Slice(off, int(last.Addr-first.Addr)+last.Len)
}

// Member is one of Size members that stand in a ring, in the order of their ranks.
type Member struct{ Rank, Size int }

// Mod brings a number of a member or piece into range.
func (m Member) Mod(i int) int { return ((i % m.Size) + m.Size) % m.Size }

// Next and Before are its neighbours: a ring sends to the one and receives from the other.
func (m Member) Next() int { return m.Mod(m.Rank + 1) }

// Before: see Next.
func (m Member) Before() int { return m.Mod(m.Rank - 1) }

// Reduce is step k of the Size−1 that combine the pieces of all members: it sends piece out and combines what comes with
// piece acc. Afterwards the member has the whole of piece Rank+1+shift.
func (m Member) Reduce(k, shift int) (out, acc int) {
	return m.Mod(m.Rank + shift - k), m.Mod(m.Rank + shift - k - 1)
}

// Gather is step k of the Size−1 that pass pieces on until every member has all: what comes is piece in, which the next step
// sends on; the first sends piece at+shift. at is the member's place in the ring.
func (m Member) Gather(k, at, shift int) (in int) { return m.Mod(at + shift - k - 1) }

// Place is where the member stands in the binomial tree from root: at what distance from it, and how far from the one above,
// whose number has the lowest bit of at cleared. Those below are at distances of above/2, above/4, … 1, as far as there are
// members. Of the root above is the first power of two that is no less than Size.
func (m Member) Place(root int) (at, above int) {
	at, above = m.Mod(m.Rank-root), 1
	for above < m.Size && at&above == 0 {
		above *= 2
	}
	return at, above
}
