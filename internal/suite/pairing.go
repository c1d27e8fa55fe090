// Pairing: which PEs are partners in the point-to-point benchmarks.

package suite

import (
	"fmt"

	"gpubench/internal/bench"
	"gpubench/internal/result"
)

// Partners are the pairs of PEs that a pairing gives. Of messages that go one
// way the first of a pair sends.
type Partners struct {
	Pairs [][2]int
	// Bind binds the calling PE's thread to where the pairing wants it, and gives
	// what takes that back; nil: the thread stays as it is.
	Bind func() (undo func() error, err error)
}

// Pairings is the service that finds partners by where the PEs are, a
// func(pairing string) (Partners, error): the same pairs on every PE. Its error
// is errors.ErrUnsupported where there are none.
const Pairings = "pairings"

// pairingParam is the parameter that chooses.
var pairingParam = bench.Param{
	Name: "pairing",
	Doc: "which PEs are partners: i and i + n/2, of one pair 0 and 1 (osu), or those on one socket (near), " +
		"on two sockets of a host (far), on two hosts (remote)",
	Default: "osu", Null: "osu", Flag: "pairing", Values: []string{"osu", "near", "far", "remote"},
}

// partnersOf are a case's pairs, one or all that there are. Of an odd number of
// PEs the last is idle.
func partnersOf(pe *bench.PE, p result.Params, all bool) (Partners, error) {
	var found Partners
	how, _ := p["pairing"].(string)
	switch {
	case how != "":
		find, ok := pe.Services[Pairings].(func(string) (Partners, error))
		if !ok {
			return found, fmt.Errorf("--pairing %s: nobody knows here where the PEs are", how)
		}
		var err error
		if found, err = find(how); err != nil {
			return found, err
		}
	case all:
		half := pe.Size / 2
		for i := range half {
			found.Pairs = append(found.Pairs, [2]int{i, i + half})
		}
	default:
		found.Pairs = [][2]int{{0, 1}}
	}
	if !all {
		found.Pairs = found.Pairs[:1]
	}
	return found, nil
}

// pairCount is how many pairs a case may have.
func pairCount(p result.Params) int64 { return max(1, p.Int("pes")/2) }
