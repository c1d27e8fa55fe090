package bench

import (
	"slices"
	"testing"
)

// Batches of a case: long enough that cold caches at their start do not count, and enough of them.
func TestBatchesSettle(t *testing.T) {
	for _, c := range []struct {
		name       string
		iterations int
		seconds    float64
		minBatch   int
		each       float64 // seconds of an iteration
		least      int     // iterations of a batch
		samples    [2]int
	}{
		{"short ones", 10000, 0, 1, 200e-9, 1000, [2]int{10, 10}},
		{"many short ones", 2e6, 0, 1, 200e-9, 1e5, [2]int{20, 20}},
		{"large messages", 1000, 0, 1, 50e-6, 100, [2]int{10, 10}},
		{"very large messages", 2000, 0, 1, 5e-3, 100, [2]int{19, 20}},
		{"few", 50, 0, 1, 50e-6, 5, [2]int{10, 10}},
		{"very few", 5, 0, 1, 50e-6, 1, [2]int{5, 5}},
		{"one", 1, 0, 1, 1e-3, 1, [2]int{1, 1}},
		{"a benchmark's own least", 100, 0, 20, 1e-3, 20, [2]int{5, 5}},
		{"no more than so many samples", 1 << 20, 0, 1, 20e-6, 1049, [2]int{990, 1000}},
		{"by time", 0, 1, 1, 50e-6, 400, [2]int{50, 50}},
		{"by time, slow ones", 0, 1, 1, 20e-3, 5, [2]int{10, 11}},
		{"by time, one slower than all of it", 0, 0.1, 1, 1, 1, [2]int{1, 1}},
	} {
		p, err := newPace(c.iterations, c.seconds, 4, c.minBatch)
		if err != nil {
			t.Fatal(err)
		}
		p.settle = true
		for n := p.next(); n > 0; n = p.next() {
			p.note(batch{n: n, seconds: float64(n) * c.each})
		}
		samples := p.finish()
		if k := len(samples); k < c.samples[0] || k > c.samples[1] {
			t.Errorf("%s: %d samples, want %v", c.name, k, c.samples)
		}
		sum := 0
		for i, s := range samples {
			sum += s.n
			if s.n < c.least {
				t.Errorf("%s: batch %d has %d iterations, want %d at least", c.name, i, s.n, c.least)
			}
		}
		if c.iterations > 0 && sum != c.iterations {
			t.Errorf("%s: %d iterations, want %d", c.name, sum, c.iterations)
		}
	}
}

// Batches hold whole periods, and iterations that are none are rounded up.
func TestBatchesHoldWholePeriods(t *testing.T) {
	for _, c := range []struct {
		iterations, period int
		each               float64 // seconds of an iteration
		want               []int
	}{
		{100, 20, 1e-3, []int{20, 20, 20, 20, 20}},
		{110, 20, 1e-3, []int{20, 20, 20, 20, 20, 20}},
		{100, 30, 1e-3, []int{30, 30, 30, 30}},
		{50, 20, 1e-3, []int{20, 20, 20}},
		{30, 20, 1e-3, []int{20, 20}},
		{10, 20, 1e-3, []int{20}},
		{100, 4, 1e-6, []int{12, 12, 12, 12, 12, 12, 12, 16}}, // 10 µs are 10 iterations
		{9, 3, 1e-3, []int{9}},                                // less than two batches of the least size
		{20, 1, 1e-3, []int{5, 5, 5, 5}},
	} {
		p, err := newPace(c.iterations, 0, 0, 5)
		if err != nil {
			t.Fatal(err)
		}
		p.every(c.period)
		p.est = c.each
		var got []int
		for n := p.next(); n > 0; n = p.next() {
			got = append(got, n)
			p.note(batch{n: n, seconds: float64(n) * c.each})
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%d iterations of %g s, period %d: batches %v, want %v", c.iterations, c.each, c.period, got, c.want)
		}
	}
	p, err := newPace(0, 1, 0, 5)
	if err != nil {
		t.Fatal(err)
	}
	p.every(20)
	p.est = 1e-3
	for n := p.next(); n > 0; n = p.next() {
		if !p.warming && n%20 != 0 {
			t.Errorf("by time: a batch of %d", n)
		}
		p.note(batch{n: n, seconds: float64(n) * 1e-3})
	}
}
