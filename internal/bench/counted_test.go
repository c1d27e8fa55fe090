package bench

import (
	"strings"
	"testing"

	"gpubench/internal/result"
)

// counting is a fake whose every PE counts what its batches did.
type counting struct {
	*fake
	done int64
}

func (c *counting) Work(n int) (int64, string) { return int64(n * c.pe.Size), "turns" }

func (c *counting) Done() int64 { return c.done }

func (c *counting) Batch(n int, clk *Clock) error {
	err := c.fake.Batch(n, clk)
	if c.pe.Rank == 1 && len(c.batches) == 4 { // the last of the warm-up, of 3
		n--
	}
	c.done += int64(n)
	return err
}

// A batch of which one PE has left something out is a failure that has both numbers; one that is whole is none.
func TestWorkLeftOut(t *testing.T) {
	for n, want := range map[int]string{1: "", 3: "work left out: a batch of 3 iterations is 9 turns, and 8 were counted"} {
		o := runFake(t, n, params(n, nil), func(b *Benchmark) {
			newFake := b.New[MPI]
			b.New = map[Model]func(*PE, result.Params) (Body, error){MPI: func(pe *PE, p result.Params) (Body, error) {
				f, err := newFake(pe, p)
				return &counting{fake: f.(*fake)}, err
			}}
		}, nil)
		if r := o.recs[0]; (r.Status == result.OK) != (want == "") || !strings.Contains(r.Reason, want) {
			t.Errorf("%d PEs: %v", n, o)
		}
	}
}
