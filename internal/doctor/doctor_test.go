package doctor

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"gpubench/internal/machine"
	"gpubench/internal/machine/nvml"
	"gpubench/internal/plan"
	"gpubench/internal/result"
)

func at[T any](v T) *T { return &v }

// healthy is a node with two GPUs on NVLink, a card beside each, MPI, UCX and Slurm, on which everything works.
func healthy() Facts {
	yes := plan.Availability{OK: true}
	card := func(kind, name, id, bridge string, node int) machine.PCIDevice {
		return machine.PCIDevice{Kind: kind, Name: name, BusID: id, Path: []string{"pci0000:c0", bridge, id}, NUMANode: at(node), IOMMUGroup: at("identity")}
	}
	gpu := func(i int, id, other string) machine.GPUNow {
		return machine.GPUNow{
			GPU: machine.GPU{NUMANode: at(i), Device: nvml.Device{Index: i, UUID: "GPU-" + id, PCIBusID: at(id), PCIeMaxGeneration: at(5), PCIeMaxWidth: at(16),
				ComputeMode: at("default"), MIG: at(false), NVLinks: []nvml.NVLink{{Link: 0, Remote: at(other)}, {Link: 1, Remote: at(other)}, {Link: 2, Remote: at("0000:05:00.0")}}}},
			State: nvml.State{PCIeGeneration: at(5), PCIeWidth: at(16), Processes: at(0), ThrottleReasons: []string{"gpu_idle"}},
		}
	}
	device := func(i int, id string) Device {
		return Device{Ordinal: i, Name: "NVIDIA H100", UUID: "GPU-" + id, BusID: id, Capability: [2]int{9, 0}, MemoryBytes: 80 << 30, ECC: true, DMABuf: true}
	}
	const a, b = "0000:c1:00.0", "0000:c2:00.0"
	return Facts{
		Env:   map[string]string{},
		Names: []string{"inproc", "mpi"},
		Machine: plan.Machine{
			Devices: map[string]plan.Device{"cuda": {Availability: yes, Count: 2}, "emulated": {Availability: yes, Count: 2}, "cpu": {Availability: yes, Count: 1}},
			Transports: map[string]plan.Transport{"inproc": {Availability: yes, Direct: map[string]plan.Availability{"cuda": yes, "emulated": yes}},
				"mpi": {Availability: yes, Direct: map[string]plan.Availability{"cuda": yes, "emulated": yes}}},
		},
		Plan:       plan.Plan{Device: "cuda", Jobs: []plan.Job{{Cases: make([]plan.Case, 90)}}},
		Kernels:    Kernels{Dirs: []string{"/lib"}, Found: 7, Code: []Code{{PTX: true, Arch: 75, ISA: [2]int{9, 0}}, {Arch: 80}, {Arch: 90}}},
		Shims:      []Shim{{Path: "/lib/libgpubench_mpi.so", Library: "Open MPI 5.0.11"}},
		CUDA:       Answer[Driver]{Value: &Driver{Version: 13000, Devices: []Device{device(0, a), device(1, b)}, Peers: [][]bool{{true, true}, {true, true}}}},
		Management: Answer[machine.Management]{Value: &machine.Management{Driver: "580.65.06", Library: "13.580", GPUs: []machine.GPUNow{gpu(0, a, b), gpu(1, b, a)}}},
		MPI:        Answer[MPI]{Value: &MPI{Launcher: "/usr/bin/mpirun", Kind: "openmpi", Shim: "/lib/libgpubench_mpi.so", Library: "Open MPI 5.0.11"}},
		UCX: Answer[UCX]{Value: &UCX{Tool: "/usr/bin/ucx_info", Version: "1.22.0", Lanes: []Lane{{"sysv", "memory", "intra-node"},
			{"rc_mlx5", "mlx5_0:1", "network"}, {"rc_mlx5", "mlx5_1:1", "network"}, {"cuda_copy", "cuda", "accelerator"}, {"cuda_ipc", "cuda", "intra-node"}}}},
		Slurm: Slurm{Commands: []string{"srun", "sbatch", "sinfo"}, Version: "slurm 24.05.1", MPITypes: []string{"none", "pmi2", "pmix"}},
		Host: machine.Host{Kernel: at("6.1"), CPUsOnline: machine.NewCPUSet(0, 1, 2, 3), CPUsAllowed: machine.NewCPUSet(0, 1, 2, 3), CPUsAllowedN: 4,
			Governors: []string{"performance"}, Boost: at(true), Nodes: []machine.Node{{ID: 0, CPUs: machine.NewCPUSet(0, 1)}, {ID: 1, CPUs: machine.NewCPUSet(2, 3)}},
			NUMABalancing: at(false), THP: at("madvise"), HugePages: at(int64(0)), HugePageBytes: at(int64(2 << 20))},
		Around: machine.Surroundings{Memlock: &machine.Limit{Unlimited: true}, Shm: &machine.Space{TotalBytes: 64 << 30, FreeBytes: 63 << 30}, PtraceScope: at(int64(0)),
			Namespaces: []machine.Namespace{{Kind: "ipc", ID: 1, Initial: true}, {Kind: "pid", ID: 2, Initial: true}},
			Modules:    []string{"nvidia", "nvidia_peermem", "gdrdrv"}, DevGDRDrv: true, NvidiaDevice: true, IOMMU: at(true),
			PCI: []machine.PCIDevice{card(machine.KindGPU, a, a, "0000:c0:01.0", 0), card(machine.KindGPU, b, b, "0000:c0:02.0", 0),
				card(machine.KindRDMA, "mlx5_0", "0000:c3:00.0", "0000:c0:01.0", 0), card(machine.KindRDMA, "mlx5_1", "0000:c4:00.0", "0000:c0:02.0", 0)},
			Bridges: []machine.Bridge{{BusID: "0000:c0:01.0", ACSRedirect: at(false)}},
			MPS:     &machine.MPSDaemon{Dir: "/tmp/nvidia-mps", Running: at(true)}},
	}
}

// bare is a machine with nothing but CPUs.
func bare() Facts {
	f := healthy()
	f.Machine.Devices["cuda"] = plan.Device{Availability: plan.Availability{Reason: "no libcuda.so.1"}}
	f.Machine.Transports["mpi"] = plan.Transport{Availability: plan.Availability{Reason: "no mpirun found"}}
	f.Plan.Device = "emulated"
	f.Kernels = Kernels{Dirs: []string{"/lib"}, Missing: []string{"a.fatbin"}}
	f.Shims = nil
	f.CUDA = Answer[Driver]{Why: "no libcuda.so.1"}
	f.Management = Answer[machine.Management]{Why: "no libnvidia-ml.so.1"}
	f.MPI = Answer[MPI]{Why: "no mpirun found"}
	f.UCX = Answer[UCX]{Why: "no ucx_info on PATH"}
	f.Slurm = Slurm{}
	f.Host.Governors = nil
	f.Around.Modules, f.Around.DevGDRDrv, f.Around.NvidiaDevice = nil, false, false
	f.Around.PCI, f.Around.Bridges, f.Around.MPS, f.Around.IOMMU = nil, nil, nil, at(false)
	return f
}

func one(t *testing.T, checks []Check, name, subject string) Check {
	t.Helper()
	for _, c := range checks {
		if c.Check == name && (subject == "" || c.Subject != nil && *c.Subject == subject) {
			return c
		}
	}
	t.Fatalf("no check %s %s", name, subject)
	return Check{}
}

func TestHealthy(t *testing.T) {
	checks := Examine(healthy())
	seen := map[string]bool{}
	for _, c := range checks {
		seen[c.Check] = true
		if c.Status != OK && c.Check != "slurm_job" {
			t.Errorf("%s: %s: %s", c.name(), c.Status, c.Found)
		}
		if c.Status == OK && c.Mend != nil {
			t.Errorf("%s is ok and has a mend: %s", c.name(), *c.Mend)
		}
	}
	for _, c := range Catalog {
		if !seen[c.Check] {
			t.Errorf("%s is not reported", c.Check)
		}
	}
}

func TestBare(t *testing.T) {
	for _, c := range Examine(bare()) {
		if c.Status != OK && c.Status != None {
			t.Errorf("%s: %s: %s", c.name(), c.Status, c.Found)
		}
	}
}

// Each check in each of its states.
func TestStates(t *testing.T) {
	type state struct {
		check, subject string
		status         Status
		found, mend    string // words, separated by |
		from           func() Facts
		change         func(*Facts)
	}
	cuda := func(f *Facts) { f.Ask.Device = "cuda" }
	both := func(list ...func(*Facts)) func(*Facts) {
		return func(f *Facts) {
			for _, g := range list {
				g(f)
			}
		}
	}
	env := func(pairs ...string) func(*Facts) {
		return func(f *Facts) {
			for i := 0; i < len(pairs); i += 2 {
				f.Env[pairs[i]] = pairs[i+1]
			}
		}
	}
	noWitness := func(f *Facts) { f.Across = []string{"libgpubench_witness.so"} }
	gpu0 := func(f *Facts) *machine.GPUNow { return &f.Management.Value.GPUs[0] }
	states := []state{
		{"environment", "", OK, "GPUBENCH_LIB=/x", "", healthy, env("GPUBENCH_LIB", "/x", "SLURM_JOB_ID", "1")},
		{"environment", "", Fail, "GPUBENCH_FAULT: bad", "unset", healthy, func(f *Facts) { f.Environment = "GPUBENCH_FAULT: bad" }},
		{"temp", "", Fail, "read-only", "TMPDIR", healthy, func(f *Facts) { f.Temp = "read-only" }},
		{"kernels", "", OK, "7 fatbins|compute_75 (PTX 9.0)|sm_90", "", healthy, func(*Facts) {}},
		{"kernels", "", None, "/lib", "scripts/build.sh", bare, func(*Facts) {}},
		{"kernels", "", Fail, "no kernels", "GPUBENCH_LIB", healthy, func(f *Facts) { f.Kernels = bare().Kernels }},
		{"kernels", "", Fail, "no kernels", "scripts/build.sh", bare, cuda},
		{"kernels", "", Fail, "field.fatbin not found", "scripts/build.sh", healthy, func(f *Facts) { f.Kernels.Missing = []string{"field.fatbin"} }},
		{"kernels", "", Warn, "no fatbin", "scripts/build.sh", bare, func(f *Facts) { f.Kernels.Damaged = "a.fatbin: no fatbin" }},
		{"shim", "libgpubench_mpi.so", OK, "Open MPI 5.0.11", "", healthy, func(*Facts) {}},
		{"shim", "", None, "no shim", "mpicc", bare, func(*Facts) {}},
		{"shim", "libgpubench_mpi.so", Warn, "not ABI 2", "again", healthy, func(f *Facts) { f.Shims[0].Why = "not ABI 2" }},
		{"across", "", OK, "the witness that proves lanes", "", healthy, func(*Facts) {}},
		{"across", "", Warn, "libgpubench_witness.so not found in /lib", "lanes stay unknown", healthy, noWitness},
		{"across", "", Fail, "libgpubench_witness.so not found", "scripts/build.sh", healthy, both(noWitness, func(f *Facts) { f.Ask.Paths = []string{"direct"} })},
		{"across", "", None, "not found", "scripts/build.sh", bare, noWitness},
		{"run", "", OK, "90 cases, device cuda", "", healthy, func(*Facts) {}},
		{"run", "", OK, "leaves out 1: direct over mpi: not aware", "", healthy, skipDirect},
		{"run", "", Fail, "leaves out 1: direct over mpi: not aware", "asked for", healthy, both(skipDirect, func(f *Facts) { f.Ask.Paths = []string{"direct"} })},
		{"run", "", OK, "device cuda$", "", healthy, both(skipDirect, func(f *Facts) {
			f.Ask.Paths, f.Plan.Skipped[0].Misfit = []string{"direct"}, true
		})},
		{"run", "", OK, "not aware$", "", healthy, both(skipDirect, notAware, func(f *Facts) { f.Plan.Skipped[0].Skip += ": --mca pml ucx" })},
		{"run", "", OK, "leaves out 1", "", healthy, both(skipDirect, func(f *Facts) { f.Ask.Transports = []string{"mpi"} })},
		{"run", "", Fail, "leaves out 1", "", healthy, both(skipDirect, func(f *Facts) {
			f.Ask.Transports = []string{"mpi"}
			f.Machine.Transports["mpi"] = plan.Transport{}
		})},
		{"run", "", Fail, "nothing to run", "ask for less", healthy, func(f *Facts) { f.PlanWhy = "nothing to run" }},

		{"driver", "", OK, "CUDA 13.0, driver 580.65.06, 2 devices", "", healthy, func(*Facts) {}},
		{"driver", "", None, "no libcuda.so.1", "install", bare, func(*Facts) {}},
		{"driver", "", Fail, "no libcuda.so.1", "--gpus all", bare, cuda},
		{"driver", "", Warn, "no libcuda.so.1", "install", bare, func(f *Facts) { f.Around.NvidiaDevice = true }},
		{"driver", "", Warn, "invalid ELF header", "GPUBENCH_LIBCUDA", bare, both(env("GPUBENCH_LIBCUDA", "/x"), func(f *Facts) { f.CUDA.Why = "invalid ELF header" })},
		{"driver", "", Warn, "segmentation", "install", bare, func(f *Facts) { f.CUDA = Answer[Driver]{Why: "segmentation fault", Broken: true} }},
		{"driver", "", Fail, "segmentation", "install", bare, both(cuda, func(f *Facts) { f.CUDA = Answer[Driver]{Why: "segmentation fault", Broken: true} })},
		{"driver", "", Warn, "emulated|count for nothing", "unset GPUBENCH_LIBCUDA", healthy, both(env("GPUBENCH_LIBCUDA", "/x"), emulated)},
		{"management", "", OK, "NVML 13.580, 2 GPUs", "", healthy, func(*Facts) {}},
		{"management", "", None, "no libnvidia-ml.so.1", "", bare, func(*Facts) {}},
		{"management", "", Warn, "no libnvidia-ml", "utility", healthy, func(f *Facts) { f.Management = bare().Management }},
		{"management", "", Warn, "crashed", "GPUBENCH_LIBNVML", bare, both(env("GPUBENCH_LIBNVML", "/x"), func(f *Facts) {
			f.Management = Answer[machine.Management]{Why: "crashed", Broken: true}
		})},
		{"stand_in", "emulated", OK, "2 devices", "", bare, func(*Facts) {}},
		{"stand_in", "emulated", Fail, "no memory", "GPUBENCH_EMU_", bare, func(f *Facts) { f.Machine.Devices["emulated"] = noDevice }},
		{"stand_in", "emulated", Warn, "no memory", "GPUBENCH_EMU_", healthy, func(f *Facts) { f.Machine.Devices["emulated"] = noDevice }},
		{"stand_in", "cpu", Fail, "no memory", "", healthy, func(f *Facts) { f.Machine.Devices["cpu"] = noDevice }},
		{"visible_devices", "", OK, "not set", "", healthy, func(*Facts) {}},
		{"visible_devices", "", OK, `"0,1"`, "", healthy, env("CUDA_VISIBLE_DEVICES", "0,1")},
		{"visible_devices", "", Warn, "hides every GPU", "nvidia-smi -L", healthy, both(env("CUDA_VISIBLE_DEVICES", ""), hidden)},
		{"visible_devices", "", Warn, "hides every GPU", "unset", bare, env("CUDA_VISIBLE_DEVICES", "-1", "SLURM_GPUS_ON_NODE", "2")},
		{"visible_devices", "", OK, `"0"`, "", bare, env("CUDA_VISIBLE_DEVICES", "0", "SLURM_GPUS_ON_NODE", "2")},
		{"visible_devices", "", Warn, `"7": no emulated device is left`, "unset", bare, both(env("CUDA_VISIBLE_DEVICES", "7"), func(f *Facts) {
			f.Machine.Devices["emulated"] = noDevice
		})},
		{"visible_devices", "", Fail, "hides every GPU", "unset", healthy, both(cuda, env("CUDA_VISIBLE_DEVICES", ""), hidden)},
		{"visible_devices", "", Warn, "each of 4 tasks|CUDA IPC", "srun --mpi=pmix|--gpu-bind=none", healthy, both(
			env("CUDA_VISIBLE_DEVICES", "0", "SLURM_STEP_NUM_TASKS", "4", "SLURM_GPUS_ON_NODE", "4"), func(f *Facts) {
				f.Machine.Devices["cuda"] = plan.Device{Availability: plan.Availability{OK: true}, Count: 1}
			})},
		{"visible_devices", "", Warn, "each of 2 tasks", "--gpu-bind=none", healthy, env("SLURM_STEP_NUM_TASKS", "2", "SLURM_GPU_BIND", "single:1")},
		{"gpu", "0", OK, "NVIDIA H100, 80 GiB, sm_90, ECC on, NUMA node 0, GPU-0000:c1:00.0", "", healthy, func(*Facts) {}},
		{"gpu", "", None, "no GPU", "", bare, func(*Facts) {}},
		{"gpu", "0", Fail, "CUDA_ERROR_DEVICE_UNAVAILABLE", "dmesg", healthy, func(f *Facts) { f.CUDA.Value.Devices[0].Error = "CUDA_ERROR_DEVICE_UNAVAILABLE" }},
		{"gpu", "0", Warn, "2 processes compute on it", "idle", healthy, func(f *Facts) { gpu0(f).State.Processes = at(2) }},
		{"gpu", "0", Warn, "held down: sw_power_cap", "cooling", healthy, func(f *Facts) { gpu0(f).State.ThrottleReasons = []string{"sw_power_cap"} }},
		{"kernel_code", "0", OK, "sm_90 runs on sm_90", "", healthy, func(*Facts) {}},
		{"kernel_code", "0", OK, "sm_80 runs on sm_86", "", healthy, func(f *Facts) { f.CUDA.Value.Devices[0].Capability = [2]int{8, 6} }},
		{"kernel_code", "0", Warn, "only PTX for sm_103", "GPUBENCH_CUDA_ARCHITECTURES=103", healthy, func(f *Facts) { f.CUDA.Value.Devices[0].Capability = [2]int{10, 3} }},
		{"kernel_code", "0", Fail, "kernels of CUDA 13.0|CUDA 12.4 at most", "toolkit of CUDA 12", healthy, func(f *Facts) { f.CUDA.Value.Version = 12040 }},
		{"kernel_code", "0", Fail, "only PTX for sm_103, of CUDA 13.0|CUDA 12.8", "CUDA 12", healthy, func(f *Facts) {
			f.CUDA.Value.Version, f.CUDA.Value.Devices[0].Capability = 12080, [2]int{10, 3}
		}},
		{"kernel_code", "0", Fail, "nothing for sm_70", "GPUBENCH_CUDA_ARCHITECTURES=70", healthy, func(f *Facts) { f.CUDA.Value.Devices[0].Capability = [2]int{7, 0} }},
		{"kernel_code", "0", Warn, "nothing for sm_70", "", healthy, func(f *Facts) {
			f.CUDA.Value.Devices[0].Capability, f.Ask.Device = [2]int{7, 0}, "emulated"
		}},
		{"mig", "0", OK, "not partitioned", "", healthy, func(*Facts) {}},
		{"mig", "0", Unknown, "", "", healthy, func(f *Facts) { gpu0(f).MIG = nil }},
		{"mig", "0", Warn, "slice", "-mig 0", healthy, func(f *Facts) { gpu0(f).MIG = at(true) }},
		{"compute_mode", "0", OK, "default", "", healthy, func(*Facts) {}},
		{"compute_mode", "0", Unknown, "", "", healthy, func(f *Facts) { gpu0(f).ComputeMode = nil }},
		{"compute_mode", "0", Fail, "prohibited", "-c DEFAULT", healthy, func(f *Facts) { gpu0(f).ComputeMode = at("prohibited") }},
		{"compute_mode", "0", OK, "exclusive_process", "", healthy, func(f *Facts) { gpu0(f).ComputeMode = at("exclusive_process") }},
		{"compute_mode", "0", OK, "exclusive_process", "", healthy, exclusive(4, true, "mpi")},
		{"compute_mode", "0", Fail, "2 PEs over mpi", "-c DEFAULT", healthy, exclusive(4, false, "mpi")},
		{"compute_mode", "0", Fail, "2 PEs over mpi", "-c DEFAULT", healthy, exclusive(4, false)},
		{"compute_mode", "0", Warn, "2 PEs over mpi", "-c DEFAULT", healthy, exclusive(4, false, "inproc")},
		{"pcie", "0", OK, "generation 5 with 16 lanes now, 5 with 16 at most", "", healthy, func(*Facts) {}},
		{"pcie", "0", OK, "idle", "", healthy, func(f *Facts) { gpu0(f).State.PCIeGeneration = at(1) }},
		{"pcie", "0", Warn, "lanes are missing", "lspci", healthy, func(f *Facts) { gpu0(f).State.PCIeWidth = at(8) }},
		{"pcie", "0", Unknown, "", "", healthy, func(f *Facts) { gpu0(f).PCIeMaxWidth = nil }},
		{"peer_access", "", OK, "all 2 pairs of 2 GPUs", "", healthy, func(*Facts) {}},
		{"peer_access", "", Warn, "1 of 2 pairs|1→0", "topo -p2p", healthy, func(f *Facts) { f.CUDA.Value.Peers[1][0] = false }},
		{"peer_access", "", None, "there is none", "", bare, func(*Facts) {}},
		{"nvlink", "", OK, "0-1: 2|0 to switches or CPUs: 1", "", healthy, func(*Facts) {}},
		{"nvlink", "", None, "no active", "", bare, func(*Facts) {}},
		{"mps", "", OK, "running", "", healthy, func(*Facts) {}},
		{"mps", "", None, "not running", "", bare, func(*Facts) {}},
		{"mps", "", Warn, "take turns", "nvidia-cuda-mps-control -d", healthy, func(f *Facts) { f.Around.MPS, f.Ask.PEs = nil, 3 }},
		{"mps", "", Warn, "CUDA_MPS_PIPE_DIRECTORY is /x", "unset", healthy, both(env("CUDA_MPS_PIPE_DIRECTORY", "/x"), func(f *Facts) { f.Around.MPS = nil })},
		{"mps", "", Warn, "has ended", "start it", healthy, func(f *Facts) { f.Around.MPS.Running = at(false) }},
		{"mps", "", Fail, "has ended", "start it", healthy, both(cuda, func(f *Facts) { f.Around.MPS.Running = at(false) })},
		{"mps", "", Unknown, "cannot be seen", "", healthy, func(f *Facts) { f.Around.MPS.Running = nil }},
		{"pinned_memory", "", OK, "2 GPUs", "", healthy, func(*Facts) {}},
		{"pinned_memory", "", None, "no GPU", "", bare, func(*Facts) {}},
		{"pinned_memory", "1", Fail, "out of memory", "ulimit -l", healthy, func(f *Facts) { f.CUDA.Value.Devices[1].Pinned = "out of memory" }},

		{"cpu_affinity", "", OK, "4 CPUs allowed (0-3)", "", healthy, func(*Facts) {}},
		{"cpu_affinity", "", Warn, "1 CPU allowed (2) of 4|2 PEs", "--bind-to none", healthy, func(f *Facts) {
			f.Host.CPUsAllowed, f.Host.CPUsAllowedN = machine.NewCPUSet(2), 1
		}},
		{"cpu_affinity", "", OK, "1 CPU allowed (2) of 4 to rank 0", "", healthy, func(f *Facts) {
			f.Joined, f.Host.CPUsAllowed, f.Host.CPUsAllowedN = true, machine.NewCPUSet(2), 1
		}},
		{"cpu_affinity", "", Warn, "2.5 CPUs' worth", "quota", healthy, func(f *Facts) { f.Host.CPUQuota = at(2.5) }},
		{"cpu_affinity", "", Unknown, "", "", healthy, func(f *Facts) { f.Host.CPUsAllowedN = 0 }},
		{"cpu_governor", "", OK, "performance; boost on", "", healthy, func(*Facts) {}},
		{"cpu_governor", "", None, "", "", bare, func(*Facts) {}},
		{"cpu_governor", "", Warn, "performance, powersave", "cpupower", healthy, func(f *Facts) { f.Host.Governors = []string{"performance", "powersave"} }},
		{"numa", "", OK, "2 nodes; the CPUs allowed are on 0, 1", "", healthy, func(*Facts) {}},
		{"numa", "", Warn, "moves pages", "numa_balancing=0", healthy, func(f *Facts) { f.Host.NUMABalancing = at(true) }},
		{"numa", "", Unknown, "", "", healthy, func(f *Facts) { f.Host.Nodes = nil }},
		{"huge_pages", "", OK, "madvise|0 of 2 MiB reserved", "", healthy, func(*Facts) {}},
		{"huge_pages", "", OK, "always", "", healthy, func(f *Facts) { f.Host.THP = at("always") }},
		{"huge_pages", "", Warn, "never", "echo madvise", healthy, func(f *Facts) { f.Host.THP = at("never") }},
		{"huge_pages", "", Unknown, "", "", healthy, func(f *Facts) { f.Host.THP = nil }},
		{"locked_memory", "", OK, "unlimited", "", healthy, func(*Facts) {}},
		{"locked_memory", "", OK, "8 MiB at most; no RDMA", "", bare, func(f *Facts) { f.Around.Memlock = &machine.Limit{Bytes: 8 << 20} }},
		{"locked_memory", "", OK, "8 GiB at most", "", healthy, func(f *Facts) { f.Around.Memlock = &machine.Limit{Bytes: 8 << 30} }},
		{"locked_memory", "", Warn, "8 MiB at most: mlx5_0", "ulimit -l", healthy, func(f *Facts) { f.Around.Memlock = &machine.Limit{Bytes: 8 << 20} }},
		{"locked_memory", "", Unknown, "", "", healthy, func(f *Facts) { f.Around.Memlock = nil }},
		{"shared_memory", "", OK, "63 GiB free of 64 GiB", "", healthy, func(*Facts) {}},
		{"shared_memory", "", Warn, "64 MiB free of 64 MiB: little for 2 PEs", "--shm-size", healthy, func(f *Facts) { f.Around.Shm = &machine.Space{TotalBytes: 64 << 20, FreeBytes: 64 << 20} }},
		{"shared_memory", "", Warn, "not there", "", healthy, func(f *Facts) { f.Around.Shm = nil }},
		{"shared_memory", "", Fail, "not there", "", healthy, func(f *Facts) { f.Around.Shm, f.Ask.Transports = nil, []string{"mpi"} }},
		{"ptrace", "", OK, "ptrace_scope 0", "", healthy, func(*Facts) {}},
		{"ptrace", "", OK, "no Yama", "", healthy, func(f *Facts) { f.Around.PtraceScope = nil }},
		{"ptrace", "", OK, "asks for it", "", healthy, func(f *Facts) { f.Around.PtraceScope = at(int64(1)) }},
		{"ptrace", "", Warn, "no CMA", "sysctl", healthy, func(f *Facts) { f.Around.PtraceScope = at(int64(2)) }},
		{"ptrace", "", Unknown, "", "", healthy, func(f *Facts) { f.Around.PtraceScope, f.Host.Kernel = nil, nil }},
		{"namespaces", "", OK, "the host's", "", healthy, func(*Facts) {}},
		{"namespaces", "", OK, "in a container (/.dockerenv)", "", healthy, func(f *Facts) { f.Around.Container = at("/.dockerenv") }},
		{"namespaces", "", OK, "own pid namespace, a container", "", healthy, ownPID},
		{"namespaces", "", Warn, "different containers", "--ipc=host --pid=host", healthy, both(ownPID, func(f *Facts) { f.Joined = true })},
		{"namespaces", "", Unknown, "", "", healthy, func(f *Facts) { f.Around.Namespaces = nil }},

		{"transport", "mpi", OK, "can be used", "", healthy, func(*Facts) {}},
		{"transport", "mpi", None, "no mpirun", "scripts/setup.sh", bare, func(*Facts) {}},
		{"transport", "mpi", Warn, "no mpirun", "", bare, func(f *Facts) { f.MPI.Broken = true }},
		{"transport", "mpi", Fail, "no mpirun", "GPUBENCH_MPIRUN", bare, func(f *Facts) { f.Ask.Transports = []string{"mpi"} }},
		{"transport", "inproc", Fail, "no threads", "", bare, func(f *Facts) {
			f.Machine.Transports["inproc"] = plan.Transport{Availability: plan.Availability{Reason: "no threads"}}
		}},
		{"mpi", "", OK, "Open MPI 5.0.11 through libgpubench_mpi.so; started by /usr/bin/mpirun, Open MPI's", "", healthy, func(*Facts) {}},
		{"mpi", "", OK, "this process was started by Open MPI's", "", healthy, func(f *Facts) { f.Joined = true }},
		{"mpi", "", None, "no mpirun", "", bare, func(*Facts) {}},
		{"mpi", "", Warn, "no answer within 2s", "GPUBENCH_MPIRUN", bare, func(f *Facts) { f.MPI = Answer[MPI]{Why: "no answer within 2s", Broken: true} }},
		{"mpi", "", Fail, "no mpirun", "install", bare, func(f *Facts) { f.Ask.Transports = []string{"mpi"} }},
		{"mpi", "", Fail, "starts another library's ranks", "GPUBENCH_MPI_SHIM", healthy, mismatch},
		{"mpi", "", Warn, "starts another library's ranks", "GPUBENCH_MPI_SHIM", healthy, both(mismatch, func(f *Facts) { f.Ask.Transports = []string{"inproc"} })},
		{"direct", "mpi", OK, "takes memory of cuda devices; tried", "", healthy, func(f *Facts) {
			f.Machine.Transports["mpi"].Direct["cuda"] = plan.Availability{OK: true, Reason: "tried"}
		}},
		{"direct", "mpi", Warn, "not aware", "--mca pml ucx", healthy, notAware},
		{"direct", "mpi", Fail, "not aware", "--mca pml ucx", healthy, both(notAware, func(f *Facts) { f.Ask.Paths = []string{"direct"} })},
		{"direct", "mpi", Warn, "not aware", "", healthy, both(notAware, func(f *Facts) { f.Ask.Paths, f.Ask.Transports = []string{"direct"}, []string{"inproc"} })},
		{"direct", "", None, "cpu has no memory", "--device", healthy, func(f *Facts) { f.Ask.Device = "cpu" }},
		{"direct", "", Fail, "cpu has no memory", "--device", healthy, func(f *Facts) { f.Ask.Device, f.Ask.Paths = "cpu", []string{"direct"} }},
		{"ucx", "", OK, "UCX 1.22.0", "", healthy, func(*Facts) {}},
		{"ucx", "", None, "no ucx_info", "GPUBENCH_UCX", bare, func(*Facts) {}},
		{"ucx", "", Warn, "no answer", "bin/ucx_info", bare, both(env("GPUBENCH_UCX", "/x"), func(f *Facts) { f.UCX = Answer[UCX]{Why: "no answer", Broken: true} })},
		{"ucx_transports", "", OK, "sysv, rc_mlx5 (mlx5_0:1, mlx5_1:1), cuda_copy, cuda_ipc", "", healthy, func(*Facts) {}},
		{"ucx_transports", "", Warn, "killed", "UCX_TLS", healthy, func(f *Facts) { f.UCX.Value.Lanes, f.UCX.Value.LanesWhy = nil, "killed" }},
		{"ucx_cuda", "", OK, "cuda_copy and cuda_ipc", "", healthy, func(*Facts) {}},
		{"ucx_cuda", "", Warn, "cuda_ipc is not", "namespace", healthy, func(f *Facts) { f.UCX.Value.Lanes = f.UCX.Value.Lanes[:4] }},
		{"ucx_cuda", "", Warn, "no CUDA transports", "libucx-cu13", healthy, hostUCX},
		{"ucx_cuda", "", Fail, "no CUDA transports", "libucx-cu13", healthy, both(hostUCX, func(f *Facts) { f.Ask.Paths, f.Ask.Transports = []string{"direct"}, []string{"ucx"} })},
		{"ucx_cuda", "", None, "no CUDA device that needs them", "", bare, func(f *Facts) { f.UCX = healthy().UCX; hostUCX(f) }},

		{"gpudirect_rdma", "", OK, "nvidia_peermem and dma-buf", "", healthy, func(*Facts) {}},
		{"gpudirect_rdma", "", None, "0 and 0", "", bare, func(*Facts) {}},
		{"gpudirect_rdma", "", Warn, "neither", "modprobe nvidia-peermem", healthy, func(f *Facts) { f.Around.Modules, f.CUDA.Value.Devices[0].DMABuf = nil, false }},
		{"gdrcopy", "", OK, "/dev/gdrdrv", "", healthy, func(*Facts) {}},
		{"gdrcopy", "", Warn, "missing", "--device /dev/gdrdrv", healthy, func(f *Facts) { f.Around.DevGDRDrv = false }},
		{"gdrcopy", "", None, "not installed", "gdrcopy", healthy, func(f *Facts) { f.Around.DevGDRDrv, f.Around.Modules = false, nil }},
		{"iommu", "", OK, "identity", "", healthy, func(*Facts) {}},
		{"iommu", "", OK, "off", "", bare, func(*Facts) {}},
		{"iommu", "", OK, "no GPU behind it", "", bare, func(f *Facts) { f.Around.IOMMU = at(true) }},
		{"iommu", "", Warn, "translates for 0000:c1:00.0", "iommu=pt", healthy, func(f *Facts) { f.Around.PCI[0].IOMMUGroup = at("DMA-FQ") }},
		{"iommu", "", Unknown, "not published", "", healthy, func(f *Facts) { f.Around.PCI[0].IOMMUGroup = nil }},
		{"iommu", "", Unknown, "does not say", "", healthy, func(f *Facts) { f.Around.IOMMU = nil }},
		{"acs", "", OK, "redirects nothing on the 1 bridge", "", healthy, func(*Facts) {}},
		{"acs", "", None, "no GPU", "", bare, func(*Facts) {}},
		{"acs", "", Warn, "0000:c0:01.0", "setpci", healthy, func(f *Facts) { f.Around.Bridges[0].ACSRedirect = at(true) }},
		{"acs", "", Unknown, "1 bridge cannot be read", "as root", healthy, func(f *Facts) { f.Around.Bridges[0].ACSRedirect = nil }},
		{"gpu_nic", "0000:c2:00.0", OK, "mlx5_1 is nearest, on one PCIe switch (PIX)", "", healthy, func(*Facts) {}},
		{"gpu_nic", "", None, "", "", bare, func(*Facts) {}},
		{"gpu_nic", "0000:c1:00.0", Warn, "another NUMA node (SYS)", "UCX_NET_DEVICES", healthy, func(f *Facts) {
			for i := range f.Around.PCI[2:] {
				f.Around.PCI[2+i].Path, f.Around.PCI[2+i].NUMANode = []string{"pci0000:00", "0000:01:00.0"}, at(1)
			}
		}},
		{"gpu_nic", "0000:c1:00.0", Unknown, "not known", "", healthy, func(f *Facts) { f.Around.PCI[0].Path = nil }},

		{"slurm", "", OK, "slurm 24.05.1, srun --mpi=none, pmi2, pmix", "", healthy, func(*Facts) {}},
		{"slurm", "", None, "no srun", "", bare, func(*Facts) {}},
		{"slurm", "", Warn, "inside job 7", "PATH", bare, env("SLURM_JOB_ID", "7")},
		{"slurm", "", None, "do not answer: no slurm.conf", "SLURM_CONF", healthy, func(f *Facts) { f.Slurm.Why = "no slurm.conf" }},
		{"slurm", "", Warn, "do not answer", "SLURM_CONF", healthy, both(env("SLURM_JOB_ID", "7"), func(f *Facts) { f.Slurm.Why = "no slurm.conf" })},
		{"slurm", "", Warn, "without PMIx", "mpirun inside sbatch", healthy, func(f *Facts) { f.Slurm.MPITypes = []string{"none", "pmi2"} }},
		{"slurm_job", "", None, "not inside", "", healthy, func(*Facts) {}},
		{"slurm_job", "", OK, "job 7, tasks 4, GPUs on this node 2", "", healthy, env("SLURM_JOB_ID", "7", "SLURM_NTASKS", "4", "SLURM_GPUS_ON_NODE", "2")},
		{"slurm_job", "", Warn, "given no GPU", "--gres", healthy, env("SLURM_JOB_ID", "7")},
		{"slurm_job", "", Fail, "given no GPU", "--gres", healthy, both(cuda, env("SLURM_JOB_ID", "7"))},
	}
	seen := map[string]map[Status]bool{}
	for _, s := range states {
		f := s.from()
		s.change(&f)
		c := one(t, Examine(f), s.check, s.subject)
		mend := ""
		if c.Mend != nil {
			mend = *c.Mend
		}
		if c.Status != s.status {
			t.Errorf("%s is %s, want %s: %s", c.name(), c.Status, s.status, c.Found)
		}
		for _, words := range [][2]string{{c.Found, s.found}, {mend, s.mend}} {
			for _, w := range strings.Split(words[1], "|") {
				if !strings.Contains(words[0]+"$", w) {
					t.Errorf("%s %s: %q lacks %q", c.name(), c.Status, words[0], w)
				}
			}
		}
		if (s.status == Fail || s.status == Warn) && c.Mend == nil && s.check != "transport" && s.check != "direct" {
			t.Errorf("%s %s: nothing to do", c.name(), c.Status)
		}
		if strings.Contains(c.Found+mend, "\n") || strings.Contains(c.Found, "%!") {
			t.Errorf("%s %s: not one clean line: %q", c.name(), c.Status, c.Found)
		}
		if seen[s.check] == nil {
			seen[s.check] = map[Status]bool{}
		}
		seen[s.check][s.status] = true
	}
	for _, c := range Catalog {
		if len(seen[c.Check]) < 2 && c.Check != "temp" {
			t.Errorf("%s is tried in %d states", c.Check, len(seen[c.Check]))
		}
	}
}

var noDevice = plan.Device{Availability: plan.Availability{Reason: "no memory"}}

func skipDirect(f *Facts) {
	f.Plan.Skipped = []plan.Case{{Params: result.Params{"path": "direct", "transport": "mpi"}, Skip: "direct over mpi: not aware"}}
}

func hidden(f *Facts) { f.CUDA, f.Machine.Devices["cuda"] = bare().CUDA, noDevice }

func emulated(f *Facts) {
	for i := range f.CUDA.Value.Devices {
		f.CUDA.Value.Devices[i].Emulated = true
	}
}

func exclusive(pes int, mps bool, transports ...string) func(*Facts) {
	return func(f *Facts) {
		f.Management.Value.GPUs[0].ComputeMode = at("exclusive_process")
		f.Ask.PEs, f.Ask.Transports = pes, transports
		if !mps {
			f.Around.MPS = nil
		}
	}
}

func ownPID(f *Facts) {
	f.Around.Namespaces[1].Initial, f.Around.Container = false, at("/.dockerenv")
}

func mismatch(f *Facts) { f.MPI.Value.Mismatch = "Hydra starts another library's ranks" }

func notAware(f *Facts) {
	f.Mends = map[string]string{"mpi": "--mca pml ucx"}
	f.Machine.Transports["mpi"].Direct["cuda"] = plan.Availability{Reason: "not aware: --mca pml ucx"}
}

func hostUCX(f *Facts) { f.UCX.Value.Lanes = f.UCX.Value.Lanes[:3] }

// The order is Catalog's, groups are not torn apart, and every line is an object with every key.
func TestLines(t *testing.T) {
	checks := Examine(healthy())
	var out bytes.Buffer
	if err := WriteLines(&out, checks); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != len(checks) {
		t.Fatalf("%d lines of %d checks", len(lines), len(checks))
	}
	var groups []string
	for _, l := range lines {
		var m map[string]any
		if err := json.Unmarshal([]byte(l), &m); err != nil {
			t.Fatal(err)
		}
		if len(m) != reflect.TypeFor[Check]().NumField() {
			t.Errorf("keys are missing: %s", l)
		}
		if g := m["group"].(string); len(groups) == 0 || groups[len(groups)-1] != g {
			if slices.Contains(groups, g) {
				t.Errorf("group %s is torn apart", g)
			}
			groups = append(groups, g)
		}
	}
}

func TestText(t *testing.T) {
	f := healthy()
	notAware(&f)
	var out bytes.Buffer
	checks := slices.DeleteFunc(Examine(f), func(c Check) bool { return c.Group != "transport" && c.Check != "slurm_job" })
	if err := WriteText(&out, []string{"gpubench on node7"}, checks); err != nil {
		t.Fatal(err)
	}
	const want = `# gpubench on node7

# transport
ok       transport inproc  can be used
ok       transport mpi     can be used
ok       mpi               Open MPI 5.0.11 through libgpubench_mpi.so; started by /usr/bin/mpirun, Open MPI's
ok       direct inproc     takes memory of cuda devices
warn     direct mpi        not aware
                           -> --mca pml ucx
ok       ucx               UCX 1.22.0 in /usr/bin/ucx_info
ok       ucx_transports    sysv, rc_mlx5 (mlx5_0:1, mlx5_1:1), cuda_copy, cuda_ipc
ok       ucx_cuda          cuda_copy and cuda_ipc are there

# slurm
none     slurm_job         not inside a job

# 7 ok, 1 none, 1 warn, 0 fail, 0 unknown
`
	if out.String() != want {
		t.Errorf("have\n%s\nwant\n%s", out.String(), want)
	}
}

// docs/DOCTOR.md names every check, group, state and key.
func TestDoctorIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/DOCTOR.md")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range Catalog {
		names = append(names, c.Group, c.Check)
	}
	for _, s := range Statuses {
		names = append(names, string(s))
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Check]()) {
		names = append(names, f.Tag.Get("json"))
	}
	for _, n := range names {
		if !strings.Contains(string(text), "`"+n+"`") {
			t.Errorf("%s is not in docs/DOCTOR.md", n)
		}
	}
}
