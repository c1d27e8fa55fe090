package gpu

import (
	"os"
	"runtime/debug"
	"strings"
	"testing"
	"unsafe"
)

func TestMapHost(t *testing.T) {
	for _, p := range []Pages{DefaultPages, HugePages} {
		for _, n := range []int{1, 4095, 4096, 4097, hugePage - 1, hugePage + 1} {
			h, err := mapHost(n, p)
			if err != nil {
				t.Fatalf("%d B of %v pages: %v", n, p, err)
			}
			if p == HugePages && uintptr(h.start)%hugePage != 0 {
				t.Errorf("%d B of huge pages at %p: not 2 MiB aligned", n, h.start)
			}
			b := unsafe.Slice((*byte)(h.start), n)
			for i := range b {
				if b[i] != poison {
					t.Fatalf("%d B of %v pages: byte %d is %#x, not written", n, p, i, b[i])
				}
			}
			use, err := readPageUse(uintptr(h.start))
			if err != nil {
				t.Fatal(err)
			}
			if use.Resident < int64(roundUp(uintptr(n), pageSize)) {
				t.Errorf("%d B of %v pages: %d B resident", n, p, use.Resident)
			}
			thp, _ := os.ReadFile("/sys/kernel/mm/transparent_hugepage/enabled")
			if p == HugePages && n > hugePage && !strings.Contains(string(thp), "[never]") && use.Huge == 0 {
				t.Logf("asked for huge pages, got none (memory may be fragmented): %+v", use)
			}
			h.unmap()
		}
	}
}

// Overruns and uses after free must fault, not touch another buffer.
func TestHostMemoryFaults(t *testing.T) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	h, err := mapHost(int(pageSize), DefaultPages)
	if err != nil {
		t.Fatal(err)
	}
	faults := func(what string, at unsafe.Pointer) {
		t.Helper()
		defer func() {
			if recover() == nil {
				t.Errorf("%s did not fault", what)
			}
		}()
		*(*byte)(at) = 1
	}
	faults("the byte before a buffer", unsafe.Add(h.start, -1))
	faults("the byte behind a buffer", unsafe.Add(h.start, pageSize))
	h.unmap()
	faults("a freed buffer", h.start)
}

func TestFill(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 63, 64<<10 - 1, 64 << 10, 64<<10 + 1, 128<<10 + 5, 300001} {
		b := make([]byte, n+1)
		fill(b[:n], 7)
		if got := strings.Count(string(b[:n]), "\a"); got != n || b[n] != 0 {
			t.Errorf("fill of %d B set %d, and %#x behind", n, got, b[n])
		}
	}
}

const smapsExample = `7f1000000000-7f1000001000 ---p 00000000 00:00 0
Size:                  4 kB
Rss:                   0 kB
7f1000001000-7f1000601000 rw-p 00000000 00:00 0
Size:               6144 kB
Rss:                6144 kB
AnonHugePages:      4096 kB
Locked:               12 kB
VmFlags: rd wr mr mw me ac hg
7f1000601000-7f1000602000 ---p 00000000 00:00 0
Rss:                   0 kB
`

func TestPageUse(t *testing.T) {
	use, err := pageUse(strings.NewReader(smapsExample), 0x7f1000001000)
	if want := (PageUse{Resident: 6 << 20, Huge: 4 << 20, Locked: 12 << 10}); err != nil || use != want {
		t.Errorf("%+v, %v; want %+v", use, err, want)
	}
	if _, err := pageUse(strings.NewReader(smapsExample), 0x1000); err == nil {
		t.Error("a mapping that is not there was found")
	}
}
