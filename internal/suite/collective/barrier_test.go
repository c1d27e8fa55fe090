package collective

import (
	"strings"
	"sync"
	"testing"

	"gpubench/gpu"
	"gpubench/internal/bench"
	"gpubench/internal/result"
	"gpubench/runtimes/mpi"
)

// open is a barrier that lets everybody through.
type open struct{ mpi.Collectives }

func (open) Barrier() error { return nil }

// A barrier that somebody leaves before all have come is found, and a right one is not.
func TestBarrierIsChecked(t *testing.T) {
	if gpu.EmulatedPath() != "" {
		t.Skip("of no interest on the shared driver")
	}
	for _, broken := range []bool{false, true} {
		var all result.Validation
		// The late PE hears of it only if another gets its core in time: more than one try, on a busy machine.
		for try := 0; try < 1 || broken && all.Errors == 0 && try < 50; try++ {
			var mu sync.Mutex
			err := onPEs(t, 3, func(rank int) int { return rank % 2 }, func(pe *bench.PE) error {
				b, err := newMPI(table[0], pe, result.Params{"collective": own})
				if err != nil {
					return err
				}
				if broken {
					b.(*ranks).by = open{b.(*ranks).by}
				}
				v, err := b.Check()
				mu.Lock()
				defer mu.Unlock()
				bench.AddValidation(&all, v)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if broken != (all.Errors > 0) || all.Checked < 6 || broken && !strings.Contains(all.FirstError, "has left a barrier that PE") {
			t.Errorf("broken: %v: %+v", broken, all)
		}
	}
}
