// Sync points of arrays whose chares move. Each PE tells PE 0 the loads of its chares when the last of them has called
// AtSync; PE 0 asks the balancer and announces the new places over the tree of all PEs; each PE then changes its tables
// (places.go), sends off the chares that leave (migrate.go) and starts those that stay.
//
// Places change at different times on different PEs. A message for a chare that has left is sent after it; one for a
// chare that has not come yet waits. Messages that follow a tree of an array's PEs name the epoch that the tree is of: it
// grows by one at each sync point at which chares move. A PE that is behind keeps such a message until it is there, one
// that is ahead goes by the places that were. Contributions are counted anew in each epoch, so that reductions under way
// end over the tree that they began on.
package charm

import (
	"fmt"
	"math"
	"slices"
	"time"
	"unsafe"
)

// mobile is what an array whose chares move has besides.
type mobile struct {
	balancer Balancer
	distance func(a, b int) float64
	fresh    func() unsafe.Pointer
	pup      func(chare unsafe.Pointer, p *Pup)
	arrive   func(el *element) error

	step    uint32    // sync points of which this PE knows the places
	epoch   uint32    // of those, at which chares moved
	past    [][]int32 // places in the epochs before this one, the last at the end
	retired []*roster // of epochs before, with reductions under way
	here    int       // chares of this PE at the sync point
	late    int       // contributions that wait for word of a section
	since   int64     // when the last chare of this PE came
	last    Balanced
	round   round

	coming map[uint32]*cargo // chares whose buffers have not all come
	moving int               // chares from here and to here under way
	began  int64             // when they began to move
	stats  BalanceStats
}

// round is PE 0's knowledge of the sync point that chares come to.
type round struct {
	have  int
	told  []bool // by element
	loads []float64
	peers [][]int
	seq   uint32 // contributions to reductions over the array, on the first PE that told
}

// pastEpochs is how many epochs a broadcast may be under way for.
const pastEpochs = 16

const (
	syncLen   = 24
	placesLen = 48
)

// Modes of kindSync.
const (
	syncHere uint8 = iota // to this PE itself: all of its chares are there
	syncTell              // to PE 0: with their loads
)

// atSync notes that a chare has come.
func (c *core) atSync(el *element, resume uint16) {
	if el.synced {
		panic("charm: " + el.name() + " calls AtSync again before its resume method has started")
	}
	el.synced, el.resume = true, resume
	el.coll.mob.here++
	c.together(el.coll)
}

// together goes on when all of this PE's chares are there: by way of the queue, so that the method that called has
// returned.
func (c *core) together(coll *collection) {
	if m := coll.mob; m.late > 0 || m.here < len(coll.all.local) {
		return
	}
	putHeader(c.open(c.rank, headerLen), kindSync, 0, coll.id, 0)
}

// syncMessage takes what is said on the way to a sync point.
func (c *core) syncMessage(src int, b []byte) {
	coll := c.known(word(b, 4))
	if mode(b) == syncTell {
		c.gather(coll, src, b)
		return
	}
	coll.mob.since = c.port.Now()
	why := c.openIn(coll, nil)
	if why == "" {
		why = unevenIn(coll)
	}
	if why != "" {
		c.fail(fmt.Errorf("charm: PE %d: sync point %d of array %s: %s", c.rank, coll.mob.step+1, coll.name, why))
		return
	}
	c.tell(coll)
}

// tell gives PE 0 the loads of the chares here, and begins to measure anew.
func (c *core) tell(coll *collection) {
	m, local := coll.mob, coll.all.local
	b := make([]byte, syncLen, syncLen+12*len(local))
	putHeader(b, kindSync, 0, coll.id, m.step)
	setMode(b, syncTell)
	le.PutUint32(b[16:], coll.all.seqs[0])
	le.PutUint32(b[20:], uint32(len(local)))
	for _, el := range local {
		b = le.AppendUint32(b, el.lin)
		b = le.AppendUint64(b, uint64(el.load))
		el.load = 0
	}
	if m.balancer.peers {
		for _, el := range local {
			peers := peersIn(el)
			b = le.AppendUint32(b, uint32(len(peers)))
			for _, lin := range peers {
				b = le.AppendUint32(b, lin)
			}
		}
	}
	copy(c.open(0, len(b)), b)
	if c.rank != 0 {
		c.ship(0, b)
	}
}

// peersIn lists the elements of its own array that a chare has channels to.
func peersIn(el *element) (peers []uint32) {
	for _, ch := range el.chans {
		if ch.peerColl == el.coll.id && ch.peerElem != el.lin {
			peers = append(peers, ch.peerElem)
		}
	}
	slices.Sort(peers)
	return slices.Compact(peers)
}

// gather collects loads on PE 0 until all chares have come.
func (c *core) gather(coll *collection, src int, b []byte) {
	m, n := coll.mob, coll.shape.Len()
	r := &m.round
	if r.have == 0 {
		*r = round{told: make([]bool, n), loads: make([]float64, n), seq: word(b, 16)}
		if m.balancer.peers {
			r.peers = make([][]int, n)
		}
	}
	if seq := word(b, 16); seq != r.seq {
		c.fail(fmt.Errorf("charm: sync point %d of array %s: chares on PE %d have contributed to %d reductions over the array, others to %d: all contribute equally often before AtSync",
			m.step+1, coll.name, src, seq, r.seq))
		return
	}
	count := int(word(b, 20))
	loads, peers := b[syncLen:], b[syncLen+12*count:]
	for i := range count {
		lin := word(loads, 12*i)
		r.told[lin] = true
		r.loads[lin] = float64(max(int64(le.Uint64(loads[12*i+4:])), 0)) / float64(time.Second)
		if m.balancer.peers {
			k := int(word(peers, 0))
			for j := range k {
				r.peers[lin] = append(r.peers[lin], int(word(peers, 4+4*j)))
			}
			peers = peers[4+4*k:]
		}
	}
	if r.have += count; r.have == n {
		c.decide(coll)
	}
}

// decide asks the balancer and tells all.
func (c *core) decide(coll *collection) {
	m := coll.mob
	s := Situation{PEs: c.size, Loads: m.round.loads, Places: make([]int, len(coll.where)), Peers: m.round.peers, Distance: m.distance}
	for i, pe := range coll.where {
		s.Places[i] = int(pe)
	}
	before, began := imbalance(s), c.port.Now()
	to := m.balancer.places(s)
	took := c.port.Now() - began
	if len(to) != len(s.Places) {
		c.fail(fmt.Errorf("charm: balancer %s of array %s placed %d chares of %d", m.balancer.name, coll.name, len(to), len(s.Places)))
		return
	}
	b := make([]byte, placesLen)
	putHeader(b, kindPlaces, 0, coll.id, m.step+1)
	for i, pe := range to {
		if pe < 0 || pe >= c.size {
			c.fail(fmt.Errorf("charm: balancer %s places %s on PE %d of %d", m.balancer.name, coll.elemName(uint32(i)), pe, c.size))
			return
		}
		if pe != s.Places[i] {
			b = le.AppendUint32(le.AppendUint32(b, uint32(i)), uint32(pe))
		}
	}
	s.Places = to
	le.PutUint64(b[24:], uint64(took))
	le.PutUint64(b[32:], math.Float64bits(before))
	le.PutUint64(b[40:], math.Float64bits(imbalance(s)))
	m.round = round{}
	c.announce(b)
	c.adopt(coll, b)
}

// placesMessage passes word of new places on, and goes by it when all before has come. It reports false when it waits.
func (c *core) placesMessage(b []byte) bool {
	c.pass(b)
	coll := c.known(word(b, 4))
	if step := word(b, 8); step != coll.mob.step+1 { // not to be passed on again
		b = slices.Clone(b)
		c.whenKnown(early{coll: coll.id, until: untilStep, n: step - 1}, func() {
			c.adopt(coll, b)
			c.done++
		})
		return false
	}
	c.adopt(coll, b)
	return true
}
