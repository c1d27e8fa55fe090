// Random programs for roamers, and what must have come of them.
package charm

import (
	"fmt"
	"slices"

	"pgregory.net/rapid"
)

// roamPlan is a random program, and what has been seen of it.
type roamPlan struct {
	rounds   int
	acts     [][]roamActs // by round and chare
	ends     [][]roamEnd  // by chare: the lines it has an end of
	to       [][]int      // by sync point: places
	members  []int        // of the section
	section  Section[roamer]
	notes    map[int64]map[int]int // by note: chares that got it, and how often
	sums     []int64
	secSums  []int64
	balanced []Balanced
	end      int // chares that are through
	told     int // of quiescence
	bad      error
}

type roamEnd struct{ peer, port int }

type roamActs struct {
	notes   []roamNoteTo
	send    [][]int // by end: sizes that leave and are received some time later
	recv    []int   // by end: how many of those to receive
	trade   []int   // by end: bytes that both ends send and receive in this round, 0: none
	section bool    // contributes over the section
}

type roamNoteTo struct {
	to  int
	id  int64
	big bool
}

// drawPlan makes a program for n chares on so many PEs.
func drawPlan(r *rapid.T, n, pes int) *roamPlan {
	p := &roamPlan{rounds: rapid.IntRange(1, 4).Draw(r, "rounds"), ends: make([][]roamEnd, n), notes: map[int64]map[int]int{}}
	p.members = rapid.SliceOfNDistinct(rapid.IntRange(0, n-1), 1, n, rapid.ID).Draw(r, "members")
	type pair struct{ a, b int }
	var lines []pair
	for port := range rapid.IntRange(0, 4).Draw(r, "lines") {
		a, b := rapid.IntRange(0, n-1).Draw(r, "a"), rapid.IntRange(0, n-1).Draw(r, "b")
		lines = append(lines, pair{a, b})
		p.ends[a] = append(p.ends[a], roamEnd{b, port})
		if a != b {
			p.ends[b] = append(p.ends[b], roamEnd{a, port})
		}
	}
	size := rapid.OneOf(rapid.IntRange(0, 40), rapid.IntRange(200, 300), rapid.IntRange(2000, 4999))
	if tagLimit < 100 { // what waits for a later round must not keep the tags
		size = rapid.IntRange(0, 40)
	}
	id := int64(1)
	ready := map[[3]int]int{} // by sender, receiver, port: sent and not planned to be received
	for range p.rounds {
		acts := make([]roamActs, n)
		section := rapid.Bool().Draw(r, "section")
		for i := range acts {
			a := &acts[i]
			a.section = section
			for range rapid.IntRange(0, 3).Draw(r, "notes") {
				a.notes = append(a.notes, roamNoteTo{rapid.IntRange(0, n-1).Draw(r, "to"), id, rapid.IntRange(0, 3).Draw(r, "big") == 0})
				id += 1000
			}
			a.send, a.recv, a.trade = make([][]int, len(p.ends[i])), make([]int, len(p.ends[i])), make([]int, len(p.ends[i]))
			for j, e := range p.ends[i] {
				a.send[j] = rapid.SliceOfN(size, 0, 3).Draw(r, "send")
				ready[[3]int{i, e.peer, e.port}] += len(a.send[j])
			}
		}
		for i := range acts {
			for j, e := range p.ends[i] {
				k := [3]int{e.peer, i, e.port}
				acts[i].recv[j] = rapid.IntRange(0, ready[k]).Draw(r, "recv")
				ready[k] -= acts[i].recv[j]
			}
		}
		for port, l := range lines {
			n := rapid.SampledFrom([]int{0, 0, 30, 3000}).Draw(r, "trade")
			for _, i := range []int{l.a, l.b} {
				for j, e := range p.ends[i] {
					if e.port == port {
						acts[i].trade[j] = n
					}
				}
			}
		}
		p.acts = append(p.acts, acts)
		p.to = append(p.to, rapid.SliceOfN(rapid.IntRange(0, pes-1), n, n).Draw(r, "places"))
	}
	return p
}

// balancer plays the plan's places, and looks at the peers that it is told of if it has asked for them.
func (p *roamPlan) balancer(peers bool) Balancer {
	step := 0
	return Balancer{name: "planned", peers: peers, distance: NodeDistance, places: func(s Situation) []int {
		for i, ends := range p.ends {
			var want []int
			for _, e := range ends {
				if e.peer != i {
					want = append(want, e.peer)
				}
			}
			slices.Sort(want)
			if peers && !slices.Equal(s.Peers[i], slices.Compact(want)) {
				p.bad = fmt.Errorf("peers of %d are %v, want %v", i, s.Peers[i], want)
			}
		}
		step++
		return slices.Clone(p.to[step-1])
	}}
}

func (p *roamPlan) judge(r *rapid.T, s *sim, arr Array[roamer], place Map, shouts map[int64]bool) {
	n := arr.Shape().Len()
	if p.bad != nil {
		r.Fatal(p.bad)
	}
	if p.end != n {
		var texts []string
		for _, pe := range s.pes {
			texts = append(texts, pe.waits(0)...)
		}
		r.Fatalf("%d of %d chares are through: %q", p.end, n, texts)
	}
	if p.told != 1 {
		r.Fatalf("told of quiescence %d times", p.told)
	}
	for _, acts := range p.acts {
		for _, a := range acts {
			for _, note := range a.notes {
				if got := p.notes[note.id]; len(got) != 1 || got[note.to] != 1 {
					r.Fatalf("note %d for %d: %v", note.id, note.to, got)
				}
			}
		}
	}
	for id, some := range shouts {
		for i := range n {
			want := 1
			if some && !slices.Contains(p.members, i) {
				want = 0
			}
			if p.notes[id][i] != want {
				r.Fatalf("broadcast %d (section %v: %v) came to %v", id, p.members, some, p.notes[id])
			}
		}
	}
	var sums, secs []int64
	for round, acts := range p.acts {
		sum, sec := int64(0), int64(0)
		for i := range n {
			sum += int64(i + round)
		}
		for _, i := range p.members {
			sec += int64(i*10 + round)
		}
		sums = append(sums, sum)
		if acts[0].section {
			secs = append(secs, sec)
		}
	}
	slices.Sort(p.sums)
	slices.Sort(p.secSums)
	if !slices.Equal(p.sums, sums) || !slices.Equal(p.secSums, secs) {
		r.Fatalf("sums %v, want %v; over the section %v, want %v", p.sums, sums, p.secSums, secs)
	}
	p.judgePlaces(r, s, arr, place)
}

// judgePlaces checks what is known of moves, and that nothing waits any more.
func (p *roamPlan) judgePlaces(r *rapid.T, s *sim, arr Array[roamer], place Map) {
	n := arr.Shape().Len()
	was := place.place(Grid(n), len(s.pes))
	moves := make([]int64, n)
	moved := make([]int64, p.rounds)
	for step, to := range p.to {
		for i, pe := range to {
			if int(was[i]) != pe {
				moves[i]++
				moved[step]++
			}
			was[i] = int32(pe)
		}
	}
	if len(p.balanced) != n*p.rounds {
		r.Fatalf("%d resumes, want %d of %d chares", len(p.balanced), p.rounds, n)
	}
	for _, b := range p.balanced {
		if b.Moved != moved[b.Step-1] {
			r.Fatalf("sync point %d says %d chares moved, it was %d", b.Step, b.Moved, moved[b.Step-1])
		}
	}
	var made, done, sent, seen int64
	for _, pe := range s.pes {
		made, done = made+pe.made, done+pe.done
		m := pe.known(arr.coll).mob
		sent += m.stats.Sent
		if len(pe.waiting) > 0 || len(pe.cargoes) > 0 || len(m.coming) > 0 || len(m.retired) > 0 || m.moving != 0 {
			r.Fatalf("PE %d: left over: %d kept for later, %d cargoes, %d chares coming, %d old rosters, %d moving",
				pe.rank, len(pe.waiting), len(pe.cargoes), len(m.coming), len(m.retired), m.moving)
		}
		arr.EachLocal(pe, func(self Elem[roamer], c *roamer) {
			seen++
			if c.at != self.Index(pe)[0] || int(was[c.at]) != pe.rank || c.Moves != moves[c.at] {
				r.Fatalf("Roamer(%d) on PE %d after %d moves: want PE %d after %d", c.at, pe.rank, c.Moves, was[c.at], moves[c.at])
			}
		})
		for i := range n {
			if got := arr.At(i).PE(pe); got != int(was[i]) {
				r.Fatalf("PE %d thinks that Roamer(%d) is on PE %d: it is on %d", pe.rank, i, got, was[i])
			}
		}
	}
	all := int64(0)
	for _, m := range moves {
		all += m
	}
	if made != done || seen != int64(n) || sent != all {
		r.Fatalf("%d pieces of work made, %d done; %d chares of %d; %d left a PE, want %d", made, done, seen, n, sent, all)
	}
}
