package plan

import (
	"fmt"
	"testing"

	"gpubench/internal/result"
)

// What has no partners is left out with the reason, for as many PEs as that is so; whoever does not know leaves it to the PEs.
func TestPairing(t *testing.T) {
	b := benches[0]
	b.MaxPEs = 0
	b.Params = append([]Param{{Name: "pairing", Flag: "pairing", Default: "osu", Null: "osu", Values: []string{"osu", "near", "far"}}}, b.Params...)
	m := all
	for _, knows := range []bool{true, false} {
		m.Pairing = nil
		if knows {
			m.Pairing = func(how string, pes int64) string {
				if how == "far" && pes > 2 {
					return fmt.Sprintf("no %s partners of %d PEs", how, pes)
				}
				return ""
			}
		}
		p, err := Make(Options{Benchmarks: []string{"pingpong"}, Models: []string{"mpi"}, Paths: []string{"host"}, PEs: []int64{2, 4}, Sizes: []int64{8},
			Own: own("pairing", "osu", "near", "far")}, []Bench{b}, m)
		if err != nil {
			t.Fatal(err)
		}
		run := count(p, func(result.Params) bool { return true })
		if run+len(p.Skipped) != 6 || knows != (len(p.Skipped) == 1) || knows && p.Skipped[0].Skip != "no far partners of 4 PEs" {
			t.Errorf("knows %v: %d cases to run, left out %+v", knows, run, p.Skipped)
		}
		if n := count(p, func(p result.Params) bool { return p["pairing"] == nil }); n != 2 {
			t.Errorf("%d cases in OSU's order", n)
		}
	}
}
