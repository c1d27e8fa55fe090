// Arrays whose chares move between PEs, as the user sees them: made with a Balancer, they come together at sync points,
// where the balancer places them anew by the loads that were measured since the one before (Charm++ manual, "Load
// Balancing", AtSync).
package charm

import (
	"fmt"
	"hash/fnv"
	"time"
	"unsafe"
)

// Balanced is what a sync point came to, the same on all chares.
type Balanced struct {
	Step  int64 // sync points of the array so far, from 1
	Moved int64 // chares that changed their PE at this one, of the whole array
}

// NewMobile is NewArray for chares that may move between PEs at sync points (AtSync), placed anew by b. *C is a Packer:
// its Pup packs the chare's state, its buffers by Pup.Buffer. On the new PE the chare is a new C that Pup has filled;
// arrive (nil: nothing) then gives it what belongs to a PE: streams, channels (Connect gives the ends it had, with what
// was under way in them), and runs before any method there. An error of arrive ends Run.
//
// The chare that leaves is not used any more when it has been packed: it closes what only its PE can close (streams,
// events) in Pup where p.Leaving() is true; buffers that it named by Pup.Buffer are the runtime's from then on.
func NewMobile[C any, P interface {
	*C
	Packer
}](pe *PE, name string, s Shape, place Map, b Balancer, construct func(self Elem[C], at Index) (*C, error),
	arrive func(self Elem[C], at Index, c *C) error) (Array[C], error) {
	if b.places == nil {
		panic("charm: array " + name + ": a zero Balancer: want one of BalancerOf")
	}
	h := fnv.New64a()
	h.Write([]byte(b.name))
	pe.arraysHash = pe.arraysHash*1099511628211 ^ h.Sum64()
	return newArray(pe, name, s, place, construct, func(coll *collection) {
		coll.mob = &mobile{
			balancer: b, distance: b.between(pe),
			fresh: func() unsafe.Pointer { return unsafe.Pointer(new(C)) },
			pup:   func(chare unsafe.Pointer, p *Pup) { P((*C)(chare)).Pup(p) },
			arrive: func(el *element) error {
				if arrive == nil {
					return nil
				}
				return arrive(Elem[C]{coll.id, el.lin}, el.index(), (*C)(el.chare))
			},
		}
	})
}

// AtSync brings a chare to the array's next sync point: every chare of the array calls it once, as the last act of a
// method, threaded or not. When all have, the balancer decides, chares move, and resume starts on each, on its new PE,
// once it is there; there is no barrier behind the moves. Until then other methods of the chare run as ever.
//
// At a sync point the chares have contributed equally often to each reduction over the array and its sections; results
// may still be under way. A chare moves without suspended threads, posted receives and unfinished sends: one that has
// some at a sync point ends Run with an error that says which, whether it would have moved or not. Messages that it has
// not received yet follow it, on channels too.
func AtSync[C any](pe *PE, self Elem[C], resume Entry[C, Balanced]) {
	resume.check()
	pe.atSync(pe.mobileHere(self.coll, self.elem, "comes to a sync point"), resume.m.id)
}

// AddLoad adds to a chare's load what the PE's own clock does not see, in seconds: the device time of its kernels. The
// load is else the time spent in its methods and threads, without their waits.
func AddLoad[C any](pe *PE, self Elem[C], seconds float64) {
	el := pe.mobileHere(self.coll, self.elem, "adds to its load")
	el.load += int64(seconds * float64(time.Second))
}

// mobileHere is a chare of a mobile array on this PE. It panics where there is none.
func (c *core) mobileHere(id, lin uint32, does string) *element {
	coll := c.mustKnow(id)
	if coll.mob == nil {
		panic(fmt.Sprintf("charm: %s %s, and array %s was not made by NewMobile", coll.elemName(lin), does, coll.name))
	}
	el := coll.elems[lin]
	if el == nil || el.chare == nil {
		panic(fmt.Sprintf("charm: %s %s on a PE where it does not live", coll.elemName(lin), does))
	}
	return el
}

// BalanceStats is what sync points of an array have cost since it was made.
type BalanceStats struct {
	// Of the whole array, the same on all PEs.
	Syncs   int64         // sync points
	Moves   int64         // chares that changed their PE
	Decided time.Duration // time in the balancer, on PE 0
	// Imbalance is the largest over the mean load of the PEs, 1 where all are even: as measured before the sync points,
	// and as those loads would have been at the new places. Summed over the sync points, and at the last.
	SumBefore, SumAfter   float64
	LastBefore, LastAfter float64

	// Of this PE alone: to be summed over PEs, or the largest taken.
	Sent   int64         // chares that left
	Bytes  int64         // that went with them: packed state and contents of buffers
	Moving time.Duration // from word of the places until the last chare from or to here has moved
	Waited time.Duration // from the last of this PE's chares at the sync point until word came
}

// AnyArray is an array of any chares.
type AnyArray interface{ number() uint32 }

func (a Array[C]) number() uint32 { return a.coll }

// Balancing is what sync points of an array have cost so far. It panics for one that NewMobile has not made.
func (rt *Runtime) Balancing(arr AnyArray) BalanceStats {
	coll := rt.pe.mustKnow(arr.number())
	if coll.mob == nil {
		panic("charm: Balancing of array " + coll.name + ", which was not made by NewMobile")
	}
	return coll.mob.stats
}
