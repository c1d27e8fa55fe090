package machine

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"pgregory.net/rapid"
)

// seated reads one PE a word, host/socket; several sockets, as in a/0+1, are those of a PE that is bound to none. A socket
// has four CPUs; a/ is a host whose kernel does not tell.
func seated(words string) []Seat {
	var out []Seat
	for _, w := range strings.Fields(words) {
		host, list, _ := strings.Cut(w, "/")
		s := Seat{Host: host}
		for _, word := range strings.FieldsFunc(list, func(r rune) bool { return r == '+' }) {
			id := int(word[0] - '0')
			s.Sockets = append(s.Sockets, Socket{ID: id, CPUs: NewCPUSet(4*id, 4*id+1, 4*id+2, 4*id+3)})
		}
		out = append(out, s)
	}
	return out
}

func written(p Pairing) string {
	var out []string
	for _, q := range p.Pairs {
		out = append(out, fmt.Sprintf("%d-%d", q[0], q[1]))
	}
	for pe, c := range p.CPUs {
		if c.Count() > 0 {
			out = append(out, fmt.Sprintf("%d:%s", pe, c))
		}
	}
	return strings.Join(out, " ")
}

func TestFindPairs(t *testing.T) {
	free := func(n int) string { return strings.Repeat("a/0+1 ", n) }
	for _, c := range []struct{ name, how, seats, want string }{
		{"near, socket by socket", PairNear, "a/0 a/0 a/1 a/1", "0-1 2-3"},
		{"near, sockets in turn", PairNear, "a/0 a/1 a/0 a/1", "0-2 1-3"},
		{"near, four on each of two hosts", PairNear, "a/0 a/0 a/0 a/0 b/1 b/1 b/1 b/1", "0-2 1-3 4-6 5-7"},
		{"near, uneven: one is left over on each socket", PairNear, "a/0 a/0 a/0 a/1 a/1 a/1", "0-1 3-4"},
		{"near, sockets of one number on two hosts are two", PairNear, "a/0 b/0 a/0 b/0", "0-2 1-3"},
		{"near, where PE 0 has no partner", PairNear, "a/0 a/1 a/1", "1-2"},
		{"far, socket by socket", PairFar, "a/0 a/0 a/1 a/1", "0-2 1-3"},
		{"far, sockets in turn", PairFar, "a/0 a/1 a/0 a/1", "0-1 2-3"},
		{"far, uneven", PairFar, "a/0 a/0 a/0 a/1", "0-3"},
		{"far, three sockets", PairFar, "a/0 a/0 a/1 a/1 a/2 a/2", "0-3 1-4 2-5"},
		{"far, three sockets and an odd number", PairFar, "a/0 a/0 a/0 a/1 a/1 a/2 a/2", "0-4 1-5 3-6"},
		{"far, one socket has more than the others together", PairFar, "a/0 a/1 a/1 a/1 a/1 a/2", "0-2 1-5"},
		{"far, two hosts, and never between them", PairFar, "a/0 a/1 b/0 b/1", "0-1 2-3"},
		{"far, a host with one socket has no part", PairFar, "a/0 a/0 b/0 b/1", "2-3"},
		{"remote, host by host", PairRemote, "a/0 a/1 b/0 b/1", "0-2 1-3"},
		{"remote, hosts in turn", PairRemote, "a/0 b/0 a/1 b/1", "0-1 2-3"},
		{"remote, the first host's PEs send", PairRemote, "a/0 b/0 b/0 a/0", "0-1 3-2"},
		{"remote, uneven", PairRemote, "a/ a/ a/ b/", "0-3"},
		{"remote binds nobody", PairRemote, "a/0+1 b/0+1", "0-1"},
		{"one pair is put near", PairNear, free(2), "0-1 0:0-3 1:0-3"},
		{"two pairs are put near, a socket each", PairNear, free(4), "0-1 2-3 0:0-3 1:0-3 2:4-7 3:4-7"},
		{"three pairs", PairNear, free(6), "0-2 1-3 4-5 0:0-3 1:0-3 2:0-3 3:0-3 4:4-7 5:4-7"},
		{"an odd PE is left over", PairNear, free(3), "0-1 0:0-3 1:0-3 2:4-7"},
		{"one pair is put far", PairFar, free(2), "0-1 0:0-3 1:4-7"},
		{"two pairs are put far, the senders together", PairFar, free(4), "0-2 1-3 0:0-3 1:0-3 2:4-7 3:4-7"},
		{"far and odd", PairFar, free(3), "0-2 0:0-3 1:0-3 2:4-7"},
		{"some bound, some not", PairNear, "a/1 a/0+1 a/0+1", "1-2 1:0-3 2:0-3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := FindPairs(seated(c.seats), c.how, true)
			if got := written(p); err != nil || got != c.want {
				t.Errorf("%s, %v, want %s", got, err, c.want)
			}
		})
	}
}

// Each reason names what is missing and is a reason to skip.
func TestNoPairs(t *testing.T) {
	for _, c := range []struct {
		how, seats string
		mayBind    bool
		want       string
	}{
		{PairFar, "a/0 a/0", true, "--pairing far: no host has PEs on two sockets"},
		{PairFar, "a/0 b/1", true, "no host has PEs on two sockets"},
		{PairNear, "a/0 a/1 b/0 b/1", true, "--pairing near: no socket has two PEs"},
		{PairRemote, "a/0 a/1", true, "--pairing remote: all PEs are on one host"},
		{PairNear, "a/0 a/0+1", false, "PE 1 may run on CPUs of 2 sockets: have the launcher bind the ranks"},
		{PairFar, "a/ a/", true, "the kernel of a does not tell"},
		{PairFar, strings.Repeat("a/0+1 ", 10), true, "of socket 0 of a gpubench may use CPUs 0-3, and more PEs"},
	} {
		p, err := FindPairs(seated(c.seats), c.how, c.mayBind)
		if err == nil || !strings.Contains(err.Error(), c.want) || !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s among %s: %s, %v, want %q", c.how, c.seats, written(p), err, c.want)
		}
	}
}

// Whatever the seats are: nobody has two partners, partners sit as was asked, and none more could have been found.
func TestPairsAreWhatTheySay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		how := rapid.SampledFrom([]string{PairNear, PairFar, PairRemote}).Draw(t, "how")
		seats := seated(strings.Join(rapid.SliceOfN(rapid.StringMatching("[abc]/[012]"), 1, 12).Draw(t, "seats"), " "))
		p, err := FindPairs(seats, how, false)
		taken := make([]bool, len(seats))
		fits := func(a, b int) bool {
			host, socket := seats[a].Host == seats[b].Host, seats[a].Sockets[0].ID == seats[b].Sockets[0].ID
			return map[string]bool{PairNear: host && socket, PairFar: host && !socket, PairRemote: !host}[how]
		}
		for _, q := range p.Pairs {
			if taken[q[0]] || taken[q[1]] || q[0] == q[1] || !fits(q[0], q[1]) {
				t.Fatalf("%s: %v among %v", how, p.Pairs, seats)
			}
			taken[q[0]], taken[q[1]] = true, true
		}
		// In such groups a pairing to which nothing can be added is not yet a largest; two who are left over together are
		// enough of a proof, with the cut of the largest group in the table above.
		for a := range seats {
			for b := range a {
				if !taken[a] && !taken[b] && fits(a, b) {
					t.Fatalf("%s: PEs %d and %d are left over, %v, %v", how, b, a, p.Pairs, err)
				}
			}
		}
		if (err == nil) != (len(p.Pairs) > 0) || !slices.IsSortedFunc(p.Pairs, func(a, b [2]int) int { return a[0] - b[0] }) {
			t.Fatalf("%v, %v", p.Pairs, err)
		}
	})
}

func TestSockets(t *testing.T) {
	root := fstest.MapFS{}
	for cpu, id := range []string{"0", "0", "1", "1", "-1"} {
		root[fmt.Sprintf("sys/devices/system/cpu/cpu%d/topology/physical_package_id", cpu)] = &fstest.MapFile{Data: []byte(id + "\n")}
	}
	for _, c := range []struct {
		cpus CPUSet
		want string
	}{
		{NewCPUSet(0, 1), "[{0 0-1}]"}, {NewCPUSet(3, 1, 2), "[{0 1} {1 2-3}]"},
		{NewCPUSet(0, 4), "[]"}, {NewCPUSet(0, 9), "[]"}, {NewCPUSet(), "[]"},
	} {
		if got := fmt.Sprint(SocketsFrom(root, c.cpus)); got != c.want {
			t.Errorf("CPUs %v: %s, want %s", c.cpus, got, c.want)
		}
	}
	all, _ := AllowedCPUs()
	n := 0
	for _, s := range Sockets(all) {
		n += s.CPUs.Count()
	}
	if n != 0 && n != all.Count() {
		t.Errorf("%d of %d CPUs of this machine are in its sockets", n, all.Count())
	}
}
