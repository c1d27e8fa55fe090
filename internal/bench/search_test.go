package bench

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"gpubench/internal/result"
	"gpubench/internal/stats"
)

// leveled is a fake body that notes its levels.
type leveled struct {
	*fake
	levels []int64
}

func (l *leveled) SetLevel(level int64) { l.levels = append(l.levels, level) }

// three is a search of three batches, at levels 7, 0 and 9; the untimed pass is at 8.
type three struct {
	done  int
	times []float64
	err   error
}

func (s *three) Next() (int64, int) {
	if s.done == 3 {
		return 8, 0
	}
	s.done++
	return []int64{7, 0, 9}[s.done-1], s.done
}

func (s *three) Note(seconds float64) { s.times = append(s.times, seconds) }

func (s *three) Result() (map[string]result.Metric, map[string]result.Samples, error) {
	return map[string]result.Metric{"found": stats.Metric("s", s.times, false)}, map[string]result.Samples{"found": s.times}, s.err
}

func searchOnTwo(t *testing.T, s *three, over bool) (recs []result.Record, bodies []*leveled) {
	t.Helper()
	recs, bodies = make([]result.Record, 2), make([]*leveled, 2)
	b := &Benchmark{
		Name: "fake", Metrics: []Metric{{Name: "found", Unit: "s"}},
		Search: func(result.Params) (Search, error) { return s, nil },
		New: map[Model]func(*PE, result.Params) (Body, error){MPI: func(pe *PE, _ result.Params) (Body, error) {
			bodies[pe.Rank] = &leveled{fake: &fake{pe: pe, each: 1000, buf: make([]byte, 64)}}
			return bodies[pe.Rank], nil
		}},
	}
	onPEs(t, 2, nil, func(pe *PE) {
		pe.Oversubscribed = over
		var err error
		if recs[pe.Rank], err = Run(pe, b, Case{Params: params(2, nil)}); err != nil {
			t.Error(err)
		}
	})
	return recs, bodies
}

// Every PE gets the levels that the search on PE 0 asks for; its figures are the record's.
func TestSearchChoosesBatches(t *testing.T) {
	s := &three{}
	recs, bodies := searchOnTwo(t, s, false)
	for pe, b := range bodies {
		if !slices.Equal(b.levels, []int64{7, 0, 9, 8}) || !slices.Equal(b.batches, []int{1, 2, 3}) {
			t.Errorf("PE %d: levels %v, batches %v", pe, b.levels, b.batches)
		}
	}
	r := recs[0]
	if r.Status != result.OK || !slices.Equal(r.Samples["found"], result.Samples{1e-6, 2e-6, 3e-6}) || r.Metrics["found"].Median != 2e-6 {
		t.Errorf("%s %s: %+v", r.Status, r.Reason, r.Samples)
	}
	if r.Validation == nil || r.Validation.Checked == 0 || r.PathTaken == nil {
		t.Errorf("validation %+v, path %+v", r.Validation, r.PathTaken)
	}
}

// What a search cannot find fails the case, with no figures.
func TestSearchThatFindsNothing(t *testing.T) {
	recs, _ := searchOnTwo(t, &three{err: errors.New("no peak")}, false)
	if r := recs[0]; r.Status != result.Failed || r.Reason != "no peak" || len(r.Metrics) != 0 {
		t.Errorf("%s %q: %v", r.Status, r.Reason, r.Metrics)
	}
}

// Where PEs share cores nothing is searched for.
func TestNoSearchWhereOversubscribed(t *testing.T) {
	recs, bodies := searchOnTwo(t, &three{}, true)
	if r := recs[0]; r.Status != result.Skipped || !strings.Contains(r.Reason, "give fewer PEs (-n)") || len(bodies[0].batches) != 0 {
		t.Errorf("%s %q: batches %v", r.Status, r.Reason, bodies[0].batches)
	}
}
