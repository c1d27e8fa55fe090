// The lists: which transports there are, and how one is found and opened. The
// benchmarks' list is suite.All, the reports' is report.Formats.

package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"gpubench/gpu"
	"gpubench/internal/launch"
	"gpubench/internal/launch/rendezvous"
	"gpubench/internal/library"
	"gpubench/internal/plan"
	"gpubench/internal/suite"
	"gpubench/runtimes/transport"
	"gpubench/runtimes/transport/libmpi"
	"gpubench/runtimes/transport/libucx"
)

// transportEntry is a transport that PEs can be started for.
type transportEntry struct {
	name    string
	threads bool // PEs are threads of one process; else a launcher starts them
	meets   bool // ranks meet without it, before it is there
	// probe says whether it can be used here, given the shim that would be loaded. It runs in a process of its own.
	probe func(shim string) plan.Transport
	// launcher says what starts PEs here, and the shim that they load.
	launcher func() (l launch.Launcher, shim string, err error)
	// shim says what a rank of a user's launcher loads.
	shim func(job launch.Job) (string, error)
	// open joins the job that this process is one rank of.
	open func(shim string, o openOptions) (*opened, error)
	// mend says how it is made to take device memory; nil: nothing is to be said.
	mend func() string
}

// openOptions say what a rank must know before it joins.
type openOptions struct {
	size   int      // ranks that there must be; 0: any number
	device bool     // device memory will be given to it
	met    *meeting // where the ranks have met
}

// opened is a transport between processes, joined.
type opened struct {
	transport.Driver
	am         bool   // its native loops can go by active messages too
	library    string // all that it says of itself
	cuda       string // what it tells of CUDA
	noCUDA     bool   // and that it cannot be CUDA-aware
	shortCalls bool
}

// Unwrap gives the transport's own driver.
func (o *opened) Unwrap() transport.Driver { return o.Driver }

// transports lists them in the order in which they are shown.
var transports = []transportEntry{
	{name: "inproc", threads: true, probe: probeInproc},
	{name: "mpi", probe: probeMPI, launcher: mpiLauncher, shim: mpiShim, open: openMPI, mend: mendMPI},
	{name: "ucx", meets: true, probe: probeUCX, launcher: ucxLauncher, shim: ucxShim, open: openUCX},
}

func transportNames() []string {
	var out []string
	for _, t := range transports {
		out = append(out, t.name)
	}
	return out
}

func transportOf(name string) transportEntry {
	for _, t := range transports {
		if t.name == name {
			return t
		}
	}
	panic("gpubench: no transport " + name)
}

func probeInproc(string) plan.Transport {
	t := plan.Transport{Availability: plan.Availability{OK: true}, Direct: map[string]plan.Availability{}}
	for _, d := range gpu.Drivers {
		if d != gpu.CPU {
			t.Direct[string(d)] = plan.Availability{OK: true, Reason: "by construction: the device copies"}
		}
	}
	return t
}

// envShim names a shim outright, for an MPI that scripts/build.sh did not find.
const envShim = "GPUBENCH_MPI_SHIM"

// mpiLauncher finds an mpirun, and the shim that was compiled against its MPI.
func mpiLauncher() (l launch.Launcher, shim string, err error) {
	if l, err = launch.FindLauncher(os.Getenv); err != nil {
		return l, "", err
	}
	shim, err = findShim(envShim, l.Lib)
	return l, shim, err
}

func mpiShim(job launch.Job) (string, error) { return findShim(envShim, launch.Shim(job.Kind)) }

// findShim is the file that a variable names, else what was built.
func findShim(variable, name string) (string, error) {
	if p := os.Getenv(variable); p != "" {
		return p, nil
	}
	return library.Find(name)
}

// shimHere is what would be loaded in this process, or by the PEs that it would start; empty where there is none.
func (t transportEntry) shimHere() (string, error) {
	if t.threads {
		return "", nil
	}
	if job, joined := launch.Joined(os.Getenv); joined {
		return t.shim(job)
	}
	_, shim, err := t.launcher()
	return shim, err
}

func probeMPI(shim string) plan.Transport {
	_, err := libmpi.Inspect(shim)
	return availability(err)
}

func availability(err error) plan.Transport {
	if err != nil {
		return plan.Transport{Availability: plan.Availability{Reason: err.Error()}}
	}
	return plan.Transport{Availability: plan.Availability{OK: true}}
}

func openMPI(shim string, o openOptions) (*opened, error) {
	d, err := libmpi.OpenWith(shim, libmpi.Options{Size: o.size, Device: o.device})
	if err != nil {
		return nil, err
	}
	cuda := d.CUDA()
	return &opened{Driver: d, library: d.Library().Full, shortCalls: d.ShortCalls(), cuda: cuda.Text, noCUDA: cuda.None}, nil
}

// ucxLauncher is gpubench itself: UCX needs no MPI.
func ucxLauncher() (l launch.Launcher, shim string, err error) {
	exe, err := os.Executable()
	if err != nil {
		return l, "", err
	}
	shim, err = ucxShim(launch.Job{})
	return launch.Launcher{Path: exe, Kind: launch.Local}, shim, err
}

func ucxShim(launch.Job) (string, error) { return findShim(envUCXShim, libucx.Shim) }

// envUCXShim names a shim outright, for a UCX that scripts/build.sh did not find.
const envUCXShim = "GPUBENCH_UCX_SHIM"

// probeUCX starts UCX alone: with settings that it does not take it loads, and then does not start.
func probeUCX(shim string) plan.Transport {
	alone, err := rendezvous.Open(func(string) string { return "" }, meetWithin)
	if err != nil {
		return availability(err)
	}
	d, err := libucx.OpenWith(shim, alone, libucx.Options{})
	if err == nil {
		err = d.Close()
	}
	return availability(err)
}

func openUCX(shim string, o openOptions) (*opened, error) {
	x, err := o.met.exchange()
	if err != nil {
		return nil, err
	}
	if o.size > 0 && x.Size() != o.size {
		return nil, fmt.Errorf("ucx: %d PEs were started, not %d", x.Size(), o.size)
	}
	d, err := libucx.OpenWith(shim, x, libucx.Options{Device: o.device})
	var older *libucx.LoadError
	if dir := launch.CUDAUCX(os.Getenv); errors.As(err, &older) && older.Older && dir != "" {
		return nil, fmt.Errorf("%w (as LD_LIBRARY_PATH=%s)", err, dir)
	}
	if err != nil {
		return nil, err
	}
	lib := d.Library()
	return &opened{Driver: d, library: lib.Full, shortCalls: d.ShortCalls(), cuda: lib.CUDAWhy, noCUDA: !lib.CUDA, am: true}, nil
}

// mendMPI says how the MPI that would be used here is made CUDA-aware.
func mendMPI() string {
	l, _, err := mpiLauncher()
	if job, joined := launch.Joined(os.Getenv); joined {
		l.Kind, err = job.Kind, nil
	}
	switch {
	case err == nil && l.Kind == launch.MPICH:
		return "use an MPICH that was built with CUDA, and MPIR_CVAR_ENABLE_GPU=1"
	case err != nil:
		return "use an MPI that was built with CUDA"
	}
	lib := "the library folder of a UCX built with CUDA"
	if dir := launch.CUDAUCX(os.Getenv); dir != "" {
		lib = dir
	}
	return fmt.Sprintf("give Open MPI a UCX with CUDA, by the environment LD_LIBRARY_PATH=%s OMPI_MCA_pml=ucx OMPI_MCA_pml_ucx_tls=any OMPI_MCA_pml_ucx_devices=any", lib)
}

// nativeLoops adapts a driver's loops to what the suite asks for.
type nativeLoops struct {
	d        transport.Looper
	am       bool
	deadline time.Duration // of one message or window; 0: transport.DefaultDeadline
}

var _ suite.Native = nativeLoops{}

// native are the loops whole in C, by name; each of their waits lasts as long as deadline says.
func (o *opened) native(deadline time.Duration) map[string]suite.Native {
	loops, ok := transport.As[transport.Looper](o)
	if !ok {
		return nil
	}
	m := map[string]suite.Native{"native": nativeLoops{loops, false, deadline}}
	if o.am {
		m["native-am"] = nativeLoops{loops, true, deadline}
	}
	return m
}

func (n nativeLoops) loop(peer int, first bool, send, recv gpu.Memory, iterations, window int) transport.Loop {
	return transport.Loop{Ctx: transport.CtxModel, Peer: peer, Tag: 1, First: first, Send: send, Recv: recv,
		Bytes: send.Len, Iterations: iterations, Window: window, Deadline: n.deadline, AM: n.am}
}

func (n nativeLoops) PingPong(peer int, first bool, send, recv gpu.Memory, iterations int) (time.Duration, error) {
	return n.d.NativePingpong(n.loop(peer, first, send, recv, iterations, 1))
}

func (n nativeLoops) Bandwidth(peer int, first bool, send, recv gpu.Memory, window, iterations int) (time.Duration, error) {
	return n.d.NativeBandwidth(n.loop(peer, first, send, recv, iterations, window))
}
