package gpu

import (
	"errors"
	"testing"
	"testing/fstest"
)

func TestHostMemoryLeft(t *testing.T) {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	meminfo := file("MemTotal: 1000 kB\nMemAvailable:  800 kB\n")
	for _, c := range []struct {
		name string
		fs   fstest.MapFS
		want int64
		why  string
	}{
		{"machine alone", fstest.MapFS{"proc/meminfo": meminfo}, 800 << 10, "the machine"},
		{"version 2, a parent is the narrowest", fstest.MapFS{
			"proc/meminfo":                       meminfo,
			"proc/self/cgroup":                   file("0::/job/step\n"),
			"sys/fs/cgroup/job/memory.max":       file("5000\n"),
			"sys/fs/cgroup/job/memory.current":   file("3000\n"),
			"sys/fs/cgroup/job/memory.stat":      file("anon 1\nfile 250\nshmem 50\n"),
			"sys/fs/cgroup/job/step/memory.max":  file("max\n"),
			"sys/fs/cgroup/job/step/memory.stat": file("file 1\n"),
		}, 2200, "control group /sys/fs/cgroup/job"},
		{"version 1 in a container that sees its host's path", fstest.MapFS{
			"proc/meminfo":     meminfo,
			"proc/self/cgroup": file("12:cpu:/x\n7:memory:/docker/abc\n"),
			"sys/fs/cgroup/memory/memory.limit_in_bytes": file("10000"),
			"sys/fs/cgroup/memory/memory.usage_in_bytes": file("20000"),
		}, 0, "control group /sys/fs/cgroup/memory"},
		{"version 1 without a limit, and more cache than is used", fstest.MapFS{
			"proc/meminfo":     meminfo,
			"proc/self/cgroup": file("4:memory:/\n"),
			"sys/fs/cgroup/memory/memory.limit_in_bytes": file("9223372036854771712"),
			"sys/fs/cgroup/memory/memory.usage_in_bytes": file("2418000000"),
			"sys/fs/cgroup/memory/memory.stat":           file("total_cache 2418790400\ntotal_shmem 4096\n"),
		}, 800 << 10, "the machine"},
	} {
		if left, why := hostMemoryLeft(c.fs); left != c.want || why != c.why {
			t.Errorf("%s: %d B by %q; want %d by %q", c.name, left, why, c.want, c.why)
		}
	}
}

// More memory than any machine has must be refused, not granted and then killed for.
func TestHostOutOfMemory(t *testing.T) {
	for _, n := range []int{1 << 45, 1 << 62} {
		for _, p := range []Pages{DefaultPages, HugePages} {
			if _, err := mapHost(n, p); !errors.Is(err, ErrOutOfMemory) {
				t.Errorf("%d B of %v pages: %v, not ErrOutOfMemory", n, p, err)
			}
		}
	}
}
