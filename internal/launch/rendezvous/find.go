// Where the launcher's own PMIx library is.

package rendezvous

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// libraryName is the same from PMIx 2 on.
const libraryName = "libpmix.so.2"

// launchersOwn lists the PMIx libraries that may be the launcher's own, the surest first: what the launcher itself has
// loaded, then what lies where its variables point.
func launchersOwn(getenv func(string) string) []string {
	out := loadedByParents(os.Getppid())
	var dirs []string
	if d := getenv("OMPI_LIBDIR_LOC"); d != "" {
		dirs = append(dirs, d, filepath.Join(d, "openmpi"))
	}
	for _, name := range []string{"PMIX_PREFIX", "PRTE_PREFIX", "OPAL_PREFIX"} {
		if p := getenv(name); p != "" {
			for _, lib := range []string{"lib", "lib64", "lib/openmpi", "lib64/openmpi"} {
				dirs = append(dirs, filepath.Join(p, lib))
			}
		}
	}
	for _, d := range dirs {
		path := filepath.Join(d, libraryName)
		if real, err := filepath.EvalSymlinks(path); err == nil && filepath.IsAbs(path) && !slices.ContainsFunc(out, func(o string) bool {
			there, err := filepath.EvalSymlinks(o)
			return err == nil && there == real
		}) {
			out = append(out, path)
		}
	}
	return out
}

// maxParents is how far up the launcher's daemon is looked for: a PE may have been started through scripts.
const maxParents = 8

// loadedByParents lists PMIx libraries in the nearest process that has one, from pid up. Another user's processes, as
// Slurm's daemons are, say nothing of themselves.
func loadedByParents(pid int) []string {
	for range maxParents {
		if pid <= 1 {
			break
		}
		if found := mapped(pid); len(found) > 0 {
			return found
		}
		pid = parentOf(pid)
	}
	return nil
}

func mapped(pid int) (out []string) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return nil
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		at := strings.IndexByte(lines.Text(), '/')
		if at < 0 {
			continue
		}
		path := lines.Text()[at:]
		if !strings.HasPrefix(filepath.Base(path), libraryName) || slices.Contains(out, path) {
			continue
		}
		if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() { // not removed, nor of another file system
			out = append(out, path)
		}
	}
	return out
}

// parentOf is a process's parent, 0 where it is not known.
func parentOf(pid int) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The name in parentheses may hold anything; after it come state and parent.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 2 {
		return 0
	}
	n, _ := strconv.Atoi(fields[1])
	return n
}
