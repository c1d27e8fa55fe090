package schedule

import (
	"testing"

	"gpubench/gpu"
)

// Pieces lie one behind the other without a gap, and differ by one element at most.
func TestPieces(t *testing.T) {
	for _, bytes := range []int{0, 8, 40, 64, 72, 1000} {
		for members := 1; members <= 9; members++ {
			p, end := Cut(gpu.Memory{Addr: 4096, Len: bytes}, 8, members), 4096
			for i := range members {
				m := p.At(i)
				if int(m.Addr) != end || m.Len%8 != 0 || m.Len > p.At(0).Len || m.Len < p.At(0).Len-8 {
					t.Fatalf("%d B, %d members: piece %d is %+v", bytes, members, i, m)
				}
				end += m.Len
				if all := p.From(0, i+1); all.Addr != 4096 || all.Len != end-4096 {
					t.Fatalf("%d B, %d members: pieces 0 to %d are %+v", bytes, members, i, all)
				}
			}
			if end != 4096+bytes {
				t.Fatalf("%d B, %d members: the pieces end at %d", bytes, members, end-4096)
			}
		}
	}
}

// A ring's steps combine every member's part of a piece once, and pass all pieces to all.
func TestRing(t *testing.T) {
	for n := 1; n <= 9; n++ {
		for shift := -1; shift <= 1; shift++ {
			parts := make([][]int, n) // of each piece that a member holds, a bit for each member whose part is in it
			for rank := range parts {
				parts[rank] = make([]int, n)
				for i := range parts[rank] {
					parts[rank][i] = 1 << rank
				}
			}
			for k := range n - 1 {
				came := make([]int, n)
				for rank := range n {
					m := Member{rank, n}
					out, _ := m.Reduce(k, shift)
					_, acc := Member{m.Next(), n}.Reduce(k, shift)
					if out != acc || (Member{m.Next(), n}).Before() != rank {
						t.Fatalf("%d members, step %d: %d sends piece %d, and the next one combines %d", n, k, rank, out, acc)
					}
					came[m.Next()] = parts[rank][out]
				}
				for rank := range n {
					_, acc := Member{rank, n}.Reduce(k, shift)
					if parts[rank][acc]&came[rank] != 0 {
						t.Fatalf("%d members, step %d: %d counts a part twice", n, k, rank)
					}
					parts[rank][acc] |= came[rank]
				}
			}
			for rank := range n {
				m := Member{rank, n}
				own := m.Mod(rank + 1 + shift)
				if parts[rank][own] != 1<<n-1 {
					t.Fatalf("%d members, shift %d: %d has parts %b of its piece", n, shift, rank, parts[rank][own])
				}
				has := map[int]bool{own: true}
				for k := range n - 1 {
					has[m.Gather(k, rank, 1+shift)] = true
					before := Member{m.Before(), n}
					sent := before.Mod(before.Rank + 1 + shift)
					if k > 0 {
						sent = before.Gather(k-1, before.Rank, 1+shift)
					}
					if in := m.Gather(k, rank, 1+shift); in != sent {
						t.Fatalf("%d members, step %d: %d expects piece %d, and gets %d", n, k, rank, in, sent)
					}
				}
				if len(has) != n {
					t.Fatalf("%d members: %d has %d pieces", n, rank, len(has))
				}
			}
		}
	}
}

// From every root the tree has each member once, below the one that it takes itself to be below.
func TestTree(t *testing.T) {
	for n := 1; n <= 17; n++ {
		for root := range n {
			above := map[int]int{root: -1}
			for rank := range n {
				m := Member{rank, n}
				at, up := m.Place(root)
				for d := up / 2; d > 0; d /= 2 {
					if at+d >= n {
						continue
					}
					below := m.Mod(rank + d)
					if _, twice := above[below]; twice {
						t.Fatalf("%d members from %d: %d has two above it", n, root, below)
					}
					above[below] = rank
				}
			}
			for rank := range n {
				m := Member{rank, n}
				_, up := m.Place(root)
				if over, known := above[rank]; !known || rank != root && over != m.Mod(rank-up) {
					t.Fatalf("%d members from %d: %d is below %d (%v)", n, root, rank, over, known)
				}
			}
		}
	}
}
