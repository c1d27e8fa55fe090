package machine

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// seatsOf reads one PE a word, its devices separated by commas, each a name with its distance behind a colon (10).
func seatsOf(t *testing.T, words string) []Seat {
	t.Helper()
	var seats []Seat
	for i, w := range strings.Fields(words) {
		s := Seat{Host: "a", PID: i + 1}
		if host, rest, ok := strings.Cut(w, "/"); ok {
			s.Host, w = host, rest
		}
		for _, d := range strings.FieldsFunc(w, func(r rune) bool { return r == ',' }) {
			v := Visible{Distance: NearNode}
			name, far, _ := strings.Cut(d, ":")
			v.UUID = name
			if far != "" {
				if _, err := fmt.Sscan(far, &v.Distance); err != nil {
					t.Fatal(err)
				}
			}
			if name != "-" {
				s.Devices = append(s.Devices, v)
			}
		}
		seats = append(seats, s)
	}
	return seats
}

// chosen writes the UUIDs that PEs got.
func chosen(seats []Seat) string {
	var out []string
	for pe, i := range Assign(seats) {
		if i < 0 {
			out = append(out, "-")
		} else {
			out = append(out, seats[pe].Devices[i].UUID)
		}
	}
	return strings.Join(out, " ")
}

func TestAssign(t *testing.T) {
	const near0, near1 = "A,B,C:21,D:21", "A:21,B:21,C,D" // a PE of node 0, of node 1; A and B hang on node 0
	for _, c := range []struct{ name, seats, want string }{
		{"none", "", ""},
		{"one device", "A A A", "A A A"},
		{"modulo", "A,B A,B A,B A,B A,B", "A B A B A"},
		{"more devices than PEs", "A,B,C,D A,B,C,D", "A B"},
		{"one each", "A B C D", "A B C D"},
		{"one each, two alike", "A A B", "A A B"},
		{"order differs", "A,B B,A", "A B"},
		{"rotated by the PE", "A,B,C,D B,C,D,A C,D,A,B D,A,B,C", "A B C D"},
		{"the first PE's order counts", "D,C,B,A A,B,C,D", "D C"},
		{"overlap", "A,B B", "A B"},
		{"overlap, the first must make room", "B,A B", "A B"},
		{"overlap, along a path", "A,B B,C A", "B C A"},
		{"overlap, more PEs", "A A,B A,B B,C", "A B A C"},
		{"sees none", "A - A", "A - A"},
		{"near, in blocks", strings.Join([]string{near1, near1, near0, near0}, " "), "C D A B"},
		{"near, in turn", strings.Join([]string{near0, near1, near0, near1}, " "), "A C B D"},
		{"near, two PEs", near1 + " " + near1, "C D"},
		{"near, but not two on one", "A,B:21 A,B:21", "A B"},
		{"near, the unbound one makes room", "A,B A,B:21", "B A"},
		{"near, eight PEs", strings.Join(slices.Repeat([]string{near1}, 4), " ") + " " + strings.Join(slices.Repeat([]string{near0}, 4), " "), "C D C D A B A B"},
		{"nearest of three nodes", "A:32,B:12,C:32", "B"},
		{"two hosts, UUIDs alike", "a/A,B b/A,B a/A,B b/A,B", "A A B B"},
	} {
		if got := chosen(seatsOf(t, c.seats)); got != c.want {
			t.Errorf("%s: %q gives %q, want %q", c.name, c.seats, got, c.want)
		}
	}
}

// Alone, PEs that see the same devices in any order take different ones as long as there are enough.
func TestAssignAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(t, "devices")
		list := make([]Visible, n)
		for d := range list { // instances of one GPU have one slot
			list[d] = Visible{UUID: fmt.Sprint(d), PCIBusID: fmt.Sprint(d / rapid.IntRange(1, 2).Draw(t, "instances"))}
		}
		load := map[string]int{}
		for number := range 2 * n {
			mine := rapid.Permutation(list).Draw(t, "order")
			uuid := mine[AssignAlone(mine, number)].UUID
			if load[uuid]++; load[uuid] > number/n+1 {
				t.Fatalf("device %s has %d of %d PEs", uuid, load[uuid], number+1)
			}
		}
	})
	if got := AssignAlone(nil, 3); got != -1 {
		t.Errorf("no device: %d", got)
	}
	own := []Visible{{UUID: "A", PCIBusID: "0000:c1:00.0"}, {UUID: "B", PCIBusID: "0000:01:00.0"}}
	if AssignAlone(own, 0) != 1 || AssignAlone(own, 1) != 0 || AssignAlone(own, 2) != 1 {
		t.Error("not in the order of slots")
	}
}

// drawSeats makes PEs of one host that see any devices in any order.
func drawSeats(t *rapid.T) []Seat {
	n := rapid.IntRange(1, 9).Draw(t, "PEs")
	devices := rapid.IntRange(1, 5).Draw(t, "devices")
	nodes := make([]int, devices)
	for d := range nodes {
		nodes[d] = rapid.IntRange(0, 1).Draw(t, "node")
	}
	seats := make([]Seat, n)
	for pe := range seats {
		seats[pe].Host = "a"
		order := rapid.Permutation([]int{0, 1, 2, 3, 4}[:devices]).Draw(t, "order")
		home := rapid.IntRange(-1, 1).Draw(t, "home") // -1: unbound
		for _, d := range order[:rapid.IntRange(1, devices).Draw(t, "visible")] {
			v := Visible{UUID: string(rune('A' + d)), Distance: NearNode}
			if home >= 0 && home != nodes[d] {
				v.Distance = 21
			}
			seats[pe].Devices = append(seats[pe].Devices, v)
		}
	}
	return seats
}

// cost is what Assign makes least: the sum of squares of the PEs on a device, then the sum of distances.
func cost(seats []Seat, choice []int) (squares, distances int) {
	load := map[string]int{}
	for pe, i := range choice {
		load[seats[pe].Devices[i].UUID]++
		distances += seats[pe].Devices[i].Distance
	}
	for _, n := range load {
		squares += n * n
	}
	return squares, distances
}

// No other choice is more even, nor nearer where it is as even: all choices are tried.
func TestAssignIsBest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seats := drawSeats(t)
		if len(seats) > 6 {
			seats = seats[:6]
		}
		squares, distances := cost(seats, Assign(seats))
		other := make([]int, len(seats))
		for {
			if s, d := cost(seats, other); s < squares || s == squares && d < distances {
				t.Fatalf("%+v: %v costs %d, %d; %v costs %d, %d", seats, Assign(seats), squares, distances, other, s, d)
			}
			pe := 0
			for ; pe < len(seats); pe++ {
				if other[pe]++; other[pe] < len(seats[pe].Devices) {
					break
				}
				other[pe] = 0
			}
			if pe == len(seats) {
				return
			}
		}
	})
}

// The order in which a PE sees its devices changes nothing as long as the first PE's order stays.
func TestAssignGoesByUUID(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seats := drawSeats(t)
		var first []Visible // sees all, so that it alone gives the order
		for d := range 5 {
			first = append(first, Visible{UUID: string(rune('A' + d)), Distance: NearNode})
		}
		seats = append([]Seat{{Host: "a", Devices: first}}, seats...)
		before := chosen(seats)
		for pe := 1; pe < len(seats); pe++ {
			seats[pe].Devices = rapid.Permutation(seats[pe].Devices).Draw(t, "again")
		}
		if after := chosen(seats); after != before {
			t.Fatalf("%q, and in another order %q", before, after)
		}
	})
}

// Where all see all and none is nearer, a PE's number modulo the devices decides.
func TestAssignIsModulo(t *testing.T) {
	for n := 1; n <= 40; n++ {
		for devices := 1; devices <= 9; devices++ {
			var list []Visible
			for d := range devices {
				list = append(list, Visible{UUID: fmt.Sprint(d), Distance: NearNode})
			}
			seats := make([]Seat, n)
			for pe := range seats {
				seats[pe] = Seat{Host: "a", Devices: list}
			}
			for pe, i := range Assign(seats) {
				if i != pe%devices {
					t.Fatalf("%d PEs, %d devices: PE %d got %d", n, devices, pe, i)
				}
			}
		}
	}
}

func TestDeviceDistance(t *testing.T) {
	h := ReadHostFrom(tree(node()), CPUSet{}) // CPUs 0,1,4,5 are node 0
	zero, one, two := 0, 1, 2
	for _, c := range []struct {
		cpus string
		node *int
		want int
	}{
		{"0-1", &zero, 10}, {"0-1", &one, 21}, {"2", &one, 10}, {"1-2", &one, 10}, {"0-7", &zero, 10},
		{"0", nil, 10}, {"0", &two, 20}, {"", &one, 10},
	} {
		set, err := ParseCPUSet(c.cpus)
		if err != nil {
			t.Fatal(err)
		}
		if got := h.DeviceDistance(set, c.node); got != c.want {
			t.Errorf("CPUs %q to node %v: %d, want %d", c.cpus, c.node, got, c.want)
		}
	}
	if got := (Host{}).DeviceDistance(NewCPUSet(0), &one); got != NearNode {
		t.Errorf("a host of no known nodes: %d", got)
	}
}
