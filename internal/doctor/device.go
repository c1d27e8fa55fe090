// Devices: the driver, each GPU, and how GPUs reach each other.

package doctor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gpubench/internal/machine"
)

func (e *examiner) devices() {
	e.driver()
	e.management()
	e.standIn()
	e.visible()
	for _, d := range e.gpus() {
		e.gpu(d)
		e.kernelCode(d)
	}
	if len(e.gpus()) == 0 {
		e.add("gpu", None, line{}, "no GPU that CUDA shows")
	}
	for _, g := range e.managed() {
		e.mode(g)
		e.pcie(g)
	}
	e.peers()
	e.nvlink()
	e.mps()
	e.pinned()
}

// cudaVersion writes 13000 as 13.0.
func cudaVersion(v int) string { return fmt.Sprintf("%d.%d", v/1000, v%1000/10) }

func (e *examiner) driver() {
	asked := e.Ask.Device == "cuda"
	d := e.Machine.Devices["cuda"]
	mend := "install NVIDIA's driver, or give the container its libraries (docker run --gpus all)"
	if p := e.Env["GPUBENCH_LIBCUDA"]; p != "" {
		mend = "let GPUBENCH_LIBCUDA name a working libcuda.so.1, or unset it"
	}
	v := e.CUDA.Value
	switch {
	case e.CUDA.Broken:
		e.add("driver", failIf(asked, Warn), line{mend: mend}, "%s", e.CUDA.Why)
	case v == nil || !d.OK:
		why := orWord(e.CUDA.Why, d.Reason)
		status := None
		if e.gpuExpected() {
			status = failIf(asked, Warn)
		}
		e.add("driver", status, line{mend: mend}, "%s", why)
	case slices.ContainsFunc(v.Devices, func(d Device) bool { return d.Emulated }):
		e.add("driver", Warn, line{mend: "unset GPUBENCH_LIBCUDA where real GPUs are wanted", detail: v},
			"%s of the emulated driver in CUDA's place: a test double, whose figures count for nothing", count(len(v.Devices), "device"))
	default:
		kernel := ""
		if m := e.Management.Value; m != nil && m.Driver != "" {
			kernel = ", driver " + m.Driver
		}
		e.add("driver", OK, line{detail: v}, "CUDA %s%s, %s", cudaVersion(v.Version), kernel, count(len(v.Devices), "device"))
	}
}

func (e *examiner) management() {
	m := e.Management
	mend := "it comes with NVIDIA's driver: install its management part (docker: NVIDIA_DRIVER_CAPABILITIES=compute,utility)"
	if e.Env["GPUBENCH_LIBNVML"] != "" {
		mend = "let GPUBENCH_LIBNVML name a working libnvidia-ml.so.1, or unset it"
	}
	switch {
	case m.Value != nil:
		e.add("management", OK, line{detail: m.Value}, "NVML %s, %s", orWord(m.Value.Library, "of unknown version"), count(len(m.Value.GPUs), "GPU"))
	case m.Broken || len(e.gpus()) > 0 || e.Env["GPUBENCH_LIBNVML"] != "":
		e.add("management", Warn, line{mend: mend}, "%s", m.Why)
	default:
		e.add("management", None, line{}, "%s", m.Why)
	}
}

// standIn is about the devices that are carried out on the CPU; runs need cpu for host cases.
func (e *examiner) standIn() {
	for _, name := range []string{"emulated", "cpu"} {
		d := e.Machine.Devices[name]
		l := line{subject: name}
		if d.OK {
			e.add("stand_in", OK, l, "%s", count(d.Count, "device"))
			continue
		}
		l.mend = "check the variables GPUBENCH_EMU_*, and the memory that is free"
		e.add("stand_in", failIf(name == "cpu" || e.Device() == name, Warn), l, "%s", d.Reason)
	}
}

// visible looks at what hides GPUs from this process, and at tasks that see one each.
func (e *examiner) visible() {
	v, set := e.Env["CUDA_VISIBLE_DEVICES"]
	seen := e.Machine.Devices[e.Device()].Count // the emulated driver goes by the variable too
	there := 0
	if m := e.Management.Value; m != nil {
		there = len(m.GPUs)
	}
	tasks, _ := strconv.Atoi(e.Env["SLURM_STEP_NUM_TASKS"])
	onNode, _ := strconv.Atoi(e.Env["SLURM_GPUS_ON_NODE"])
	bound := e.Env["SLURM_GPUS_PER_TASK"] != "" || strings.Contains(e.Env["SLURM_GPU_BIND"], "single") || strings.Contains(e.Env["SLURM_GPU_BIND"], "per_task")
	words := "CUDA_VISIBLE_DEVICES is not set: all devices are seen"
	if set {
		words = fmt.Sprintf("CUDA_VISIBLE_DEVICES=%q", v)
	}
	l := line{detail: map[string]any{"cuda_visible_devices": v, "set": set, "seen": seen, "on_node": max(there, onNode)}}
	switch {
	case set && !e.Machine.Devices["cuda"].OK && (there > 0 || (v == "" || v == "-1") && onNode > 0):
		l.mend = "unset CUDA_VISIBLE_DEVICES, or list devices that are there (nvidia-smi -L)"
		e.add("visible_devices", failIf(e.Ask.Device == "cuda", Warn), l, "%s hides every GPU", words)
	case set && seen == 0 && e.Device() == "emulated":
		l.mend = "unset CUDA_VISIBLE_DEVICES, or list devices that are there, from 0"
		e.add("visible_devices", failIf(e.Ask.Device == "emulated", Warn), l, "%s: no emulated device is left", words)
	case tasks > 1 && (bound || seen == 1 && max(there, onNode) > 1):
		l.mend = "let every task see all GPUs of its node, gpubench chooses by local rank: srun --mpi=pmix --gres=gpu:N --gpu-bind=none gpubench run ..."
		e.add("visible_devices", Warn, l, "%s: each of %d tasks sees a device of its own, and CUDA IPC between them may not work", words, tasks)
	default:
		e.add("visible_devices", OK, l, "%s", words)
	}
}

// managed are the GPUs of the management library that this process sees; all of them where CUDA shows none.
func (e *examiner) managed() []machine.GPUNow {
	if e.Management.Value == nil {
		return nil
	}
	var list []machine.GPUNow
	for _, g := range e.Management.Value.GPUs {
		seen := slices.ContainsFunc(e.gpus(), func(d Device) bool { return d.UUID == g.UUID })
		if seen || len(e.gpus()) == 0 {
			list = append(list, g)
		}
	}
	return list
}

func (e *examiner) managedOf(uuid string) *machine.GPUNow {
	if e.Management.Value != nil {
		for i, g := range e.Management.Value.GPUs {
			if g.UUID == uuid {
				return &e.Management.Value.GPUs[i]
			}
		}
	}
	return nil
}

func (e *examiner) gpu(d Device) {
	l := line{subject: strconv.Itoa(d.Ordinal), detail: d}
	if d.Error != "" {
		l.mend = "look at nvidia-smi and the kernel's log (dmesg | grep -i nvrm)"
		e.add("gpu", failIf(e.Device() == "cuda", Warn), l, "%s: %s", orWord(d.Name, "it cannot be opened"), d.Error)
		return
	}
	ecc := "ECC off"
	if d.ECC {
		ecc = "ECC on"
	}
	found := fmt.Sprintf("%s, %s, sm_%d%d, %s", d.Name, size(d.MemoryBytes), d.Capability[0], d.Capability[1], ecc)
	status := OK
	if g := e.managedOf(d.UUID); g != nil {
		if g.NUMANode != nil {
			found += fmt.Sprintf(", NUMA node %d", *g.NUMANode)
		}
		if n := g.State.Processes; n != nil && *n > 0 {
			status = Warn
			found += fmt.Sprintf("; %s compute on it", count(*n, "process"))
			l.mend = "wait until the GPU is idle: nvidia-smi lists its processes"
		}
		if g.State.Throttled() {
			status = Warn
			found += "; its clocks are held down: " + strings.Join(g.State.ThrottleReasons, ", ")
			l.mend = "look at power and cooling: nvidia-smi -q -d PERFORMANCE"
		}
	}
	e.add("gpu", status, l, "%s, %s", found, d.UUID)
}

// toolkitOf is the CUDA version that first knew a version of PTX (PTX ISA manual, release notes).
func toolkitOf(isa [2]int) int {
	cuda := map[[2]int]int{{8, 5}: 12050, {8, 6}: 12070, {8, 7}: 12080, {8, 8}: 12090}[isa]
	if cuda == 0 {
		cuda = (isa[0]+4)*1000 + isa[1]*10 // 7.x of CUDA 11.x, 8.x of 12.x, 9.x of 13.x
	}
	return cuda
}

// kernelCode compares a GPU with what the kernels were compiled for. Machine code runs on its own generation and later
// minor numbers of it, with any driver of the toolkit's major version; PTX needs a driver as new as the toolkit.
func (e *examiner) kernelCode(d Device) {
	l := line{subject: strconv.Itoa(d.Ordinal)}
	if len(e.Kernels.Code) == 0 || e.Kernels.Damaged != "" {
		return // kernels says it
	}
	arch := d.Capability[0]*10 + d.Capability[1]
	driver := e.CUDA.Value.Version
	toolkit := 0
	var machine, ptx *Code
	for i, c := range e.Kernels.Code {
		switch {
		case c.PTX:
			toolkit = max(toolkit, toolkitOf(c.ISA))
			if c.Arch <= arch && (ptx == nil || c.Arch > ptx.Arch) {
				ptx = &e.Kernels.Code[i]
			}
		case c.Arch/10 == arch/10 && c.Arch <= arch && (machine == nil || c.Arch > machine.Arch):
			machine = &e.Kernels.Code[i]
		}
	}
	l.mend = fmt.Sprintf("build the kernels with the toolkit of CUDA %d: GPUBENCH_NVCC=/usr/local/cuda/bin/nvcc GPUBENCH_CUDA_ARCHITECTURES=%d scripts/build.sh",
		driver/1000, arch)
	in := e.Device() == "cuda"
	switch {
	case machine != nil && driver/1000 >= toolkit/1000:
		l.mend = ""
		e.add("kernel_code", OK, l, "%s runs on sm_%d", machine, arch)
	case machine != nil:
		e.add("kernel_code", failIf(in, Warn), l, "kernels of CUDA %s, and the driver knows CUDA %s at most", cudaVersion(toolkit), cudaVersion(driver))
	case ptx != nil && driver >= toolkitOf(ptx.ISA):
		e.add("kernel_code", Warn, l, "only PTX for sm_%d: the driver compiles it at the first start (%s)", arch, ptx)
	case ptx != nil:
		e.add("kernel_code", failIf(in, Warn), l, "only PTX for sm_%d, of CUDA %s, and the driver knows CUDA %s at most", arch, cudaVersion(toolkitOf(ptx.ISA)), cudaVersion(driver))
	default:
		e.add("kernel_code", failIf(in, Warn), l, "nothing for sm_%d", arch)
	}
}

// mode is about what a GPU is set to.
func (e *examiner) mode(g machine.GPUNow) {
	l := line{subject: strconv.Itoa(g.Index)}
	switch {
	case g.MIG == nil:
		e.add("mig", Unknown, l, "the management library does not say whether the GPU is partitioned")
	case *g.MIG:
		l.mend = "where slices are not wanted: nvidia-smi -i " + l.subject + " -mig 0, as root"
		e.add("mig", Warn, l, "the GPU is partitioned (MIG): a slice reaches no other slice's memory, and CUDA shows a process one slice")
	default:
		e.add("mig", OK, l, "not partitioned")
	}
	l = line{subject: l.subject}
	sharing := (e.Ask.pes() + max(len(e.gpus()), 1) - 1) / max(len(e.gpus()), 1)
	mps := e.Around.MPS != nil && (e.Around.MPS.Running == nil || *e.Around.MPS.Running)
	l.mend = "nvidia-smi -i " + l.subject + " -c DEFAULT, as root"
	switch {
	case g.ComputeMode == nil:
		l.mend = ""
		e.add("compute_mode", Unknown, l, "the management library does not say it")
	case *g.ComputeMode == "prohibited":
		e.add("compute_mode", failIf(e.Device() == "cuda", Warn), l, "prohibited: no process may compute on it")
	case *g.ComputeMode != "default" && sharing > 1 && !mps:
		// Threads of one process share its context: only PEs that are processes are refused.
		processes := slices.ContainsFunc(e.Ask.Transports, func(t string) bool { return t != "inproc" }) ||
			len(e.Ask.Transports) == 0 && e.Machine.Transports["mpi"].OK // a quick run takes mpi too
		e.add("compute_mode", failIf(processes && e.Device() == "cuda", Warn), l,
			"%s: one process at a time, and %d PEs over mpi would share it", *g.ComputeMode, sharing)
	default:
		l.mend = ""
		e.add("compute_mode", OK, l, "%s", *g.ComputeMode)
	}
}

func (e *examiner) pcie(g machine.GPUNow) {
	l := line{subject: strconv.Itoa(g.Index), detail: map[string]any{
		"generation": g.State.PCIeGeneration, "width": g.State.PCIeWidth, "max_generation": g.PCIeMaxGeneration, "max_width": g.PCIeMaxWidth}}
	gen, width, maxGen, maxWidth := g.State.PCIeGeneration, g.State.PCIeWidth, g.PCIeMaxGeneration, g.PCIeMaxWidth
	if gen == nil || width == nil || maxGen == nil || maxWidth == nil {
		e.add("pcie", Unknown, l, "the management library does not say it")
		return
	}
	found := fmt.Sprintf("generation %d with %d lanes now, %d with %d at most", *gen, *width, *maxGen, *maxWidth)
	switch {
	case *width < *maxWidth:
		l.mend = "look at the slot, the riser and the firmware's lane settings: lspci -vv, LnkSta"
		e.add("pcie", Warn, l, "%s: lanes are missing", found)
	case *gen < *maxGen:
		e.add("pcie", OK, l, "%s (an idle GPU lowers it)", found)
	default:
		e.add("pcie", OK, l, "%s", found)
	}
}

func (e *examiner) peers() {
	if len(e.gpus()) < 2 || e.CUDA.Value.Peers == nil {
		e.add("peer_access", None, line{}, "needs two GPUs in one process, and there is %s", orCount(len(e.gpus()), "GPU"))
		return
	}
	var without []string
	pairs := 0
	for i, row := range e.CUDA.Value.Peers {
		for j, can := range row {
			if i == j {
				continue
			}
			pairs++
			if !can {
				without = append(without, fmt.Sprintf("%d→%d", i, j))
			}
		}
	}
	l := line{detail: map[string]any{"matrix": e.CUDA.Value.Peers}}
	if len(without) == 0 {
		e.add("peer_access", OK, l, "all %d pairs of %s reach each other", pairs, count(len(e.gpus()), "GPU"))
		return
	}
	l.mend = "nvidia-smi topo -p2p r says why; MIG, an IOMMU and ACS can stand in the way"
	e.add("peer_access", Warn, l, "%d of %d pairs do not reach each other, their copies go through the host: %s", len(without), pairs, some(without))
}

func (e *examiner) nvlink() {
	gpus := e.managed()
	links, matrix, others := 0, make([][]int, len(gpus)), make([]int, len(gpus))
	for i, g := range gpus {
		matrix[i] = make([]int, len(gpus))
		for _, link := range g.NVLinks {
			links++
			j := slices.IndexFunc(gpus, func(o machine.GPUNow) bool {
				return link.Remote != nil && o.PCIBusID != nil && *o.PCIBusID == *link.Remote
			})
			if j < 0 {
				others[i]++ // a switch, or a CPU's bridge
				continue
			}
			matrix[i][j]++
		}
	}
	if links == 0 {
		e.add("nvlink", None, line{}, "no active NVLink")
		return
	}
	var words []string
	for i, row := range matrix {
		for j, n := range row[i:] {
			if n > 0 {
				words = append(words, fmt.Sprintf("%d-%d: %d", gpus[i].Index, gpus[i+j].Index, n))
			}
		}
		if others[i] > 0 {
			words = append(words, fmt.Sprintf("%d to switches or CPUs: %d", gpus[i].Index, others[i]))
		}
	}
	e.add("nvlink", OK, line{detail: map[string]any{"matrix": matrix, "others": others}}, "links of GPUs %s", some(words))
}

func (e *examiner) mps() {
	m := e.Around.MPS
	l := line{detail: m}
	if m == nil {
		l.detail = nil
	}
	dir, named := e.Env["CUDA_MPS_PIPE_DIRECTORY"]
	n := len(e.gpus())
	switch {
	case m == nil && named && n > 0:
		l.mend = "start it (nvidia-cuda-mps-control -d), or unset CUDA_MPS_PIPE_DIRECTORY"
		e.add("mps", Warn, l, "CUDA_MPS_PIPE_DIRECTORY is %s, and no control daemon's pipe is there", dir)
	case m == nil && n > 0 && e.Ask.pes() > n:
		l.mend = "where processes shall compute at the same time: nvidia-cuda-mps-control -d; or give no more PEs than GPUs"
		e.add("mps", Warn, l, "not running: %d PEs on %s take turns where they are processes", e.Ask.pes(), count(n, "GPU"))
	case m == nil:
		e.add("mps", None, l, "not running: one process at a time computes on a GPU")
	case m.Running != nil && !*m.Running:
		l.mend = "start it (nvidia-cuda-mps-control -d), or remove the folder"
		e.add("mps", failIf(e.Ask.Device == "cuda", Warn), l, "%s has the pipe of a control daemon that has ended: CUDA may not start", m.Dir)
	case m.Running == nil:
		e.add("mps", Unknown, l, "%s has a control daemon's pipe; whether it runs cannot be seen from here", m.Dir)
	default:
		e.add("mps", OK, l, "running, with its pipes in %s: processes share a GPU", m.Dir)
	}
}

func (e *examiner) pinned() {
	gpus := e.gpus()
	for _, d := range gpus {
		if d.Pinned != "" {
			e.add("pinned_memory", failIf(e.Device() == "cuda", Warn), line{subject: strconv.Itoa(d.Ordinal),
				mend: "raise the limit on locked memory (ulimit -l unlimited) and look at free memory"}, "%s", d.Pinned)
			return
		}
	}
	if len(gpus) == 0 {
		e.add("pinned_memory", None, line{}, "no GPU to pin memory for")
		return
	}
	e.add("pinned_memory", OK, line{}, "host memory can be pinned for %s", count(len(gpus), "GPU"))
}
