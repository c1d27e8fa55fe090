package plan

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// The study's own series: its grid of a node with six GPUs, doubled in turn along both axes.
func TestGrowAsTheStudyDoes(t *testing.T) {
	perPE := []int64{24576, 36864}
	want := []int64{73728, 73728}
	for i, n := 0, int64(6); n <= 1536; i, n = i+1, n*2 {
		if i > 0 {
			want[(i+1)%2] *= 2
		}
		if got := Grow(perPE, n); !reflect.DeepEqual(got, want) {
			t.Errorf("%d PEs: %v, want %v", n, got, want)
		}
	}
	if !reflect.DeepEqual(perPE, []int64{24576, 36864}) {
		t.Error("the size given was changed")
	}
}

func TestGrow(t *testing.T) {
	for _, c := range []struct {
		v    any
		n    int64
		want any
	}{
		{int64(1000), 6, int64(6000)},
		{[]int64{8, 8, 8}, 1, []int64{8, 8, 8}},
		{[]int64{8, 8, 8}, 4, []int64{16, 16, 8}},
		{[]int64{8, 8, 8}, 16, []int64{32, 16, 16}},
		{[]int64{8, 8}, 7, []int64{56, 8}},
	} {
		if got := Grow(c.v, c.n); !reflect.DeepEqual(got, c.want) {
			t.Errorf("Grow(%v, %d) = %v, want %v", c.v, c.n, got, c.want)
		}
	}
}

// Strong and weak together: one PE has one case, the others one of each.
func TestBothWaysOfScaling(t *testing.T) {
	p := must(t, Options{Benchmarks: []string{"jacobi3d"}, Models: []string{"mpi"}, Paths: []string{"host"}, PEs: []int64{1, 2, 4},
		Scaling: []string{"strong", "weak"}, Own: own("grid", []int64{8, 8, 8})})
	got := map[string]int{}
	for _, j := range p.Jobs {
		for _, c := range j.Cases {
			got[fmt.Sprint(j.PEs, c.Params.Ints("grid"))]++
		}
	}
	want := map[string]int{"1 [8 8 8]": 1, "2 [8 8 8]": 1, "4 [8 8 8]": 1, "2 [16 8 8]": 1, "4 [16 16 8]": 1}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	_, err := Make(Options{Benchmarks: []string{"pingpong"}, Paths: []string{"host"}, Scaling: []string{"weak"}}, benches, all)
	if err == nil || !strings.HasPrefix(err.Error(), "--scaling weak: none of pingpong's cases takes it") {
		t.Errorf("of a benchmark without a size of a problem: %v", err)
	}
}
