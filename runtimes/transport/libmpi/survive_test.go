// What MPI must not break: Go's signals and panics; and what must not outlive its end: ranks, waits, processes.
package libmpi

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gpubench/internal/launch"
	"gpubench/runtimes/transport"
	"gpubench/runtimes/transport/internal/gate"
	"gpubench/runtimes/transport/transporttest"
)

func init() {
	parts["signals"] = signalsPart
	parts["death"] = deathPart
	parts["spin"] = spinPart
	parts["late"] = latePart
	parts["fire"] = firePart
}

// signalsPart: after MPI is up, a nil dereference is a panic that can be recovered, and signals reach Go.
func signalsPart(string) error {
	d, err := openTest(Options{})
	if err != nil {
		return err
	}
	if err := transporttest.Signals(); err != nil {
		return err
	}
	return d.Close()
}

func TestSignals(t *testing.T) {
	eachMPI(t, func(t *testing.T, m mpi) { m.ok(t, 2, "signals", "") })
}

// TestUndoesHandlers shows that the test above can fail: without our care UCX or Open MPI take the signals. It calls
// for them outright.
func TestUndoesHandlers(t *testing.T) {
	eachMPI(t, func(t *testing.T, m mpi) {
		cmd := m.command(1, "signals", "")
		cmd.Env = append(cmd.Env, "OMPI_MCA_opal_signal=6,7,8,11", "UCX_HANDLE_ERRORS=bt,freeze", "UCX_ERROR_SIGNALS=SIGILL,SIGSEGV,SIGBUS,SIGFPE")
		if r := run(t, cmd, time.Minute); r.status != 0 {
			t.Errorf("status %d\n%s", r.status, r.out)
		}
	})
}

// deathPart: rank 1 kills itself while the other waits for it.
func deathPart(file string) error { return seen(file, death()) }

// seen is what a rank came to when another killed itself. Rank 0 is out of reach of the launcher, which would end it too,
// and writes it to a file.
func seen(file string, err error) error {
	if getenv("PMI_RANK")+getenv("OMPI_COMM_WORLD_RANK") != "0" {
		return err
	}
	if err == nil {
		err = errors.New("survived")
	}
	return os.WriteFile(file, []byte(err.Error()), 0o644)
}

func death() error {
	d, err := openTest(Options{CloseDeadline: 2 * time.Second})
	if err != nil {
		return err
	}
	ep, err := transport.New(d, transport.Config{Deadline: 20 * time.Second, Yield: d.Oversubscribed()})
	if err != nil {
		return err
	}
	m := testBuffer(100000, false)
	if ep.Rank() == 1 {
		if _, err := ep.Recv(1, m.Slice(0, 8), 0, 1); err != nil {
			return err
		}
		return syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	launch.DieWithParent(0)
	if err := ep.Send(1, m.Slice(0, 8), 1, 1); err != nil {
		return err
	}
	began := time.Now()
	_, err = ep.Recv(1, m, 1, 2)
	if took := time.Since(began); !errors.Is(err, transport.ErrPeerDied) || took > 10*time.Second {
		return fmt.Errorf("receive: after %v: %v", took, err)
	}
	if st, ok, err := ep.Probe(1, 1, 2); ok || !errors.Is(err, transport.ErrPeerDied) {
		return fmt.Errorf("probe: %+v, %v, %v", st, ok, err)
	}
	if err := ep.Send(1, m, 1, 3); !errors.Is(err, transport.ErrPeerDied) {
		return fmt.Errorf("send: %v", err)
	}
	if err := ep.SendHeader(1, nil); !errors.Is(err, transport.ErrPeerDied) {
		return fmt.Errorf("header: %v", err)
	}
	if peer, _, _, err := ep.RecvHeader(make([]byte, ep.Caps().MaxHeader)); peer != 1 || !errors.Is(err, transport.ErrPeerDied) {
		return fmt.Errorf("taking headers: PE %d: %v", peer, err)
	}
	began = time.Now()
	if err := ep.Close(); !errors.Is(err, transport.ErrPeerDied) || time.Since(began) > 10*time.Second {
		return fmt.Errorf("close: after %v: %v", time.Since(began), err)
	}
	return nil
}

func TestDeath(t *testing.T) {
	eachMPI(t, func(t *testing.T, m mpi) {
		if seen := m.outliving(t, "death", filepath.Join(t.TempDir(), "seen")); seen != "survived" {
			t.Errorf("rank 0 saw %q", seen)
		}
	})
}

// outliving starts two ranks of a part that one of them does not survive, and gives what rank 0 wrote to file.
func (m mpi) outliving(t *testing.T, part, file string) string {
	t.Helper()
	cmd := m.command(2, part, file)
	n := len(cmd.Args) - 1
	cmd.Args = append(cmd.Args[:n:n], "setsid", "-w", cmd.Args[n]) // Hydra ends process groups
	if m.Kind == launch.OpenMPI {                                  // it finds processes
		cmd.Args = append([]string{cmd.Args[0], "--continuous"}, cmd.Args[1:]...)
	}
	run(t, cmd, time.Minute)
	var seen []byte
	for began := time.Now(); len(seen) == 0 && time.Since(began) < 30*time.Second; time.Sleep(10 * time.Millisecond) {
		seen, _ = os.ReadFile(file)
	}
	return string(seen)
}

// latePart: rank 1 does not close in time. The others do not wait for ever.
func latePart(string) error {
	d, err := openTest(Options{CloseDeadline: 500 * time.Millisecond})
	if err != nil {
		return err
	}
	if d.Caps().Rank == 1 {
		time.Sleep(3 * time.Second)
		os.Exit(0)
	}
	began := time.Now()
	err = d.Close()
	if took := time.Since(began); !errors.Is(err, transport.ErrPeerDied) || took > 2500*time.Millisecond {
		return fmt.Errorf("close: after %v: %v", took, err)
	}
	fmt.Println("gave up:", err)
	return nil
}

func TestCloseDeadline(t *testing.T) {
	eachMPI(t, func(t *testing.T, m mpi) {
		if r := run(t, m.command(2, "late", ""), time.Minute); !strings.Contains(r.out, "gave up: ") {
			t.Errorf("status %d\n%s", r.status, r.out)
		}
	})
}

// spinPart says its process id and waits for ever.
func spinPart(string) error {
	d, err := openTest(Options{})
	if err != nil {
		return err
	}
	ep, err := transport.New(d, transport.Config{Deadline: -1})
	if err != nil {
		return err
	}
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP) // only the kernel can end this
	fmt.Printf("spinning %d\n", os.Getpid())
	_, err = ep.Recv(1, testBuffer(8, false), ep.Rank(), 1)
	return err
}

// TestLauncherKilled: when mpirun (and the daemon that started the ranks) is killed, no rank stays behind.
func TestLauncherKilled(t *testing.T) {
	eachMPI(t, func(t *testing.T, m mpi) {
		cmd := m.command(2, "spin", "")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var ranks []int
		buf := make([]byte, 4096)
		text := ""
		for len(ranks) < 2 {
			n, err := out.Read(buf)
			if err != nil {
				t.Fatalf("%v:\n%s", err, text)
			}
			text += string(buf[:n])
			ranks = nil
			for _, w := range strings.Split(text, "\n") {
				if pid, err := strconv.Atoi(strings.TrimPrefix(strings.TrimSpace(w), "spinning ")); err == nil && strings.HasPrefix(w, "spinning ") {
					ranks = append(ranks, pid)
				}
			}
		}
		daemon := parent(t, ranks[0])
		_ = syscall.Kill(daemon, syscall.SIGKILL)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		for _, pid := range ranks {
			for began := time.Now(); alive(pid); time.Sleep(10 * time.Millisecond) {
				if time.Since(began) > 5*time.Second {
					_ = syscall.Kill(pid, syscall.SIGKILL)
					t.Errorf("rank %d outlives its launcher", pid)
					break
				}
			}
		}
	})
}

// parent is the process that started pid.
func parent(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	p, err := strconv.Atoi(strings.Fields(rest)[1])
	if err != nil || p <= 1 {
		t.Fatalf("parent of %d: %d, %v", pid, p, err)
	}
	return p
}

// alive is false for a process that has ended, also where nobody has asked for its status.
func alive(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	return !strings.HasPrefix(rest, "Z")
}

// firePart sends messages back and forth under collections and stops of the world.
func firePart(string) error {
	d, err := openTest(Options{Size: 2})
	if err != nil {
		return err
	}
	ep, err := transport.New(d, transport.Config{Yield: d.Oversubscribed()})
	if err != nil {
		return err
	}
	return transporttest.UnderFire(ep, 4200, gate.MaxLen) // across the limit of short crossings
}

func TestUnderFire(t *testing.T) {
	eachMPI(t, func(t *testing.T, m mpi) { m.ok(t, 2, "fire", "") })
}
