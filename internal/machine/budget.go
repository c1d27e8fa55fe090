// How PEs, their teams of threads and Go's own threads share the CPUs.

package machine

// Budget is the share-out for the PEs of one process.
type Budget struct {
	TeamThreads    int  `json:"team_threads"` // for the kernels of one PE, the PE's own thread included
	GOMAXPROCS     int  `json:"gomaxprocs"`
	Oversubscribed bool `json:"oversubscribed"` // more runnable threads than CPUs: waits yield, figures count for correctness alone
}

// NewBudget shares cpus CPUs among pes PEs of a process. busy counts threads that run beside the teams, over all PEs. A PE's
// team has its share of the CPUs that those leave, but at least 1, and threads at most where that is not 0.
//
// Go gets a processor for each PE, which holds its thread and spins, and one more: a garbage collection, or a goroutine
// that a PE waits for, must find a place at once. The teams are C's threads and need none.
func NewBudget(cpus, pes, threads, busy int) Budget {
	if cpus < 1 || pes < 1 {
		panic("machine: a budget for no CPUs or no PEs")
	}
	if share := Cores(cpus-busy, pes); threads <= 0 || threads > share {
		threads = share
	}
	return Budget{TeamThreads: threads, GOMAXPROCS: pes + 1, Oversubscribed: pes*threads+busy > cpus}
}

// Cores is the share of one of pes PEs in cpus CPUs: ⌊cpus/pes⌋, but at least 1.
func Cores(cpus, pes int) int { return max(1, cpus/max(pes, 1)) }

// UsableCPUs returns how many CPUs the process can keep busy: those allowed, or fewer under a quota; at least 1.
func (h Host) UsableCPUs() int {
	n := h.CPUsAllowedN
	if h.CPUQuota != nil {
		n = min(n, int(*h.CPUQuota))
	}
	return max(n, 1)
}

// Oversubscribed reports whether PEs of one host cannot all have threads CPUs of their own: allowed holds the set of
// each, equal sets for the PEs of one process, whatever bound them. Two PEs on two CPUs fit when unbound and when each
// is bound to one; bound both to the same they do not.
func Oversubscribed(allowed []CPUSet, threads int) bool {
	m := matching{allowed: allowed, owner: make(map[int]int)}
	for pe := range allowed {
		for range max(threads, 1) {
			if !m.place(pe, make(map[int]bool)) {
				return true
			}
		}
	}
	return false
}

// matching gives CPUs to PEs, one at a time, along augmenting paths.
type matching struct {
	allowed []CPUSet
	owner   map[int]int // CPU to PE
}

func (m *matching) place(pe int, tried map[int]bool) bool {
	for _, cpu := range m.allowed[pe].CPUs() {
		if tried[cpu] {
			continue
		}
		tried[cpu] = true
		other, taken := m.owner[cpu]
		if !taken || m.place(other, tried) {
			m.owner[cpu] = pe
			return true
		}
	}
	return false
}

// TeamThreads returns the team of one of a host's PEs: its CPUs shared with those whose sets overlap its own, without those
// that each PE's busy threads beside its team take, at least 1.
func TeamThreads(allowed []CPUSet, pe, busy int) int {
	sharing := 0
	for _, s := range allowed {
		if s.Intersect(allowed[pe]).Count() > 0 {
			sharing++
		}
	}
	return max(1, Cores(allowed[pe].Count(), sharing)-busy)
}
