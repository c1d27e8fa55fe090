package device

import (
	"errors"
	"math"
	"strings"
	"testing"

	"gpubench/gpu"
	"gpubench/internal/bench"
	"gpubench/internal/result"
	"gpubench/kernels"
)

// Operations are counted and checked value by value, on one core and on blocks of a device.
func TestFlopsAreRight(t *testing.T) {
	for driver, blocks := range map[gpu.Driver]int64{gpu.CPU: 1, gpu.Emulated: 3} {
		onDevice(t, driver, 0, func(pe *bench.PE) {
			rec := run(t, pe, Flops, params(t, Flops, driver, result.Params{"task_blocks": int64(3), "iterations": int64(3)}))
			right(t, rec)
			if n := rec.Params.Int("task_blocks"); n != blocks {
				t.Errorf("%s has %d blocks, want %d", driver, n, blocks)
			}
			if v := rec.Validation; v == nil || v.Checked < 2*(64*blocks+1) {
				t.Errorf("%s: %+v", driver, v)
			}
		})
	}
	if rate := flopsPerSecond(result.Params{"task_blocks": int64(2)}, 3, 2); rate != 3*65536*256/2 {
		t.Errorf("%g operations per second", rate)
	}
}

// A value that is off by one bit is found, and an output of an earlier call.
func TestWrongFlopsAreFound(t *testing.T) {
	onDevice(t, gpu.CPU, 0, func(pe *bench.PE) {
		made, err := newFlops(pe, params(t, Flops, gpu.CPU, nil))
		must(t, err)
		b := made.(*flops)
		defer func() { must(t, b.Close()) }()
		must(t, b.Batch(2, &bench.Clock{}))
		must(t, b.here(func() error {
			must(t, errors.Join(b.stream.Copy(b.host, b.lanes), b.stream.Sync()))
			lanes := gpu.Of[float64](b.host)
			lanes[7] = math.Float64frombits(math.Float64bits(lanes[7]) ^ 1)
			must(t, errors.Join(b.stream.Copy(b.lanes, b.host), b.stream.Sync()))
			return b.set.TaskCompute(b.stream, b.out, b.spare(t), 0, 0, 1, 1) // an earlier call's output
		}))
		v, err := b.Inspect()
		must(t, err)
		if v.Errors != 2 || !strings.Contains(v.FirstError, "value 7 after 65536 iterations") {
			t.Errorf("%+v", v)
		}
	})
}

// spare is other memory for lanes.
func (b *flops) spare(t *testing.T) gpu.Memory {
	buf, err := b.dev.Alloc(gpu.OnDevice, kernels.TaskLaneBytes, gpu.DefaultPages)
	must(t, err)
	b.buffers = append(b.buffers, buf)
	return buf.Memory()
}

// Walks are bounded by a stream in the same cache state, and say what they walk through.
func TestTasksCeilings(t *testing.T) {
	p := result.Params{"device": "cuda", "placement": "same_gpu", "pes": int64(2)}
	list := Walking(p, 1<<20, 1<<28)
	if words(list) != "stream copy, stream on cuda copy 134217728, 1048576 B × 0" || list[0].Footprint != 1<<28 {
		t.Errorf("%s, %+v", words(list), list)
	}
	if list := Walking(p.With("placement", "peer"), 1<<20, 1<<40); words(list) != "stream copy, stream on cuda copy 268435456, 524288 B × 0" {
		t.Errorf("on two devices: %s", words(list))
	}
	if list := Computing(p, 4096, 8); len(list) != 1 || list[0].Bytes != 4096 || list[0].Own.Int("task_blocks") != 8 || list[0].Benchmark != "flops" {
		t.Errorf("%+v", list)
	}
	if list := Computing(p, 0, 8); list != nil {
		t.Errorf("of nothing: %+v", list)
	}
}
