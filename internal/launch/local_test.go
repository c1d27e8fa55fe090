package launch

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gpubench/internal/launch/rendezvous"
)

// partEnv names what a started process plays: the test binary is PE, launcher and launcher's parent.
const partEnv = "GPUBENCH_LAUNCH_TEST_PART"

func TestMain(m *testing.M) {
	if part := os.Getenv(partEnv); part != "" {
		os.Exit(playPart(part))
	}
	goleak.VerifyTestMain(m)
}

func playPart(part string) int {
	rank := os.Getenv(rendezvous.EnvRank)
	switch part {
	case "launch", "parent":
		exe, _ := os.Executable()
		if part == "parent" { // of a launcher
			cmd := exec.Command(exe)
			cmd.Env, cmd.Stderr = append(os.Environ(), partEnv+"=launch"), os.Stderr
			_ = cmd.Run()
			return 0
		}
		fmt.Fprintln(os.Stderr, "pid", os.Getpid())
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM) // as gpubench does
		defer stop()
		status, _ := RunLocal(ctx, LocalJob{N: 3, Argv: []string{exe}, Env: append(os.Environ(), partEnv+"=spin"),
			Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr})
		return status
	case "spin": // and never come
		signal.Ignore(syscall.SIGTERM)
		fmt.Fprintln(os.Stderr, "pid", os.Getpid())
		spin()
	case "greet":
		text, _ := io.ReadAll(os.Stdin)
		fmt.Fprintf(os.Stderr, "PE %s reads %q\nhalf a line", rank, text)
		fmt.Printf("PE %s writes\x00 no line's end", rank)
		return 0
	case "status": // PE 1 exits with 3, the others do not notice
		if rank == "1" {
			return 3
		}
		signal.Ignore(syscall.SIGTERM)
		spin()
	case "absent": // PE 1 ends in order and never comes
		if rank == "1" {
			return 0
		}
		e, err := rendezvous.Open(os.Getenv, 10*time.Second)
		if err != nil {
			return 9
		}
		_, err = e.AllGather(nil, 10*time.Second)
		fmt.Fprintln(os.Stderr, err)
		_ = e.Close()
		return 0
	case "killed": // PE 1 dies, the others notice
		e, err := rendezvous.Open(os.Getenv, 10*time.Second)
		if err != nil {
			return 9
		}
		if _, err := e.AllGather(nil, 10*time.Second); err != nil {
			return 9
		}
		if e.Rank() == 1 {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
		_, err = e.AllGather(nil, 10*time.Second)
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 99
}

// spin is a PE that waits in a loop and looks at nothing else; it ends in time even where nobody ends it.
func spin() {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
	}
}

// launched runs a part as n PEs of this process.
func launched(t *testing.T, ctx context.Context, n int, part string, grace time.Duration) (status int, stdout, stderr string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "in"), []byte("words"), 0o600); err != nil {
		t.Fatal(err)
	}
	in, err1 := os.Open(filepath.Join(dir, "in"))
	out, err2 := os.Create(filepath.Join(dir, "out"))
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	defer out.Close()
	var errs bytes.Buffer
	status, err = RunLocal(ctx, LocalJob{N: n, Argv: []string{exe}, Env: append(os.Environ(), partEnv+"="+part),
		Stdin: in, Stdout: out, Stderr: &errs, Grace: grace})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	return status, string(text), errs.String()
}

func sorted(text string) string {
	l := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	slices.Sort(l)
	return strings.Join(l, "\n")
}

func TestWhatPEsReadAndWrite(t *testing.T) {
	status, out, errs := launched(t, context.Background(), 3, "greet", 0)
	if status != 0 || out != "PE 0 writes\x00 no line's end" {
		t.Errorf("status %d, %q", status, out)
	}
	// PEs 1 and 2 write to stdout in the middle of a line of stderr's.
	want := "PE 0 reads \"words\"\nPE 1 reads \"\"\nPE 2 reads \"\"\nhalf a line\n" +
		"half a linePE 1 writes\x00 no line's end\nhalf a linePE 2 writes\x00 no line's end"
	if sorted(errs) != want {
		t.Errorf("stderr\n%q\nwant\n%q", sorted(errs), want)
	}
}

var killedLine = regexp.MustCompile(`(?m)^gpubench: PE 1 \(process \d+\) was killed by signal 9 \(killed\)$`)

func TestAKilledPEIsNamedFirst(t *testing.T) {
	began := time.Now()
	status, _, errs := launched(t, context.Background(), 4, "killed", 0)
	if status != 128+9 || time.Since(began) > LocalGrace {
		t.Errorf("status %d after %v", status, time.Since(began))
	}
	if !killedLine.MatchString(errs) || !strings.HasPrefix(errs[strings.Index(errs, "gpubench: "):], "gpubench: PE 1 ") {
		t.Errorf("stderr does not name PE 1 first:\n%s", errs)
	}
	if n := strings.Count(errs, "rendezvous: PE 1 "); n != 3 {
		t.Errorf("%d of 3 others were told of PE 1:\n%s", n, errs)
	}
	if n := strings.Count(errs, "exited with status 1"); n != 3 {
		t.Errorf("%d of 3 others are said to have ended:\n%s", n, errs)
	}
}

func TestTheOthersGetAGrace(t *testing.T) {
	began := time.Now()
	status, _, errs := launched(t, context.Background(), 3, "status", 300*time.Millisecond)
	if took := time.Since(began); status != 3 || took < 300*time.Millisecond || took > 4*time.Second {
		t.Errorf("status %d after %v", status, took)
	}
	if n := strings.Count(errs, "\n"); n != 1 || !regexp.MustCompile(`^gpubench: PE 1 \(process \d+\) exited with status 3\n$`).MatchString(errs) {
		t.Errorf("stderr:\n%s", errs)
	}
}

func TestACancelledJobEnds(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, _, errs := launched(t, ctx, 3, "spin", 0)
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("it took %v", took)
	}
	if strings.Contains(errs, "gpubench: ") {
		t.Errorf("what we ended is told:\n%s", errs)
	}
}

// alive reports that a process runs: not that its parent has yet to ask how it ended.
func alive(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	return !strings.HasPrefix(rest, "Z")
}

func TestPEsDieWithTheirLauncher(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		part string // what is killed: the launcher, or its parent
		sig  syscall.Signal
	}{{"launch", syscall.SIGKILL}, {"parent", syscall.SIGKILL}} {
		tmp, err := os.MkdirTemp("/tmp", "launch-test-") // short enough for a socket
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(tmp)
		cmd := exec.Command(exe)
		cmd.Env = append(os.Environ(), partEnv+"="+c.part, "TMPDIR="+tmp)
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		cmd.Stderr = w
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		_ = w.Close()
		var pids []int
		_ = r.SetReadDeadline(time.Now().Add(20 * time.Second))
		for in := bufio.NewScanner(r); len(pids) < 4 && in.Scan(); {
			if n, err := strconv.Atoi(strings.TrimPrefix(in.Text(), "pid ")); err == nil {
				pids = append(pids, n)
			}
		}
		if len(pids) != 4 {
			t.Fatalf("%s: processes %v", c.part, pids)
		}
		_ = cmd.Process.Signal(c.sig)
		_ = cmd.Wait()
		for end := time.Now().Add(5 * time.Second); slices.ContainsFunc(pids, alive); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: of %v some live on", c.part, pids)
			}
		}
		left, _ := filepath.Glob(filepath.Join(tmp, "gpubench-rv-*"))
		if n := map[string]int{"launch": 1, "parent": 0}[c.part]; len(left) != n {
			t.Errorf("%s: folders %q are left", c.part, left)
		}
		t.Setenv("TMPDIR", tmp)
		s, err := rendezvous.Serve(1) // the next launcher sweeps
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		if left, _ := filepath.Glob(filepath.Join(tmp, "gpubench-rv-*")); len(left) != 0 {
			t.Errorf("%s: folders %q are left after the next start", c.part, left)
		}
	}
}

// The others do not wait out their time for a PE that ended with status 0 before it came.
func TestAPEThatNeverComes(t *testing.T) {
	began := time.Now()
	status, _, stderr := launched(t, t.Context(), 3, "absent", time.Second)
	if want := "rendezvous: PE 1 exited with status 0\n"; status != 0 || stderr != want+want {
		t.Errorf("status %d, %q", status, stderr)
	}
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestAProgramThatIsNotThere(t *testing.T) {
	_, err := RunLocal(context.Background(), LocalJob{N: 2, Argv: []string{"/nonexistent/program"}, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr})
	if err == nil || !strings.Contains(err.Error(), "start PE 0: ") || !strings.Contains(err.Error(), "/nonexistent/program") {
		t.Error(err)
	}
	if _, err := RunLocal(context.Background(), LocalJob{N: 0}); err == nil {
		t.Error("no PEs were started")
	}
}

func TestLinesAreWhole(t *testing.T) {
	var out bytes.Buffer
	to := &lines{w: &out}
	a, b := &lineWriter{to: to}, &lineWriter{to: to}
	io.WriteString(a, "one ")
	io.WriteString(b, "two\nth")
	io.WriteString(a, "line\n")
	io.WriteString(b, "ree")
	b.flush()
	a.flush()
	if out.String() != "two\none line\nthree\n" {
		t.Errorf("%q", out.String())
	}
	out.Reset()
	io.WriteString(a, strings.Repeat("x", maxLine+1))
	if out.Len() != maxLine+2 {
		t.Errorf("a line without end is kept: %d bytes", out.Len())
	}
}
