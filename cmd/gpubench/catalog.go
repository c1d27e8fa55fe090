// The lists: which transports there are, and how one is found and opened. The
// benchmarks' list is suite.All, the reports' is report.Formats.

package main

import (
	"os"
	"time"

	"gpubench/gpu"
	"gpubench/internal/launch"
	"gpubench/internal/library"
	"gpubench/internal/plan"
	"gpubench/internal/suite"
	"gpubench/runtimes/transport"
	"gpubench/runtimes/transport/libmpi"
)

// transportEntry is a transport that PEs can be started for.
type transportEntry struct {
	name    string
	threads bool // PEs are threads of one process; else a launcher starts them
	// probe says whether it can be used here. It runs in a process of its own.
	probe func() plan.Transport
}

// transports lists them in the order in which they are shown.
var transports = []transportEntry{
	{name: "inproc", threads: true, probe: probeInproc},
	{name: "mpi", probe: probeMPI},
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

func probeInproc() plan.Transport {
	t := plan.Transport{Availability: plan.Availability{OK: true}, Direct: map[string]plan.Availability{}}
	for _, d := range gpu.Drivers {
		if d != gpu.CPU {
			t.Direct[string(d)] = plan.Availability{OK: true}
		}
	}
	return t
}

// mpiFor says which shim goes with the launcher that started this process, or
// with the one that would start PEs here.
func mpiFor(job launch.Job, joined bool) (shim string, l launch.Launcher, err error) {
	name := launch.ShimDefault
	if joined {
		name = launch.Shim(job.Kind)
	} else if l, err = launch.FindLauncher(os.Getenv); err != nil {
		return "", l, err
	} else {
		name = l.Lib
	}
	if p := os.Getenv(envShim); p != "" {
		return p, l, nil
	}
	shim, err = library.Find(name)
	return shim, l, err
}

// envShim names a shim outright, for an MPI that scripts/build.sh did not find.
const envShim = "GPUBENCH_MPI_SHIM"

func probeMPI() plan.Transport {
	job, joined := launch.Joined(os.Getenv)
	t := plan.Transport{Direct: map[string]plan.Availability{}}
	shim, _, err := mpiFor(job, joined)
	if err == nil {
		_, err = libmpi.Inspect(shim)
	}
	if err != nil {
		t.Reason = err.Error()
		return t
	}
	t.OK = true
	for _, d := range gpu.Drivers {
		t.Direct[string(d)] = plan.Availability{Reason: libmpi.NotAware}
	}
	return t
}

// nativeLoops adapts a driver's loops to what the suite asks for.
type nativeLoops struct {
	d     transport.Looper
	first bool
}

var _ suite.Native = nativeLoops{}

func (n nativeLoops) loop(peer int, send, recv gpu.Memory, iterations, window int) transport.Loop {
	return transport.Loop{Ctx: transport.CtxModel, Peer: peer, Tag: 1, First: n.first, Send: send, Recv: recv,
		Bytes: send.Len, Iterations: iterations, Window: window}
}

func (n nativeLoops) PingPong(peer int, send, recv gpu.Memory, iterations int) (time.Duration, error) {
	return n.d.NativePingpong(n.loop(peer, send, recv, iterations, 1))
}

func (n nativeLoops) Bandwidth(peer int, send, recv gpu.Memory, window, iterations int) (time.Duration, error) {
	return n.d.NativeBandwidth(n.loop(peer, send, recv, iterations, window))
}
