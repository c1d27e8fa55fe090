// What pages a host buffer really lies in, as the kernel counts them.

package gpu

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// PageUse is what /proc/self/smaps says of one buffer, in bytes.
type PageUse struct {
	Resident int64 // in memory at all
	Huge     int64 // of them in transparent huge pages
	Locked   int64 // of them locked (VmFlags lo; memory pinned by a GPU driver does not show here)
}

// pageUse reads the lines of the mapping that begins at start.
func pageUse(smaps io.Reader, start uintptr) (PageUse, error) {
	var use PageUse
	head := fmt.Sprintf("%08x-", start)
	fields := map[string]*int64{"Rss:": &use.Resident, "AnonHugePages:": &use.Huge, "Locked:": &use.Locked}
	inside := false
	lines := bufio.NewScanner(smaps)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if !strings.HasSuffix(words[0], ":") { // a mapping's first line: 7f0012345000-7f0012346000 rw-p …
			if inside {
				break
			}
			inside = strings.HasPrefix(line, head)
			continue
		}
		if to := fields[words[0]]; inside && to != nil && len(words) >= 2 {
			kib, err := strconv.ParseInt(words[1], 10, 64)
			if err != nil {
				return PageUse{}, fmt.Errorf("smaps: %q: %w", line, err)
			}
			*to = kib << 10
		}
	}
	if err := lines.Err(); err != nil {
		return PageUse{}, fmt.Errorf("smaps: %w", err)
	}
	if !inside {
		return PageUse{}, fmt.Errorf("smaps: no mapping begins at %#x", start)
	}
	return use, nil
}

func readPageUse(start uintptr) (PageUse, error) {
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return PageUse{}, err
	}
	defer f.Close()
	return pageUse(f, start)
}
