package kernels

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// Messages of every length that begin at every byte of a word.
func TestPatternFill(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		rapid.Check(t, func(t *rapid.T) {
			n := rapid.OneOf(rapid.IntRange(0, 70), rapid.IntRange(0, 50000)).Draw(t, "bytes")
			step, sender := rapid.IntRange(0, 1<<40).Draw(t, "step"), rapid.IntRange(0, 1<<20).Draw(t, "sender")
			e.reset(t)
			m := e.array(t, n, rapid.IntRange(0, 15).Draw(t, "shift"))
			check(t, e.set.PatternFill(e.stream, m, step, sender))
			want := make([]byte, n)
			PatternBytes(want, step, sender)
			if got := get[byte](t, e, m); !bytes.Equal(got, want) {
				t.Fatalf("%d bytes: device and host disagree", n)
			}
			r, err := e.set.PatternCheck(e.stream, m, step, sender)
			check(t, err)
			if r != (PatternResult{Checked: int64(n), First: -1}) || CheckPatternBytes(want, step, sender) != r {
				t.Fatalf("a right pattern: %+v", r)
			}
			e.unharmed(t, m)
		})
	})
}

// Damage is found where it is, by device and host alike.
func TestPatternCheckFinds(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		rapid.Check(t, func(t *rapid.T) {
			n := rapid.OneOf(rapid.IntRange(1, 70), rapid.IntRange(1, 50000)).Draw(t, "bytes")
			want := make([]byte, n)
			PatternBytes(want, 3, 4)
			got := bytes.Clone(want)
			first, wrong := n, int64(0)
			for _, i := range rapid.SliceOfNDistinct(rapid.IntRange(0, n-1), 1, min(n, 5), rapid.ID[int]).Draw(t, "at") {
				got[i] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
				first, wrong = min(first, i), wrong+1
			}
			e.reset(t)
			m := put(t, e, got, rapid.IntRange(0, 15).Draw(t, "shift"))
			r, err := e.set.PatternCheck(e.stream, m, 3, 4)
			check(t, err)
			if r != (PatternResult{int64(n), wrong, int64(first), got[first], want[first]}) || CheckPatternBytes(got, 3, 4) != r {
				t.Fatalf("%+v, want %d errors, the first at %d", r, wrong, first)
			}
		})
	})
}

// A message of another step or sender, and one that is shifted, is wrong nearly everywhere.
func TestPatternTellsMessagesApart(t *testing.T) {
	const n = 4096
	want := make([]byte, n+64)
	PatternBytes(want, 5, 2)
	for _, o := range []struct{ step, sender, shift int }{{6, 2, 0}, {4, 2, 0}, {5, 3, 0}, {5, 1, 0}, {2, 5, 0}, {5, 2, 1}, {5, 2, 8}, {5, 2, 64}} {
		other := make([]byte, n+64)
		PatternBytes(other, o.step, o.sender)
		if r := CheckPatternBytes(other[o.shift:][:n], 5, 2); r.Errors < n*98/100 {
			t.Errorf("%+v passes for step 5, sender 2: %d errors in %d bytes", o, r.Errors, n)
		}
	}
	seen := map[uint64][2]int{}
	for step := range 300 {
		for sender := range 64 {
			w := patternWord(step, sender, 0)
			if o, ok := seen[w]; ok {
				t.Fatalf("steps and senders %v and %v begin alike", o, [2]int{step, sender})
			}
			seen[w] = [2]int{step, sender}
		}
	}
}
