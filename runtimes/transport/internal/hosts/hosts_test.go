package hosts

import (
	"os/exec"
	"reflect"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gpubench/runtimes/transport"
)

func pass(host, node string, pid int64, cpus uint64) Passport {
	p := Passport{PID: pid, PIDNS: 1, CPUs: [16]uint64{cpus}}
	copy(p.Host[:], host)
	copy(p.Node[:], node)
	return p
}

// TestPlaces: nodes are numbered by their least PE, whatever their names.
func TestPlaces(t *testing.T) {
	all := []Passport{pass("b", "y", 1, 1), pass("a", "x", 2, 3), pass("b", "y", 3, 1), pass("a", "x", 4, 3)}
	want := []transport.Place{
		{Host: "b", PID: 1, Node: 0, LocalRank: 0, LocalSize: 2}, {Host: "a", PID: 2, Node: 1, LocalRank: 0, LocalSize: 2},
		{Host: "b", PID: 3, Node: 0, LocalRank: 1, LocalSize: 2}, {Host: "a", PID: 4, Node: 1, LocalRank: 1, LocalSize: 2},
	}
	if got := Places(all); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
	for rank, want := range []bool{true, false, true, false} {
		if got := Oversubscribed(all, rank); got != want {
			t.Errorf("PE %d: oversubscribed %v", rank, got)
		}
	}
}

// TestTravels: a passport is the same on the other side, and says what is true of this process.
func TestTravels(t *testing.T) {
	p := Mine(ThisNode())
	got, err := Read(p.Bytes())
	if err != nil || got != p {
		t.Errorf("got %+v, %v", got, err)
	}
	if p.Node == (Passport{}).Node || p.PIDNS == 0 || p.CPUs == (Passport{}).CPUs || p.Host == (Passport{}).Host {
		t.Errorf("it says too little: %+v", p)
	}
	if _, err := Read(p.Bytes()[1:]); err == nil {
		t.Error("a short one is taken")
	}
}

// TestWatch: the descriptor of another process becomes readable when that ends.
func TestWatch(t *testing.T) {
	c := exec.Command("sleep", "60")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer c.Wait()
	defer c.Process.Kill()
	me, other, far := Mine("node"), Mine("node"), Mine("another node")
	other.PID = int64(c.Process.Pid)
	fds := Watch([]Passport{me, other, far}, 0)
	if fds[0] != -1 || fds[1] < 0 || fds[2] != -1 {
		t.Fatalf("descriptors %v", fds)
	}
	defer unix.Close(int(fds[1]))
	readable := func(ms int) bool {
		n, err := unix.Poll([]unix.PollFd{{Fd: fds[1], Events: unix.POLLIN}}, ms)
		return n == 1 && err == nil
	}
	if readable(0) {
		t.Error("it is readable while the process runs")
	}
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if began := time.Now(); !readable(10000) {
		t.Errorf("it is not readable %v after the end", time.Since(began))
	}
}
