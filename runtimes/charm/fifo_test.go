package charm

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// A fifo gives back what was pushed, in order, and a front that is being looked at outlives what is pushed meanwhile.
func TestFifo(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var q fifo
		var model [][]byte
		var next byte
		push := func(r *rapid.T) {
			b := bytes.Repeat([]byte{next}, rapid.SampledFrom([]int{0, 1, 15, 16, 17, 100, 1000, 5000}).Draw(r, "n"))
			next++
			copy(q.push(len(b)), b)
			model = append(model, b)
		}
		r.Repeat(map[string]func(*rapid.T){
			"push": push,
			"pop": func(r *rapid.T) {
				if q.n == 0 {
					r.Skip("empty")
				}
				front := q.front()
				for range rapid.IntRange(0, 3).Draw(r, "meanwhile") {
					push(r)
				}
				if !bytes.Equal(front, model[0]) || !bytes.Equal(q.front(), model[0]) {
					r.Fatalf("front has %d B that begin with %v, want %d of %v", len(front), front[:min(1, len(front))], len(model[0]), model[0][:min(1, len(model[0]))])
				}
				q.drop()
				model = model[1:]
			},
			"": func(r *rapid.T) {
				if q.n != len(model) {
					r.Fatalf("%d records, want %d", q.n, len(model))
				}
			},
		})
	})
}

func TestRing(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var q ring[int]
		var model []int
		r.Repeat(map[string]func(*rapid.T){
			"push": func(r *rapid.T) {
				v := rapid.Int().Draw(r, "v")
				*q.push() = v
				model = append(model, v)
			},
			"pop": func(r *rapid.T) {
				if q.n == 0 {
					r.Skip("empty")
				}
				if got := *q.pop(); got != model[0] {
					r.Fatalf("popped %d, want %d", got, model[0])
				}
				model = model[1:]
			},
		})
	})
}
