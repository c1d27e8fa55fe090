// Doubts: bindings that work, and give other figures than one would think.

package machine

import (
	"fmt"
	"slices"
	"strings"
)

// Bound is a PE with the device that it opened.
type Bound struct {
	Seat
	Device string // UUID
	Site   Site   // of its host
}

// Doubts says what is doubtful about the bindings of a job's PEs, a line for each kind of doubt and host, with the
// mend. Equal bindings give equal lines.
func Doubts(job []Bound) []string {
	var hosts []string
	of := map[string][]int{}
	for pe, b := range job {
		if of[b.Host] == nil {
			hosts = append(hosts, b.Host)
		}
		of[b.Host] = append(of[b.Host], pe)
	}
	var lines []string
	for _, h := range hosts {
		on := hostJob{job: job, pes: of[h]}
		for _, doubt := range []func() string{on.unseen, on.idle, on.turns, on.far, on.partitioned} {
			if line := doubt(); line != "" {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

// hostJob is the part of a job that runs on one host.
type hostJob struct {
	job []Bound
	pes []int
}

// users returns the processes on each device in use.
func (h hostJob) users() map[string]map[int]bool {
	users := map[string]map[int]bool{}
	for _, pe := range h.pes {
		b := h.job[pe]
		if users[b.Device] == nil {
			users[b.Device] = map[int]bool{}
		}
		users[b.Device][b.PID] = true
	}
	return users
}

// shared returns the PEs whose device belongs to more than one process, and the most processes on one.
func (h hostJob) shared() (pes []int, most int) {
	users := h.users()
	for _, pe := range h.pes {
		if n := len(users[h.job[pe].Device]); n > 1 {
			pes, most = append(pes, pe), max(most, n)
		}
	}
	return pes, most
}

func (b Bound) sees(uuid string) bool {
	return slices.ContainsFunc(b.Devices, func(v Visible) bool { return v.UUID == uuid })
}

// unseen: a process that does not see another's device often cannot open its memory (open-mpi/ompi issue 11949).
func (h hostJob) unseen() string {
	var blind []int
	for _, pe := range h.pes {
		if slices.ContainsFunc(h.pes, func(other int) bool { return !h.job[pe].sees(h.job[other].Device) }) {
			blind = append(blind, pe)
		}
	}
	if len(blind) == 0 {
		return ""
	}
	return fmt.Sprintf("%s on %s: not all of them see each other's devices, and CUDA IPC between such processes often fails: let every task see all devices (srun --gpus-per-node=%d --gpu-bind=none, or the same CUDA_VISIBLE_DEVICES for all)",
		peList(blind), h.host(), len(h.users()))
}

// idle: processes share a device while the host has one that none of the job's uses.
func (h hostJob) idle() string {
	pes, most := h.shared()
	if len(pes) == 0 {
		return ""
	}
	users := h.users()
	free := map[string]bool{}
	for _, pe := range h.pes {
		for _, v := range h.job[pe].Devices {
			free[v.UUID] = true
		}
	}
	// The management library also lists devices that CUDA_VISIBLE_DEVICES hides. Where it knows none of those in use (MIG
	// instances have UUIDs of their own), it says nothing about the others.
	gpus := h.job[h.pes[0]].Site.GPUs
	if slices.ContainsFunc(gpus, func(g GPU) bool { return users[g.UUID] != nil }) {
		for _, g := range gpus {
			free[g.UUID] = true
		}
	}
	for uuid := range users {
		delete(free, uuid)
	}
	if len(free) == 0 {
		return ""
	}
	return fmt.Sprintf("%s on %s: up to %d processes share a device while the job leaves %d of the host's unused: let every task see all devices (srun --gpus-per-node=%d --gpu-bind=none, or no CUDA_VISIBLE_DEVICES)",
		peList(pes), h.host(), most, len(free), len(free)+len(users))
}

// turns: without MPS a GPU works for one process at a time.
func (h hostJob) turns() string {
	pes, most := h.shared()
	if len(pes) == 0 || h.job[pes[0]].MPS == nil || *h.job[pes[0]].MPS {
		return ""
	}
	return fmt.Sprintf("%s on %s: up to %d processes share a device without MPS and take turns: start MPS (nvidia-cuda-mps-control -d), or fewer PEs",
		peList(pes), h.host(), most)
}

// far: the device hangs on another NUMA node than the PE's CPUs, and the host has a nearer one.
func (h hostJob) far() string {
	var pes []int
	for _, pe := range h.pes {
		b := h.job[pe]
		mine, nearest := 0, -1
		note := func(distance int) {
			if nearest < 0 || distance < nearest {
				nearest = distance
			}
		}
		for _, v := range b.Devices {
			note(v.Distance)
			if v.UUID == b.Device {
				mine = v.Distance
			}
		}
		for _, g := range b.Site.GPUs {
			if g.NUMANode != nil {
				note(b.Site.DeviceDistance(b.CPUs, g.NUMANode))
			}
		}
		if mine > nearest {
			pes = append(pes, pe)
		}
	}
	if len(pes) == 0 {
		return ""
	}
	return fmt.Sprintf("%s on %s: the device hangs on another NUMA node than the CPUs, and a nearer one is there: spread the PEs over the nodes (mpirun --map-by numa, srun --distribution=block:cyclic), and let every task see all devices",
		peList(pes), h.host())
}

// partitioned: instances of a partitioned GPU reach each other's memory neither as peers nor by CUDA IPC.
func (h hostJob) partitioned() string {
	var pes []int
	processes := map[int]bool{}
	for _, pe := range h.pes {
		b := h.job[pe]
		for _, v := range b.Devices {
			if v.UUID == b.Device && slices.ContainsFunc(b.Site.GPUs, func(g GPU) bool {
				return g.MIG != nil && *g.MIG && g.PCIBusID != nil && *g.PCIBusID == v.PCIBusID
			}) {
				pes = append(pes, pe)
				processes[b.PID] = true
			}
		}
	}
	if len(processes) < 2 {
		return ""
	}
	return fmt.Sprintf("%s on %s: the GPU is partitioned (MIG), and CUDA IPC does not reach from instance to instance: give --path staged, or switch MIG off (nvidia-smi -mig 0)",
		peList(pes), h.host())
}

func (h hostJob) host() string {
	if name := h.job[h.pes[0]].Host; name != "" {
		return name
	}
	return "this host"
}

// peList names PEs, the first few of many.
func peList(pes []int) string {
	const few = 8
	words := make([]string, 0, few)
	for _, pe := range pes[:min(few, len(pes))] {
		words = append(words, fmt.Sprint(pe))
	}
	switch last := len(words) - 1; {
	case len(pes) > few:
		return fmt.Sprintf("PEs %s and %d more", strings.Join(words, ", "), len(pes)-few)
	case last == 0:
		return "PE " + words[0]
	default:
		return fmt.Sprintf("PEs %s and %s", strings.Join(words[:last], ", "), words[last])
	}
}
