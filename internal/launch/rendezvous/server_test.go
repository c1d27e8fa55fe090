package rendezvous

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// folder is a temporary folder with a path short enough for a socket.
func folder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "rv-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// started is a server in a folder of the test's, or on loopback where tcp is.
func started(t testing.TB, n int, tcp bool) *Server {
	t.Helper()
	parent := "/nonexistent"
	if !tcp {
		parent = folder(t)
	}
	s, err := serve(n, 500*time.Millisecond, parent)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// env is a PE's environment, with some of it changed.
func env(s *Server, rank int, changes ...string) func(string) string {
	all := append(s.Env(rank), changes...)
	return func(name string) (v string) {
		for _, kv := range all {
			if k, x, _ := strings.Cut(kv, "="); k == name {
				v = x
			}
		}
		return v
	}
}

func join(t testing.TB, s *Server, rank int) Exchange {
	t.Helper()
	e, err := Open(env(s, rank), 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// all lets each PE do something at the same time.
func all(n int, f func(rank int) error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for r := range n {
		wg.Add(1)
		go func() {
			defer wg.Done()
			errs[r] = f(r)
		}()
	}
	wg.Wait()
	return errors.Join(errs...)
}

func TestAllGather(t *testing.T) {
	for _, tcp := range []bool{false, true} {
		for _, n := range []int{1, 2, 5} {
			s := started(t, n, tcp)
			if on := strings.HasPrefix(s.door.address, "tcp:127.0.0.1:"); on != tcp {
				t.Fatalf("listens on %s", s.door.address)
			}
			err := all(n, func(r int) error {
				e, err := Open(env(s, r), 5*time.Second)
				if err != nil {
					return err
				}
				return errors.Join(rounds5(e), e.Close())
			})
			if err != nil {
				t.Errorf("%d PEs, tcp %v: %v", n, tcp, err)
			}
		}
	}
}

func TestAnyDataInAnyOrder(t *testing.T) {
	dir := folder(t)
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 4).Draw(rt, "PEs")
		s, err := serve(n, time.Second, dir)
		if err != nil {
			rt.Fatal(err)
		}
		defer s.Close()
		var data [][][]byte // by round and PE
		for range rapid.IntRange(0, 3).Draw(rt, "rounds") {
			data = append(data, rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 50), n, n).Draw(rt, "data"))
		}
		pause := rapid.SliceOfN(rapid.IntRange(0, 500), n, n).Draw(rt, "µs before each round")
		if err := all(n, func(r int) error {
			e, err := Open(env(s, r), 5*time.Second)
			if err != nil {
				return err
			}
			defer e.Close()
			for i, round := range data {
				time.Sleep(time.Duration(pause[r]) * time.Microsecond)
				got, err := e.AllGather(round[r], 5*time.Second)
				if err != nil {
					return err
				}
				for p := range round {
					if !bytes.Equal(got[p], round[p]) {
						return fmt.Errorf("round %d: PE %d got %v of PE %d", i, r, got[p], p)
					}
				}
			}
			return nil
		}); err != nil {
			rt.Fatal(err)
		}
	})
}

func TestTheLargestData(t *testing.T) {
	s := started(t, 2, false)
	if err := all(2, func(r int) error {
		e, err := Open(env(s, r), 5*time.Second)
		if err != nil {
			return err
		}
		defer e.Close()
		got, err := e.AllGather(bytes.Repeat([]byte{byte(r + 1)}, MaxData), 5*time.Second)
		if err == nil && (len(got[0]) != MaxData || got[1][MaxData-1] != 2) {
			err = fmt.Errorf("got %d bytes", len(got[0]))
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}

// dial connects without the manners of a PE.
func dial(t *testing.T, s *Server) net.Conn {
	t.Helper()
	network, address, _ := strings.Cut(s.door.address, ":")
	c, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestStrangersAreRefusedAndDisturbNobody(t *testing.T) {
	s := started(t, 2, false)
	first := join(t, s, 0)
	wrong := strings.Repeat("ab", secretBytes)
	for _, c := range []struct {
		rank   int
		change string
		says   string
	}{
		{1, EnvSecret + "=" + wrong, "the secret is wrong"},
		{1, EnvSecret + "=", EnvSecret},
		{1, EnvSecret + "=abc", EnvSecret},
		{0, "", "PE 0 is here already"},
		{5, EnvSize + "=6", "no PE 5 of 6: the job has 2"},
		{1, EnvSize + "=1", EnvRank},
		{1, EnvSize + "=3", "no PE 1 of 3"},
		{1, EnvRank + "=-1", EnvRank},
		{1, EnvSize + "=x", EnvSize},
		{1, EnvAddress + "=tcp:192.0.2.1:80", EnvAddress},
		{1, EnvAddress + "=tcp:localhost:80", EnvAddress},
		{1, EnvAddress + "=unix:relative", EnvAddress},
		{1, EnvAddress + "=", EnvAddress},
	} {
		e, err := Open(env(s, c.rank, c.change), 5*time.Second)
		if err == nil {
			e.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "abc") {
			t.Errorf("PE %d with %q: %v; want %q", c.rank, c.change, err, c.says)
		}
	}
	garbage := dial(t, s)
	_, _ = garbage.Write(bytes.Repeat([]byte("GET / HTTP/1.1\r\n"), 10000))
	if answer, _ := io.ReadAll(garbage); len(answer) > 0 && !strings.Contains(string(answer), "no gpubench PE") {
		t.Errorf("garbage was answered by %q", answer)
	}
	half := dial(t, s)
	_, _ = half.Write([]byte(magic))
	for range 2 * maxSilent { // who come and say nothing
		dial(t, s)
	}
	began := time.Now()
	second := join(t, s, 1)
	if took := time.Since(began); took > 400*time.Millisecond {
		t.Errorf("it was let in after %v: it waited for those who are silent", took)
	}
	_ = half.SetReadDeadline(time.Now().Add(3 * time.Second))
	if _, err := half.Read(make([]byte, 1)); !errors.Is(err, io.EOF) && !strings.Contains(fmt.Sprint(err), "reset") {
		t.Errorf("one that does not speak to the end is kept: %v", err)
	}
	pes := []Exchange{first, second}
	if err := all(2, func(r int) error { return rounds5(pes[r]) }); err != nil {
		t.Error(err)
	}
}

// raw joins as a PE that may then say anything.
func raw(t *testing.T, s *Server, rank int) net.Conn {
	t.Helper()
	c := dial(t, s)
	_, _ = c.Write(hello{s.secret, uint32(rank), uint32(s.size)}.bytes())
	if kind, _, err := readFrame(c, maxText); err != nil || kind != kindWelcome {
		t.Fatalf("%c, %v", kind, err)
	}
	return c
}

func TestALostPEIsNamed(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(*Server, net.Conn)
		says string
	}{
		{"broken", func(_ *Server, c net.Conn) { c.Close() }, "PE 1 is gone: its connection was closed"},
		{"left", func(_ *Server, c net.Conn) { c.Write(frame(kindBye, nil)) }, "PE 1 has left"},
		{"killed", func(s *Server, _ net.Conn) { s.Lost(1, "was killed by signal 9") }, "PE 1 was killed by signal 9"},
		{"nonsense", func(_ *Server, c net.Conn) { c.Write(frame('?', nil)) }, "PE 1 is gone: it sent nonsense"},
		{"short", func(_ *Server, c net.Conn) { c.Write(frame(kindData, []byte{1})) }, "PE 1 is gone: it sent nonsense"},
		{"long", func(_ *Server, c net.Conn) { c.Write([]byte{kindData, 255, 255, 255, 255}) }, "PE 1 is gone: a message of 4294967295 bytes"},
		{"early", func(_ *Server, c net.Conn) { c.Write(frame(kindData, ask{7, time.Second, nil}.bytes())) }, "PE 1 is gone: it spoke of round 7"},
		{"absent", func(*Server, net.Conn) {}, "PE 1 did not come within 300ms"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := started(t, 3, false)
			e, bad, third := join(t, s, 0), raw(t, s, 1), join(t, s, 2)
			timeout := 5 * time.Second
			if c.name == "absent" {
				timeout = 300 * time.Millisecond
			}
			go func() {
				time.Sleep(20 * time.Millisecond)
				c.do(s, bad)
			}()
			pes := []Exchange{e, third}
			err := all(2, func(r int) error {
				_, err := pes[r].AllGather([]byte("x"), timeout)
				var lost *LostError
				if !errors.As(err, &lost) || lost.Rank != 1 || !strings.Contains(err.Error(), c.says) {
					return fmt.Errorf("%v; want %q", err, c.says)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// What a PE gave before it was lost counts: only later rounds fail.
func TestALostPEsDataStays(t *testing.T) {
	s := started(t, 2, false)
	e, bad := join(t, s, 0), raw(t, s, 1)
	if _, err := bad.Write(frame(kindData, ask{0, time.Minute, []byte("mine")}.bytes())); err != nil {
		t.Fatal(err)
	}
	for s.given() == 0 {
		time.Sleep(time.Millisecond)
	}
	s.Lost(1, "exited with status 3")
	got, err := e.AllGather(nil, 5*time.Second)
	if err != nil || string(got[1]) != "mine" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := e.AllGather(nil, 5*time.Second); err == nil || !strings.Contains(err.Error(), "PE 1 exited with status 3") {
		t.Errorf("the next round: %v", err)
	}
}

func (s *Server) given() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.round.have
}

func TestTheServersEnd(t *testing.T) {
	s := started(t, 2, false)
	e := join(t, s, 0)
	go func() {
		time.Sleep(20 * time.Millisecond)
		s.Close()
	}()
	if _, err := e.AllGather(nil, 5*time.Second); err == nil {
		t.Error("a round without a server")
	}
	s.Close() // it may still be at it
	if _, err := Open(env(s, 1), time.Second); err == nil || !strings.Contains(err.Error(), "launcher of this PE is not there") {
		t.Errorf("after the server's end: %v", err)
	}
}

func TestAServerThatHangsIsNotWaitedFor(t *testing.T) {
	s := started(t, 1, false)
	path := filepath.Join(folder(t), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = Open(env(s, 0, EnvAddress+"=unix:"+path), 200*time.Millisecond)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
}

func TestServe(t *testing.T) {
	for _, n := range []int{0, -1, MaxSize + 1} {
		if _, err := Serve(n); err == nil {
			t.Errorf("%d PEs are served", n)
		}
	}
	s, err := Serve(1)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	s.Close()
}

func TestOpenWithoutALauncher(t *testing.T) {
	for _, c := range []struct {
		env  string
		says string // the error, empty for a world of one
	}{
		{"", ""},
		{"SLURM_PROCID=0", ""},
		{"SLURM_STEP_NUM_TASKS=1", ""},
		{"SLURM_STEP_NUM_TASKS=4", "srun started this process as one of 4"},
		{"PMI_RANK=0", "srun --mpi=pmix"},
		{"PMI_FD=7", "Open MPI's mpirun"},
	} {
		k, v, _ := strings.Cut(c.env, "=")
		e, err := Open(func(name string) string {
			if name == k {
				return v
			}
			return ""
		}, time.Second)
		if c.says != "" {
			var launcher *LauncherError
			if !errors.As(err, &launcher) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %v", c.env, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.env, err)
			continue
		}
		got, err := e.AllGather([]byte("x"), time.Second)
		if err != nil || len(got) != 1 || string(got[0]) != "x" || e.Rank() != 0 || e.Size() != 1 || e.Close() != nil {
			t.Errorf("%s: %q, %v", c.env, got, err)
		}
	}
}
