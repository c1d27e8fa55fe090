// How much host memory can be had: Linux grants more than there is, and kills whoever touches it.

package gpu

import (
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"strconv"
	"strings"
)

// checkHostMemory is an error (ErrOutOfMemory) when n bytes are more than the machine and the control groups above this
// process have left. Small requests are granted unseen.
func checkHostMemory(n int64) error {
	const small = 16 << 20
	if n < small {
		return nil
	}
	left, why := hostMemoryLeft(os.DirFS("/"))
	if n > left {
		return fmt.Errorf("%w: %s leaves %d B", ErrOutOfMemory, why, left)
	}
	return nil
}

// hostMemoryLeft reads /proc/meminfo and the memory controllers of the control groups that this process is in. What
// cannot be read is no limit. Page cache counts as free.
func hostMemoryLeft(root fs.FS) (left int64, why string) {
	left, why = math.MaxInt64, "nothing known"
	if kib, ok := field(root, "proc/meminfo", "MemAvailable:"); ok {
		left, why = kib<<10, "the machine"
	}
	groups, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return left, why
	}
	for line := range strings.Lines(string(groups)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3) // 0::/a/b, or 7:memory:/a/b
		if len(parts) != 3 {
			continue
		}
		for _, v := range controllers {
			if parts[1] != v.name {
				continue
			}
			// A container may see the path that its host gives it, without the folders: the root is looked at too.
			for dir := path.Join("/", parts[2]); ; dir = path.Dir(dir) {
				at := strings.TrimPrefix(path.Join(v.mount, dir), "/")
				if l, ok := v.left(root, at); ok && l < left {
					left, why = l, "control group /"+at
				}
				if dir == "/" {
					break
				}
			}
		}
	}
	return left, why
}

// controller is one version of the memory controller's files.
type controller struct{ name, mount, max, used, cache, shmem string }

var controllers = []controller{
	{"", "sys/fs/cgroup", "memory.max", "memory.current", "file", "shmem"},
	{"memory", "sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_cache", "total_shmem"},
}

func (c controller) left(root fs.FS, dir string) (int64, bool) {
	limit, ok1 := number(root, path.Join(dir, c.max))
	used, ok2 := number(root, path.Join(dir, c.used))
	if !ok1 || !ok2 {
		return 0, false
	}
	stat := path.Join(dir, "memory.stat")
	cache, _ := field(root, stat, c.cache)
	shmem, _ := field(root, stat, c.shmem) // is in the cache, and cannot be dropped
	// The kernel brings these up to date at different times: the cache can be more than all that is used.
	return max(0, limit-max(0, used-max(0, cache-shmem))), true
}

// number reads a file that holds one number; "max" is none.
func number(root fs.FS, name string) (int64, bool) {
	b, err := fs.ReadFile(root, name)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	return n, err == nil
}

// field finds the number behind a line's first word.
func field(root fs.FS, name, key string) (int64, bool) {
	b, err := fs.ReadFile(root, name)
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(b)) {
		words := strings.Fields(line)
		if len(words) >= 2 && words[0] == key {
			n, err := strconv.ParseInt(words[1], 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}
