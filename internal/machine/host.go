// Package machine finds out where it runs: CPUs, memory, NUMA nodes, GPUs, and how threads and cores fit together. It
// reads what the system publishes and changes nothing, PinThread apart; what is not published is nil (null in records).
package machine

import (
	"io/fs"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"
)

// Host is what does not change while the machine is up, as far as it bears on measurements. Equal machines have equal
// values, so that records can share one environment.
type Host struct {
	Name          *string  `json:"name"`
	System        *string  `json:"system"` // distribution and version
	Kernel        *string  `json:"kernel"`
	Architecture  string   `json:"architecture"` // as Go names it
	Virtual       *bool    `json:"virtual"`      // under a hypervisor
	CPU           *string  `json:"cpu"`          // model name
	Sockets       *int     `json:"sockets"`
	Cores         *int     `json:"cores"` // physical
	CPUsOnline    CPUSet   `json:"cpus_online"`
	CPUsAllowed   CPUSet   `json:"cpus_allowed"`
	CPUsAllowedN  int      `json:"cpus_allowed_count"`
	CPUQuota      *float64 `json:"cpu_quota"` // CPUs' worth of time that a control group grants; nil: no limit
	SMT           *bool    `json:"smt"`
	Governors     []string `json:"governors"` // of the CPUs allowed, without repetition; nil: no frequency scaling here
	MaxClockHz    *int64   `json:"max_clock_hz"`
	Boost         *bool    `json:"boost"`
	Caches        []Cache  `json:"caches"` // of the first CPU allowed
	Nodes         []Node   `json:"numa_nodes"`
	NUMABalancing *bool    `json:"numa_balancing"` // the kernel moves pages between nodes
	MemoryBytes   *int64   `json:"memory_bytes"`
	PageBytes     int      `json:"page_bytes"`
	THP           *string  `json:"transparent_huge_pages"` // "always", "madvise", "never"
	THPDefrag     *string  `json:"transparent_huge_pages_defrag"`
	HugePages     *int64   `json:"huge_pages"` // reserved, of the default size
	HugePageBytes *int64   `json:"huge_page_bytes"`
}

// Cache is one level of the memory hierarchy, as one CPU sees it.
type Cache struct {
	Level  int    `json:"level"`
	Type   string `json:"type"` // "data", "instruction", "unified"
	Bytes  int64  `json:"bytes"`
	Shared CPUSet `json:"shared_cpus"`
}

// Node is a NUMA node.
type Node struct {
	ID        int    `json:"id"`
	CPUs      CPUSet `json:"cpus"`       // none: a node of memory alone, such as a GPU's
	HasMemory *bool  `json:"has_memory"` // how much is not here: where memory is hot-plugged it changes
	Distances []int  `json:"distances"`  // to the nodes in order, 10 is local
}

// Load is what changes from moment to moment.
type Load struct {
	MemoryAvailableBytes *int64   `json:"memory_available_bytes"`
	LoadAverage1         *float64 `json:"load_average_1m"`
	ClockHz              *int64   `json:"clock_hz"` // of the first CPU allowed
}

// ReadHost reads the facts of the machine that it runs on. What cannot be read is nil.
func ReadHost() Host {
	allowed, err := AllowedCPUs()
	if err != nil {
		allowed = CPUSet{}
	}
	return ReadHostFrom(os.DirFS("/"), allowed)
}

// ReadLoad reads the present load of the machine that it runs on.
func ReadLoad() Load {
	allowed, _ := AllowedCPUs()
	return ReadLoadFrom(os.DirFS("/"), allowed)
}

// ReadHostFrom is ReadHost with the file system's root and the CPUs allowed given; an empty set means all online.
func ReadHostFrom(root fs.FS, allowed CPUSet) Host {
	r := reader{root}
	h := Host{
		Name:          r.text("proc/sys/kernel/hostname"),
		System:        r.osRelease(),
		Kernel:        r.text("proc/sys/kernel/osrelease"),
		Architecture:  runtime.GOARCH,
		CPUQuota:      r.cpuQuota(),
		SMT:           r.flag("sys/devices/system/cpu/smt/active"),
		Boost:         r.boost(),
		Nodes:         r.nodes(),
		NUMABalancing: r.flag("proc/sys/kernel/numa_balancing"),
		PageBytes:     os.Getpagesize(),
		THP:           r.chosen("sys/kernel/mm/transparent_hugepage/enabled"),
		THPDefrag:     r.chosen("sys/kernel/mm/transparent_hugepage/defrag"),
	}
	h.CPU, h.Virtual = r.cpuinfo()
	if online, ok := r.cpuSet("sys/devices/system/cpu/online"); ok {
		h.CPUsOnline = online
	}
	if allowed.Count() == 0 {
		allowed = h.CPUsOnline
	}
	h.CPUsAllowed, h.CPUsAllowedN = allowed, allowed.Count()
	h.Sockets, h.Cores = r.topology(h.CPUsOnline)
	if cpus := allowed.CPUs(); len(cpus) > 0 {
		h.Caches = r.caches(cpus[0])
		h.MaxClockHz = scaled(r.number(path.Join(cpuDir(cpus[0]), "cpufreq/cpuinfo_max_freq")), 1000)
		for _, c := range cpus {
			if g := r.text(path.Join(cpuDir(c), "cpufreq/scaling_governor")); g != nil && !slices.Contains(h.Governors, *g) {
				h.Governors = append(h.Governors, *g)
			}
		}
		slices.Sort(h.Governors)
	}
	memory := r.meminfo("proc/meminfo")
	h.MemoryBytes = memory["MemTotal"]
	h.HugePages = memory["HugePages_Total"]
	h.HugePageBytes = memory["Hugepagesize"]
	return h
}

// ReadLoadFrom is ReadLoad with the file system's root and the CPUs allowed given.
func ReadLoadFrom(root fs.FS, allowed CPUSet) Load {
	r := reader{root}
	l := Load{MemoryAvailableBytes: r.meminfo("proc/meminfo")["MemAvailable"]}
	if s := r.text("proc/loadavg"); s != nil {
		l.LoadAverage1 = parseFloat(strings.Fields(*s)[0])
	}
	if cpus := allowed.CPUs(); len(cpus) > 0 {
		l.ClockHz = scaled(r.number(path.Join(cpuDir(cpus[0]), "cpufreq/scaling_cur_freq")), 1000)
	}
	return l
}
