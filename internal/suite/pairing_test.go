package suite

import (
	"errors"
	"fmt"
	"testing"

	"gpubench/internal/bench"
	"gpubench/internal/result"
)

// OSU's order: 0 and 1, or i and i + n/2; the last of an odd number is idle.
func TestPartners(t *testing.T) {
	near := func(how string) (Partners, error) {
		if how != "near" {
			return Partners{}, errors.ErrUnsupported
		}
		return Partners{Pairs: [][2]int{{1, 3}, {2, 0}}}, nil
	}
	for _, c := range []struct {
		pes  int
		how  any
		all  bool
		want string // "": an error
	}{
		{2, nil, false, "[[0 1]]"}, {5, nil, false, "[[0 1]]"},
		{2, nil, true, "[[0 1]]"}, {3, nil, true, "[[0 1]]"}, {4, nil, true, "[[0 2] [1 3]]"}, {7, nil, true, "[[0 3] [1 4] [2 5]]"},
		{4, "near", false, "[[1 3]]"}, {4, "near", true, "[[1 3] [2 0]]"}, {4, "far", true, ""},
	} {
		pe := &bench.PE{Size: c.pes, Services: map[string]any{Pairings: near}}
		got, err := partnersOf(pe, result.Params{"pairing": c.how}, c.all)
		if text := fmt.Sprint(got.Pairs); (err != nil) != (c.want == "") || err == nil && text != c.want {
			t.Errorf("%d PEs, %v, all %v: %s, %v, want %s", c.pes, c.how, c.all, text, err, c.want)
		}
		if err != nil && !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%v is no reason to skip", err)
		}
	}
	if _, err := partnersOf(&bench.PE{Size: 2}, result.Params{"pairing": "near"}, false); err == nil {
		t.Error("partners were found by nobody")
	}
}
