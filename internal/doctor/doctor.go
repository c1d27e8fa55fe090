// Package doctor says what of a machine works for gpubench, and what to do about what does not. It is pure: facts go in,
// checks come out; cmd/gpubench gathers the facts.
package doctor

import (
	"fmt"
	"slices"

	"gpubench/internal/machine"
	"gpubench/internal/plan"
)

// Status is what a check came to.
type Status string

// The states. Only Fail is about what was asked for: without flags, about what `gpubench run --quick` needs.
const (
	OK      Status = "ok"
	None    Status = "none" // it is not here, and nothing that was asked for needs it
	Warn    Status = "warn" // it is here and works badly, or not at all; runs that were asked for go without it
	Fail    Status = "fail" // what was asked for cannot work
	Unknown Status = "unknown"
)

// Statuses lists them in the order in which they are counted.
var Statuses = []Status{OK, None, Warn, Fail, Unknown}

// Check is one line of the answer.
type Check struct {
	Check   string  `json:"check"`   // its name, in Catalog
	Group   string  `json:"group"`   // what it belongs to
	Subject *string `json:"subject"` // of several: a device's number, a transport's name
	Status  Status  `json:"status"`
	Found   string  `json:"found"`
	Mend    *string `json:"mend"`   // what to do; nil: nothing
	Detail  any     `json:"detail"` // figures behind the words, by the check; nil: none
}

// Catalog lists every check and its group, in the order in which they are shown. Names are a contract: docs/DOCTOR.md.
var Catalog = []struct{ Group, Check string }{
	{"program", "environment"}, {"program", "temp"}, {"program", "kernels"}, {"program", "shim"}, {"program", "across"}, {"program", "run"},
	{"device", "driver"}, {"device", "management"}, {"device", "stand_in"}, {"device", "visible_devices"}, {"device", "gpu"},
	{"device", "kernel_code"}, {"device", "mig"}, {"device", "compute_mode"}, {"device", "pcie"}, {"device", "peer_access"},
	{"device", "nvlink"}, {"device", "mps"}, {"device", "pinned_memory"},
	{"host", "cpu_affinity"}, {"host", "cpu_governor"}, {"host", "numa"}, {"host", "huge_pages"}, {"host", "locked_memory"},
	{"host", "shared_memory"}, {"host", "ptrace"}, {"host", "namespaces"},
	{"transport", "transport"}, {"transport", "mpi"}, {"transport", "direct"}, {"transport", "ucx"}, {"transport", "ucx_transports"},
	{"transport", "ucx_cuda"},
	{"network", "gpudirect_rdma"}, {"network", "gdrcopy"}, {"network", "iommu"}, {"network", "acs"}, {"network", "gpu_nic"},
	{"slurm", "slurm"}, {"slurm", "slurm_job"},
}

// Ask is what the user asked about; the zero value is nothing in particular.
type Ask struct {
	Device     string // "", auto, cuda, emulated, cpu
	Transports []string
	Paths      []string
	PEs        int // 0: not said
}

// defaultPEs is run's -n where it is not given.
const defaultPEs = 2

func (a Ask) pes() int {
	if a.PEs > 0 {
		return a.PEs
	}
	return defaultPEs
}

// Answer is what came of asking something that may crash or hang.
type Answer[T any] struct {
	Value  *T
	Why    string // where there is no value
	Broken bool   // asking it went wrong, as against an answer that it is not there
}

// Facts are all that the checks go by.
type Facts struct {
	Ask         Ask
	Env         map[string]string // the variables that matter: those of EnvNames that are set
	Environment string            // what run would refuse in the environment, ""
	Temp        string            // why jobs cannot be written to the folder for temporary files, ""

	Names      []string          // of the transports, in their order
	Machine    plan.Machine      // devices and transports, as run's plan is told of them
	Plan       plan.Plan         // what a quick run would do with the flags
	Mends      map[string]string // by transport: how it is made to take device memory
	PlanWhy    string            // why it would do nothing, ""
	Joined     bool              // a launcher started this process
	Kernels    Kernels
	Shims      []Shim
	Across     []string // files for device memory across processes that are not there
	CUDA       Answer[Driver]
	Management Answer[machine.Management]
	MPI        Answer[MPI]
	UCX        Answer[UCX]
	Slurm      Slurm
	Host       machine.Host
	Around     machine.Surroundings
}

// EnvNames are the variables that checks look at.
var EnvNames = []string{
	"CUDA_VISIBLE_DEVICES", "CUDA_MPS_PIPE_DIRECTORY", "GPUBENCH_LIBCUDA", "GPUBENCH_LIBNVML", "GPUBENCH_LIB", "GPUBENCH_UCX",
	"GPUBENCH_UCX_SHIM", "GPUBENCH_MPIRUN", "GPUBENCH_MPI_SHIM", "SLURM_JOB_ID", "SLURM_JOB_GPUS", "SLURM_STEP_GPUS", "SLURM_GPUS_ON_NODE",
	"SLURM_GPUS_PER_TASK", "SLURM_GPU_BIND", "SLURM_STEP_ID", "SLURM_STEP_NUM_TASKS", "SLURM_NTASKS", "SLURM_NNODES", "SLURM_PROCID",
}

// Driver is what the CUDA driver says.
type Driver struct {
	Version int      `json:"version"` // 13000 is CUDA 13.0
	Devices []Device `json:"devices"`
	Peers   [][]bool `json:"peers"` // row reaches column; nil: not asked
}

// Device is one that this process sees.
type Device struct {
	Ordinal     int    `json:"ordinal"`
	Name        string `json:"name"`
	UUID        string `json:"uuid"`
	BusID       string `json:"pci_bus_id"`
	Capability  [2]int `json:"compute_capability"`
	MemoryBytes int64  `json:"memory_bytes"`
	ECC         bool   `json:"ecc"`
	Managed     bool   `json:"managed_memory"`
	DirectRDMA  bool   `json:"direct_rdma"`
	DMABuf      bool   `json:"dma_buf"`
	Emulated    bool   `json:"emulated"`
	Error       string `json:"error,omitempty"`  // why it cannot be used
	Pinned      string `json:"pinned,omitempty"` // why host memory cannot be pinned for it
}

// Kernels is what was found of the fatbins.
type Kernels struct {
	Dirs    []string // where they were looked for
	Missing []string // files
	Damaged string   // why one cannot be read, ""
	Found   int
	// Code is what every one of them has.
	Code []Code
}

// Code is machine code for an architecture, or PTX.
type Code struct {
	PTX  bool   `json:"ptx"`
	Arch int    `json:"arch"` // 80 for compute capability 8.0
	ISA  [2]int `json:"isa"`  // version of PTX
}

// Shim is a built file through which MPI or another library is reached.
type Shim struct {
	Path    string `json:"path"`
	Library string `json:"library"` // what stands behind it: "Open MPI 5.0.11"
	Why     string `json:"why"`     // why it cannot be used, ""
}

// MPI is the library that ranks would use, and the launcher that starts them.
type MPI struct {
	Launcher string `json:"launcher"` // path of mpirun, or of what started this process
	Kind     string `json:"kind"`     // openmpi, mpich, pmix, pmi
	Shim     string `json:"shim"`
	Library  string `json:"library"`  // "Open MPI 5.0.11"
	Mismatch string `json:"mismatch"` // why the launcher does not fit the library, ""
}

// Slurm is what is there of the batch system.
type Slurm struct {
	Commands []string // those on PATH: srun, sbatch, sinfo
	Version  string   // "slurm 22.05.8"
	Why      string   // why srun does not answer, ""
	MPITypes []string // of srun --mpi; nil: not known
}

// Examine turns facts into checks, in the order of Catalog.
func Examine(f Facts) []Check {
	e := &examiner{Facts: f}
	e.program()
	e.devices()
	e.host()
	e.transports()
	e.network()
	e.slurm()
	order := make(map[string]int)
	for i, c := range Catalog {
		order[c.Check] = i
	}
	slices.SortStableFunc(e.checks, func(a, b Check) int { return order[a.Check] - order[b.Check] })
	return e.checks
}

// Failed counts the checks that failed.
func Failed(checks []Check) int {
	n := 0
	for _, c := range checks {
		if c.Status == Fail {
			n++
		}
	}
	return n
}

type examiner struct {
	Facts
	checks []Check
}

// line is what add may be given beside the status and the words.
type line struct {
	subject string
	mend    string
	detail  any
}

func (e *examiner) add(check string, status Status, l line, found string, args ...any) {
	i := slices.IndexFunc(Catalog, func(c struct{ Group, Check string }) bool { return c.Check == check })
	if i < 0 {
		panic("doctor: " + check + " is not in Catalog")
	}
	c := Check{Check: check, Group: Catalog[i].Group, Status: status, Found: fmt.Sprintf(found, args...), Detail: l.detail}
	if l.subject != "" {
		c.Subject = &l.subject
	}
	if l.mend != "" {
		c.Mend = &l.mend
	}
	e.checks = append(e.checks, c)
}

// Device is the one that staged and direct cases would use.
func (f Facts) Device() string {
	if d := f.Ask.Device; d != "" && d != "auto" {
		return d
	}
	if f.Machine.Devices["cuda"].OK {
		return "cuda"
	}
	return "emulated"
}

// failIf is Fail where that was asked for, else the milder status.
func failIf(asked bool, milder Status) Status {
	if asked {
		return Fail
	}
	return milder
}

func (f Facts) asksTransport(name string) bool { return slices.Contains(f.Ask.Transports, name) }

func (f Facts) asksDirect() bool { return slices.Contains(f.Ask.Paths, "direct") }

// gpuExpected tells whether there are signs of an NVIDIA GPU, so that a driver that does not answer is a fault.
func (f Facts) gpuExpected() bool {
	return f.Around.NvidiaDevice || f.Around.HasModule("nvidia") || f.Env["GPUBENCH_LIBCUDA"] != "" || f.Ask.Device == "cuda"
}

// gpus are the CUDA devices that are real.
func (f Facts) gpus() []Device {
	if f.CUDA.Value == nil {
		return nil
	}
	var list []Device
	for _, d := range f.CUDA.Value.Devices {
		if !d.Emulated {
			list = append(list, d)
		}
	}
	return list
}
