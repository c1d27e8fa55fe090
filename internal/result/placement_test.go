package result

import (
	"strings"
	"testing"
)

func TestPlacement(t *testing.T) {
	for _, c := range []struct{ path, hosts, devices, want string }{
		{"host", "a a", "", Node},
		{"host", "a b", "", Remote},
		{"host", "a a b b", "", ""},
		{"host", "a", "", ""},
		{"direct", "a", "A", ""},
		{"direct", "a a", "A A", SameGPU},
		{"direct", "a a", "A B", Peer},
		{"direct", "a a a a", "A A A A", SameGPU},
		{"direct", "a a a a", "A B C D", Peer},
		{"staged", "a a a a", "A B A B", ""},
		{"staged", "a a b b", "A B A B", ""},
		{"staged", "a b c", "A A A", Remote},
	} {
		got := Placement(c.path, SpreadOf(strings.Fields(c.hosts)), SpreadOf(strings.Fields(c.devices)))
		if got != c.want {
			t.Errorf("%s, hosts %s, devices %s: %q, want %q", c.path, c.hosts, c.devices, got, c.want)
		}
	}
}
