// The host: CPUs, memory, limits, namespaces.

package doctor

import (
	"fmt"
	"slices"
	"strings"

	"gpubench/internal/machine"
)

func (e *examiner) host() {
	e.affinity()
	e.governor()
	e.numa()
	e.hugePages()
	e.memlock()
	e.shm()
	e.ptrace()
	e.namespaces()
}

func (e *examiner) affinity() {
	h := e.Host
	usable := h.UsableCPUs()
	found := fmt.Sprintf("%s allowed (%s)", count(h.CPUsAllowedN, "CPU"), h.CPUsAllowed)
	if n := h.CPUsOnline.Count(); n > h.CPUsAllowedN {
		found += fmt.Sprintf(" of %d", n)
	}
	if h.CPUQuota != nil {
		found += fmt.Sprintf(", a control group grants %.3g CPUs' worth of time", *h.CPUQuota)
	}
	l := line{detail: map[string]any{"allowed": h.CPUsAllowed, "online": h.CPUsOnline, "quota": h.CPUQuota, "usable": usable}}
	switch {
	case h.CPUsAllowedN == 0:
		e.add("cpu_affinity", Unknown, l, "the CPUs that may be used are not known")
	case e.Joined: // each rank is bound by its launcher, and this is one of them
		e.add("cpu_affinity", OK, l, "%s to rank 0", found)
	case e.Ask.pes() > usable:
		l.mend = "allow more CPUs (mpirun --bind-to none, srun --cpus-per-task, taskset, docker --cpus), or give fewer PEs with -n"
		e.add("cpu_affinity", Warn, l, "%s: %d PEs are more than fit, and their figures would count for correctness alone", found, e.Ask.pes())
	case h.CPUQuota != nil && *h.CPUQuota < float64(h.CPUsAllowedN):
		l.mend = "lift the quota (docker --cpus, cpu.max of the control group): it stops threads in the middle of a measurement"
		e.add("cpu_affinity", Warn, l, "%s", found)
	default:
		e.add("cpu_affinity", OK, l, "%s", found)
	}
}

func (e *examiner) governor() {
	g := e.Host.Governors
	boost := ""
	if b := e.Host.Boost; b != nil {
		boost = map[bool]string{true: "; boost on", false: "; boost off"}[*b]
	}
	l := line{detail: map[string]any{"governors": g, "boost": e.Host.Boost}}
	switch {
	case len(g) == 0:
		e.add("cpu_governor", None, l, "no frequency scaling that this system can see")
	case slices.Equal(g, []string{"performance"}):
		e.add("cpu_governor", OK, l, "performance%s", boost)
	default:
		l.mend = "cpupower frequency-set -g performance, as root (srun --cpu-freq=performance where the site allows it)"
		e.add("cpu_governor", Warn, l, "%s%s: clocks rise and fall during a measurement", strings.Join(g, ", "), boost)
	}
}

func (e *examiner) numa() {
	h := e.Host
	l := line{detail: h.Nodes}
	switch {
	case h.Nodes == nil:
		l.detail = nil
		e.add("numa", Unknown, l, "the system publishes no NUMA nodes")
	case h.NUMABalancing != nil && *h.NUMABalancing && len(h.Nodes) > 1:
		l.mend = "sysctl kernel.numa_balancing=0, as root"
		e.add("numa", Warn, l, "%s, and the kernel moves pages between them", count(len(h.Nodes), "node"))
	default:
		e.add("numa", OK, l, "%s; the CPUs allowed are on %s", count(len(h.Nodes), "node"), strings.Trim(strings.Join(strings.Fields(fmt.Sprint(h.NodesOf(h.CPUsAllowed))), ", "), "[]"))
	}
}

func (e *examiner) hugePages() {
	h := e.Host
	l := line{detail: map[string]any{"transparent": h.THP, "defrag": h.THPDefrag, "reserved": h.HugePages, "bytes": h.HugePageBytes}}
	reserved := ""
	if h.HugePages != nil && h.HugePageBytes != nil {
		reserved = fmt.Sprintf("; %d of %s reserved", *h.HugePages, size(*h.HugePageBytes))
	}
	switch {
	case h.THP == nil:
		e.add("huge_pages", Unknown, l, "the kernel publishes no mode of transparent huge pages%s", reserved)
	case *h.THP == "never":
		l.mend = "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled, as root"
		e.add("huge_pages", Warn, l, "transparent huge pages are off (never), so --pages huge gets none%s", reserved)
	case *h.THP == "always":
		e.add("huge_pages", OK, l, "always: --pages default may get huge ones too, and peers' buffers as well%s", reserved)
	default:
		e.add("huge_pages", OK, l, "%s: --pages huge gets them%s", *h.THP, reserved)
	}
}

// memlock matters to what registers memory with a card; shared memory and the CUDA driver go without it.
func (e *examiner) memlock() {
	m := e.Around.Memlock
	l := line{detail: m}
	cards := e.Around.Of(machine.KindRDMA)
	const plenty = 1 << 30
	switch {
	case m == nil:
		l.detail = nil
		e.add("locked_memory", Unknown, l, "the limit is not published")
	case m.Unlimited:
		e.add("locked_memory", OK, l, "unlimited")
	case len(cards) > 0 && m.Bytes < plenty:
		l.mend = "ulimit -l unlimited (limits.conf; PropagateResourceLimitsExcept=MEMLOCK under Slurm; docker run --ulimit memlock=-1)"
		e.add("locked_memory", Warn, l, "%s at most: %s cannot register large buffers", size(m.Bytes), cards[0].Name)
	default:
		e.add("locked_memory", OK, l, "%s at most; no RDMA card here that needs more", size(m.Bytes))
		if len(cards) > 0 {
			e.checks[len(e.checks)-1].Found = size(m.Bytes) + " at most"
		}
	}
}

// shm: MPI and UCX keep queues and segments there, and a process that finds it full ends with SIGBUS.
func (e *examiner) shm() {
	s := e.Around.Shm
	l := line{detail: s, mend: "docker run --shm-size=1g or --ipc=host; mount -o remount,size=1g /dev/shm, as root"}
	const each = 64 << 20 // a rule of thumb: what Docker gives by default is enough for one PE
	switch {
	case s == nil:
		l.detail = nil
		e.add("shared_memory", failIf(e.asksTransport("mpi") || e.asksTransport("ucx"), Warn), l, "/dev/shm is not there")
	case s.FreeBytes < int64(e.Ask.pes())*each:
		e.add("shared_memory", Warn, l, "/dev/shm has %s free of %s: little for %d PEs over mpi or ucx", size(s.FreeBytes), size(s.TotalBytes), e.Ask.pes())
	default:
		l.mend = ""
		e.add("shared_memory", OK, l, "/dev/shm has %s free of %s", size(s.FreeBytes), size(s.TotalBytes))
	}
}

// ptrace: process_vm_readv and writev (CMA, one copy between processes) need the right to trace the peer.
func (e *examiner) ptrace() {
	p := e.Around.PtraceScope
	l := line{detail: map[string]any{"ptrace_scope": p}}
	switch {
	case p == nil && e.Host.Kernel == nil:
		e.add("ptrace", Unknown, l, "the kernel publishes nothing")
	case p == nil:
		e.add("ptrace", OK, l, "the kernel has no Yama: processes of one user may copy from each other (CMA)")
	case *p == 0:
		e.add("ptrace", OK, l, "ptrace_scope 0: processes of one user may copy from each other (CMA)")
	case *p == 1:
		e.add("ptrace", OK, l, "ptrace_scope 1: CMA works where the library asks for it, as UCX and Open MPI do")
	default:
		l.mend = "sysctl kernel.yama.ptrace_scope=1, as root"
		e.add("ptrace", Warn, l, "ptrace_scope %d: no CMA, large host messages take two copies through shared memory", *p)
	}
}

// namespaces: processes find each other's memory only within the same ones. PEs that gpubench starts share its own;
// those of a launcher may each be in a container of their own.
func (e *examiner) namespaces() {
	a := e.Around
	l := line{detail: map[string]any{"namespaces": a.Namespaces, "container": a.Container}}
	var own []string
	for _, n := range a.Namespaces {
		if !n.Initial {
			own = append(own, n.Kind)
		}
	}
	where := "no container"
	if a.Container != nil {
		where = "a container (" + *a.Container + ")"
	}
	switch {
	case len(a.Namespaces) == 0:
		e.add("namespaces", Unknown, l, "namespaces cannot be read; %s", where)
	case len(own) == 0 && a.Container == nil:
		e.add("namespaces", OK, l, "the host's")
	case len(own) == 0:
		e.add("namespaces", OK, l, "the host's %s, in %s", kinds(a.Namespaces), where)
	case e.Joined:
		l.mend = "run all ranks of a node in one container, or share the host's: docker run --ipc=host --pid=host; Apptainer without --containall"
		e.add("namespaces", Warn, l, "own %s namespace in %s: CMA, CUDA IPC and shared memory fail between ranks in different containers", strings.Join(own, ", "), where)
	default:
		e.add("namespaces", OK, l, "own %s namespace, %s: PEs that gpubench starts share it; processes outside cannot reach their memory", strings.Join(own, ", "), where)
	}
}

func kinds(list []machine.Namespace) string {
	var names []string
	for _, n := range list {
		names = append(names, n.Kind)
	}
	return strings.Join(names, ", ")
}
