package bench

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"gpubench/gpu"
	"gpubench/internal/result"
	"gpubench/runtimes/transport"
)

func TestChunkSizes(t *testing.T) {
	for _, c := range []struct {
		message int
		want    []int
	}{
		{64<<10 + 1, []int{64 << 10, 128 << 10}},
		{300000, []int{64 << 10, 128 << 10, 256 << 10, 512 << 10}},
		{1 << 20, []int{64 << 10, 128 << 10, 256 << 10, 512 << 10, 1 << 20}},
		{16 << 20, []int{64 << 10, 128 << 10, 256 << 10, 512 << 10, 1 << 20, 2 << 20, 4 << 20}},
	} {
		if got := chunkSizes(c.message); !slices.Equal(got, c.want) {
			t.Errorf("%d B: %v, want %v", c.message, got, c.want)
		}
	}
}

func TestBestChunkHasTheLeastMedian(t *testing.T) {
	sizes := []int{1, 2, 4}
	for name, c := range map[string]struct {
		samples [][]float64
		want    int
	}{
		"middle":                    {[][]float64{{3, 3, 3}, {2, 2, 2}, {3, 3, 3}}, 2},
		"outliers do not count":     {[][]float64{{2, 2, 90}, {3, 3, 3}, {1, 4, 4}}, 1},
		"last":                      {[][]float64{{3, 3, 3}, {2, 2, 2}, {1, 1, 1}}, 4},
		"the smaller one of equals": {[][]float64{{2, 2, 2}, {2, 2, 2}, {2, 2, 2}}, 1},
	} {
		if got := best(sizes, c.samples); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// pipelined are the params of a case with pipelined staging.
func pipelined(pes int, more result.Params) result.Params {
	p := params(pes, result.Params{"path": "staged", "device": "emulated", "staging": "pipelined", "staging_space": "pinned", "space": "device"})
	for k, v := range more {
		p[k] = v
	}
	return p
}

// TestChunkIsFoundOnceAJob: the first case that needs one measures it, the
// others take it over, and none of this counts as the case's messages.
func TestChunkIsFoundOnceAJob(t *testing.T) {
	b := &Benchmark{Name: "b", Metrics: []Metric{{Name: "latency", Unit: "s"}}, New: map[Model]func(*PE, result.Params) (Body, error){MPI: newExchanger}}
	const longest = 300000
	cases := []struct {
		more    result.Params
		longest int64
		how     string // begins so; "": no staging in the record
	}{
		{result.Params{"staging": "simple"}, longest, ""},
		{nil, 1000, "default: no message of the job is longer"},
		{nil, longest, "measured: of 65536 to 524288 B the least median of 5 round trips of 300000 B"},
		{nil, longest, "measured: of 65536"},
		{result.Params{"chunk_bytes": int64(8192)}, longest, "given"},
		{result.Params{"space": "managed"}, longest, "measured: of 65536"},
	}
	recs := make([]result.Record, len(cases))
	var found []int // by case: sizes known after it, on PE 0
	onDevices(t, gpu.Emulated, 3, func(pe *PE) {
		for i, c := range cases {
			r, err := Run(pe, &Benchmark{Name: b.Name, Metrics: b.Metrics, New: map[Model]func(*PE, result.Params) (Body, error){
				MPI: func(pe *PE, p result.Params) (Body, error) {
					if pe.Rank > 1 {
						return &fake{pe: &PE{Size: 1}, buf: make([]byte, 8)}, nil
					}
					if n := pe.Endpoint.Stats().Sent[transport.Staged].Messages; n != 0 {
						return nil, fmt.Errorf("%d messages of the search count as the case's", n)
					}
					return newExchanger(pe, p)
				}}}, Case{Params: pipelined(3, c.more), LongestStaged: c.longest})
			if err != nil {
				t.Errorf("%v: %v", c.more, err)
			}
			if pe.Rank == 0 {
				recs[i] = r
				found = append(found, len(pe.chunks))
			}
		}
	})
	for i, c := range cases {
		r := recs[i]
		if r.Status != result.OK {
			t.Errorf("%v: %s %q", c.more, r.Status, r.Reason)
			continue
		}
		if c.how == "" {
			if r.Staging != nil {
				t.Errorf("%v: %+v", c.more, *r.Staging)
			}
			continue
		}
		if r.Staging == nil || !strings.HasPrefix(r.Staging.How, c.how) {
			t.Errorf("%v: %+v, want %s", c.more, r.Staging, c.how)
			continue
		}
		if chunk := fmt.Sprintf("chunks of %d B", r.Staging.ChunkBytes); !strings.Contains(r.PathTaken.Detail, chunk) {
			t.Errorf("%v: %q lacks %q", c.more, r.PathTaken.Detail, chunk)
		}
		if strings.HasPrefix(c.how, "measured") && !slices.Contains(chunkSizes(longest), int(r.Staging.ChunkBytes)) {
			t.Errorf("%v: %+v is no candidate", c.more, *r.Staging)
		}
	}
	if !slices.Equal(found, []int{0, 0, 1, 1, 1, 2}) {
		t.Errorf("sizes known after each case: %v", found)
	}
	if recs[2].Staging.ChunkBytes != recs[3].Staging.ChunkBytes || recs[2].ID != recs[3].ID {
		t.Errorf("%+v and %+v", recs[2].Staging, recs[3].Staging)
	}
}

// TestSearchThatFails costs its case alone, at once, and names the PE.
func TestSearchThatFails(t *testing.T) {
	b := &Benchmark{Name: "b", Metrics: []Metric{{Name: "latency", Unit: "s"}}, New: map[Model]func(*PE, result.Params) (Body, error){MPI: newExchanger}}
	onDevices(t, gpu.Emulated, 2, func(pe *PE) {
		space := "device"
		if pe.Rank == 1 {
			space = "device:nowhere" // PE 1 alone cannot allocate
		}
		p := pipelined(2, result.Params{"space": space})
		r, err := Run(pe, b, Case{Params: p, LongestStaged: 1 << 20})
		var broken *BrokenError
		if !errors.As(err, &broken) || broken.PE != 1 || r.Status != result.Failed {
			t.Errorf("PE %d: %s, %v", pe.Rank, r.Status, err)
		}
		if pe.Rank == 0 && (!strings.HasPrefix(r.Reason, "PE 1: the search for a chunk size: ") || !strings.Contains(r.Reason, "nowhere")) {
			t.Errorf("reason %q", r.Reason)
		}
	})
}
