// The size of the last cache: what a kernel on `cpu` decides by whether to write past it.
package kernels

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// lastCache is the size in bytes of the largest cache of the first CPU, 32 MiB where the system does not say.
var lastCache = sync.OnceValue(func() int64 {
	if n := largestCache("/sys/devices/system/cpu/cpu0/cache"); n > 0 {
		return n
	}
	return 32 << 20
})

// largestCache reads the sizes ("32768K") under a sysfs folder.
func largestCache(dir string) int64 {
	var largest int64
	files, _ := filepath.Glob(filepath.Join(dir, "index*", "size")) // the pattern is sound
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		s := strings.TrimSpace(string(b))
		unit := int64(1)
		switch {
		case strings.HasSuffix(s, "K"):
			unit, s = 1<<10, s[:len(s)-1]
		case strings.HasSuffix(s, "M"):
			unit, s = 1<<20, s[:len(s)-1]
		}
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			largest = max(largest, n*unit)
		}
	}
	return largest
}
