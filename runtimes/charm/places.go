// New places: what a PE does when word of them comes, and how messages that follow a tree find the one of their epoch.
package charm

import (
	"fmt"
	"math"
	"slices"
	"time"
	"unsafe"
)

// adopt goes by new places: chares leave, or are waited for, and those that stay go on.
func (c *core) adopt(coll *collection, b []byte) {
	m, now := coll.mob, c.port.Now()
	if len(coll.all.local) > 0 {
		m.stats.Waited += time.Duration(now - m.since)
	}
	pairs := b[placesLen:]
	m.step, m.here = m.step+1, 0
	m.last = Balanced{Step: int64(m.step), Moved: int64(len(pairs) / 8)}
	m.count(b)
	local := coll.all.local
	if len(pairs) > 0 {
		m.began = now
		if !c.rearrange(coll, pairs) {
			return
		}
	}
	for _, el := range local {
		if !el.gone {
			c.goOn(el)
		}
	}
	c.release(early{coll: coll.id, until: untilStep, n: m.step})
}

// count notes what PE 0 has said of a sync point.
func (m *mobile) count(b []byte) {
	s := &m.stats
	s.Syncs, s.Moves = m.last.Step, s.Moves+m.last.Moved
	s.Decided += time.Duration(le.Uint64(b[24:]))
	s.LastBefore, s.LastAfter = math.Float64frombits(le.Uint64(b[32:])), math.Float64frombits(le.Uint64(b[40:]))
	s.SumBefore += s.LastBefore
	s.SumAfter += s.LastAfter
}

// goOn starts a chare's resume method.
func (c *core) goOn(el *element) {
	el.synced = false
	b := c.open(c.rank, headerLen+int(unsafe.Sizeof(Balanced{})))
	putHeader(b, kindEntry, el.resume, el.coll.id, el.lin)
	*bytesAs[Balanced](b[headerLen:]) = el.coll.mob.last
}

// rearrange begins an epoch with the places in pairs. It reports false when a chare cannot leave.
func (c *core) rearrange(coll *collection, pairs []byte) bool {
	m := coll.mob
	if m.past = append(m.past, slices.Clone(coll.where)); len(m.past) > pastEpochs {
		m.past = slices.Delete(m.past, 0, 1)
	}
	m.epoch++
	if err := c.freeSpares(true); err != nil {
		c.fail(err)
		return false
	}
	for p := pairs; len(p) > 0; p = p[8:] {
		coll.where[word(p, 0)] = int32(word(p, 4))
	}
	for p := pairs; len(p) > 0; p = p[8:] {
		lin, to := word(p, 0), int(word(p, 4))
		switch el := coll.elems[lin]; {
		case el != nil:
			if why := c.openIn(coll, el); why != "" {
				c.fail(fmt.Errorf("charm: PE %d: sync point %d of array %s: %s", c.rank, m.step, coll.name, why))
				return false
			}
			m.moving++
			if !c.sendChare(el, to) {
				return false
			}
		case to == c.rank:
			m.moving++
			coll.elems[lin] = &element{coll: coll, lin: lin}
		}
	}
	c.renewRosters(coll)
	c.release(early{coll: coll.id, until: untilEpoch, n: m.epoch})
	return true
}

// renewRosters makes rosters for the places as they are now. Those with reductions under way stay until these end.
func (c *core) renewRosters(coll *collection) {
	renew := func(old *roster) *roster {
		if len(old.under) > 0 {
			coll.mob.retired = append(coll.mob.retired, old)
		}
		return c.newRoster(coll, old.sec, old.lins)
	}
	coll.all = renew(coll.all)
	for i, el := range coll.all.local {
		el.slot = int32(i)
	}
	for sec, old := range coll.rosters {
		coll.rosters[sec] = renew(old)
	}
}

// treeOf is the roster that a broadcast of another epoch follows; nil when the epoch has not begun here.
func (c *core) treeOf(now *roster, epoch uint32) (r *roster, wait early) {
	coll, m := now.coll, now.coll.mob
	if epoch > m.epoch {
		return nil, early{coll: coll.id, until: untilEpoch, n: epoch}
	}
	back := int(m.epoch - epoch)
	if back > len(m.past) {
		c.fail(fmt.Errorf("charm: a broadcast to %s has been under way while its chares moved at %d sync points: at most %d", now.name(), back, pastEpochs))
		return nil, early{coll: coll.id, until: untilEpoch, n: epoch}
	}
	then := *coll
	then.where = m.past[len(m.past)-back]
	then.elems = make([]*element, len(then.where))
	for i, pe := range then.where {
		if int(pe) == c.rank {
			then.elems[i] = &element{coll: coll, lin: uint32(i)}
		}
	}
	return c.newRoster(&then, now.sec, now.lins), early{}
}

// retiredOf is the roster of an earlier epoch that a reduction is under way on; nil when there is none.
func (m *mobile) retiredOf(sec uint64, epoch uint32) *roster {
	for _, r := range m.retired {
		if r.sec == sec && r.epoch == epoch {
			return r
		}
	}
	return nil
}
