// The system's files, /proc and /sys, read: one method for each form that they have.

package machine

import (
	"bufio"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// reader reads below a root, "/" on a real machine. What is missing or of another form gives nil.
type reader struct{ root fs.FS }

// text returns a file's content without blanks around it; nil where there is no file or nothing in it.
func (r reader) text(name string) *string {
	b, err := fs.ReadFile(r.root, name)
	s := strings.TrimSpace(string(b))
	if err != nil || s == "" {
		return nil
	}
	return &s
}

func (r reader) number(name string) *int64 {
	s := r.text(name)
	if s == nil {
		return nil
	}
	return parseInt(*s)
}

func (r reader) flag(name string) *bool {
	n := r.number(name)
	if n == nil {
		return nil
	}
	set := *n != 0
	return &set
}

func (r reader) cpuSet(name string) (CPUSet, bool) {
	s := r.text(name)
	if s == nil {
		return CPUSet{}, false
	}
	set, err := ParseCPUSet(*s)
	return set, err == nil
}

// chosen returns the word in brackets: "always [madvise] never" is "madvise".
func (r reader) chosen(name string) *string {
	s := r.text(name)
	if s == nil {
		return nil
	}
	_, rest, ok := strings.Cut(*s, "[")
	word, _, closed := strings.Cut(rest, "]")
	if !ok || !closed {
		return nil
	}
	return &word
}

// fields calls f for each "key: value" of a file.
func (r reader) fields(name, separator string, f func(key, value string)) {
	s := r.text(name)
	if s == nil {
		return
	}
	for lines := bufio.NewScanner(strings.NewReader(*s)); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), separator); ok {
			f(strings.TrimSpace(key), strings.TrimSpace(value))
		}
	}
}

// meminfo returns the numbers of a meminfo file, in bytes where it counts kB.
func (r reader) meminfo(name string) map[string]*int64 {
	found := make(map[string]*int64)
	r.fields(name, ":", func(key, value string) {
		number, unit, _ := strings.Cut(value, " ")
		v := parseInt(number)
		if unit == "kB" {
			v = scaled(v, 1024)
		}
		found[key] = v
	})
	return found
}

func (r reader) osRelease() (name *string) {
	r.fields("etc/os-release", "=", func(key, value string) {
		if key == "PRETTY_NAME" {
			value = strings.Trim(value, `"`)
			name = &value
		}
	})
	return name
}

// cpuinfo returns the first CPU's model, and whether the CPU says that a hypervisor is below it (x86 alone says so).
func (r reader) cpuinfo() (model *string, virtual *bool) {
	r.fields("proc/cpuinfo", ":", func(key, value string) {
		switch {
		case key == "model name" && model == nil:
			model = &value
		case key == "flags" && virtual == nil:
			v := slices.Contains(strings.Fields(value), "hypervisor")
			virtual = &v
		}
	})
	return model, virtual
}

// boost: cpufreq says boost, Intel's driver says no_turbo.
func (r reader) boost() *bool {
	if b := r.flag("sys/devices/system/cpu/cpufreq/boost"); b != nil {
		return b
	}
	if no := r.flag("sys/devices/system/cpu/intel_pstate/no_turbo"); no != nil {
		b := !*no
		return &b
	}
	return nil
}

func cpuDir(cpu int) string { return "sys/devices/system/cpu/cpu" + strconv.Itoa(cpu) }

// topology counts sockets and physical cores among the CPUs.
func (r reader) topology(cpus CPUSet) (sockets, cores *int) {
	packages, pairs := make(map[int64]bool), make(map[[2]int64]bool)
	for _, c := range cpus.CPUs() {
		p := r.number(path.Join(cpuDir(c), "topology/physical_package_id"))
		core := r.number(path.Join(cpuDir(c), "topology/core_id"))
		if p == nil || core == nil {
			return nil, nil
		}
		packages[*p] = true
		pairs[[2]int64{*p, *core}] = true
	}
	if len(pairs) == 0 {
		return nil, nil
	}
	s, n := len(packages), len(pairs)
	return &s, &n
}

func (r reader) caches(cpu int) []Cache {
	var list []Cache
	for i := 0; ; i++ {
		dir := path.Join(cpuDir(cpu), "cache/index"+strconv.Itoa(i))
		level, kind, size := r.number(path.Join(dir, "level")), r.text(path.Join(dir, "type")), r.text(path.Join(dir, "size"))
		if level == nil || kind == nil || size == nil {
			return list
		}
		shared, _ := r.cpuSet(path.Join(dir, "shared_cpu_list"))
		list = append(list, Cache{Level: int(*level), Type: strings.ToLower(*kind), Bytes: cacheBytes(*size), Shared: shared})
	}
}

// cacheBytes reads "48K" and "32M"; 0 for anything else.
func cacheBytes(s string) int64 {
	unit := map[byte]int64{'K': 1 << 10, 'M': 1 << 20}[s[len(s)-1]]
	if unit == 0 {
		unit, s = 1, s+"_"
	}
	n := scaled(parseInt(s[:len(s)-1]), unit)
	if n == nil {
		return 0
	}
	return *n
}

func (r reader) nodes() []Node {
	const dir = "sys/devices/system/node"
	online, ok := r.cpuSet(path.Join(dir, "online")) // a list of nodes has the same form
	if !ok {
		return nil
	}
	withMemory, known := r.cpuSet(path.Join(dir, "has_memory"))
	list := []Node{}
	for _, id := range online.CPUs() {
		node := path.Join(dir, "node"+strconv.Itoa(id))
		n := Node{ID: id}
		if known {
			has := withMemory.Has(id)
			n.HasMemory = &has
		}
		n.CPUs, _ = r.cpuSet(path.Join(node, "cpulist"))
		if s := r.text(path.Join(node, "distance")); s != nil {
			for _, word := range strings.Fields(*s) {
				if d := parseInt(word); d != nil {
					n.Distances = append(n.Distances, int(*d))
				}
			}
		}
		list = append(list, n)
	}
	return list
}

func parseInt(s string) *int64 {
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return nil
	}
	return &v
}

func parseFloat(s string) *float64 {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return nil
	}
	return &v
}

func scaled(v *int64, by int64) *int64 {
	if v == nil {
		return nil
	}
	n := *v * by
	return &n
}
