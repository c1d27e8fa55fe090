// gpubench doctor: what of this machine works, and what to do about the rest.

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gpubench/gpu"
	"gpubench/internal/doctor"
	"gpubench/internal/launch"
	"gpubench/internal/library"
	"gpubench/internal/machine"
	"gpubench/internal/plan"
	"gpubench/kernels"
	"gpubench/runtimes/transport/libmpi"
	"gpubench/runtimes/transport/libucx"
)

// doctorFlags are the flags as they were typed.
type doctorFlags struct {
	device, pes, format, timeout string
	transports, paths            []string
}

func newDoctor() *cobra.Command {
	var f doctorFlags
	c := &cobra.Command{
		Use: "doctor", Short: "What of this machine works, and what to do about the rest", Args: cobra.NoArgs,
		Long: `Checks driver, kernels, GPUs, host, transports, network and Slurm. Each line is ok,
none (not here and not needed), warn, fail or unknown, with what to do. A line fails
where what the flags ask for cannot work; without flags, what run --quick needs.
Exit status: 0 nothing failed, 1 something did, 2 the command line is wrong.`,
		Example: `  gpubench doctor
  gpubench doctor --device cuda --transport mpi --path direct -n 4
  gpubench doctor --format jsonl`,
		RunE: func(c *cobra.Command, _ []string) error {
			o, format, limit, err := f.options(c.Flags().Visit)
			if err != nil {
				return err
			}
			if job, joined := launch.Joined(os.Getenv); joined && job.Rank > 0 {
				return nil // rank 0 says it
			}
			facts := gatherFacts(c.Context(), limit, o)
			if err := c.Context().Err(); err != nil {
				return ended(context.Cause(c.Context()))
			}
			checks := doctor.Examine(facts)
			if format == "jsonl" {
				err = doctor.WriteLines(c.OutOrStdout(), checks)
			} else {
				err = doctor.WriteText(c.OutOrStdout(), []string{headline()}, checks)
			}
			if err != nil {
				return fail(exitFailed, "%v", err)
			}
			if n := doctor.Failed(checks); n > 0 {
				return fail(exitFailed, "%d of %d checks failed", n, len(checks))
			}
			return nil
		},
	}
	s := c.Flags()
	s.SortFlags = false
	s.StringVar(&f.device, "device", "", "device that must work: auto, cuda, emulated, cpu")
	s.StringSliceVar(&f.transports, "transport", nil, "transports that must work: "+strings.Join(transportNames(), ", "))
	s.StringSliceVar(&f.paths, "path", nil, "paths that must work: host, staged, direct")
	s.StringVarP(&f.pes, "pes", "n", "", "processing elements there will be, `N` (default 2)")
	s.StringVar(&f.format, "format", "text", "text, jsonl")
	s.StringVar(&f.timeout, "timeout", "", "limit for each thing that is asked, a `DURATION` (default 30s)")
	return c
}

// options are those of the quick run that the flags describe.
func (f *doctorFlags) options(given func(func(*pflag.Flag))) (o plan.Options, format string, limit time.Duration, err error) {
	p := &flagParser{}
	o = plan.Options{
		Quick:      true,
		Device:     p.one("--device", f.device, "auto", "cuda", "emulated", "cpu"),
		Transports: p.choose("--transport", f.transports, transportNames()...),
		Paths:      p.choose("--path", f.paths, "host", "staged", "direct"),
	}
	if f.pes != "" {
		o.PEs = []int64{p.count("-n", f.pes, 1, 4096)}
	}
	format = p.one("--format", f.format, "text", "jsonl")
	limit = probeLimit
	if f.timeout != "" {
		limit = p.duration("--timeout", f.timeout)
	}
	p.noEmptyValues(given)
	return o, format, limit, p.err
}

// gatherFacts reads what can be read, and asks children for the rest.
func gatherFacts(ctx context.Context, limit time.Duration, o plan.Options) doctor.Facts {
	job, joined := launch.Joined(os.Getenv)
	f := doctor.Facts{
		Ask:   doctor.Ask{Device: o.Device, Transports: o.Transports, Paths: o.Paths},
		Env:   map[string]string{},
		Names: transportNames(), Joined: joined,
		Host: machine.ReadHost(), Around: machine.ReadSurroundings(), Kernels: findKernels(), Across: missing(emulatedLibrary, witnessLibrary),
	}
	for _, n := range doctor.EnvNames {
		if v, set := os.LookupEnv(n); set {
			f.Env[n] = v
		}
	}
	if len(o.PEs) > 0 {
		f.Ask.PEs = int(o.PEs[0])
	}
	if err := checkEnvironment(); err != nil {
		f.Environment = err.Error()
	}
	if err := checkTemp(); err != nil {
		f.Temp = err.Error()
	}
	// First, and alone: it counts the processes on each GPU, and the other probes are such.
	f.Management = answer(ctx, limit, "management:nvml", func(p probed) *machine.Management { return p.Management })
	shims := findShims()
	f.Shims = make([]doctor.Shim, len(shims))
	var all sync.WaitGroup
	all.Go(func() { f.Machine = probeWithin(ctx, limit, f.Names) })
	all.Go(func() { f.CUDA = answer(ctx, limit, "driver:cuda", func(p probed) *doctor.Driver { return p.Driver }) })
	all.Go(func() { f.MPI = answer(ctx, limit, "mpi:library", func(p probed) *doctor.MPI { return p.MPI }) })
	all.Go(func() { f.Slurm = askSlurm(ctx, limit) })
	for i, path := range shims {
		all.Go(func() {
			a := answer(ctx, limit, "shim:"+path, func(p probed) *doctor.Shim { return p.Shim })
			if a.Value == nil {
				a.Value = &doctor.Shim{Path: path, Why: a.Why}
			}
			f.Shims[i] = *a.Value
		})
	}
	all.Wait()
	// These need the device that a run would use. Facts are copied by their methods: nobody writes there meanwhile.
	device := f.Device()
	var ucx doctor.Answer[doctor.UCX]
	all.Go(func() { ucx = askUCX(ctx, limit, device) })
	mends := tryTransports(ctx, limit, f.Machine, device)
	all.Wait()
	f.UCX, f.Mends = ucx, mends
	if joined && len(o.Transports) == 0 {
		o.Transports = []string{"mpi"}
	}
	if joined && len(o.PEs) == 0 {
		o.PEs = []int64{int64(job.Size)}
	}
	var err error
	if f.Plan, err = plan.Make(o, planBenches(), f.Machine); err != nil {
		f.PlanWhy = err.Error()
	}
	return f
}

// tryTransports has throw-away ranks try device memory, over those transports that can be used, and notes in m how that
// went. It returns how those that could not are made to.
func tryTransports(ctx context.Context, limit time.Duration, m plan.Machine, device string) map[string]string {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	mends := map[string]string{}
	for _, name := range transportNames() {
		probeDirect(ctx, m, name, device)
		if t := m.Transports[name]; t.OK && !t.Direct[device].OK && transportOf(name).mend != nil {
			mends[name] = transportOf(name).mend()
		}
	}
	return mends
}

// answer asks a child and takes one thing out of what it found.
func answer[T any](ctx context.Context, limit time.Duration, what string, part func(probed) *T) doctor.Answer[T] {
	p, err := ask(ctx, limit, what)
	if err != nil {
		return doctor.Answer[T]{Why: err.Error(), Broken: true}
	}
	return doctor.Answer[T]{Value: part(p), Why: p.Why, Broken: p.Broken}
}

// findKernels looks at the fatbins, which are files: no driver is needed.
func findKernels() doctor.Kernels {
	k := doctor.Kernels{Dirs: library.Dirs()}
	for i, name := range kernels.Files() {
		path, err := library.Find(name)
		if err != nil {
			k.Missing = append(k.Missing, name)
			continue
		}
		image, err := os.ReadFile(path)
		var list []kernels.Code
		if err == nil {
			list, err = kernels.Contents(image)
		}
		if err != nil {
			k.Damaged = fmt.Sprintf("%s: %v", path, err)
			continue
		}
		var code []doctor.Code
		for _, c := range list {
			code = append(code, doctor.Code(c))
		}
		k.Found++
		if i == 0 || k.Code == nil {
			k.Code = code
		}
		k.Code = slices.DeleteFunc(k.Code, func(c doctor.Code) bool { return !slices.Contains(code, c) })
	}
	return k
}

// missing are those of the files that are not there.
func missing(names ...string) (list []string) {
	for _, name := range names {
		if _, err := library.Find(name); err != nil {
			list = append(list, name)
		}
	}
	return list
}

// findShims lists those that are built, and those that variables name.
func findShims() (paths []string) {
	for _, name := range []string{launch.ShimDefault, launch.ShimMPICH, libucx.Shim} {
		if p, err := library.Find(name); err == nil {
			paths = append(paths, p)
		}
	}
	for _, v := range []string{envShim, envUCXShim} {
		if p := os.Getenv(v); p != "" && !slices.Contains(paths, p) {
			paths = append(paths, p)
		}
	}
	return paths
}

func probeShim(path string) *doctor.Shim {
	s := &doctor.Shim{Path: path}
	var err error
	if filepath.Base(path) == libucx.Shim || path == os.Getenv(envUCXShim) {
		var lib libucx.Library
		lib, err = libucx.Inspect(path)
		s.Library = lib.Version
	} else {
		var lib libmpi.Library
		lib, err = libmpi.Inspect(path)
		s.Library = lib.Version
	}
	if err != nil {
		s.Why = err.Error()
	}
	return s
}

// probeLibrary finds the MPI that ranks would use, and holds it against what starts them.
func probeLibrary() (*doctor.MPI, error) {
	var l launch.Launcher
	var shim string
	var err error
	t := transportOf("mpi")
	job, joined := launch.Joined(os.Getenv)
	if joined {
		shim, err = t.shim(job)
	} else {
		l, shim, err = t.launcher()
	}
	if err != nil {
		return nil, err
	}
	lib, err := libmpi.Inspect(shim)
	if err != nil {
		return nil, err
	}
	if !joined {
		job = launch.Job{Kind: l.Kind}
	}
	m := &doctor.MPI{Launcher: l.Path, Kind: string(job.Kind), Shim: shim, Library: lib.Version}
	if err := lib.Fits(job); err != nil {
		m.Mismatch = err.Error()
	}
	return m, nil
}

// absent tells an MPI that is not there from one that does not work.
func absent(err error) bool {
	var launcher *launch.NotFoundError
	var file *library.MissingError
	return errors.As(err, &launcher) || errors.As(err, &file)
}

func probeManagement() (*machine.Management, error) {
	m, err := machine.ReadManagement()
	if err != nil {
		return nil, err
	}
	return &m, nil
}

// pinnedTrial is how much host memory is pinned to see whether it can be.
const pinnedTrial = 16 << 20

// probeDriver opens every device, pins memory for it, and asks whom it reaches.
func probeDriver(d gpu.Driver) (*doctor.Driver, error) {
	n, err := gpu.Count(d)
	if err == nil && n == 0 {
		err = fmt.Errorf("the driver has no device")
	}
	if err != nil {
		return nil, err
	}
	out := &doctor.Driver{Devices: make([]doctor.Device, n), Peers: make([][]bool, n)}
	devices := make([]*gpu.Device, n)
	for i := range devices {
		out.Devices[i] = doctor.Device{Ordinal: i}
		dev, err := gpu.Open(d, i, gpu.Options{})
		if err != nil {
			out.Devices[i].Error = err.Error()
			continue
		}
		defer dev.Close()
		devices[i] = dev
		about := dev.Info()
		out.Version = about.DriverVersion
		out.Devices[i] = doctor.Device{Ordinal: i, Name: about.Name, UUID: about.UUID, BusID: about.PCIBusID,
			Capability: [2]int{about.ComputeMajor, about.ComputeMinor}, MemoryBytes: about.TotalMemory, ECC: about.ECC,
			Managed: about.ManagedMemory, DirectRDMA: about.DirectRDMA, DMABuf: about.DMABuf, Emulated: about.Emulated}
	}
	for i, dev := range devices {
		out.Peers[i] = make([]bool, n)
		if dev != nil {
			tryDevice(dev, devices, &out.Devices[i], out.Peers[i])
		}
	}
	return out, nil
}

// tryDevice binds one device and fills in what only a bound one tells.
func tryDevice(dev *gpu.Device, all []*gpu.Device, found *doctor.Device, reaches []bool) {
	if err := dev.Bind(); err != nil {
		found.Error = err.Error()
		return
	}
	defer dev.Unbind()
	b, err := dev.Alloc(gpu.Pinned, pinnedTrial, gpu.DefaultPages)
	if err == nil {
		err = b.Free()
	}
	if err != nil {
		found.Pinned = err.Error()
	}
	for j, other := range all {
		if other != nil {
			reaches[j], _ = dev.CanAccessPeer(other) // an error is as good as no
		}
	}
}

// askUCX runs ucx_info of the UCX that GPUBENCH_UCX names, else PATH's, else the one that scripts/setup.sh installed.
func askUCX(ctx context.Context, limit time.Duration, device string) doctor.Answer[doctor.UCX] {
	home := os.Getenv("GPUBENCH_UCX")
	tool, err := exec.LookPath("ucx_info")
	if lib := launch.CUDAUCX(os.Getenv); err != nil && home == "" && lib != "" {
		home = filepath.Dir(lib)
	}
	if home != "" {
		tool = filepath.Join(home, "bin", "ucx_info")
		_, err = os.Stat(tool)
	}
	switch {
	case err != nil && home != "":
		return doctor.Answer[doctor.UCX]{Why: fmt.Sprintf("%s is no folder of UCX's: %v", home, err), Broken: true}
	case err != nil:
		return doctor.Answer[doctor.UCX]{Why: "no ucx_info on PATH, and GPUBENCH_UCX names none"}
	}
	text, err := output(ctx, limit, ucxCommand(home, device, tool, "-v"))
	if err != nil {
		return doctor.Answer[doctor.UCX]{Why: fmt.Sprintf("%s -v: %v", tool, err), Broken: true}
	}
	u := doctor.ParseUCXVersion(string(text))
	u.Tool = tool
	if text, err = output(ctx, limit, ucxCommand(home, device, tool, "-d")); err != nil {
		u.LanesWhy = fmt.Sprintf("%s -d: %v", tool, err)
	}
	u.Lanes = doctor.ParseUCXDevices(string(text))
	return doctor.Answer[doctor.UCX]{Value: &u}
}

// ucxCommand lets UCX find its own libraries, and the driver that PEs would load before it.
func ucxCommand(home, device, tool, flag string) *exec.Cmd {
	cmd := exec.Command(tool, flag)
	var dirs []string
	if home != "" {
		dirs = append(dirs, filepath.Join(home, "lib"))
	}
	if cuda, err := library.Find(emulatedLibrary); err == nil && device == string(gpu.Emulated) {
		dirs = append(dirs, filepath.Dir(cuda))
	}
	for _, v := range []string{"GPUBENCH_LIBCUDA", "GPUBENCH_LIBNVML", "LD_LIBRARY_PATH"} {
		value := os.Getenv(v)
		if v != "LD_LIBRARY_PATH" && value != "" {
			value = filepath.Dir(value)
		}
		if value != "" {
			dirs = append(dirs, value)
		}
	}
	if len(dirs) > 0 {
		cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+strings.Join(dirs, ":"))
	}
	return cmd
}

// askSlurm asks srun for its version and the ways in which it starts MPI.
func askSlurm(ctx context.Context, limit time.Duration) (s doctor.Slurm) {
	for _, name := range []string{"srun", "sbatch", "sinfo"} {
		if _, err := exec.LookPath(name); err == nil {
			s.Commands = append(s.Commands, name)
		}
	}
	if !slices.Contains(s.Commands, "srun") {
		return s
	}
	out, err := output(ctx, limit, exec.Command("srun", "--version"))
	if err != nil {
		s.Why = fmt.Sprintf("srun --version: %v", err)
		return s
	}
	s.Version = firstLine(string(out))
	if out, err = output(ctx, limit, exec.Command("srun", "--mpi=list")); err == nil {
		s.MPITypes = doctor.ParseMPITypes(string(out))
	}
	return s
}
