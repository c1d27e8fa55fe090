// Memory: every space, what a new buffer holds, and what becomes of misuse.

package gputest

import (
	"errors"
	"fmt"
	"path"
	"runtime"
	"strings"
	"testing"

	"gpubench/gpu"
)

func init() {
	add(
		test{"alloc", allocations},
		test{"pages", pages},
		test{"out of memory", outOfMemory},
		test{"bounds", bounds},
		test{"use after free", useAfterFree},
		test{"stale memory", staleMemory},
		test{"leaks", leaks},
		test{"pointer", pointers},
		test{"meminfo", memInfo},
		test{"info", info},
	)
}

var sizes = []int{0, 1, 7, 4095, 4096, 65537, 3<<20 + 5}

func allocations(t *testing.T, d *gpu.Device) {
	for _, space := range gpu.Spaces {
		part(t, d, space.String(), func(t *testing.T) {
			s := stream(t, d)
			defer free(t, s)
			for _, n := range sizes {
				b := alloc(t, d, space, n)
				m := b.Memory()
				if b.Len() != n || m.Len != n || m.Space != space || (n > 0 && m.Addr == 0) {
					t.Errorf("alloc of %d B gave %+v", n, m)
				}
				for i, c := range contents(t, d, s, m) {
					if c != 0xFF {
						t.Fatalf("%d B: byte %d of a new buffer is %#x: not written", n, i, c)
					}
				}
				write(t, d, s, m, n)
				holds(t, d, s, m, n, fmt.Sprintf("%d B", n))
				free(t, b)
			}
		})
	}
}

func pages(t *testing.T, d *gpu.Device) {
	for _, space := range []gpu.Space{gpu.Pageable, gpu.Pinned} {
		for _, p := range []gpu.Pages{gpu.DefaultPages, gpu.HugePages} {
			const n = 4<<20 + 1
			b, err := d.Alloc(space, n, p)
			must(t, err)
			use, err := b.PageUse()
			must(t, err)
			if use.Resident < n || b.Pages() != p {
				t.Errorf("%v memory in %v pages: %+v of %d B", space, p, use, n)
			}
			if p == gpu.HugePages && b.Memory().Addr%(2<<20) != 0 {
				t.Errorf("%v memory in huge pages at %#x", space, b.Memory().Addr)
			}
			t.Logf("%v memory in %v pages: %+v", space, p, use)
			free(t, b)
		}
	}
	b := alloc(t, d, gpu.OnDevice, 1)
	if _, err := b.PageUse(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("pages of device memory: %v", err)
	}
	free(t, b)
}

func outOfMemory(t *testing.T, d *gpu.Device) {
	for _, space := range gpu.Spaces {
		if space == gpu.Managed {
			continue // may be overcommitted, up to the host's memory
		}
		b, err := d.Alloc(space, 1<<46, gpu.DefaultPages)
		if err == nil {
			free(t, b)
		}
		if !errors.Is(err, gpu.ErrOutOfMemory) || !strings.Contains(fmt.Sprint(err), space.String()) {
			t.Errorf("64 TiB of %v memory: %v", space, err)
		}
	}
	// The device must be as good as before.
	free(t, alloc(t, d, gpu.OnDevice, 1<<20))
}

func bounds(t *testing.T, d *gpu.Device) {
	b := alloc(t, d, gpu.OnDevice, 100)
	other := alloc(t, d, gpu.Pinned, 100)
	s := stream(t, d)
	defer free(t, s, other, b)
	if m := b.Slice(100, 0); m.Len != 0 {
		t.Errorf("an empty slice at the end: %+v", m)
	}
	const maxInt = int(^uint(0) >> 1)
	for _, c := range [][2]int{{-1, 1}, {0, 101}, {101, 0}, {50, 51}, {1, maxInt}, {maxInt, 1}, {0, -1}} {
		panics(t, fmt.Sprint("slice ", c), func() { b.Slice(c[0], c[1]) }, "slice past end")
		panics(t, fmt.Sprint("slice of memory ", c), func() { b.Memory().Slice(c[0], c[1]) }, "slice past end")
	}
	panics(t, "copy of unequal lengths", func() { s.Copy(b.Slice(0, 10), other.Slice(0, 11)) }, "copy of 11 B to 10 B")
	panics(t, "bytes of device memory", func() { b.Memory().Bytes() }, "device memory")
	panics(t, "Fill32 of 6 B", func() { s.Fill32(b.Slice(0, 6), 0) }, "multiples of 4")
	layout := gpu.Layout{Memory: b.Memory(), Pitch: 10, Rows: 5}
	panics(t, "rows wider than the pitch", func() { s.Copy2D(layout, layout, 11, 2) }, "rows of 10 B")
	panics(t, "rows past the end", func() { s.Copy2D(layout, layout, 10, 11) }, "slice past end")
	panics(t, "planes past the end", func() { s.Copy3D(layout, layout, 10, 5, 3) }, "slice past end")
	panics(t, "planes higher than given", func() { s.Copy3D(layout, layout, 10, 6, 1+1) }, "planes of 5 rows")
	must(t, s.Sync())
}

func useAfterFree(t *testing.T, d *gpu.Device) {
	b := alloc(t, d, gpu.OnDevice, 64)
	s, e := stream(t, d), event(t, d, true)
	free(t, b, e)
	here := "made at " + thisFolder()
	panics(t, "Memory after Free", func() { b.Memory() }, "freed buffer", here)
	panics(t, "Slice after Free", func() { b.Slice(0, 1) }, "freed buffer", here)
	panics(t, "a second Free", func() { b.Free() }, "freed buffer", here)
	panics(t, "Record of a closed event", func() { s.Record(e) }, "closed event", here)
	panics(t, "Query of a closed event", func() { e.Query() }, "closed event", here)
	free(t, s)
	panics(t, "Sync of a closed stream", func() { s.Sync() }, "closed stream", here)
	panics(t, "a second Close", func() { s.Close() }, "closed stream", here)
}

func staleMemory(t *testing.T, d *gpu.Device) {
	defer gpu.CheckMemory(gpu.CheckMemory(true))
	s := stream(t, d)
	defer free(t, s)
	host := alloc(t, d, gpu.Pinned, 1000)
	for _, space := range []gpu.Space{gpu.OnDevice, gpu.Pinned} {
		b := alloc(t, d, space, 1000)
		m := b.Memory()
		free(t, b)
		panics(t, "copy into a freed buffer", func() { s.Copy(m, host.Memory()) }, "freed buffer")
		panics(t, "copy out of a freed buffer", func() { s.Copy(host.Memory(), m) }, "freed buffer")
		panics(t, "fill of a freed buffer", func() { s.Fill(m.Slice(999, 1), 1) }, "freed buffer")
	}
	// An address that comes back with a new buffer is good again.
	b := alloc(t, d, gpu.OnDevice, 1000)
	must(t, s.Copy(b.Memory(), host.Memory()))
	must(t, s.Sync())
	free(t, b, host)
}

// thisFolder is what call sites in this package begin with.
func thisFolder() string {
	_, file, _, _ := runtime.Caller(0)
	return path.Dir(file) + "/"
}

// nextLine is the call site of a call on the line below.
func nextLine() string {
	_, file, line, _ := runtime.Caller(1)
	return fmt.Sprintf("%s:%d", file, line+1)
}

// leaks opens a second handle, forgets one of each kind, and reads the answer of Close.
func leaks(t *testing.T, bound *gpu.Device) {
	count := func() map[string]int {
		kinds := map[string]int{}
		for _, l := range gpu.Leaks() {
			kinds[l.Kind]++
		}
		return kinds
	}
	before := count()
	d := openOrdinal(t, bound.Driver(), bound.Ordinal())
	must(t, d.Bind())
	var want []gpu.Leak
	forget := func(kind string, size int, space gpu.Space, site string, err error) {
		t.Helper()
		must(t, err)
		want = append(want, gpu.Leak{Kind: kind, Size: size, Space: space, Site: site, Device: bound.String()})
	}
	site := nextLine()
	_, err := d.Alloc(gpu.OnDevice, 12345, gpu.DefaultPages)
	forget("buffer", 12345, gpu.OnDevice, site, err)
	site = nextLine()
	_, err = d.Alloc(gpu.Pinned, 54321, gpu.HugePages)
	forget("buffer", 54321, gpu.Pinned, site, err)
	site = nextLine()
	s, err := d.NewStream()
	forget("stream", 0, 0, site, err)
	site = nextLine()
	_, err = d.NewEvent(false)
	forget("event", 0, 0, site, err)
	site = nextLine()
	_, err = d.LoadModule(image)
	forget("module", 0, 0, site, err)
	site = nextLine()
	_, err = s.Capture(func() error { return nil })
	forget("graph", 0, 0, site, err)

	open := count()
	for kind, n := range map[string]int{"device": 1, "buffer": 2, "stream": 1, "event": 1, "module": 1, "graph": 1} {
		if open[kind]-before[kind] != n {
			t.Errorf("Leaks lists %d more of %q, not %d", open[kind]-before[kind], kind, n)
		}
	}
	d.Unbind()
	err = d.Close()
	var leak *gpu.LeakError
	if !errors.As(err, &leak) || len(leak.Leaks) != len(want) {
		t.Fatalf("Close with %d things forgotten: %v", len(want), err)
	}
	for i, l := range leak.Leaks {
		if !strings.HasSuffix(l.Func, "gputest.leaks") {
			t.Errorf("leak %d is laid to %s", i, l.Func)
		}
		l.Func = ""
		if l != want[i] || !strings.Contains(err.Error(), want[i].Site) {
			t.Errorf("leak %d is %+v, not %+v", i, l, want[i])
		}
	}
	if err := d.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
	panics(t, "Bind of a closed device", func() { d.Bind() }, "closed")
	panics(t, "Alloc of a closed device", func() { d.Alloc(gpu.Pageable, 1, gpu.DefaultPages) }, "after Close")
	// The context that the two shared must have survived.
	free(t, alloc(t, bound, gpu.OnDevice, 1))
}

func pointers(t *testing.T, d *gpu.Device) {
	var before gpu.PointerInfo
	for _, space := range gpu.Spaces {
		b, err := d.Alloc(space, 10000, gpu.DefaultPages)
		if errors.Is(err, errors.ErrUnsupported) {
			continue
		}
		must(t, err)
		for _, off := range []int{0, 1, 9999} {
			p, err := d.Pointer(b.Slice(off, 1).Addr)
			must(t, err)
			if p.Space != space {
				t.Errorf("byte %d of %v memory is said to be %v", off, space, p.Space)
			}
			if space == gpu.OnDevice && (p.Device != d.Ordinal() || p.Base != b.Memory().Addr || p.Len < 10000) {
				t.Errorf("byte %d of device memory at %#x: %+v", off, b.Memory().Addr, p)
			}
			if _, err := d.Export(b); p.IPC != (err == nil) {
				t.Errorf("%v memory is said to be for IPC: %v; Export: %v", space, p.IPC, err)
			}
			if space == gpu.OnDevice && p.Buffer == before.Buffer {
				t.Errorf("two allocations have number %d", p.Buffer)
			}
			if off == 9999 {
				before = p
			}
		}
		free(t, b)
	}
	again := alloc(t, d, gpu.OnDevice, 10000)
	p, err := d.Pointer(again.Memory().Addr)
	must(t, err)
	if p.Buffer == before.Buffer && before.Space == gpu.OnDevice {
		t.Errorf("number %d came back", p.Buffer)
	}
	free(t, again)
}

func memInfo(t *testing.T, d *gpu.Device) {
	const n = 32 << 20
	before, total, err := d.MemInfo()
	must(t, err)
	b := alloc(t, d, gpu.OnDevice, n)
	during, _, err := d.MemInfo()
	must(t, err)
	if before > total || total != d.Info().TotalMemory && d.Driver() != gpu.CUDA {
		t.Errorf("%d B free of %d; the device has %d", before, total, d.Info().TotalMemory)
	}
	if d.Driver() != gpu.CUDA && before-during < n { // elsewhere others may free at the same time
		t.Errorf("%d B free before an allocation of %d, %d after", before, n, during)
	}
	free(t, b)
}

func info(t *testing.T, d *gpu.Device) {
	i := d.Info()
	t.Logf("%v: %+v", d, i)
	if i.Name == "" || i.TotalMemory <= 0 || i.Multiprocessors <= 0 || i.ComputeMajor <= 0 || i.DriverVersion < 11000 {
		t.Errorf("incomplete: %+v", i)
	}
	if i.Emulated != (d.Driver() == gpu.Emulated) && d.Driver() != gpu.CUDA {
		t.Errorf("emulated: %v", i.Emulated)
	}
	if len(i.UUID) != len("GPU-00000000-0000-0000-0000-000000000000") || !strings.HasPrefix(i.UUID, "GPU-") {
		t.Errorf("UUID %q", i.UUID)
	}
	if n, err := gpu.Count(d.Driver()); err != nil || n <= d.Ordinal() {
		t.Errorf("Count: %d, %v", n, err)
	}
	_, err := gpu.Open(d.Driver(), 1000, gpu.Options{})
	if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "1000") {
		t.Errorf("Open of device 1000: %v", err)
	}
}
