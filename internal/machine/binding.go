// Binding: which PE gets which device, from what all PEs of a job see.

package machine

import (
	"cmp"
	"math"
	"slices"
)

// Seat is what one PE brings to the choice of devices. It is told to all PEs, so that each can make the same choice.
type Seat struct {
	Host    string    `json:"host"`
	PID     int       `json:"pid"`
	CPUs    CPUSet    `json:"cpus"`    // that its process was allowed
	Sockets []Socket  `json:"sockets"` // that these lie in; none where the kernel does not tell
	Devices []Visible `json:"devices"` // in the order in which the PE sees them
	MPS     *bool     `json:"mps"`     // as MPS finds it; nil too where the devices are none of CUDA's
}

// Visible is a device as one PE sees it: at an ordinal that another PE may have for another device.
type Visible struct {
	UUID     string `json:"uuid"`
	PCIBusID string `json:"pci_bus_id"`
	Distance int    `json:"distance"` // from the PE's nearest CPU, as the kernel counts: 10 is the same node
}

// NearNode is the distance of a NUMA node from itself, as firmware counts.
const NearNode = 10

const farNode = 20 // of another node, where the kernel gives none

// DeviceDistance returns how far the nearest of the CPUs is from a NUMA node. A device whose node is not known is near
// to all: it gives no reason to choose.
func (h Host) DeviceDistance(cpus CPUSet, node *int) int {
	if node == nil {
		return NearNode
	}
	least := math.MaxInt
	for _, n := range h.Nodes {
		if n.CPUs.Intersect(cpus).Count() == 0 {
			continue
		}
		d := farNode
		for i, to := range h.Nodes {
			if to.ID == *node && i < len(n.Distances) {
				d = n.Distances[i]
			}
		}
		if n.ID == *node {
			d = NearNode
		}
		least = min(least, d)
	}
	if least == math.MaxInt {
		return NearNode
	}
	return least
}

// Assign chooses a device for each PE: the index into the PE's own Devices, -1 for a PE that sees none. The seats are
// those of all PEs in their order; hosts are settled one by one.
//
// PEs are spread over the devices that they see as evenly as can be; among such choices the one of the least sum of
// distances is taken; among those the PE's number on its host and the order of the devices, as its first PE sees them,
// decide. Where all see all and none is nearer this is the number on the host modulo the number of devices; where each
// sees one, that one. Devices are told apart by UUID alone.
func Assign(seats []Seat) []int {
	choice := make([]int, len(seats))
	var hosts []string
	of := map[string][]int{}
	for pe, s := range seats {
		if of[s.Host] == nil {
			hosts = append(hosts, s.Host)
		}
		of[s.Host] = append(of[s.Host], pe)
	}
	for _, h := range hosts {
		here := make([][]Visible, len(of[h]))
		for i, pe := range of[h] {
			here[i] = seats[pe].Devices
		}
		for i, ordinal := range assignHost(here) {
			choice[of[h][i]] = ordinal
		}
	}
	return choice
}

// AssignAlone chooses the device of a PE that cannot ask the others: an index into visible, -1 where there is none. It
// is the PE's number on its host modulo the devices, in the order of their slots and not of its own list, so that lists
// that differ in order alone lead no two PEs to one device. Distances cannot count: how many others are as near is not
// known.
func AssignAlone(visible []Visible, number int) int {
	if len(visible) == 0 {
		return -1
	}
	order := make([]int, len(visible))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(visible[a].PCIBusID, visible[b].PCIBusID), cmp.Compare(visible[a].UUID, visible[b].UUID))
	})
	return order[number%len(order)]
}

// unseen is the distance of a device that a PE does not see.
const unseen = math.MaxInt64

// seating is a choice in the making, on one host. Devices have numbers in the order in which PEs first see them.
type seating struct {
	distance [][]int64 // of PE and device; unseen
	on       []int     // PE to device, -1: none yet
	load     []int64   // PEs on each device
}

func assignHost(visible [][]Visible) []int {
	number := map[string]int{}
	for _, list := range visible {
		for _, v := range list {
			if _, known := number[v.UUID]; !known {
				number[v.UUID] = len(number)
			}
		}
	}
	s := seating{on: make([]int, len(visible)), load: make([]int64, len(number))}
	for pe, list := range visible {
		row := make([]int64, len(number))
		for d := range row {
			row[d] = unseen
		}
		for _, v := range list {
			row[number[v.UUID]] = int64(v.Distance)
		}
		s.distance, s.on[pe] = append(s.distance, row), -1
	}
	ordinals := make([]int, len(visible))
	for pe := range visible {
		s.seat(pe)
	}
	for pe, list := range visible {
		ordinals[pe] = -1
		for i, v := range list {
			if number[v.UUID] == s.on[pe] {
				ordinals[pe] = i
				break
			}
		}
	}
	return ordinals
}

// seat finds a place for one more PE, for which others may have to move on: the cheapest path from the PE to a device,
// each step of which takes a PE of one device to the next. It is the successive shortest path of minimum cost flow, so
// that the choice is the cheapest after every PE. The k-th PE on a device costs 2k - 1 units, whose sum over a device
// is the square of its PEs; distances are small against a unit.
func (s *seating) seat(pe int) {
	const unit = int64(1) << 32
	n := len(s.load)
	cost := append([]int64(nil), s.distance[pe]...)
	from := make([]int, n) // the device before on the path, -1: the new PE
	for d := range from {
		from[d] = -1
	}
	step, mover := s.steps()
	for changed, round := true, 0; changed && round < n; round++ {
		changed = false
		for a := range n {
			for b := range n {
				if cost[a] == unseen || step[a][b] == unseen || cost[a]+step[a][b] >= cost[b] {
					continue
				}
				cost[b], from[b], changed = cost[a]+step[a][b], a, true
			}
		}
	}
	best, end := int64(unseen), -1
	for d := range n {
		if cost[d] == unseen {
			continue
		}
		if c := cost[d] + (2*s.load[d]+1)*unit; c < best {
			best, end = c, d
		}
	}
	if end < 0 {
		return // it sees no device
	}
	s.load[end]++
	for d := end; ; d = from[d] {
		if from[d] < 0 {
			s.on[pe] = d
			return
		}
		s.on[mover[from[d]][d]] = d
	}
}

// steps gives, for every two devices, what it costs to take a PE from the one to the other, and which PE that is.
func (s *seating) steps() (step [][]int64, mover [][]int) {
	n := len(s.load)
	for range n {
		row := make([]int64, n)
		for b := range row {
			row[b] = unseen
		}
		step, mover = append(step, row), append(mover, make([]int, n))
	}
	for pe, a := range s.on {
		if a < 0 {
			continue
		}
		for b, d := range s.distance[pe] {
			if b == a || d == unseen {
				continue
			}
			if c := d - s.distance[pe][a]; c < step[a][b] {
				step[a][b], mover[a][b] = c, pe
			}
		}
	}
	return step, mover
}
