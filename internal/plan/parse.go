// Parsers of the values that flags take. Each error names what was given and
// what would be right; the caller puts the flag's name in front.

package plan

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// MaxMessage bounds a message's size: MPI's counts are C ints.
const MaxMessage = 1<<31 - 1

// ParseSize reads bytes with an optional binary suffix: 64, 8K, 4M, 1G.
func ParseSize(s string) (int64, error) {
	text := strings.TrimSpace(s)
	shift := 0
	if n := len(text); n > 0 {
		switch text[n-1] {
		case 'k', 'K':
			shift = 10
		case 'm', 'M':
			shift = 20
		case 'g', 'G':
			shift = 30
		}
		if shift > 0 {
			text = text[:n-1]
		}
	}
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no size: give bytes, as in 8, 64K or 4M", s)
	}
	if v < 0 {
		return 0, fmt.Errorf("%s is negative: give 0 or more bytes", s)
	}
	if v > math.MaxInt64>>shift {
		return 0, fmt.Errorf("%s is too large: the most is %s", s, FormatSize(MaxMessage+1))
	}
	return v << shift, nil
}

// FormatSize writes bytes with the largest binary suffix that divides them.
func FormatSize(n int64) string {
	for _, u := range []struct {
		shift  uint
		suffix string
	}{{30, "G"}, {20, "M"}, {10, "K"}} {
		if n != 0 && n%(1<<u.shift) == 0 {
			return strconv.FormatInt(n>>u.shift, 10) + u.suffix
		}
	}
	return strconv.FormatInt(n, 10)
}

// ParseSizes reads MIN:MAX into the powers of two from MIN to MAX, a list
// A,B,C into those sizes, or one size. MAX counts itself where it is no power
// of two, and so does MIN; 0 goes on with 1. named are those outside of ranges.
func ParseSizes(s string) (sizes, named []int64, err error) {
	for _, part := range strings.Split(s, ",") {
		lo, hi, isRange := strings.Cut(part, ":")
		first, err := ParseSize(lo)
		if err != nil {
			return nil, nil, err
		}
		last := first
		if isRange {
			if last, err = ParseSize(hi); err != nil {
				return nil, nil, err
			}
		} else {
			named = append(named, first)
		}
		if last > MaxMessage {
			return nil, nil, fmt.Errorf("%s is too large for one message: the most is %d bytes", FormatSize(last), int64(MaxMessage))
		}
		if first > last {
			return nil, nil, fmt.Errorf("%s is an empty range: give MIN:MAX with MIN ≤ MAX", part)
		}
		sizes = append(sizes, powers(first, last)...)
	}
	return unique(sizes), named, nil
}

// powers lists first, the powers of two between, and last.
func powers(first, last int64) []int64 {
	out := []int64{first}
	next := int64(1)
	for next <= first {
		next <<= 1
	}
	for ; next < last; next <<= 1 {
		out = append(out, next)
	}
	if last > first {
		out = append(out, last)
	}
	return out
}

func unique[T comparable](in []T) []T {
	seen := map[T]bool{}
	var out []T
	for _, v := range in {
		if !seen[v] {
			seen[v] = true
			out = append(out, v)
		}
	}
	return out
}

// HostSpaces and DeviceSpaces are the two classes of memory that a message's
// side may lie in.
var (
	HostSpaces   = []string{"pageable", "pinned"}
	DeviceSpaces = []string{"device", "managed"}
)

// Spaces is where the data lives on the sending and the receiving side.
type Spaces struct{ Send, Recv string }

func (s Spaces) String() string {
	if s.Send == s.Recv {
		return s.Send
	}
	return s.Send + ":" + s.Recv
}

// OnHost reports that neither side lies in device memory.
func (s Spaces) OnHost() bool {
	return slices.Contains(HostSpaces, s.Send) && slices.Contains(HostSpaces, s.Recv)
}

// ParseSpaces reads SEND[:RECV].
func ParseSpaces(s string) (Spaces, error) {
	send, recv, both := strings.Cut(s, ":")
	if !both {
		recv = send
	}
	all := append(append([]string{}, HostSpaces...), DeviceSpaces...)
	for _, v := range []string{send, recv} {
		if !slices.Contains(all, v) {
			return Spaces{}, fmt.Errorf("%q is no memory space: give %s", v, oneOf(all))
		}
	}
	return Spaces{send, recv}, nil
}

// Choose checks that each of a comma-separated list is one of the allowed.
func Choose(list []string, allowed ...string) ([]string, error) {
	for _, v := range list {
		if !slices.Contains(allowed, v) {
			hint := ""
			if near := Nearest(v, allowed); near != "" {
				hint = fmt.Sprintf(" (did you mean %s?)", near)
			}
			return nil, fmt.Errorf("%q is not known: give %s%s", v, oneOf(allowed), hint)
		}
	}
	return unique(list), nil
}

func oneOf(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

// Nearest returns the allowed name that is closest to what was typed, or ""
// where none is close.
func Nearest(typed string, allowed []string) string {
	best, bestD := "", 1+len(typed)/2
	for _, a := range allowed {
		if d := distance(strings.ToLower(typed), a); d < bestD {
			best, bestD = a, d
		}
	}
	return best
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diag := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diag
			if a[i-1] != b[j-1] {
				cost++
			}
			diag, row[j] = row[j], min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
