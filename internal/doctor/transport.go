// Transports: which can be used, which MPI stands behind them, who takes device memory.

package doctor

import (
	"path/filepath"
	"strings"
)

func (e *examiner) transports() {
	for _, name := range e.Names {
		t := e.Machine.Transports[name]
		l := line{subject: name}
		if t.OK {
			e.add("transport", OK, l, "can be used")
			continue
		}
		l.mend = map[string]string{
			"mpi": "install an MPI and run scripts/build.sh with its mpicc, or run scripts/setup.sh; GPUBENCH_MPIRUN and GPUBENCH_MPI_SHIM name others",
			"ucx": "install UCX and run scripts/build.sh, or name its folder in GPUBENCH_UCX",
		}[name]
		status := None
		if name == "mpi" && e.MPI.Broken {
			status = Warn
		}
		e.add("transport", failIf(e.asksTransport(name) || name == "inproc" && len(e.Ask.Transports) == 0, status), l, "%s", t.Reason)
	}
	e.mpi()
	e.direct()
	e.ucx()
}

var launcherWords = map[string]string{"openmpi": "Open MPI's", "mpich": "MPICH's (Hydra)", "pmix": "a PMIx launcher", "pmi": "a PMI launcher"}

func (e *examiner) mpi() {
	asked := e.asksTransport("mpi")
	m := e.MPI.Value
	switch {
	case m == nil && e.MPI.Broken:
		e.add("mpi", failIf(asked, Warn), line{mend: "name a working mpirun in GPUBENCH_MPIRUN, or build the shim again with scripts/build.sh"}, "%s", e.MPI.Why)
	case m == nil:
		e.add("mpi", failIf(asked, None), line{mend: "install an MPI, or name its mpirun in GPUBENCH_MPIRUN"}, "%s", e.MPI.Why)
	case m.Mismatch != "": // a quick run would try, and its cases would fail
		e.add("mpi", failIf(asked || len(e.Ask.Transports) == 0, Warn), line{detail: m, mend: "use the launcher of that library, or the shim built with the launcher's mpicc: GPUBENCH_MPIRUN, GPUBENCH_MPI_SHIM"},
			"%s", m.Mismatch)
	default:
		by := "started by " + m.Launcher
		if e.Joined {
			by = "this process was started by " + launcherWords[m.Kind]
		} else if w := launcherWords[m.Kind]; w != "" {
			by += ", " + w
		}
		e.add("mpi", OK, line{detail: m}, "%s through %s; %s", m.Library, filepath.Base(m.Shim), by)
	}
}

// direct says for every transport whether it takes memory of the device that a run would use.
func (e *examiner) direct() {
	device := e.Device()
	if device == "cpu" {
		e.add("direct", failIf(e.asksDirect(), None), line{mend: "give --device cuda or emulated"}, "cpu has no memory of its own")
		return
	}
	for _, name := range e.Names {
		t := e.Machine.Transports[name]
		if !t.OK {
			continue // transport says why
		}
		l := line{subject: name, detail: map[string]any{"device": device}}
		a := t.Direct[device]
		if a.OK { // the reason is how that is known
			found := "takes memory of " + device + " devices"
			if a.Reason != "" {
				found += "; " + a.Reason
			}
			e.add("direct", OK, l, "%s", found)
			continue
		}
		if d := e.Machine.Devices[device]; !d.OK {
			l.mend = "see the lines of that device"
			e.add("direct", failIf(e.asksDirect(), None), l, "nothing was tried: device %s: %s", device, d.Reason)
			continue
		}
		if l.mend = e.Mends[name]; l.mend == "" {
			l.mend = "--path staged goes through the host"
		}
		asked := e.asksDirect() && (len(e.Ask.Transports) == 0 && name != "inproc" || e.asksTransport(name))
		why := strings.TrimSuffix(a.Reason, ": "+e.Mends[name])
		e.add("direct", failIf(asked, Warn), l, "%s", orWord(why, "device memory cannot be given to it"))
	}
}
