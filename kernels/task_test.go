package kernels

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Outputs of any length are written whole, and nothing beside them; lanes are what the serial reference has.
func TestTaskCompute(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		rapid.Check(t, func(t *rapid.T) {
			n, blocks := rapid.IntRange(16, 600).Draw(t, "bytes"), rapid.IntRange(1, 4).Draw(t, "blocks")
			step, point := rapid.Int64().Draw(t, "step"), rapid.Int64Range(0, 1<<40).Draw(t, "point")
			iterations := rapid.Int64Range(0, 300).Draw(t, "iterations")
			e.reset(t)
			out, lanes := e.array(t, n, 0), e.array(t, blocks*TaskLaneBytes, 0)
			check(t, e.set.TaskCompute(e.stream, out, lanes, step, point, iterations, blocks))
			check(t, e.stream.Sync())
			want := make([]byte, n)
			TaskBytes(want, step, point)
			if got := get[byte](t, e, out); !bytes.Equal(got, want) {
				t.Fatalf("output %v, want %v", got, want)
			}
			e.unharmed(t, out, lanes)
			one := TaskLanes(iterations)
			for b, found := 0, get[float64](t, e, lanes); b < blocks; b++ {
				same(t, "lanes", found[b*taskLanes:(b+1)*taskLanes], one[:])
			}
		})
	})
}

// Chains of eight are what the serial reference has, whatever the stride, and of any number of sizes.
func TestTaskChains(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sizes := rapid.SliceOfN(rapid.Int64Range(0, 400), 1, 5).Draw(t, "iterations")
		slices.Sort(sizes)
		for _, stride := range []int{1, 9} {
			for k, got := range TaskChains(sizes, stride) {
				want := TaskLanes(sizes[k])
				if len(got) != (taskLanes+stride-1)/stride {
					t.Fatalf("stride %d: %d values", stride, len(got))
				}
				for i, v := range got {
					if v != want[i*stride] {
						t.Fatalf("value %d after %d iterations is %g, want %g", i*stride, sizes[k], v, want[i*stride])
					}
				}
			}
		}
	})
}

// Pieces that were taken have equal halves, the others are as they were.
func TestTaskMemory(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		rapid.Check(t, func(t *rapid.T) {
			half, pieces := rapid.IntRange(1, 50).Draw(t, "half"), rapid.Int64Range(1, 9).Draw(t, "pieces")
			first, iterations := rapid.Int64Range(0, 100).Draw(t, "first"), rapid.Int64Range(0, 12).Draw(t, "iterations")
			e.reset(t)
			values := numbers(2*half*int(pieces), 1)
			out, scratch := e.array(t, 16, 0), put(t, e, values, 0)
			check(t, e.set.TaskMemory(e.stream, out, scratch, 3, 4, first, iterations, pieces, 2))
			check(t, e.stream.Sync())
			for i := range iterations {
				p := int((first + i) % pieces * int64(2*half))
				copy(values[p+half:p+2*half], values[p:p+half])
			}
			same(t, "scratch", get[float64](t, e, scratch), values)
			if r, err := e.set.TaskCheck(e.stream, out, 3, 4); err != nil || r.Errors != 0 || r.Checked != 16 {
				t.Fatalf("output: %+v, %v", r, err)
			}
		})
	})
}

// A check finds each wrong byte and names the first, on the device as on the host.
func TestTaskCheck(t *testing.T) {
	each(t, func(t *testing.T, e *env) {
		rapid.Check(t, func(t *rapid.T) {
			n := rapid.IntRange(16, 5000).Draw(t, "bytes")
			output := make([]byte, n)
			TaskBytes(output, 7, 9)
			if r := CheckTaskBytes(output, 7, 9); r.Errors != 0 || r.Checked != int64(n) {
				t.Fatalf("right bytes: %+v", r)
			}
			wrong := map[int]bool{}
			for _, at := range rapid.SliceOfN(rapid.IntRange(0, n-1), 1, 5).Draw(t, "wrong") {
				if !wrong[at] {
					output[at] ^= 0x40
				}
				wrong[at] = true
			}
			want := CheckTaskBytes(output, 7, 9)
			e.reset(t)
			got, err := e.set.TaskCheck(e.stream, put(t, e, output, 0), 7, 9)
			check(t, err)
			if got != want || want.Errors != int64(len(wrong)) || !wrong[int(want.First)] {
				t.Fatalf("%d wrong bytes: the device says %+v, the host %+v", len(wrong), got, want)
			}
		})
	})
}

// 113·139^n modulo 2^31-1, by squaring.
func TestTaskBusy(t *testing.T) {
	const m = 1<<31 - 1
	for _, n := range []int64{0, 1, 2, 7, 1000, 12345} {
		want, power := int64(113), int64(139)
		for k := n; k > 0; k /= 2 {
			if k%2 == 1 {
				want = want * power % m
			}
			power = power * power % m
		}
		if got := TaskBusy(n); got != want {
			t.Errorf("TaskBusy(%d) = %d, want %d", n, got, want)
		}
	}
}
