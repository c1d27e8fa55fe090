// Pairs: which PEs exchange messages, by where they sit.

package machine

import (
	"errors"
	"fmt"
	"slices"
)

// What FindPairs may be asked for.
const (
	PairNear   = "near"   // partners on one socket
	PairFar    = "far"    // partners on two sockets of a host
	PairRemote = "remote" // partners on two hosts
)

// Pairing is a choice of partners.
type Pairing struct {
	// Pairs are in the order of their first PEs; where messages go one way the first sends.
	Pairs [][2]int
	// CPUs are, by PE, those that its thread is to be bound to; an empty set leaves it as it is.
	CPUs []CPUSet
}

// PairingError says why there are no such pairs. It is errors.ErrUnsupported.
type PairingError struct{ How, Reason string }

func (e *PairingError) Error() string { return fmt.Sprintf("--pairing %s: %s", e.How, e.Reason) }

// Is makes it errors.ErrUnsupported.
func (e *PairingError) Is(target error) bool { return target == errors.ErrUnsupported }

// FindPairs chooses partners among the PEs with these seats, as many pairs as there can be; who is left over is idle. All
// PEs find the same. Within a socket of m PEs the i-th goes with the (i + m/2)-th, as OSU's multi-pair programs have it
// for all. Across sockets or hosts the PEs stand socket by socket (host by host), and the i-th goes with the one half the
// row further: with PEs numbered host by host that is OSU's order again, and one side sends.
//
// A PE whose CPUs lie in several sockets has none, and near and far give it one if mayBind says that gpubench may bind its
// thread: the host's such PEs are dealt to the sockets in blocks, of pairs for near, never more than a socket has CPUs.
func FindPairs(seats []Seat, how string, mayBind bool) (Pairing, error) {
	p := Pairing{CPUs: make([]CPUSet, len(seats))}
	pes := make([]int, len(seats))
	for i := range pes {
		pes[i] = i
	}
	hosts := grouped(pes, func(pe int) string { return seats[pe].Host })
	fail := func(reason string) (Pairing, error) { return Pairing{}, &PairingError{how, reason} }
	switch how {
	case PairRemote:
		p.Pairs = across(hosts)
	case PairNear, PairFar:
		for _, host := range hosts {
			socket, err := p.sit(seats, host, how, mayBind)
			if err != nil {
				return fail(err.Error())
			}
			sockets := grouped(host, func(pe int) int { return socket[pe] })
			if how == PairFar {
				p.Pairs = append(p.Pairs, across(sockets)...)
				continue
			}
			for _, s := range sockets {
				p.Pairs = append(p.Pairs, within(s)...)
			}
		}
	default:
		panic("machine: no pairing is called " + how)
	}
	slices.SortFunc(p.Pairs, func(a, b [2]int) int { return a[0] - b[0] })
	if len(p.Pairs) > 0 {
		return p, nil
	}
	switch how {
	case PairRemote:
		return fail("all PEs are on one host: start them on more, or leave --pairing out")
	case PairFar:
		return fail("no host has PEs on two sockets: spread the ranks over sockets where there are two (mpirun --map-by socket --bind-to socket), or give --pairing near")
	}
	return fail("no socket has two PEs: start more, or bind them otherwise")
}

// grouped divides PEs by a key, the groups in the order of their first PEs.
func grouped[K comparable](pes []int, key func(pe int) K) [][]int {
	at := map[K]int{}
	var out [][]int
	for _, pe := range pes {
		k := key(pe)
		if _, known := at[k]; !known {
			at[k] = len(out)
			out = append(out, nil)
		}
		out[at[k]] = append(out[at[k]], pe)
	}
	return out
}

// within pairs the PEs of one group.
func within(group []int) [][2]int {
	half := len(group) / 2
	out := make([][2]int, half)
	for i := range half {
		out[i] = [2]int{group[i], group[i+half]}
	}
	return out
}

// across pairs PEs of different groups. In a row of all groups, none of which has more than half of the PEs, those half
// the row apart are never of one group; so the largest group is first cut to the sum of the others, and loses one more
// where the number is odd.
func across(groups [][]int) [][2]int {
	largest, total := 0, 0
	for i, g := range groups {
		total += len(g)
		if len(g) > len(groups[largest]) {
			largest = i
		}
	}
	if total == 0 {
		return nil
	}
	keep := min(len(groups[largest]), total-len(groups[largest]))
	keep -= (total - len(groups[largest]) + keep) % 2
	var row []int
	for i, g := range groups {
		if i == largest {
			g = g[:keep]
		}
		row = append(row, g...)
	}
	return within(row)
}

// sit tells the socket of each PE of a host, and notes what binds those that had none.
func (p *Pairing) sit(seats []Seat, host []int, how string, mayBind bool) (socket map[int]int, err error) {
	socket = map[int]int{}
	var free []int
	for _, pe := range host {
		switch s := seats[pe].Sockets; {
		case len(s) == 0:
			return nil, fmt.Errorf("the kernel of %s does not tell on which sockets CPUs are", nameOf(seats[pe]))
		case len(s) == 1:
			socket[pe] = s[0].ID
		case !mayBind:
			return nil, fmt.Errorf("PE %d may run on CPUs of %d sockets: have the launcher bind the ranks (mpirun --bind-to socket, srun --cpu-bind=sockets), or let gpubench start them", pe, len(s))
		default:
			free = append(free, pe)
		}
	}
	bound := map[int]int{} // PEs by socket
	for i, pe := range free {
		k := i * len(seats[pe].Sockets) / len(free)
		if how == PairNear { // two by two
			k = i / 2 * len(seats[pe].Sockets) / ((len(free) + 1) / 2)
		}
		s := seats[pe].Sockets[k]
		socket[pe], p.CPUs[pe] = s.ID, s.CPUs
		if bound[s.ID]++; bound[s.ID] > s.CPUs.Count() {
			return nil, fmt.Errorf("of socket %d of %s gpubench may use CPUs %v, and more PEs than these would be bound to them: ask for fewer PEs", s.ID, nameOf(seats[pe]), s.CPUs)
		}
	}
	return socket, nil
}

func nameOf(s Seat) string {
	if s.Host == "" {
		return "this host"
	}
	return s.Host
}
