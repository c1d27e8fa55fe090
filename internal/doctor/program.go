// The program itself: its variables, what was built beside it, what a run would do.

package doctor

import (
	"fmt"
	"slices"
	"strings"
)

func (e *examiner) program() {
	if e.Environment != "" {
		e.add("environment", Fail, line{mend: "correct or unset the variable"}, "%s", e.Environment)
	} else {
		var set []string
		for _, n := range EnvNames {
			if v := e.Env[n]; v != "" && strings.HasPrefix(n, "GPUBENCH_") {
				set = append(set, n+"="+v)
			}
		}
		e.add("environment", OK, line{}, "%s", orWord(strings.Join(set, ", "), "no variable of gpubench's is set"))
	}
	if e.Temp != "" {
		e.add("temp", Fail, line{mend: "name a folder that can be written in TMPDIR"}, "%s", e.Temp)
	} else {
		e.add("temp", OK, line{}, "temporary files can be written")
	}
	e.kernels()
	e.shims()
	e.across()
	e.run()
}

func (e *examiner) kernels() {
	k := e.Kernels
	const build = "build them with scripts/build.sh, or point GPUBENCH_LIB at their folder"
	needed := e.Device() == "cuda" // emulated and cpu have the kernels' bodies in the program
	switch {
	case k.Damaged != "":
		e.add("kernels", failIf(needed, Warn), line{mend: build}, "%s", k.Damaged)
	case k.Found == 0:
		e.add("kernels", failIf(needed, None), line{mend: build}, "no kernels for GPUs in %s", strings.Join(k.Dirs, ", "))
	case len(k.Missing) > 0:
		e.add("kernels", failIf(needed, Warn), line{mend: build}, "%s not found in %s", strings.Join(k.Missing, ", "), strings.Join(k.Dirs, ", "))
	default:
		var code []string
		for _, c := range k.Code {
			code = append(code, c.String())
		}
		e.add("kernels", OK, line{detail: map[string]any{"code": k.Code}}, "%d fatbins with %s", k.Found, strings.Join(code, " "))
	}
}

// String is sm_80 for machine code, compute_80 (PTX 9.0) for PTX.
func (c Code) String() string {
	if c.PTX {
		return fmt.Sprintf("compute_%d (PTX %d.%d)", c.Arch, c.ISA[0], c.ISA[1])
	}
	return fmt.Sprintf("sm_%d", c.Arch)
}

func (e *examiner) shims() {
	if len(e.Shims) == 0 {
		e.add("shim", None, line{mend: "where MPI is wanted: scripts/build.sh with an mpicc builds one"},
			"no shim of a library in %s", strings.Join(e.Kernels.Dirs, ", "))
	}
	for _, s := range e.Shims {
		l := line{subject: s.Path[strings.LastIndexByte(s.Path, '/')+1:], detail: s}
		if s.Why != "" {
			l.mend = "build it again with scripts/build.sh"
			e.add("shim", Warn, l, "%s", s.Why)
			continue
		}
		e.add("shim", OK, l, "%s", s.Library)
	}
}

// across says whether the files are there by which device memory goes between processes on the emulated device, and by
// which it is known how it went.
func (e *examiner) across() {
	if len(e.Across) == 0 {
		e.add("across", OK, line{}, "the emulated driver as a library, and the witness that proves lanes")
		return
	}
	status := None // where no transport between processes is there either
	if len(e.Shims) > 0 {
		status = failIf(e.asksDirect(), Warn)
	}
	e.add("across", status, line{mend: "scripts/build.sh makes them: without the emulated driver nothing is direct over mpi and ucx there, without the witness lanes stay unknown"},
		"%s not found in %s", strings.Join(e.Across, ", "), strings.Join(e.Kernels.Dirs, ", "))
}

// run says what a quick run with these flags would do.
func (e *examiner) run() {
	if e.PlanWhy != "" {
		e.add("run", Fail, line{mend: "see the checks below, or ask for less"}, "%s", e.PlanWhy)
		return
	}
	status := OK
	reasons := []string{}
	left := 0
	for _, c := range e.Plan.Skipped {
		if c.Misfit { // which says nothing of this machine
			continue
		}
		left++
		transport := c.Params.String("transport")
		if why := strings.TrimSuffix(c.Skip, ": "+e.Mends[transport]); !slices.Contains(reasons, why) { // direct says what to do
			reasons = append(reasons, why)
		}
		if slices.Contains(e.Ask.Paths, c.Params.String("path")) || e.asksTransport(transport) && !e.Machine.Transports[transport].OK {
			status = Fail
		}
	}
	l := line{detail: map[string]any{"cases": e.Plan.Cases(), "left_out": left, "reasons": reasons, "device": e.Plan.Device}}
	found := fmt.Sprintf("a quick run has %d cases, device %s", e.Plan.Cases(), e.Plan.Device)
	if len(reasons) > 0 {
		found += fmt.Sprintf(", and leaves out %d: %s", left, strings.Join(reasons, "; "))
	}
	if status == Fail {
		l.mend = "what was asked for is left out: see the checks below"
	}
	e.add("run", status, l, "%s", found)
}

func orWord(s, word string) string {
	if s == "" {
		return word
	}
	return s
}
