// Chares for scripted traces of sync points.
package charm

import (
	"fmt"
	"strings"
	"testing"
)

// nomad comes to sync points when it is told to.
type nomad struct {
	self Elem[nomad]
	name string
	N    int64 // messages that it has got
	log  func(format string, args ...any)
}

func (c *nomad) Pup(p *Pup) { PupValue(p, &c.self); p.String(&c.name); PupValue(p, &c.N) }

var (
	nomadSync, nomadNote, nomadAdd, nomadSay, nomadHear, nomadPost, nomadGive Entry[nomad, talk]
	nomadOn                                                                   Entry[nomad, Balanced]
	nomadTotal                                                                Entry[nomad, int64]
)

func init() {
	nomadSync = Method("sync", func(c *nomad, pe *PE, m talk) { // its load is N ms
		AddLoad(pe, c.self, float64(m.N)/1000)
		AtSync(pe, c.self, nomadOn)
		c.log("PE %d: %s has called AtSync", pe.rank, c.name)
	})
	nomadOn = Method("on", func(c *nomad, pe *PE, b Balanced) {
		c.log("PE %d: %s goes on after sync point %d, at which %d moved; it has got %d", pe.rank, c.name, b.Step, b.Moved, c.N)
	})
	nomadNote = Method("note", func(c *nomad, pe *PE, m talk) {
		c.N++
		c.log("PE %d: %s note %d", pe.rank, c.name, m.N)
	})
	nomadAdd = Method("add", func(c *nomad, pe *PE, m talk) {
		all := c.self.Array(pe)
		Contribute(pe, all.All(), c.self, m.N, SumInt64, nomadTotal.To(all.At(int(m.Peer))))
	})
	nomadTotal = Method("total", func(c *nomad, pe *PE, v int64) { c.log("PE %d: %s total %d", pe.rank, c.name, v) })
	nomadSay = Method("say", func(c *nomad, pe *PE, m talk) {
		Connect(pe, c.self, c.self.Array(pe).At(int(m.Peer)), 0).SendBytes(pe, memory(int(m.N), byte(m.N)).Bytes())
	})
	nomadHear = Threaded("hear", func(c *nomad, t *Thread, m talk) {
		buf := make([]byte, 4096)
		n, err := Connect(t.PE, c.self, c.self.Array(t.PE).At(int(m.Peer)), 0).RecvBytes(t, buf)
		c.log("PE %d: %s heard %d B, the first is %d: %v", t.rank, c.name, n, buf[0], err)
	})
	nomadPost = Method("post", func(c *nomad, pe *PE, m talk) { // a receive that nobody waits for
		Connect(pe, c.self, c.self.Array(pe).At(int(m.Peer)), 0).Irecv(pe, memory(8, 0))
	})
	nomadGive = Method("give", func(c *nomad, pe *PE, m talk) { // a send that nobody waits for
		Connect(pe, c.self, c.self.Array(pe).At(int(m.Peer)), 0).Isend(pe, memory(int(m.N), 1), nil)
	})
}

// nomads makes the array "Nomad" on all PEs of a simulation.
func (s *sim) nomads(n int, b Balancer) (arr Array[nomad]) {
	for _, pe := range s.pes {
		var err error
		arr, err = NewMobile(pe, "Nomad", Grid(n), Blocks, b, func(self Elem[nomad], at Index) (*nomad, error) {
			return &nomad{self: self, name: "Nomad" + at.text(1), log: s.say}, nil
		}, func(self Elem[nomad], at Index, c *nomad) error {
			c.log = s.say
			s.say("PE %d: %s arrives", pe.rank, c.name)
			return nil
		})
		if err != nil {
			panic(err)
		}
	}
	return arr
}

// A broadcast that is late by sync points still reaches each chare once; one that is too late is an error.
func TestLateBroadcasts(t *testing.T) {
	for _, late := range []int{1, pastEpochs, pastEpochs + 1} {
		t.Run(fmt.Sprint(late), func(t *testing.T) {
			s := newSim(t, 2, 256, 2)
			arr := s.nomads(2, mustBalancer(t, "rotate", BalanceConfig{}))
			s.begin(nil)
			nomadNote.Broadcast(s.pes[1], arr.All(), talk{N: 9})
			wire := [2]int{1, 0}
			held := s.wires[wire]
			delete(s.wires, wire)
			if len(held) != 1 {
				t.Fatalf("%d messages under way", len(held))
			}
			for range late {
				for i := range 2 {
					nomadSync.Send(s.pes[0], arr.At(i), talk{})
				}
				s.run(t)
			}
			s.wires[wire] = held
			s.run(t)
			if late > pastEpochs {
				if err := s.err(); err == nil || !strings.Contains(err.Error(), "has been under way while its chares moved at 17 sync points: at most 16") {
					t.Fatal(err)
				}
				return
			}
			if err := s.err(); err != nil {
				t.Fatal(err)
			}
			for i := range 2 {
				for _, pe := range s.pes {
					if c, here := arr.At(i).Local(pe); here && c.N != 1 {
						t.Errorf("%s has got %d notes, want 1", c.name, c.N)
					}
				}
			}
		})
	}
}
