package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"gpubench/internal/result"
)

// How a killed PE is reported: by its supervisor, or by the PE that waited for it.
var lost = regexp.MustCompile(`signal: killed|PE \d+: .*the peer has died`)

// A PE that is killed in the middle of a case costs that case alone: the others end soon, the message names the PE, the
// rest runs on fresh PEs, and nothing is left behind.
func TestAKilledPE(t *testing.T) {
	if testing.Short() {
		t.Skip("runs for seconds")
	}
	cases := map[string][]string{ // three cases each
		"pingpong":  {"-m", "8,4K,1M"},
		"bandwidth": {"-m", "8,4K,1M", "-W", "8"},
		"jacobi3d":  {"--grid", "24,24,24", "--odf", "1,2,3"},
	}
	for _, transport := range transportNames() {
		for benchmark, flags := range cases {
			t.Run(transport+" "+benchmark, func(t *testing.T) {
				need(t, transport)
				killOne(t, transport, append([]string{"run", benchmark, "--path", "host", "--model", "charm"}, flags...))
			})
		}
	}
	t.Run("ucx pingpong direct", func(t *testing.T) {
		cudaAware(t)
		killOne(t, "ucx", append([]string{"run", "pingpong", "--path", "direct", "--device", "emulated", "--model", "mpi"}, cases["pingpong"]...))
	})
}

// need skips where there is no such transport, unless it must be there.
func need(t *testing.T, transport string) {
	t.Helper()
	p, err := ask(t.Context(), probeLimit, "transport:"+transport) // in a child: a process can have one UCX alone
	if err != nil {
		t.Fatal(err)
	}
	if a := p.Transport; !a.OK {
		if os.Getenv("GPUBENCH_REQUIRE_"+strings.ToUpper(transport)) != "" {
			t.Fatalf("%s is required: %s", transport, a.Reason)
		}
		t.Skip(a.Reason)
	}
}

func killOne(t *testing.T, transport string, args []string) {
	dir, tmp := t.TempDir(), shortTemp(t)
	shared := entries("/dev/shm")
	cmd := process(append(args, "--transport", transport, "--time", "1.5s", "--order", "listed", "--timeout", "60s", "--limits=false", "-o", dir)...)
	cmd.Env = append(cmd.Env, "TMPDIR="+tmp)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	// The second case runs for seconds from when the first one's record is there.
	records := func() int {
		b, _ := os.ReadFile(filepath.Join(dir, "results.jsonl"))
		return bytes.Count(b, []byte(`"benchmark":`))
	}
	for deadline := time.Now().Add(60 * time.Second); records() == 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no case finished\n%s", out.String())
		}
	}
	time.Sleep(500 * time.Millisecond)
	victim := 0
	below := descendants(cmd.Process.Pid)
	for _, p := range below {
		if c := commandOf(p); strings.Contains(c, "_worker") && !strings.Contains(c, " -n ") && (transport == "inproc" || rankOf(p) == "1") {
			victim = p
		}
	}
	if victim == 0 {
		t.Fatalf("no PE came up\n%s", out.String())
	}
	if err := syscall.Kill(victim, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	for n := records(); records() == n && time.Since(killed) < 30*time.Second; {
		time.Sleep(20 * time.Millisecond)
	}
	if took := time.Since(killed); took > 15*time.Second {
		t.Errorf("the case ended %v after its PE", took)
	}
	below = append(below, descendants(cmd.Process.Pid)...)
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitFailed {
		t.Errorf("exit %d, want 1\n%s", code, out.String())
	}
	recs := readResults(t, dir).Records
	if len(recs) != 3 {
		t.Fatalf("%d records, want 3\n%s", len(recs), out.String())
	}
	isLost := func(r result.Record) bool { return r.Status == result.Failed && lost.MatchString(r.Reason) }
	if n := count(recs, isLost); n != 1 || count(recs, func(r result.Record) bool { return r.Status == result.OK }) != 2 {
		t.Errorf("%d cases were lost, want 1", n)
		for _, r := range recs {
			t.Logf("%s: %.300s", r.Status, r.Reason)
		}
	}
	for _, r := range recs {
		if isLost(r) && transport != "inproc" && !strings.Contains(r.Reason, "PE 1") && !strings.Contains(r.Reason, "rank 1") {
			t.Errorf("the reason does not name the PE: %s", r.Reason)
		}
	}
	left := func() (what []string) {
		for _, p := range below {
			if alive(p) {
				what = append(what, fmt.Sprintf("process %d: %s", p, commandOf(p)))
			}
		}
		for _, f := range entries("/dev/shm") {
			if !slices.Contains(shared, f) && !mapped("/dev/shm/"+f) { // others on this machine have their own
				what = append(what, "shared memory "+f)
			}
		}
		for _, f := range entries(tmp) {
			what = append(what, "temporary file "+f)
		}
		return what
	}
	for began := time.Now(); len(left()) > 0 && time.Since(began) < 3*time.Second; {
		time.Sleep(50 * time.Millisecond)
	}
	for _, l := range left() {
		t.Errorf("left behind: %s", l)
	}
}

// entries are the names in a folder.
func entries(dir string) (names []string) {
	list, _ := os.ReadDir(dir)
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

// mapped reports whether a living process has a file in its memory.
func mapped(file string) bool {
	all, _ := filepath.Glob("/proc/[0-9]*/maps")
	return slices.ContainsFunc(all, func(maps string) bool {
		text, _ := os.ReadFile(maps)
		return bytes.Contains(text, []byte(file))
	})
}

// rankOf is what a launcher told a process of its rank.
func rankOf(pid int) string {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	for _, kv := range strings.Split(string(b), "\x00") {
		for _, name := range []string{"OMPI_COMM_WORLD_RANK=", "PMI_RANK=", "GPUBENCH_RANK="} {
			if v, ok := strings.CutPrefix(kv, name); ok {
				return v
			}
		}
	}
	return ""
}

// shortTemp is a folder whose path leaves room for a socket's name in it.
func shortTemp(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
