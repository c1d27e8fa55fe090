// What a chare must not have at a sync point, and who has not come to it: words for people.
package charm

import (
	"fmt"
	"strings"
)

// unevenIn says which chares here have contributed more or less often than others.
func unevenIn(coll *collection) string {
	uneven := func(r *roster) string {
		for i, n := range r.seqs {
			if n != r.seqs[0] {
				return fmt.Sprintf("%s has contributed to %d reductions over %s, %s to %d: all contribute equally often before AtSync",
					r.local[i].name(), n, r.name(), r.local[0].name(), r.seqs[0])
			}
		}
		return ""
	}
	why := uneven(coll.all)
	for _, r := range coll.rosters {
		if w := uneven(r); why == "" {
			why = w
		}
	}
	return why
}

// openIn says which chare here has something open that cannot move, of one or (nil) of all.
func (c *core) openIn(coll *collection, one *element) string {
	for _, t := range c.threads {
		el := t.current.el
		if t.active && t.begun && el != nil && el.coll == coll && (one == nil || one == el) {
			return fmt.Sprintf("%s has a suspended thread: method %s, which %s; AtSync is the last act of a method, when the chare's others have returned",
				el.name(), t.current.m.name, t.why.text())
		}
	}
	for _, el := range coll.all.local {
		if one != nil && one != el {
			continue
		}
		for _, ch := range el.chans {
			switch {
			case ch.posted.n > 0:
				return fmt.Sprintf("%s has posted %d receives from %s that have no message: wait for them before AtSync", el.name(), ch.posted.n, ch.name())
			case ch.open > 0:
				return fmt.Sprintf("%s has %d unfinished sends or receives on its channel to %s: wait for them before AtSync", el.name(), ch.open, ch.name())
			}
		}
	}
	return ""
}

// syncWaits says who has not come to a sync point that others wait at.
func (c *core) syncWaits(coll *collection) (out []string) {
	m := coll.mob
	line := func(who string, absent func(lin int) bool) {
		var names []string
		for lin := range coll.where {
			if absent(lin) {
				if len(names) == 8 {
					names = append(names, "…")
					break
				}
				names = append(names, coll.shape.At(lin).text(coll.shape.dims))
			}
		}
		text := "chares " + strings.Join(names, ", ") + " have not called AtSync"
		if len(names) == 1 {
			text = "chare " + names[0] + " has not called AtSync"
		}
		if len(names) > 0 {
			out = append(out, fmt.Sprintf("%s at sync point %d of array %s: %s", who, m.step+1, coll.name, text))
		}
	}
	if m.here > 0 {
		line(fmt.Sprintf("PE %d waits", c.rank), func(lin int) bool { return coll.elems[lin] != nil && !coll.elems[lin].synced })
	}
	if m.round.have > 0 {
		line("PE 0 waits for word of PEs", func(lin int) bool { return !m.round.told[lin] && int(coll.where[lin]) != c.rank })
	}
	return out
}
