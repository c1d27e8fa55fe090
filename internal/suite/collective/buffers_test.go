package collective

import (
	"runtime"
	"strings"
	"testing"

	"gpubench/gpu"
	"gpubench/internal/bench"
	"gpubench/internal/result"
	"gpubench/kernels"
)

// device is the first one of a driver, bound to the test.
func device(t *testing.T, driver gpu.Driver) *gpu.Device {
	t.Helper()
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	dev, err := gpu.Open(driver, 0, gpu.Options{Threads: 1, Wait: gpu.Yield})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := dev.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := dev.Bind(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dev.Unbind)
	t.Cleanup(func() {
		if err := kernels.Unload(dev); err != nil {
			t.Error(err)
		}
	})
	return dev
}

// wrong is what a broken collective would leave, and how it is reported.
type wrong struct {
	collective string
	step       int // what is expected; the test leaves step 3
	sender     int // -1: the right one
	swap       bool
	want       string
}

// Every mistake is found and named: a block from another PE, two blocks swapped, a stale buffer, a sum without one PE, a
// share of another place; on the host and on the device.
func TestInspectFinds(t *testing.T) {
	for _, driver := range []gpu.Driver{gpu.CPU, gpu.Emulated} {
		t.Run(string(driver), func(t *testing.T) {
			dev := device(t, driver)
			space := map[gpu.Driver]string{gpu.CPU: "pageable", gpu.Emulated: "device"}[driver]
			for _, c := range []wrong{
				{"bcast", 3, -1, false, ""}, {"bcast", 4, -1, false, "block of PE 0, step 4, offset 0: expected 0x"},
				{"bcast", 3, 2, false, "block of PE 0, step 3, offset 0"},
				{"allgather", 3, -1, false, ""}, {"allgather", 3, -1, true, "block of PE 0, step 3"}, {"allgather", 2, -1, false, "step 2"},
				{"alltoall", 3, -1, false, ""}, {"alltoall", 3, -1, true, "block of PE 0, step 3"}, {"alltoall", 3, 1, false, "block of PE "},
				{"allreduce", 3, -1, false, ""}, {"allreduce", 2, -1, false, "sum of step 2, offset 0: expected "},
				{"allreduce", 3, 1, false, "sum of step 3, offset 0: expected "},
				{"reduce_scatter", 3, -1, false, ""}, {"reduce_scatter", 3, -1, true, "sum of step 3, offset 0"},
			} {
				inspectOne(t, dev, space, c)
			}
		})
	}
}

// inspectOne makes PE 1 of 3 hold what the collective would leave there, spoiled as c says.
func inspectOne(t *testing.T, dev *gpu.Device, space string, c wrong) {
	t.Helper()
	var row *collective
	for _, r := range table {
		if r.name == c.collective {
			row = r
		}
	}
	p := result.Params{"size_bytes": int64(1000), "size_is": "per_pe", "pes": int64(3), "space": space, "pages": "default", "buffers": "same",
		"collective": own}
	b, err := newBuffers(row, &bench.PE{Rank: 1, Size: 3, Device: dev}, p)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := b.close(); err != nil {
			t.Error(err)
		}
	}()
	const step = 3
	m := b.recvs[0]
	if row.reduces {
		first := 0
		if m.Len < b.size && !c.swap {
			first = int(b.shareAt().Addr) / elementBytes
		}
		err = b.left(m, first, step, c.sender)
	} else {
		n := m.Len / b.size
		for from := range n {
			at := from
			if c.swap {
				at = n - 1 - from
			}
			sender := from
			switch {
			case c.sender >= 0:
				sender = c.sender
			case row.name == "alltoall":
				sender = from*n + b.rank
			}
			if err == nil {
				err = b.pen.Set.PatternFill(b.pen.Stream, m.Slice(at*b.size, b.size), step, sender)
			}
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	b.done, b.ran = 1, 1
	v, err := b.inspect(c.step)
	if err != nil || v.Checked == 0 || (v.Errors > 0) != (c.want != "") || !strings.Contains(v.FirstError, c.want) ||
		c.want != "" && !strings.HasPrefix(v.FirstError, "PE 1: ") {
		t.Errorf("%+v: %+v, %v", c, v, err)
	}
}

// left writes the sum of all PEs' contributions but that of one (-1: of none) into m.
func (b *buffers) left(m gpu.Memory, first, step, without int) error {
	tmp, err := b.pe.Device.Alloc(m.Space, m.Len, gpu.DefaultPages)
	if err != nil {
		return err
	}
	defer tmp.Free()
	begun := false
	for from := range b.pes {
		if from == without {
			continue
		}
		to := tmp.Memory()
		if !begun {
			to = m
		}
		if err := b.pen.Set.VectorFill(b.pen.Stream, to, first, step, from); err != nil {
			return err
		}
		if begun {
			if err := b.pen.Set.SumInto(b.pen.Stream, m, to); err != nil {
				return err
			}
		}
		begun = true
	}
	return b.pen.Stream.Sync()
}
