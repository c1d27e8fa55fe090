// The environment of a run: hosts, GPUs, and where each PE is bound. It is made of what does not change, so that runs
// on the same machine with the same binding share one.

package machine

import (
	"errors"
	"runtime"
	"slices"
)

// Environment is what an environment record holds.
type Environment struct {
	Hosts []Site    `json:"hosts"` // in the order of their first PE
	PEs   []Binding `json:"pes"`
}

// Site is one host with its GPUs.
type Site struct {
	Host
	GPUs      []GPU   `json:"gpus"`     // nil: not known
	GPUsWhy   *string `json:"gpus_why"` // why not known
	GoVersion string  `json:"go_version"`
}

// Binding says where a PE runs.
type Binding struct {
	PE          int     `json:"pe"`
	Host        string  `json:"host"`
	CPUs        CPUSet  `json:"cpus_allowed"` // of its thread
	NUMANodes   []int   `json:"numa_nodes"`   // that those CPUs belong to
	GOMAXPROCS  int     `json:"gomaxprocs"`
	TeamThreads *int    `json:"team_threads"` // of its kernels on the CPU
	Device      *string `json:"device"`       // "cuda", "emulated", "cpu"
	GPU         *string `json:"gpu"`          // its UUID
}

// Snapshot is one PE's part of the environment, which rank 0 gathers.
type Snapshot struct {
	Site
	Binding Binding `json:"binding"`
}

// ReadSite reads the host's facts and its GPUs.
func ReadSite() Site {
	s := Site{Host: ReadHost(), GoVersion: runtime.Version()}
	gpus, err := ReadGPUs()
	if err != nil {
		why := err.Error()
		s.GPUsWhy = &why
		if errors.Is(err, errors.ErrUnsupported) {
			return s
		}
	}
	s.GPUs = gpus
	return s
}

// Bind returns the snapshot of a PE, which calls it on its thread. The caller adds team, device and GPU.
func (s Site) Bind(pe int) Snapshot {
	cpus, err := ThreadCPUs()
	if err != nil {
		cpus = s.CPUsAllowed
	}
	b := Binding{PE: pe, CPUs: cpus, NUMANodes: s.NodesOf(cpus), GOMAXPROCS: runtime.GOMAXPROCS(0)}
	if s.Name != nil {
		b.Host = *s.Name
	}
	return Snapshot{Site: s, Binding: b}
}

// NodesOf returns the ids of the NUMA nodes that have a CPU of the set.
func (h Host) NodesOf(cpus CPUSet) []int {
	ids := []int{}
	for _, n := range h.Nodes {
		if n.CPUs.Intersect(cpus).Count() > 0 {
			ids = append(ids, n.ID)
		}
	}
	return ids
}

// Merge makes the environment of all PEs' snapshots: each host once, with the CPUs that any of its PEs was allowed.
func Merge(snapshots []Snapshot) Environment {
	snapshots = slices.Clone(snapshots)
	slices.SortStableFunc(snapshots, func(a, b Snapshot) int { return a.Binding.PE - b.Binding.PE })
	e := Environment{Hosts: []Site{}, PEs: []Binding{}}
	index := make(map[string]int)
	for _, s := range snapshots {
		e.PEs = append(e.PEs, s.Binding)
		i, ok := index[s.Binding.Host]
		if !ok {
			index[s.Binding.Host] = len(e.Hosts)
			e.Hosts = append(e.Hosts, s.Site)
			continue
		}
		h := &e.Hosts[i].Host
		h.CPUsAllowed = h.CPUsAllowed.Union(s.CPUsAllowed)
		h.CPUsAllowedN = h.CPUsAllowed.Count()
	}
	return e
}
