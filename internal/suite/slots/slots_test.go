package slots

import (
	"runtime"
	"strings"
	"testing"

	"gpubench/gpu"
	"gpubench/internal/bench"
	"gpubench/internal/result"
	"gpubench/kernels"
)

func TestCount(t *testing.T) {
	pe := &bench.PE{Services: map[string]any{bench.CacheBytes: int64(1 << 20)}}
	same, rotate := result.Params{"buffers": "same"}, result.Params{"buffers": "rotate"}
	for _, c := range []struct {
		p     result.Params
		cache int64
		bytes []int
		want  int
	}{
		{same, 0, []int{8}, 1},
		{rotate, 0, []int{8}, 2<<20/Align + 1},
		{rotate, 0, []int{0, 300}, 2<<20/(3*Align) + 1}, // what is sent and what is received
		{rotate, 4 << 20, []int{1 << 20}, 9},            // a device's cache is larger
		{rotate, 0, []int{4 << 20}, 1},
	} {
		if n := Count(pe, c.p, c.cache, c.bytes...); n != c.want {
			t.Errorf("%v, cache %d, %v: %d slots, want %d", c.p, c.cache, c.bytes, n, c.want)
		}
	}
}

// Slots do not overlap, what is written is found, and what differs is named; on the host and on the device.
func TestPen(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	dev, err := gpu.Open(gpu.Emulated, 0, gpu.Options{Threads: 1, Wait: gpu.Yield})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	if err := dev.Bind(); err != nil {
		t.Fatal(err)
	}
	defer dev.Unbind()
	defer func() {
		if err := kernels.Unload(dev); err != nil {
			t.Error(err)
		}
	}()
	p, err := NewPen(dev)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stream.Close()
	for _, space := range []gpu.Space{gpu.Pageable, gpu.OnDevice} {
		buf, list, err := Make(dev, space, gpu.DefaultPages, 3, 300)
		if err != nil {
			t.Fatal(err)
		}
		defer buf.Free()
		var v result.Validation
		for i, m := range list {
			if err := p.Write(m, i, 7); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.Poison(list[1]); err != nil {
			t.Fatal(err)
		}
		for i, m := range list {
			if err := p.Check(&v, m, i, 7, "slot %d", i); err != nil {
				t.Fatal(err)
			}
		}
		if v.Checked != 3 || v.Errors != 1 || !strings.HasPrefix(v.FirstError, "slot 1, offset ") || !strings.HasSuffix(v.FirstError, " of 300 bytes differ)") {
			t.Errorf("%v: %+v", space, v)
		}
	}
}
